// Which channels may be granted to one consumer for itself, and which streams of theirs may not.
// Spec: §1.15.2 (W304, W306).
//
// Thread contract: free functions, any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/assert.hpp"
#include "bus/channel.hpp"
#include "core/naming/stream_names.hpp"
#include "core/registration/responder.hpp"
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

/// Where the shared descriptors of some stream are, unless somebody says otherwise: who answers
/// hellos does not know of all streams.
[[nodiscard]] inline core::registration::Responder::Taken usual_descriptor_streams() {
  Result<std::string> ipc = own_transport("aeron:ipc");
  TP_ASSERT(ipc.has_value());
  return {.transport = std::move(*ipc),
          .stream_id = core::naming::kSharedStreamIdFirst,
          .count = core::naming::kSharedStreamIdLast - core::naming::kSharedStreamIdFirst + 1,
          .by_custom = true};
}

}  // namespace tensorpool::inline v0::agents
