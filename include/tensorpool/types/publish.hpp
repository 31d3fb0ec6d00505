// Outcomes of the producer's calls: expected ones, so enums and not errors. Spec: §1.10.1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
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
  // Under a driver.
  kNotAttached,  ///< no lease has been granted yet (D313)
  kLeaseLost,    ///< the lease was lost; said at least once for each loss, also when the next lease
                 ///< is there already: its epoch begins with frame 0 (D145, D193)
};

/// What became of `Claim::commit`. Only kCommitted ends the claim; after every other answer it is
/// as it was.
enum class CommitStatus : std::uint8_t {
  kCommitted,
  kInvalidParams,     ///< (W185)
  kCommitOutOfOrder,  ///< an older claim is still open (W181)
  kStaleClaim,        ///< the epoch, or the producer, has ended (W183), or its lease (D314)
  kForked,
};

[[nodiscard]] TENSORPOOL_EXPORT std::string_view to_string(PublishStatus status) noexcept;
[[nodiscard]] TENSORPOOL_EXPORT std::string_view to_string(CommitStatus status) noexcept;

/// By what the payload of a claim is going to be written.
enum class FillWith : std::uint8_t {
  /// Anything: a device, non-temporal stores, a memcpy of 16 KiB and more, which may use them.
  kAnything,
  /// The caller promises none of these. Saves two store fences (W450), and with them the wait for
  /// all stores before: some 100 ns where consumers poll. Torn frames may pass unnoticed when the
  /// promise is not kept.
  kOrdinaryStores,
};

namespace detail {

/// A slot that was taken and not yet committed or aborted.
struct OpenClaim {
  std::uint64_t seq = 0;
  std::uint64_t epoch = 0;
  std::span<std::byte> payload;  ///< room in the pool, at least what was asked for
  std::uint32_t pool_index = 0;
  FillWith fill = FillWith::kAnything;
};

}  // namespace detail
}  // namespace tensorpool::inline v0
