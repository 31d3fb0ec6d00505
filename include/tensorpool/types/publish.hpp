// Outcomes of the producer's calls: expected ones, so enums and not errors. Spec: §1.10.1.
#pragma once

#include <cstdint>
#include <string_view>

#include "tensorpool/export.hpp"

namespace tensorpool::inline v0 {

/// What became of a publish or of a request for a claim.
enum class PublishStatus : std::uint8_t {
  kPublished,         ///< committed, or the claim was taken
  kNoPoolFits,        ///< longer than every pool's stride; no number was taken (W46)
  kInvalidParams,     ///< tensor description, length or time refused; no number was taken (W184)
  kTooManyClaims,     ///< every slot is claimed (W180)
  kCommitOutOfOrder,  ///< a claim is open: commit or abort it before a one-shot publish (W181)
  kClosed,  ///< the producer has no epoch: not opened yet, closed, or sequence numbers are used up
  kForked,  ///< called in a child of fork
};

/// What became of `Claim::commit`. Only kCommitted ends the claim; after every other answer it is
/// as it was.
enum class CommitStatus : std::uint8_t {
  kCommitted,
  kInvalidParams,     ///< (W185)
  kCommitOutOfOrder,  ///< an older claim is still open (W181)
  kStaleClaim,        ///< the epoch, or the producer, has ended (W183)
  kForked,
};

[[nodiscard]] TENSORPOOL_EXPORT std::string_view to_string(PublishStatus status) noexcept;
[[nodiscard]] TENSORPOOL_EXPORT std::string_view to_string(CommitStatus status) noexcept;

}  // namespace tensorpool::inline v0
