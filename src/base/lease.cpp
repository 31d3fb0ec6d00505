#include "tensorpool/types/lease.hpp"

namespace tensorpool::inline v0 {

std::string_view to_string(AttachState state) noexcept {
  switch (state) {
    case AttachState::kUnattached:
      return "unattached";
    case AttachState::kAttaching:
      return "attaching";
    case AttachState::kAttached:
      return "attached";
    case AttachState::kDetaching:
      return "detaching";
    case AttachState::kBackoff:
      return "backoff";
  }
  return "unknown";
}

std::string_view to_string(LeaseLoss loss) noexcept {
  switch (loss) {
    case LeaseLoss::kRevoked:
      return "revoked";
    case LeaseLoss::kExpired:
      return "expired";
    case LeaseLoss::kKeepalive:
      return "keepalive_failed";
    case LeaseLoss::kDriverShutdown:
      return "driver_shutdown";
    case LeaseLoss::kDriverSilent:
      return "driver_silent";
    case LeaseLoss::kNewerEpoch:
      return "newer_epoch";
  }
  return "unknown";
}

}  // namespace tensorpool::inline v0
