// Where the frames of a stream can be had without shared memory. Spec: §1.11.3 (W248..W250).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tensorpool/export.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0 {

/// Why a consumer does without shared memory.
enum class FallbackCause : std::uint8_t {
  kAsked,    ///< it was created so, and nobody has said anything yet
  kTold,     ///< a ConsumerConfig forbids it: the supervisor, or whoever answers hellos
  kRefused,  ///< the regions were refused, see `Fallback::error`; other ones may yet be mapped
};

/// What is offered instead.
enum class FallbackKind : std::uint8_t {
  kNone,    ///< nothing
  kAeron,   ///< messages on `channel` and `aeron_stream_id`
  kBridge,  ///< the bridge at `bridge`, which brings the stream to other hosts
};

/// What an application needs to know in order to get its frames another way. The library does not
/// do it by itself: what travels there, and whether a copy over the network is good enough, only
/// the application knows.
struct Fallback {
  FallbackCause cause = FallbackCause::kAsked;
  FallbackKind kind = FallbackKind::kNone;
  std::uint32_t stream_id = 0;       ///< of the stream that is to be had
  std::string uri = {};              ///< as it was told; empty: nothing is offered
  std::string channel = {};          ///< of kAeron: the URI without its `stream-id`
  std::int32_t aeron_stream_id = 0;  ///< of kAeron: its `stream-id`; 0: it names none
  std::string bridge = {};           ///< of kBridge: what stands behind `bridge://`
  Error error = {};                  ///< of kRefused

  /// Takes a URI apart; one of another scheme counts as none (W250).
  [[nodiscard]] TENSORPOOL_EXPORT static Fallback of(FallbackCause cause, std::string_view uri);
};

[[nodiscard]] TENSORPOOL_EXPORT std::string_view to_string(FallbackCause cause) noexcept;
[[nodiscard]] TENSORPOOL_EXPORT std::string_view to_string(FallbackKind kind) noexcept;

/// What has happened and what can be done about it, for people: two sentences.
[[nodiscard]] TENSORPOOL_EXPORT std::string describe(const Fallback& fallback);

}  // namespace tensorpool::inline v0
