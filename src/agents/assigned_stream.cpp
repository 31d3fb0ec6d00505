#include "agents/assigned_stream.hpp"

namespace tensorpool::inline v0::agents {

using core::registration::OwnStream;
using Step = core::registration::StreamMove::Step;

void AssignedStream::assign(OwnStream to) {
  switch (move_.assign(std::move(to))) {
    case Step::kNothing:
      break;
    case Step::kAdd:
      move_to(move_.target());
      break;
    case Step::kCancel:
      stay();
      break;
  }
}

/// The polling thread knows the stream by its number when it comes to it.
void AssignedStream::move_to(const OwnStream& to) {
  if (to.is_absent()) {
    own_id_.store(0, std::memory_order_relaxed);
    link_.move_to(shared_.untethered(), shared_id_);
    return;
  }
  const Result<bus::Channel> channel = bus::Channel::parse(to.channel);
  if (!channel || !bus::is_valid_stream_id(to.stream_id)) {
    refused_ = to;
    move_.on_added(false);
    stay();
    return;
  }
  own_id_.store(to.stream_id, std::memory_order_relaxed);
  link_.move_to(channel->untethered(), static_cast<std::int32_t>(to.stream_id));
}

/// Gives up a move that has begun, be it this one or an earlier one (W326).
void AssignedStream::stay() {
  link_.stay();
  own_id_.store(move_.place().stream_id, std::memory_order_relaxed);
}

int AssignedStream::do_work(Nanos now) {
  const int work = link_.do_work(now);
  if (move_.is_moving() && !link_.is_moving()) {
    const bool added = !link_.last_error();
    if (!added) {
      refused_ = move_.target();
    }
    move_.on_added(added);
    own_id_.store(move_.place().stream_id, std::memory_order_relaxed);
  }
  return work;
}

}  // namespace tensorpool::inline v0::agents
