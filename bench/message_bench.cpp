// A FrameDescriptor out of its bytes: by the path that runs once per frame, and by the general
// decoder.
#include <benchmark/benchmark.h>

#include <cstring>
#include <span>

#include "codec/codec.hpp"
#include "core/consumer/descriptor_message.hpp"
#include "support/ring_fixture.hpp"

namespace tensorpool {
namespace {

[[nodiscard]] layout::FrameDescriptorMessage message() {
  layout::FrameDescriptorMessage made{};
  made.block_length = layout::kFrameDescriptorBlockLength;
  made.template_id = layout::kFrameDescriptorTemplateId;
  made.schema_id = layout::kWireSchemaId;
  made.version = layout::kWireSchemaVersion;
  made.stream_id = 7;
  made.epoch = 3;
  return made;
}

void descriptor_hot_path(benchmark::State& state) {
  const layout::FrameDescriptorMessage made = message();
  core::consumer::Descriptor descriptor;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        core::consumer::parse_descriptor(std::as_bytes(std::span(&made, 1)), descriptor));
    benchmark::DoNotOptimize(descriptor);
  }
}
BENCHMARK(descriptor_hot_path);

void descriptor_general_decoder(benchmark::State& state) {
  const layout::FrameDescriptorMessage made = message();
  codec::Scratch scratch;
  for (auto _ : state) {
    const auto decoded =
        codec::decode<codec::Message900>(std::as_bytes(std::span(&made, 1)), scratch);
    if (!decoded) {
      state.SkipWithError("the descriptor does not decode");
      return;
    }
    benchmark::DoNotOptimize(*decoded);
  }
}
BENCHMARK(descriptor_general_decoder);

}  // namespace
}  // namespace tensorpool
