#include "core/driver/pending_attaches.hpp"

#include <utility>

#include "base/assert.hpp"

namespace tensorpool::inline v0::core::driver {

void PendingAttaches::add(PendingAttach attach) {
  attach.ticket = next_ticket_++;
  const bool first_of_client = by_client_.emplace(attach.request.client_id, attach.ticket).second;
  TP_ASSERT(!full() && first_of_client);
  by_stream_[attach.stream_id].insert(attach.ticket);
  if (attach.producer()) {
    const bool only_producer = producers_.emplace(attach.stream_id, attach.ticket).second;
    TP_ASSERT(only_producer);
  }
  replays_ += attach.replay_of != 0 ? 1 : 0;
  by_ticket_.emplace(attach.ticket, attach);
}

PendingAttach PendingAttaches::take(std::uint64_t ticket) {
  const auto position = by_ticket_.find(ticket);
  TP_ASSERT(position != by_ticket_.end());
  const PendingAttach attach = position->second;
  by_ticket_.erase(position);
  by_client_.erase(attach.request.client_id);
  const auto stream = by_stream_.find(attach.stream_id);
  stream->second.erase(ticket);
  if (stream->second.empty()) {
    by_stream_.erase(stream);
  }
  if (attach.producer()) {
    producers_.erase(attach.stream_id);
  }
  replays_ -= attach.replay_of != 0 ? 1 : 0;
  return attach;
}

const PendingAttach* PendingAttaches::of_client(std::uint32_t client_id) const noexcept {
  const auto found = by_client_.find(client_id);
  return found == by_client_.end() ? nullptr : &by_ticket_.find(found->second)->second;
}

const PendingAttach* PendingAttaches::producer_of(std::uint32_t stream_id) const noexcept {
  const auto found = producers_.find(stream_id);
  return found == producers_.end() ? nullptr : &by_ticket_.find(found->second)->second;
}

std::vector<const PendingAttach*> PendingAttaches::of_stream(std::uint32_t stream_id) const {
  std::vector<const PendingAttach*> attaches;
  if (const auto found = by_stream_.find(stream_id); found != by_stream_.end()) {
    for (const std::uint64_t ticket : found->second) {
      attaches.push_back(&by_ticket_.find(ticket)->second);
    }
  }
  return attaches;
}

std::vector<std::uint64_t> PendingAttaches::tickets() const {
  std::vector<std::uint64_t> tickets;
  for (const auto& [ticket, attach] : by_ticket_) {
    tickets.push_back(ticket);
  }
  return tickets;
}

const PendingAttach* PendingAttaches::first_late(Nanos now) const noexcept {
  const bool late = !by_ticket_.empty() && now - by_ticket_.begin()->second.received_at > kPatience;
  return late ? &by_ticket_.begin()->second : nullptr;
}

std::optional<Nanos> PendingAttaches::next_deadline() const noexcept {
  // What is exactly kPatience old is not late yet.
  return by_ticket_.empty()
             ? std::nullopt
             : std::optional(by_ticket_.begin()->second.received_at + kPatience + Nanos{1});
}

}  // namespace tensorpool::inline v0::core::driver
