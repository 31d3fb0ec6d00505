// The error type of the whole library: what went wrong, with the value, the limit and the place.
//
// Three things are kept apart. An expected outcome (ring full, nothing new) is a small enum of its
// own. An operating error (a mapping failed, a peer sent rubbish) is an Error inside a Result. A
// broken invariant of this process is an assertion. Bytes from shared memory, the bus, files and
// users are input, never an invariant.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "tensorpool/export.hpp"
#include "tensorpool/types/expected.hpp"

namespace tensorpool::inline v0 {

/// What went wrong. `to_string` gives the name that the protocol uses where it has one (spec
/// §1.25).
enum class Errc : std::uint16_t {
  // Names of the protocol, §1.25.
  kUriUnsupportedScheme = 1,
  kUriInvalid,
  kPathRejected,
  kPermissionRejected,
  kHugepagesRequired,
  kRegionTooSmall,
  kRegionTooLarge,
  kSuperblockMismatch,
  kLayoutUnsupported,
  kStrideInvalid,
  kAnnounceInvalid,
  kFallbackUnsupported,
  kStreamAssignmentInvalid,
  kConsumerIdCollision,
  kNoPoolFits,
  kInvalidParams,
  kTooManyClaims,
  kCommitOutOfOrder,
  kStaleClaim,
  kExtentExceedsPayload,
  kMetadataTooLarge,
  // Messages, §1.5.
  kMalformedMessage,
  kUnsupportedVersion,
  kUnknownTemplate,
  kWrongSchema,
  kMessageTooLong,
  // The library's own.
  kInvalidArgument,
  kNotFound,
  kAlreadyExists,
  kLimitReached,
  kNoSpace,
  kOsFailure,
  kTimeout,
  kClosed,
  kForked,
  kMisaligned,
  kDtypeMismatch,
  kMediaDriverUnavailable,
  kBusFailure,
  kFileFormat,
  kTruncatedInput,
  kEpochExhausted,
  kAttachRefused,       ///< by the driver, for now: it is worth trying again
  kLeaseLost,           ///< the lease that the driver had granted, by whatever route
  kClockMismatch,       ///< announces bear a clock that cannot be ours
  kHugepagesForbidden,  ///< a region lies on hugetlbfs where the client wants none (D123)
  kShapeChanged,
};

/// The field that an error speaks of, where one field is to blame (W441).
enum class Field : std::uint16_t {
  kNone = 0,
  kMagic,
  kLayoutVersion,
  kEpoch,
  kStreamId,
  kRegionType,
  kPoolId,
  kNslots,
  kSlotBytes,
  kStrideBytes,
  kPid,
  kActivityTimestamp,
  kPath,
  kRegionUri,
  kHeaderSlotBytes,
  kHeaderNslots,
  kPoolNslots,
  kPayloadPools,
  kDtype,
  kMajorOrder,
  kNdims,
  kDims,
  kStrides,
  kProgressUnit,
  kProgressStrideBytes,
  kValuesLenBytes,
  kTimestamp,
  kMode,
  kUid,
  kGid,
};

/// The header ring in `Error::region`; payload pools carry their pool id + 1; 0 means no region.
inline constexpr std::uint32_t kErrorRegionNone = 0;
inline constexpr std::uint32_t kErrorRegionHeaderRing = 0xFFFF'FFFF;
[[nodiscard]] constexpr std::uint32_t error_region_pool(std::uint16_t pool_id) noexcept {
  return pool_id + 1U;
}

/// One error with everything a person needs to act on it. Trivially copyable; building one never
/// allocates.
struct Error {
  Errc code{};  ///< `to_string()` gives the spec's name, `describe()` the sentence with the fix.
  Field field = Field::kNone;  ///< The offending field, where one is to blame.
  std::int32_t os_errno = 0;   ///< errno of the failed system call, 0 when none failed.
  std::uint32_t stream_id = 0;
  std::uint32_t region = kErrorRegionNone;
  std::uint64_t epoch = 0;
  std::uint64_t value = 0;  ///< What was found or asked for.
  std::uint64_t limit = 0;  ///< What would have been accepted, or 0.
  char subject[96] = {};    ///< Path, key, URI or call; cut with an ellipsis when longer.

  [[nodiscard]] std::string_view subject_view() const noexcept;

  // Builders, for use as `fail(...).error()` chains: each returns *this.
  Error& in_stream(std::uint32_t stream) noexcept {
    stream_id = stream;
    return *this;
  }
  Error& in_region(std::uint32_t which) noexcept {
    region = which;
    return *this;
  }
  Error& in_epoch(std::uint64_t which) noexcept {
    epoch = which;
    return *this;
  }
  Error& of_field(Field which) noexcept {
    field = which;
    return *this;
  }
};
static_assert(std::is_trivially_copyable_v<Error>);

/// A value, or the Error that stands in its way. Never throws by itself; do not call `.value()`.
template <class T>
using Result = tl::expected<T, Error>;

/// Success without a value.
using Status = Result<void>;

/// The name of §1.25, or the library's own name in the same form (`snake_case`).
[[nodiscard]] TENSORPOOL_EXPORT std::string_view to_string(Errc code) noexcept;

/// The wire name of a field (`strideBytes`), or "" for Field::kNone.
[[nodiscard]] TENSORPOOL_EXPORT std::string_view to_string(Field field) noexcept;

/// What the reader of the message can do about it: one sentence.
[[nodiscard]] TENSORPOOL_EXPORT std::string_view how_to_fix(Errc code) noexcept;

/// The whole sentence: name, subject, field, value, limit, place, system error and the fix.
/// Allocates: the returned string.
[[nodiscard]] TENSORPOOL_EXPORT std::string describe(const Error& error);

/// Builds an Error without allocating. `subject` is copied, and cut when too long.
[[nodiscard]] TENSORPOOL_EXPORT Error make_error(Errc code, std::string_view subject = {},
                                                 std::uint64_t value = 0,
                                                 std::uint64_t limit = 0) noexcept;

/// The failing half of a Result.
[[nodiscard]] inline tl::unexpected<Error> fail(Errc code, std::string_view subject = {},
                                                std::uint64_t value = 0,
                                                std::uint64_t limit = 0) noexcept {
  return tl::unexpected<Error>(make_error(code, subject, value, limit));
}
[[nodiscard]] inline tl::unexpected<Error> fail(const Error& error) noexcept {
  return tl::unexpected<Error>(error);
}

/// A system call failed: `call` names it, `os_errno` is errno as it was right after.
[[nodiscard]] TENSORPOOL_EXPORT Error make_os_error(Errc code, std::string_view call,
                                                    std::int32_t os_errno) noexcept;

}  // namespace tensorpool::inline v0
