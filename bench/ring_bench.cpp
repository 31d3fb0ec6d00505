// What one frame costs writer and reader inside one thread, with everything in the cache: the floor
// under what `tp bench` measures between processes.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/consumer/frame_receiver.hpp"
#include "core/producer/frame_writer.hpp"
#include "support/ring_fixture.hpp"

namespace tensorpool {
namespace {

using Atom = base::DefaultAtom;
using Writer = core::producer::FrameWriter<Atom>;
using Receiver = core::consumer::FrameReceiver<Atom>;

constexpr std::uint32_t kStream = 7;
constexpr std::uint64_t kEpoch = 3;
constexpr std::uint32_t kSlots = 64;
constexpr std::size_t kPayloadBytes = 64;

/// A ring, its writer and a receiver that has the mapping.
struct Ring {
  test::HeapStream<Atom> stream{kSlots, {{.id = 1, .stride_bytes = kPayloadBytes}}};
  Writer writer{stream.memory(), {.stream_id = kStream, .epoch = kEpoch}};
  Receiver receiver{{.stream_id = kStream}};
  TensorInfo info = test::bytes_tensor(kPayloadBytes);
  std::vector<std::byte> payload = test::pattern(kPayloadBytes, kEpoch, 0);

  Ring() { receiver.attach(stream.memory(), kEpoch); }
  void publish() { benchmark::DoNotOptimize(writer.publish(info, payload, writer.next_seq())); }
};

constexpr auto kTake = [](const auto& frame) noexcept {
  benchmark::DoNotOptimize(frame.payload.data());
  return core::consumer::Use::kDone;
};

void writer_publish(benchmark::State& state) {
  Ring ring;
  for (auto _ : state) {
    ring.publish();
  }
}
BENCHMARK(writer_publish);

void writer_claim_and_commit(benchmark::State& state) {
  Ring ring;
  for (auto _ : state) {
    core::producer::OpenClaim claim;
    benchmark::DoNotOptimize(ring.writer.claim(kPayloadBytes, claim));
    benchmark::DoNotOptimize(ring.writer.commit(claim, ring.info, kPayloadBytes, claim.seq));
  }
}
BENCHMARK(writer_claim_and_commit);

/// Publishes and receives; the difference to writer_publish is the reader's part.
void publish_and_receive_descriptor(benchmark::State& state) {
  Ring ring;
  int frames = 0;
  for (auto _ : state) {
    ring.publish();
    frames += ring.receiver.on_descriptor(test::received(ring.writer.descriptor()), false, kTake);
  }
  if (frames != static_cast<int>(state.iterations())) {
    state.SkipWithError("frames were lost in one thread");
  }
}
BENCHMARK(publish_and_receive_descriptor);

void publish_and_follow_ring(benchmark::State& state) {
  Ring ring;
  int frames = 0;
  for (auto _ : state) {
    ring.publish();
    frames += ring.receiver.follow_ring(1, false, kTake);
  }
  if (frames != static_cast<int>(state.iterations())) {
    state.SkipWithError("frames were lost in one thread");
  }
}
BENCHMARK(publish_and_follow_ring);

void follow_ring_finds_nothing(benchmark::State& state) {
  Ring ring;
  ring.publish();
  benchmark::DoNotOptimize(ring.receiver.follow_ring(1, false, kTake));
  for (auto _ : state) {
    benchmark::DoNotOptimize(ring.receiver.follow_ring(1, false, kTake));
  }
}
BENCHMARK(follow_ring_finds_nothing);

}  // namespace
}  // namespace tensorpool
