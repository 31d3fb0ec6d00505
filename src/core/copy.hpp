// hot-path: one copy of the payload; no allocation, no system call.
//
// Copies of payload into and out of shared memory. The only file, with its .cpp, that contains
// non-temporal stores. Spec: W155, W450; W166, W174 for the way out.
//
// Streaming stores are not ordered by a C++ release. So the streaming copy begins with a store
// fence, which keeps it behind IN_PROGRESS (W154), and ends with one, which keeps COMMITTED behind
// it (W157). A cached copy that is long enough for the C library to stream by itself gets the
// leading fence too; its trailing one is the library's own duty, and the commit adds another
// (`Stores::kStreaming`).
//
// Thread contract: pure functions. Payload bytes race by design when a reader is lapped: the
// seqlock around the copy tells (core/ring). `copy_out` is the only function that ThreadSanitizer
// is told to ignore.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tensorpool::inline v0::core {

/// How a payload is written.
enum class CopyKind : std::uint8_t {
  kCached,     ///< plain stores; best while ring and reader share the last-level cache
  kStreaming,  ///< non-temporal stores; best when the pools do not fit in the cache
};

/// Shortest cached copy that is taken to stream: glibc's lowest possible non-temporal threshold.
inline constexpr std::size_t kSelfStreamingBytes = 0x4040;

/// The kind to use for pools of `footprint_bytes` on a machine whose last-level cache has
/// `cache_bytes`: streaming from half of it on, because what is copied and what readers do need
/// their share.
[[nodiscard]] CopyKind choose_copy_kind(std::uint64_t footprint_bytes,
                                        std::uint64_t cache_bytes) noexcept;

/// Copies a payload into shared memory. The ranges do not overlap.
void copy_in(std::byte* to, const std::byte* from, std::size_t bytes, CopyKind kind) noexcept;

/// Copies a payload out of shared memory. What arrives is only to be used after
/// `unchanged_after_use`.
void copy_out(std::byte* to, const std::byte* from, std::size_t bytes) noexcept;

/// The copier of the product; the simulator and the model checker put their own in its place.
struct PayloadCopier {
  static void in(std::byte* to, const std::byte* from, std::size_t bytes, CopyKind kind) noexcept {
    copy_in(to, from, bytes, kind);
  }
  static void out(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
    copy_out(to, from, bytes);
  }
};

}  // namespace tensorpool::inline v0::core
