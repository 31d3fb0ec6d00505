#include "tensorpool/types/publish.hpp"

namespace tensorpool::inline v0 {

std::string_view to_string(PublishStatus status) noexcept {
  switch (status) {
    case PublishStatus::kPublished:
      return "published";
    case PublishStatus::kNoPoolFits:
      return "no_pool_fits";
    case PublishStatus::kInvalidParams:
      return "invalid_params";
    case PublishStatus::kTooManyClaims:
      return "too_many_claims";
    case PublishStatus::kCommitOutOfOrder:
      return "commit_out_of_order";
    case PublishStatus::kClosed:
      return "closed";
    case PublishStatus::kForked:
      return "forked";
    case PublishStatus::kNotAttached:
      return "not_attached";
    case PublishStatus::kLeaseLost:
      return "lease_lost";
  }
  return "unknown";
}

std::string_view to_string(CommitStatus status) noexcept {
  switch (status) {
    case CommitStatus::kCommitted:
      return "committed";
    case CommitStatus::kInvalidParams:
      return "invalid_params";
    case CommitStatus::kCommitOutOfOrder:
      return "commit_out_of_order";
    case CommitStatus::kStaleClaim:
      return "stale_claim";
    case CommitStatus::kForked:
      return "forked";
  }
  return "unknown";
}

}  // namespace tensorpool::inline v0
