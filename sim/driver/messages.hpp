// Messages between driver and clients on their way: each with what its texts and lists point to.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "layout/messages_900.hpp"
#include "layout/messages_901.hpp"
#include "parts/announced_regions.hpp"

namespace tensorpool::inline v0::sim::driver {

struct ControlMessage {
  using Body =
      std::variant<layout::ShmAttachRequest, layout::ShmDetachRequest, layout::ShmLeaseKeepalive,
                   layout::ShmDriverShutdownRequest, layout::ShmAttachResponse,
                   layout::ShmDetachResponse, layout::ShmLeaseRevoked, layout::ShmDriverShutdown,
                   layout::ShmPoolAnnounce>;
  Body body{};
  std::shared_ptr<const std::string> text{};
  std::shared_ptr<const AnnouncedRegions> regions{};
};

/// `message` with a text of its own.
template <class Message>
[[nodiscard]] ControlMessage keeping_text(Message message) {
  ControlMessage kept;
  if (!message.error_message.empty()) {
    kept.text = std::make_shared<const std::string>(message.error_message);
    message.error_message = *kept.text;
  }
  kept.body = message;
  return kept;
}

/// `message` with regions of its own, which are those that it names.
template <class Message>
[[nodiscard]] ControlMessage keeping_regions(Message message,
                                             std::shared_ptr<const AnnouncedRegions> regions) {
  message.payload_pools = {regions->pools.data(), regions->pools.size()};
  message.header_region_uri = regions->plan.header_ring.uri;
  return {.body = message, .text = nullptr, .regions = std::move(regions)};
}

}  // namespace tensorpool::inline v0::sim::driver
