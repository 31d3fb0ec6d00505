#include "core/copy.hpp"

#include <cstring>

#include "base/atomics.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tensorpool::inline v0::core {
namespace {

#if defined(__x86_64__)

using StreamBlocks = void (*)(std::byte* to, const std::byte* from, std::size_t blocks,
                              std::ptrdiff_t step) noexcept;

constexpr std::size_t kBlockBytes = 64;

// `to` and `from` are the block to begin with, `step` is +64 or -64 bytes to the next.
// Precondition of the three: `to` is 64-byte aligned.
void stream_blocks_sse2(std::byte* to, const std::byte* from, std::size_t blocks,
                        std::ptrdiff_t step) noexcept {
  for (; blocks != 0; --blocks, to += step, from += step) {
    for (std::size_t k = 0; k < kBlockBytes; k += sizeof(__m128i)) {
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + k),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + k)));
    }
  }
}

[[gnu::target("avx")]] void stream_blocks_avx(std::byte* to, const std::byte* from,
                                              std::size_t blocks, std::ptrdiff_t step) noexcept {
  for (; blocks != 0; --blocks, to += step, from += step) {
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 32));
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to), low);
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to + 32), high);
  }
}

[[gnu::target("avx512f")]] void stream_blocks_avx512(std::byte* to, const std::byte* from,
                                                     std::size_t blocks,
                                                     std::ptrdiff_t step) noexcept {
  for (; blocks != 0; --blocks, to += step, from += step) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to),
                        _mm512_loadu_si512(reinterpret_cast<const void*>(from)));
  }
}

StreamBlocks widest_stream_blocks() noexcept {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) {
    return stream_blocks_avx512;
  }
  return __builtin_cpu_supports("avx") ? stream_blocks_avx : stream_blocks_sse2;
}

const StreamBlocks stream_blocks = widest_stream_blocks();

#endif

}  // namespace

CopyKind choose_copy_kind(std::uint64_t footprint_bytes, std::uint64_t cache_bytes) noexcept {
  return cache_bytes != 0 && footprint_bytes > cache_bytes / 2 ? CopyKind::kStreaming
                                                               : CopyKind::kCached;
}

void copy_in(std::byte* to, const std::byte* from, std::size_t bytes, CopyKind kind) noexcept {
#if defined(__x86_64__)
  if (kind == CopyKind::kStreaming && bytes >= kSelfStreamingBytes) {
    base::detail::order_streaming_stores();  // IN_PROGRESS before the payload (W154)
    const std::size_t head = -reinterpret_cast<std::uintptr_t>(to) % kBlockBytes;
    std::memcpy(to, from, head);
    const std::size_t blocks = (bytes - head) / kBlockBytes;
    // A load that follows a store to the same offset of another page waits for it. Where the stores
    // would run a little ahead of the loads, begin at the end.
    constexpr std::size_t kPageBytes = 4096;
    const std::size_t ahead =
        (reinterpret_cast<std::uintptr_t>(to) - reinterpret_cast<std::uintptr_t>(from)) %
        kPageBytes;
    if (ahead != 0 && ahead < kPageBytes / 2 && blocks != 0) {
      const std::size_t last = head + (blocks - 1) * kBlockBytes;
      stream_blocks(to + last, from + last, blocks, -static_cast<std::ptrdiff_t>(kBlockBytes));
    } else {
      stream_blocks(to + head, from + head, blocks, kBlockBytes);
    }
    const std::size_t done = head + blocks * kBlockBytes;
    std::memcpy(to + done, from + done, bytes - done);
    base::detail::order_streaming_stores();  // the payload before COMMITTED (W157)
    return;
  }
#endif
  static_cast<void>(kind);  // other processors: ordinary stores
  if (bytes >= kSelfStreamingBytes) {
    base::detail::order_streaming_stores();
  }
  if (bytes != 0) {  // an empty span may be null, which memcpy must not be given
    std::memcpy(to, from, bytes);
  }
}

#if defined(TP_THREAD_SANITIZER)
// The interceptor of memcpy would report the race that the seqlock resolves; volatile keeps this
// loop a loop.
__attribute__((no_sanitize("thread"))) void copy_out(std::byte* to, const std::byte* from,
                                                     std::size_t bytes) noexcept {
  const volatile std::byte* source = from;
  for (std::size_t k = 0; k < bytes; ++k) {
    to[k] = source[k];
  }
}
#else
void copy_out(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  if (bytes != 0) {
    std::memcpy(to, from, bytes);
  }
  // The copy is done before anything that follows: neither elided nor moved behind the check after
  // use (W166).
  asm volatile("" ::"r"(to) : "memory");
}
#endif

}  // namespace tensorpool::inline v0::core
