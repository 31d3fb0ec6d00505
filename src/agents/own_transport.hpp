// Which channels may be granted to one consumer for itself. Spec: §1.15.2 (W304, W306).
//
// Thread contract: a free function, any thread.
#pragma once

#include <string>
#include <string_view>

#include "bus/channel.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::agents {

/// What tells the streams of the channel apart; anything but aeron:ipc is refused.
[[nodiscard]] inline Result<std::string> own_transport(std::string_view text) {
  const Result<bus::Channel> channel = bus::Channel::parse(text);
  if (!channel) {
    return fail(channel.error());
  }
  if (!channel->is_ipc() || channel->is_spy()) {
    return fail(Errc::kInvalidArgument, "channel of one consumer: aeron:ipc only");
  }
  return channel->transport_key();
}

}  // namespace tensorpool::inline v0::agents
