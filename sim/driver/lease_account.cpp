#include "driver/lease_account.hpp"

#include <algorithm>

namespace tensorpool::inline v0::sim::driver {

using layout::LeaseRevokeReason;
using layout::ResponseCode;
using layout::Role;

// ---- the driver ----

void LeaseAccount::driver_starts() {
  issued_.clear();
  released_.clear();
  for (auto& [id, book] : books_) {
    book.of_this_life.clear();
    book.first_announced.clear();
    book.announced = 0;
    book.over = book.newest;
    book.notices_waiting.clear();
  }
}

void LeaseAccount::driver_ends() {
  for (const auto& [id, held] : leases_) {
    end_production(held);
  }
  leases_.clear();
}

void LeaseAccount::provisioned(const core::region::MappingPlan& plan) {
  const std::uint32_t stream_id = plan.stream_id();
  const std::uint64_t epoch = plan.epoch();
  Book& book = books_[stream_id];
  if (epoch <= book.newest) {
    fail("an epoch is not above all before it", stream_id, epoch);
  }
  book.newest = epoch;
  book.of_this_life.emplace(epoch, plan);
}

void LeaseAccount::heard(const layout::ShmLeaseKeepalive& keepalive, Nanos now) {
  const auto found = leases_.find(keepalive.lease_id);
  if (found != leases_.end() && found->second.stream_id == keepalive.stream_id &&
      found->second.client_id == keepalive.client_id && found->second.role == keepalive.role) {
    found->second.expiry = now + scenario_->settings.policies.lease_duration();
  }
}

void LeaseAccount::on(const core::driver::AttachAnswer& answer, Nanos now) {
  const layout::ShmAttachResponse& response = answer.response;
  if (response.code != ResponseCode::kOk) {
    return;
  }
  const std::uint32_t stream_id = response.stream_id.value_or(0);
  const std::uint64_t lease_id = response.lease_id.value_or(0);
  demand_complete(stream_id, response.epoch.value_or(0), response.header_region_uri);
  if (const auto known = leases_.find(lease_id); known != leases_.end()) {
    TP_MARK("a repeated attach is answered again");
    if (known->second.client_id != answer.request.client_id ||
        known->second.stream_id != stream_id) {
      fail("a lease is given to somebody else", stream_id);
    }
    return;
  }
  issue(lease_id, response, answer.request, now);
}

void LeaseAccount::issue(std::uint64_t lease_id, const layout::ShmAttachResponse& response,
                         const layout::ShmAttachRequest& request, Nanos now) {
  const Held lease{.stream_id = *response.stream_id,
                   .client_id = request.client_id,
                   .role = request.role,
                   .node_id = response.node_id,
                   .epoch = *response.epoch,
                   .expiry = now + scenario_->settings.policies.lease_duration()};
  if (!issued_.insert(lease_id).second) {
    fail("a lease id is given out twice", lease.stream_id);
  }
  for (const auto& [id, other] : leases_) {
    if (other.client_id == lease.client_id) {
      fail("a client has two leases", lease.stream_id);
    }
    if (lease.node_id && other.node_id == lease.node_id) {
      fail("two leases have the same node id", lease.stream_id);
    }
    if (lease.role == Role::kProducer && other.role == Role::kProducer &&
        other.stream_id == lease.stream_id) {
      fail("a stream has two producers", lease.stream_id, lease.epoch);
    }
  }
  if (const auto rests = lease.node_id ? released_.find(*lease.node_id) : released_.end();
      rests != released_.end() && rests->second.client_id != lease.client_id &&
      now - rests->second.at < scenario_->settings.policies.node_id_reuse_cooldown) {
    fail("a node id does not rest", lease.stream_id);
  }
  if (lease.role == Role::kProducer &&
      !books_[lease.stream_id]
           .producers.emplace(lease.epoch, Production{.client_id = lease.client_id})
           .second) {
    fail("an epoch has a second producer", lease.stream_id, lease.epoch);
  }
  const std::uint32_t most = scenario_->settings.policies.max_leases;
  leases_.emplace(lease_id, lease);
  ++leases_issued_;
  if (most != 0 && leases_.size() > most) {
    fail("more leases than are allowed", lease.stream_id);
  }
}

void LeaseAccount::on(const core::driver::LeaseNotice& notice, Nanos now) {
  const layout::ShmLeaseRevoked& message = notice.notice;
  if (!notice.expiry) {
    TP_MARK("a client hears that its lease is unknown");
    if (issued_.contains(message.lease_id)) {
      fail("a lease of this life is called unknown", message.stream_id);
    }
    return;
  }
  const auto found = leases_.find(message.lease_id);
  if (found == leases_.end()) {
    fail("a lease ends that there is not", message.stream_id);
    return;
  }
  const Held held = found->second;
  leases_.erase(found);
  if (message.reason == LeaseRevokeReason::kExpired && now <= held.expiry) {
    fail("a lease expires too early", held.stream_id);
  }
  if (held.node_id) {
    released_[*held.node_id] = {.client_id = held.client_id, .at = now};
  }
  if (held.role == Role::kProducer) {
    end_production(held);
    Book& book = books_[held.stream_id];
    book.over = std::max(book.over, held.epoch);
    book.notices_waiting.emplace(message.lease_id, held.epoch);
  }
}

void LeaseAccount::end_production(const Held& held) {
  if (held.role == Role::kProducer) {
    books_[held.stream_id].producers[held.epoch].ended = now();
  }
}

void LeaseAccount::on(const core::driver::Announce& announce, Nanos now) {
  const layout::ShmPoolAnnounce& message = announce.message;
  Book& book = books_[message.stream_id];
  demand_complete(message.stream_id, message.epoch, message.header_region_uri);
  if (message.epoch <= book.over || message.epoch < book.announced) {
    fail("an epoch is announced that is over", message.stream_id, message.epoch);
  }
  if (message.producer_id != producer_of(message.stream_id)) {
    fail("another producer is announced than there is", message.stream_id, message.epoch);
  }
  if (message.epoch > book.announced) {
    book.announced = message.epoch;
    book.first_announced.emplace_back(message.epoch, now);
  }
}

void LeaseAccount::demand_complete(std::uint32_t stream_id, std::uint64_t epoch,
                                   layout::Text ring_uri) {
  const auto& made = books_[stream_id].of_this_life;
  const auto plan = made.find(epoch);
  if (plan == made.end()) {
    fail("an epoch is handed out that this driver has not provisioned", stream_id, epoch);
    return;
  }
  const Disk::Directory* const directory = disk_->find(stream_id, epoch);
  if (directory != nullptr && directory->harmed) {
    return;  // until the driver looks
  }
  if (plan->second.header_ring.uri != ring_uri || !disk_->is_complete(plan->second)) {
    fail("an epoch is handed out that is not complete", stream_id, epoch);
  }
}

void LeaseAccount::expiry_checked(Nanos now) {
  for (const auto& [id, held] : leases_) {
    if (held.expiry < now) {
      fail("a lease lives on that has expired", held.stream_id);
    }
  }
}

void LeaseAccount::sent(const layout::ShmLeaseRevoked& notice) {
  books_[notice.stream_id].notices_waiting.erase(notice.lease_id);
}

void LeaseAccount::sent(const layout::ShmPoolAnnounce& announce) {
  for (const auto& [lease_id, epoch] : books_[announce.stream_id].notices_waiting) {
    if (announce.epoch > epoch) {
      fail("an announce overtakes the end of a lease", announce.stream_id, announce.epoch);
    }
  }
}

// ---- collections ----

/// §2.14.
bool LeaseAccount::refers(const Held& held, std::uint64_t epoch) const {
  if (held.role == Role::kProducer) {
    return held.epoch == epoch;
  }
  std::uint64_t referred = held.epoch;
  for (const auto& [announced, since] : books_.at(held.stream_id).first_announced) {
    if (now() - since >= scenario_->settings.policies.gc_min_age()) {
      referred = std::max(referred, announced);
    }
  }
  return referred == epoch;
}

const char* LeaseAccount::reason_to_stay(std::uint32_t stream_id, std::uint64_t epoch,
                                         bool waives_age) const {
  const auto& policies = scenario_->settings.policies;
  const std::vector<std::uint64_t> existing = disk_->epochs(stream_id);
  const auto above = existing.end() - std::upper_bound(existing.begin(), existing.end(), epoch);
  if (above < static_cast<std::ptrdiff_t>(policies.epoch_gc_keep)) {
    return "of rank";
  }
  const auto book = books_.find(stream_id);
  const bool has_current = book != books_.end() && book->second.announced > book->second.over;
  if (epoch >= (has_current ? book->second.announced : existing.back())) {
    return "current";
  }
  for (const auto& [id, held] : leases_) {
    if (held.stream_id == stream_id && refers(held, epoch)) {
      return "referenced by a lease";
    }
  }
  const std::uint64_t stamp = disk_->activity_ns(stream_id, epoch);
  const auto mono = static_cast<std::uint64_t>(now().count());
  const Nanos age = stamp != 0 && stamp <= mono
                        ? Nanos(static_cast<std::int64_t>(mono - stamp))
                        : world_->clock.real() - disk_->find(stream_id, epoch)->changed;
  if (!waives_age && age <= policies.gc_min_age()) {
    return "too young";
  }
  return nullptr;
}

void LeaseAccount::removes(std::uint32_t stream_id, std::uint64_t epoch, bool waives_age) {
  if (const char* const reason = reason_to_stay(stream_id, epoch, waives_age)) {
    fail("an epoch is removed that is " + std::string(reason), stream_id, epoch);
  }
}

std::vector<std::uint64_t> LeaseAccount::garbage(std::uint32_t stream_id) const {
  std::vector<std::uint64_t> epochs = disk_->epochs(stream_id);
  std::erase_if(epochs, [&](std::uint64_t epoch) {
    return reason_to_stay(stream_id, epoch, false) != nullptr;
  });
  return epochs;
}

void LeaseAccount::refreshes(std::uint32_t stream_id, std::uint64_t epoch) {
  if (producer_of(stream_id) != 0) {  // D35
    fail("the driver writes activity while there is a producer", stream_id, epoch);
  }
}

void LeaseAccount::retires(std::uint32_t stream_id, std::uint64_t epoch) {
  Book& book = books_[stream_id];
  if (epoch == book.announced) {  // and no spare one
    book.over = std::max(book.over, epoch);
  }
}

// ---- clients ----

void LeaseAccount::publishes(std::uint32_t stream_id, std::uint64_t epoch,
                             std::uint32_t client_id) {
  const auto& producers = books_[stream_id].producers;
  const auto production = producers.find(epoch);
  if (production == producers.end() || production->second.client_id != client_id) {
    fail("somebody publishes without a lease", stream_id, epoch);
    return;
  }
  // Announces that were delayed may still be heard.
  const Nanos patience = scenario_->settings.policies.lease_duration() +
                         scenario_->silence_timeout() + 2 * scenario_->control_faults.delay_max +
                         std::chrono::seconds(1);
  if (production->second.ended && now() > *production->second.ended + patience) {
    fail("a producer goes on long after the end of its lease", stream_id, epoch);
  }
}

std::uint32_t LeaseAccount::producer_of(std::uint32_t stream_id) const {
  for (const auto& [id, held] : leases_) {
    if (held.stream_id == stream_id && held.role == Role::kProducer) {
      return held.client_id;
    }
  }
  return 0;
}

void LeaseAccount::fail(const std::string& what, std::uint32_t stream_id, std::uint64_t epoch) {
  world_->verdict.fail(Failure::kSafety,
                       "stream " + std::to_string(stream_id) +
                           (epoch == 0 ? std::string() : ", epoch " + std::to_string(epoch)) +
                           ": " + what);
}

}  // namespace tensorpool::inline v0::sim::driver
