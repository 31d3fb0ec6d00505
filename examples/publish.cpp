// Publishes images that are written in place: `publish [FRAMES]`. Waits for the first reader:
// `receive`, or `tp sub cam1`.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <tensorpool/tensorpool.hpp>
#include <thread>

namespace tp = tensorpool;

namespace {

constexpr int kRows = 512;
constexpr int kColumns = 640;
constexpr std::size_t kFrameBytes = std::size_t{2} * kRows * kColumns;

int give_up(const tp::Error& error) {
  std::fprintf(stderr, "%s\n", tp::describe(error).c_str());
  return 1;
}

// Stands for the camera: any thread or device may fill the slot.
void expose(std::span<std::byte> payload, std::uint64_t seq) {
  auto* pixels = reinterpret_cast<std::uint16_t*>(payload.data());
  std::fill_n(pixels, kRows * kColumns, static_cast<std::uint16_t>(seq));
}

}  // namespace

int main(int argc, char** argv) {
  const int frames = argc > 1 ? std::atoi(argv[1]) : 10'000;

  auto options = tp::StreamOptions::for_frames(kFrameBytes, 1000.0);
  if (!options) {
    return give_up(options.error());
  }
  options->name = "cam1";
  options->summary = "512 x 640 uint16";
  options->descriptor_stream_id = 0;  // by the number of the stream, as tp does

  auto client = tp::Client::create({.media_driver = tp::MediaDriverPolicy::kAuto});
  if (!client) {
    return give_up(client.error());
  }
  auto producer = client->create_producer(*options);
  if (!producer) {
    return give_up(producer.error());
  }

  while (!producer->has_subscribers()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const auto info = tp::TensorInfo::packed(tp::Dtype::kUint16, {kRows, kColumns});
  for (int k = 0; k < frames; ++k) {
    auto claim = producer->claim(kFrameBytes);
    if (!claim) {
      std::fprintf(stderr, "claim: %s\n", std::string(to_string(claim.error())).c_str());
      return 1;
    }
    expose(claim->payload(), claim->seq());
    if (claim->commit(info) != tp::CommitStatus::kCommitted) {
      return 1;  // the destructor gives the slot back
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const tp::ProducerCounters counters = producer->counters();
  std::printf("%llu frames published, %llu without a descriptor\n",
              static_cast<unsigned long long>(counters.frames_published),
              static_cast<unsigned long long>(counters.descriptor_backpressured));
}
