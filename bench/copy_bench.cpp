// Copies into a ring that nobody reads: the two kinds beside memcpy, for a ring inside the
// last-level cache and one beyond it. What choose_copy_kind decides by.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstring>
#include <vector>

#include "core/copy.hpp"

namespace tensorpool {
namespace {

constexpr std::size_t kImageBytes = 655'360;  // 512 x 640, 16 bits

/// `copy(to, from, bytes)` into each slot of a ring in turn; range(0) is the number of slots.
template <class Copy>
void fill_ring(benchmark::State& state, Copy copy) {
  const auto slots = static_cast<std::size_t>(state.range(0));
  std::vector<std::byte> ring(slots * kImageBytes, std::byte{1});
  const std::vector<std::byte> source(kImageBytes, std::byte{2});
  std::size_t slot = 0;
  for (auto _ : state) {
    copy(ring.data() + slot * kImageBytes, source.data(), kImageBytes);
    benchmark::ClobberMemory();
    slot = slot + 1 == slots ? 0 : slot + 1;
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kImageBytes));
}

void image_memcpy(benchmark::State& state) {
  fill_ring(state, [](std::byte* to, const std::byte* from, std::size_t bytes) {
    std::memcpy(to, from, bytes);
  });
}
void image_cached(benchmark::State& state) {
  fill_ring(state, [](std::byte* to, const std::byte* from, std::size_t bytes) {
    core::copy_in(to, from, bytes, core::CopyKind::kCached);
  });
}
void image_streaming(benchmark::State& state) {
  fill_ring(state, [](std::byte* to, const std::byte* from, std::size_t bytes) {
    core::copy_in(to, from, bytes, core::CopyKind::kStreaming);
  });
}
void image_copy_out(benchmark::State& state) {
  fill_ring(state, [](std::byte* to, const std::byte* from, std::size_t bytes) {
    core::copy_out(to, from, bytes);
  });
}

constexpr int kInCache = 4;
constexpr int kBeyondCache = 256;
BENCHMARK(image_memcpy)->Arg(kInCache)->Arg(kBeyondCache);
BENCHMARK(image_cached)->Arg(kInCache)->Arg(kBeyondCache);
BENCHMARK(image_streaming)->Arg(kInCache)->Arg(kBeyondCache);
BENCHMARK(image_copy_out)->Arg(kInCache);

}  // namespace
}  // namespace tensorpool
