// What the attach machine asks its owner to do. Spec: §2.20.
//
// Thread contract: plain values.
#pragma once

#include <cstdint>
#include <variant>

#include "layout/messages_901.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/lease.hpp"
#include "tensorpool/types/mapping.hpp"

namespace tensorpool::inline v0::core::attach {

/// Map `AttachMachine::grant().plan`, all of it or nothing, under the page size that was asked for;
/// answer with on_mapped.
struct MapRegions {
  friend bool operator==(const MapRegions&, const MapRegions&) = default;
};

/// Stop using the regions of the lease at once, and unmap them (D145, D165).
struct UnmapRegions {
  UnmapReason reason = UnmapReason::kLeaseLost;

  friend bool operator==(const UnmapRegions&, const UnmapRegions&) = default;
};

/// Tell the application (D311). `AttachMachine::text()` is what the driver said about it.
struct AttachReport {
  enum class Kind : std::uint8_t {
    kAttached,
    kRefused,        ///< the driver answered `code`
    kProtocolError,  ///< a response that is not to be trusted: `error`
    kTimedOut,       ///< no answer within the attach timeout
    kInterrupted,    ///< the driver went down before it answered
    kLost,           ///< the lease, for `loss`
    kDetached,       ///< the lease was given back
  };
  Kind kind = Kind::kAttached;
  layout::ResponseCode code = layout::ResponseCode::kOk;
  LeaseLoss loss = LeaseLoss::kRevoked;
  bool tries_again = false;  ///< the machine does so by itself, after a backoff
  Error error{};
};

/// One thing to do. A message is sent, and on_sent says what became of it.
using AttachAction = std::variant<layout::ShmAttachRequest, layout::ShmLeaseKeepalive,
                                  layout::ShmDetachRequest, MapRegions, UnmapRegions, AttachReport>;

/// What became of a message that was to be sent: Aeron's answers.
enum class SendResult : std::uint8_t {
  kOk,
  kBackPressured,  ///< or ADMIN_ACTION: it is tried again in the next duty cycle
  kNotConnected,
  kClosed,
  kMaxPosition,
};

}  // namespace tensorpool::inline v0::core::attach
