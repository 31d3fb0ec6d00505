#include "agents/attach_group.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/kill_point.hpp"

namespace tensorpool::inline v0::agents {

using core::attach::AttachMachine;

namespace {

/// Takes an entry out that may have become another agent's.
template <class Key>
void erase_own(std::map<Key, AttachAgent*>& index, Key key, const AttachAgent& agent) noexcept {
  const auto found = index.find(key);
  if (found != index.end() && found->second == &agent) {
    index.erase(found);
  }
}

}  // namespace

int AttachGroup::do_work(Nanos now) {
  watch_connection(now);
  due_.clear();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    AttachAgent& agent = *timers_.begin()->second;
    place_timer(agent, kNoDeadline);
    due_.push_back(&agent);
  }
  int waiting = 0;
  for (AttachAgent* const agent : due_) {
    agent->tell(now, [&](AttachMachine& machine) { machine.poll(now); });
    waiting += agent->machine_.state() != AttachState::kAttached ? 1 : 0;
  }
  return waiting;
}

Nanos AttachGroup::next_deadline() const noexcept {
  return timers_.empty() ? kNoDeadline : timers_.begin()->first;
}

// -- What the driver says ------------------------------------------------------------------------

void AttachGroup::on_attach_response(const layout::ShmAttachResponse& response,
                                     const base::Now& now) {
  TP_KILLPOINT("client.attach.response");
  if (AttachAgent* const agent = receiver_of(response.correlation_id)) {
    agent->tell(now.mono, [&](AttachMachine& machine) { machine.on_response(response, now.mono); });
  }
}

void AttachGroup::on_bad_attach_response(std::int64_t correlation_id,
                                         std::optional<std::int32_t> code, const Error& error,
                                         const base::Now& now) {
  if (AttachAgent* const agent = receiver_of(correlation_id)) {
    agent->tell(now.mono, [&](AttachMachine& machine) {
      machine.on_malformed_response(correlation_id, code, error, now.mono);
    });
  }
}

void AttachGroup::on_detach_response(const layout::ShmDetachResponse& response,
                                     const base::Now& now) {
  TP_KILLPOINT("client.detach.response");
  if (AttachAgent* const agent = receiver_of(response.correlation_id)) {
    agent->tell(now.mono, [&](AttachMachine& machine) { machine.on_detach_response(response); });
  }
}

void AttachGroup::on_lease_revoked(const layout::ShmLeaseRevoked& notice, const base::Now& now) {
  const auto found = by_lease_.find(notice.lease_id);
  // Somebody has to count one that makes no sense (D167).
  AttachAgent* const agent = found != by_lease_.end() ? found->second : receiver_of(0);
  if (agent != nullptr) {
    TP_KILLPOINT("client.revoked");
    agent->tell(now.mono, [&](AttachMachine& machine) { machine.on_revoked(notice, now.mono); });
    TP_KILLPOINT("client.revoked.judged");
  }
}

void AttachGroup::on_driver_shutdown(const layout::ShmDriverShutdown& notice,
                                     const base::Now& now) {
  for (AttachAgent* const agent : agents_) {
    agent->tell(now.mono, [&](AttachMachine& machine) { machine.on_shutdown(notice, now.mono); });
  }
}

void AttachGroup::on_bad_driver_message() {
  if (!agents_.empty()) {
    agents_.front()->machine_.on_malformed_event();
  }
}

void AttachGroup::on_announce(const layout::ShmPoolAnnounce& announce, Nanos,
                              const base::Now& now) {
  auto next = by_stream_.lower_bound({announce.stream_id, nullptr});
  while (next != by_stream_.end() && next->first == announce.stream_id) {
    AttachAgent& agent = *(next++)->second;  // which may leave the stream now
    agent.tell(now.mono, [&](AttachMachine& machine) { machine.on_announce(announce, now.mono); });
  }
}

// -- Who is where --------------------------------------------------------------------------------

void AttachGroup::join(AttachAgent& agent) {
  agents_.push_back(&agent);
  agent.machine_.on_connection(connected_);
  place(agent);
}

void AttachGroup::leave(AttachAgent& agent) noexcept {
  const AttachAgent::Place& place = agent.place_;
  for (const std::int64_t correlation_id : place.correlation_ids) {
    by_request_.erase(correlation_id);
  }
  erase_own(by_lease_, place.lease_id, agent);
  by_stream_.erase({place.stream_id, &agent});
  timers_.erase({place.wakes_at, &agent});
  std::erase(agents_, &agent);
}

void AttachGroup::place(AttachAgent& agent) {
  const AttachMachine& machine = agent.machine_;
  AttachAgent::Place& place = agent.place_;
  if (const std::uint64_t lease_id = machine.grant().lease_id; lease_id != place.lease_id) {
    erase_own(by_lease_, place.lease_id, agent);
    by_stream_.erase({place.stream_id, &agent});
    place.lease_id = lease_id;
    place.stream_id = machine.stream_id();
    if (lease_id != 0) {
      by_lease_.insert_or_assign(lease_id, &agent);
      by_stream_.insert({place.stream_id, &agent});
    }
  }
  if (const Nanos at = machine.next_deadline(); at < place.wakes_at) {
    place_timer(agent, at);
  }
}

void AttachGroup::place_timer(AttachAgent& agent, Nanos wakes_at) {
  timers_.erase({agent.place_.wakes_at, &agent});
  agent.place_.wakes_at = wakes_at;
  if (wakes_at != kNoDeadline) {
    timers_.insert({wakes_at, &agent});
  }
}

void AttachGroup::place_requests(AttachAgent& agent, std::int64_t sent_now) {
  // A machine remembers few requests (RecentRequests), so there are never many to look at.
  std::vector<std::int64_t>& known = agent.place_.correlation_ids;
  std::erase_if(known, [&](std::int64_t correlation_id) {
    const bool over = correlation_id != sent_now && !agent.machine_.expects(correlation_id);
    if (over) {
      by_request_.erase(correlation_id);
    }
    return over;
  });
  if (by_request_.insert_or_assign(sent_now, &agent).second) {
    known.push_back(sent_now);
  }
}

AttachAgent* AttachGroup::receiver_of(std::int64_t correlation_id) const noexcept {
  const auto found = by_request_.find(correlation_id);
  return found != by_request_.end() ? found->second : agents_.empty() ? nullptr : agents_.front();
}

void AttachGroup::watch_connection(Nanos now) {
  const std::uint64_t connection = driver_.connection_number();
  if (std::exchange(connection_, connection) != connection) {
    for (AttachAgent* const agent : agents_) {
      agent->tell(now, [now](AttachMachine& machine) { machine.on_connection_replaced(now); });
    }
  }
  const bool connected = driver_.is_control_connected();
  if (connected == connected_) {
    return;
  }
  connected_ = connected;
  for (AttachAgent* const agent : agents_) {
    agent->machine_.on_connection(connected);
    place(*agent);
  }
}

}  // namespace tensorpool::inline v0::agents
