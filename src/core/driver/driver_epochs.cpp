// When a stream gets a new epoch, who gets it, and what may be deleted: the other half of
// DriverMachine.
#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "core/driver/driver_machine.hpp"
#include "core/driver/message_text.hpp"

namespace tensorpool::inline v0::core::driver {
namespace {

/// The bumps that have to be announced without a producer before anybody may be the next one.
[[nodiscard]] constexpr bool ends_an_epoch(BumpCause cause) noexcept {
  return cause == BumpCause::kLeaseEnd || cause == BumpCause::kRepair;
}

[[nodiscard]] bool has_shape(const region::MappingPlan& plan, const Profile& profile) noexcept {
  return plan.nslots() == profile.header_nslots &&
         std::equal(plan.pools.begin(), plan.pools.end(), profile.pools.begin(),
                    profile.pools.end(),
                    [](const region::PlannedRegion& planned, const region::PoolGeometry& pool) {
                      return planned.expected.pool_id == pool.pool_id &&
                             planned.expected.stride_bytes == pool.stride_bytes;
                    });
}

[[nodiscard]] bool same_shape(const Profile& a, const Profile& b) noexcept {
  return a.header_nslots == b.header_nslots && a.pools == b.pools;
}

[[nodiscard]] region::StreamGeometry geometry_of(std::uint32_t stream_id, const Profile& profile) {
  return {.stream_id = stream_id, .nslots = profile.header_nslots, .pools = profile.pools};
}

}  // namespace

// -- What waits ----------------------------------------------------------------------------------

/// Takes the next step for whatever waits for the stream, if there is one to take.
void DriverMachine::advance(Stream& stream, Nanos now) {
  if (stream.job) {
    return;
  }
  const bool producer = pending_.producer_of(stream.id) != nullptr;
  const bool held = producer && stream.spare == nullptr && stream.crash_loop.holds(now);
  if (held) {
    holds_.insert({stream.crash_loop.held_until(), stream.id});
  }
  bool consumers = false;
  bool epoch_needed = producer && !held;
  for (const PendingAttach* const attach : pending_.of_stream(stream.id)) {
    if (!attach->producer() && attach->replay_of == 0) {
      consumers = true;
      epoch_needed = epoch_needed || attach->needs_new_epoch || stream.current == nullptr;
    }
  }
  if (epoch_needed && stream.spare != nullptr) {
    adopt_spare(stream, now);
  } else if (epoch_needed) {
    start_job(stream, BumpCause::kAttach);
  } else if (consumers && !stream.verifying) {
    stream.verifying = true;
    push(VerifyEpoch{.plan = &stream.current->plan});
  }
}

/// Grants the present epoch to what waits for it, and announces it: after every accepted attach,
/// after every bump (D218).
void DriverMachine::serve(Stream& stream, bool producer_too, Nanos now) {
  for (const PendingAttach* const attach : pending_.of_stream(stream.id)) {
    if (producer_too || !attach->producer()) {
      grant(stream, pending_.take(attach->ticket), now);
    }
  }
  update_use(stream);
  announce(stream, now);
}

void DriverMachine::on_verified(std::uint32_t stream_id, std::uint64_t epoch, const Status& files,
                                Nanos now) {
  begin_input();
  Stream* const stream = streams_.find(stream_id);
  if (state_ == DriverState::kStopped || stream == nullptr || stream->current == nullptr ||
      stream->current->plan.epoch() != epoch) {
    return;
  }
  give_up_late(now);
  stream->verifying = false;
  if (files) {
    if (!stream->job && pending_.any_of(stream_id)) {
      serve(*stream, false, now);
    }
    return;
  }
  // Files of the present epoch are gone (§2.11).
  if (const Lease* const producer = leases_.producer_of(stream_id); producer != nullptr) {
    end_lease(*producer,
              {.reason = layout::LeaseRevokeReason::kRevoked,
               .text = keep(message_text("region files lost: " + describe(files.error()))),
               .cause = BumpCause::kRepair},
              now);
    finish_if_due(now);
  } else if (!stream->job) {
    renew(*stream, BumpCause::kRepair, {}, now);
  } else {  // the epoch on its way is the repair
    stream->lost = true;
    end_epoch(*stream);
  }
}

// -- Provisioning --------------------------------------------------------------------------------

void DriverMachine::start_job(Stream& stream, BumpCause cause, const Detach& detach) {
  TP_ASSERT(!stream.job && leases_.producer_of(stream.id) == nullptr);
  stream.job = BumpJob{.cause = cause, .cancelled = false, .detach = detach};
  ++jobs_;
  push(Provision{.request = {.geometry = geometry_of(stream.id, *stream.profile),
                             .known_epoch = stream.known_epoch,
                             .numa_node = stream.profile->numa_node}});
}

/// The present epoch has ended and another one has to follow.
void DriverMachine::renew(Stream& stream, BumpCause cause, const Detach& detach, Nanos now) {
  end_epoch(stream);
  stream.lost = true;             // until there is another
  if (stream.spare != nullptr) {  // never after a producer, so nobody waits for `detach`
    adopt_spare(stream, now);
  } else {
    start_job(stream, cause, detach);
  }
}

void DriverMachine::on_provisioned(ProvisionOutcome outcome, Nanos now) {
  begin_input();
  Stream* const stream = streams_.find(outcome.stream_id);
  TP_ASSERT(stream != nullptr && stream->job);
  give_up_late(now);  // before the job is taken: it keeps the stream
  const BumpJob job = *std::exchange(stream->job, std::nullopt);
  --jobs_;
  stream->known_epoch = std::max(stream->known_epoch, outcome.known_epoch);
  if (outcome.regions) {
    ++counters_.epoch_bumps;
    auto epoch = std::make_unique<ProvisionedEpoch>(*std::move(outcome.regions));
    stream->known_epoch = std::max(stream->known_epoch, epoch->plan.epoch());
    provisioned(*stream, job, std::move(epoch), now);
  } else {
    provisioning_failed(*stream, job, outcome.regions.error(), now);
  }
  clean_up_if_due();
}

void DriverMachine::provisioned(Stream& stream, const BumpJob& job,
                                std::unique_ptr<ProvisionedEpoch> epoch, Nanos now) {
  const bool attach = job.cause == BumpCause::kAttach;
  if (attach && !has_shape(epoch->plan, *stream.profile)) {  // another one was asked for meanwhile
    retire(stream, std::move(epoch));
    return advance(stream, now);
  }
  if (job.cancelled || (attach && !pending_.any_of(stream.id))) {
    stream.spare = std::move(epoch);
    return;
  }
  adopt(stream, std::move(epoch), now);
  serve(stream, !ends_an_epoch(job.cause), now);
  if (job.detach) {
    answer_detach(*job.detach);
  }
  collect(stream, now);
  advance(stream, now);  // a producer that wants an epoch of its own
}

// D66, D187, D188.
void DriverMachine::provisioning_failed(Stream& stream, const BumpJob& job, const Error& error,
                                        Nanos now) {
  if (!job.cancelled) {
    ++counters_.provision_failures;
  }
  const Refusal refusal{layout::ResponseCode::kInternalError,
                        keep(message_text("failed to provision SHM: " + provision_detail(error)))};
  if (job.detach) {
    answer_detach(*job.detach);
  }
  bool others = false;  // consumers whom the epoch serves that stays current
  std::vector<std::uint64_t> tickets;
  for (const PendingAttach* const attach : pending_.of_stream(stream.id)) {
    if (attach->needs_new_epoch || stream.current == nullptr) {
      tickets.push_back(attach->ticket);
    } else {
      others = true;
    }
  }
  for (const std::uint64_t ticket : tickets) {
    give_up(ticket, refusal, now);  // the last one of a stream that nobody ever got removes it
  }
  if (others) {
    advance(stream, now);
  } else if (tickets.empty()) {
    forget_if_unused(stream, now);
  }
}

void DriverMachine::adopt(Stream& stream, std::unique_ptr<ProvisionedEpoch> epoch, Nanos now) {
  end_epoch(stream);
  stream.current = std::move(epoch);
  ++counters_.provisioned_streams;
  stream.announced.announced(stream.current->plan.epoch(), now);
  stream.lost = false;
  stream.claimed = true;
  if (!std::exchange(stream.ticking, true)) {
    ticks_.insert({now + settings_.policies.announce_period, stream.id});
  }
}

void DriverMachine::adopt_spare(Stream& stream, Nanos now) {
  adopt(stream, std::exchange(stream.spare, nullptr), now);
  push(RefreshActivity{.stream_id = stream.id, .epoch = stream.current->plan.epoch()});
  serve(stream, true, now);
  collect(stream, now);
}

void DriverMachine::end_epoch(Stream& stream) {
  if (stream.current != nullptr) {
    stream.verifying = false;
    --counters_.provisioned_streams;
    retire(stream, std::exchange(stream.current, nullptr));
  }
}

/// What an action of this input points to lives on until the next one.
void DriverMachine::retire(const Stream& stream, std::unique_ptr<ProvisionedEpoch> epoch) {
  push(RetireEpoch{.stream_id = stream.id, .epoch = epoch->plan.epoch()});
  retired_.push_back(std::move(epoch));
}

// -- Announces and garbage -----------------------------------------------------------------------

// D219..D221.
void DriverMachine::announce(const Stream& stream, Nanos now) {
  const region::MappingPlan& plan = stream.current->plan;
  const std::vector<layout::PayloadPool>& pools = stream.current->pools;
  const Lease* const producer = leases_.producer_of(stream.id);
  push(Announce{.message = {.stream_id = stream.id,
                            .producer_id = producer != nullptr ? producer->grant.client_id : 0,
                            .epoch = plan.epoch(),
                            .announce_timestamp_ns = static_cast<std::uint64_t>(now.count()),
                            .announce_clock_domain = layout::ClockDomain::kMonotonic,
                            .layout_version = layout::kLayoutVersion,
                            .header_nslots = plan.nslots(),
                            .header_slot_bytes = layout::kHeaderSlotBytes,
                            .payload_pools = {pools.data(), pools.size()},
                            .header_region_uri = plan.header_ring.uri}});
}

/// Once per announce period, for a stream that has or had an epoch.
void DriverMachine::tick(Stream& stream, Nanos now) {
  if (stream.current != nullptr) {
    if (leases_.producer_of(stream.id) == nullptr) {  // D34, D35
      push(RefreshActivity{.stream_id = stream.id, .epoch = stream.current->plan.epoch()});
    }
    announce(stream, now);
  } else if (stream.lost && !stream.job && stream.spare == nullptr &&
             state_ == DriverState::kRunning) {
    start_job(stream, BumpCause::kRetry);  // D189
  }
}

/// A request may be carried out much later, so it spares what leases will refer to by then too.
CollectRequest DriverMachine::collect_request(Stream& stream, Nanos now) {
  const std::uint64_t settled = stream.announced.settled(settings_.policies.gc_min_age(), now);
  CollectRequest request{
      .stream_id = stream.id,
      .current_epoch = stream.current != nullptr ? stream.current->plan.epoch() : 0,
      .referenced = leases_.referenced_epochs(stream.id, settled)};
  const std::size_t producers = leases_.producer_of(stream.id) != nullptr ? 1 : 0;
  if (leases_.count_of(stream.id) != producers) {
    std::vector<std::uint64_t>& referenced = request.referenced;
    for (const std::uint64_t epoch : stream.announced.unsettled()) {
      if (epoch != request.current_epoch) {
        referenced.push_back(epoch);
      }
    }
    std::sort(referenced.begin(), referenced.end());
    referenced.erase(std::unique(referenced.begin(), referenced.end()), referenced.end());
  }
  return request;
}

// D229.
void DriverMachine::collect(Stream& stream, Nanos now) {
  if (settings_.policies.epoch_gc_enabled) {
    push(Collect{.request = collect_request(stream, now)});
  }
}

std::vector<CollectRequest> DriverMachine::collect_requests(bool waive_age, Nanos now) {
  std::vector<CollectRequest> requests;
  for (auto& [id, stream] : streams_.all()) {
    requests.push_back(collect_request(stream, now));
    requests.back().waive_age = waive_age;
  }
  return requests;
}

// D232, D233.
void DriverMachine::on_collected(const CollectOutcome& outcome) {
  begin_input();
  counters_.epochs_collected += outcome.removed.size();
  counters_.epoch_gc_failures += static_cast<std::uint64_t>(
      std::count_if(outcome.kept.begin(), outcome.kept.end(), [](const auto& kept) {
        return kept.reason == KeepReason::kForeignFile || kept.reason == KeepReason::kFailed;
      }));
  if (Stream* const stream = streams_.find(outcome.stream_id); stream != nullptr) {
    stream->known_epoch = std::max(stream->known_epoch, outcome.known_epoch);
  }
}

// -- Streams -------------------------------------------------------------------------------------

Result<std::uint32_t> DriverMachine::ensure(std::uint32_t stream_id, const Profile& shape) {
  begin_input();
  if (state_ != DriverState::kRunning) {
    return fail(Errc::kAttachRefused, refusals::kDraining.text);
  }
  if (Status sound = region::check_geometry(geometry_of(std::max(stream_id, 1U), shape)); !sound) {
    return fail(sound.error());
  }
  const Result<Stream*> found = find_or_create(stream_id);
  if (!found) {
    return fail(found.error());
  }
  Stream& stream = **found;
  const bool other = !stream.profile || !same_shape(*stream.profile, shape);
  stream.profile = shape;
  if (other && stream.spare != nullptr) {
    retire(stream, std::exchange(stream.spare, nullptr));
  }
  stream.claimed = true;
  update_use(stream);
  return stream.id;
}

Result<Stream*> DriverMachine::find_or_create(std::uint32_t stream_id) {
  if (Stream* const stream = streams_.find(stream_id); stream != nullptr) {
    return stream->dynamic ? Result<Stream*>(stream)
                           : fail(Errc::kAlreadyExists, "a configured stream", stream_id);
  }
  if (!settings_.policies.allow_dynamic_streams || !streams_.range_configured() ||
      (stream_id != 0 && !streams_.in_range(stream_id))) {
    return fail(Errc::kInvalidArgument, "driver.stream_id_range", stream_id);
  }
  if (stream_id != 0) {
    return &streams_.create(stream_id);
  }
  if (!streams_.id_left()) {
    return fail(Errc::kLimitReached, "driver.stream_id_range");
  }
  const StreamTable::Allocation allocation = streams_.allocate();
  if (allocation.reclaimed) {
    end_epoch(allocation.stream);
  }
  return &allocation.stream;
}

void DriverMachine::update_use(Stream& stream) {
  streams_.set_used(stream, leases_.count_of(stream.id) != 0 || pending_.any_of(stream.id));
}

/// A dynamic stream that nobody got has never been (D42).
void DriverMachine::forget_if_unused(Stream& stream, Nanos now) {
  if (stream.dynamic && !stream.claimed && !stream.job && stream.spare == nullptr &&
      !pending_.any_of(stream.id)) {
    push(ForgetStream{.stream_id = stream.id});
    streams_.remove(stream, now);
  }
}

// -- Invariants ----------------------------------------------------------------------------------

bool DriverMachine::check_stream(const Stream& stream) const {
  const std::uint64_t current = stream.current != nullptr ? stream.current->plan.epoch() : 0;
  const std::uint64_t spare = stream.spare != nullptr ? stream.spare->plan.epoch() : 0;
  const Lease* const producer = leases_.producer_of(stream.id);
  const bool known = current <= stream.known_epoch && spare <= stream.known_epoch;
  const bool ordered = spare == 0 || spare > current;
  const bool produced = producer == nullptr || (producer->grant.epoch == current && current != 0 &&
                                                !stream.job && spare == 0);
  const auto waiting = pending_.of_stream(stream.id);
  const bool moving =
      stream.job || stream.verifying ||
      std::all_of(waiting.begin(), waiting.end(), [&](const PendingAttach* attach) {
        return attach->replay_of != 0 ||
               (attach->producer() && holds_.contains({stream.crash_loop.held_until(), stream.id}));
      });
  const bool producer_waits_alone =
      producer == nullptr || pending_.producer_of(stream.id) == nullptr;
  return known && ordered && produced && moving && producer_waits_alone &&
         (!stream.lost || current == 0) && (!stream.verifying || current != 0);
}

bool DriverMachine::check_invariants() const {
  std::set<std::uint32_t> node_ids;
  for (const Lease& lease : leases_.all()) {
    const auto& node_id = lease.grant.node_id;
    if (streams_.find(lease.grant.stream_id) == nullptr ||
        (node_id && (!node_ids_.held(*node_id) || !node_ids.insert(*node_id).second))) {
      return false;
    }
  }
  std::size_t jobs = 0;
  std::size_t provisioned = 0;
  std::size_t waiting = 0;
  for (const auto& [id, stream] : streams_.all()) {
    if (stream.id != id || !check_stream(stream)) {
      return false;
    }
    jobs += stream.job ? 1 : 0;
    provisioned += stream.current != nullptr ? 1 : 0;
    waiting += pending_.of_stream(id).size();
  }
  return leases_.check_invariants() && jobs == jobs_ && waiting == pending_.size() &&
         provisioned == counters_.provisioned_streams &&
         leases_.size() == counters_.active_leases &&
         (state_ == DriverState::kRunning || pending_.size() == 0);
}

}  // namespace tensorpool::inline v0::core::driver
