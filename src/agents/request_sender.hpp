// The way from a client's leases to the driver: the control bus, or what a test puts in its place.
//
// Thread contract: the control thread. Spec: §2.7, §2.10.
#pragma once

#include <cstdint>

#include "bus/publication.hpp"
#include "layout/messages_901.hpp"

namespace tensorpool::inline v0::agents {

class RequestSender {
 public:
  RequestSender() = default;
  RequestSender(const RequestSender&) = delete;
  RequestSender& operator=(const RequestSender&) = delete;
  virtual ~RequestSender() = default;

  /// True when a driver that listens on the control stream could hear us (D305).
  [[nodiscard]] virtual bool is_control_connected() noexcept = 0;
  /// Counts connections to a media driver. What was sent under another number may not have arrived.
  [[nodiscard]] virtual std::uint64_t connection_number() const noexcept = 0;
  [[nodiscard]] virtual bus::OfferStatus send_to_driver(const layout::ShmAttachRequest&) = 0;
  [[nodiscard]] virtual bus::OfferStatus send_to_driver(const layout::ShmLeaseKeepalive&) = 0;
  [[nodiscard]] virtual bus::OfferStatus send_to_driver(const layout::ShmDetachRequest&) = 0;
};

}  // namespace tensorpool::inline v0::agents
