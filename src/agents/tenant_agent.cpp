#include "agents/tenant_agent.hpp"

#include <algorithm>
#include <utility>

#include "agents/lease_report.hpp"
#include "agents/mapped_epoch.hpp"
#include "core/naming/stream_names.hpp"
#include "os/clock.hpp"
#include "os/open_region.hpp"
#include "os/syscalls.hpp"

namespace tensorpool::inline v0::agents {

void Standing::set(AttachState state) {
  const std::lock_guard lock(mutex_);
  now_ = {.state = state};
  changed_.notify_all();
}

void Standing::set_failed(const Error& error, bool final) {
  const std::lock_guard lock(mutex_);
  now_ = {.state = final ? AttachState::kUnattached : AttachState::kBackoff,
          .error = error,
          .final = final};
  changed_.notify_all();
}

Standing::Now Standing::now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

Standing::Now Standing::wait(Nanos patience) const {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [this] { return now_.is_settled(); });
  return now_;
}

TenantAgent::TenantAgent(bus::Client& client, ControlBus& control, AttachGroup& leases,
                         const os::RegionPolicy& policy, TenantShared& shared, Options options,
                         Nanos now)
    : client_(client),
      control_(control),
      leases_(leases),
      policy_(policy),
      shared_(shared),
      options_(std::move(options)),
      number_wanted_(static_cast<bool>(options_.ask_number)),
      ask_at_(now),
      metadata_(options_.metadata),
      announcer_({.timing = options_.timing,
                  .announces_regions = false,
                  .has_name = metadata_.has_anything()},
                 now),
      qos_(options_.timing.qos_interval, now) {
  if (options_.counters != nullptr) {
    report_.emplace(client_, *options_.counters, options_.metadata.name);
  }
  if (!number_wanted_) {
    begin(options_.lease.stream_id, now);
  }
}

int TenantAgent::do_work(ControlBus& control, const base::Now& now) {
  shared_.epochs.collect();
  if (number_wanted_ && now.mono >= ask_at_) {
    ask_number(now.mono);
  }
  const int kept = present_ ? keep_up(control, now) : 0;
  if (responder_wanted_ && now.mono >= ask_responder_at_) {
    ask_responder(now.mono);
  }
  show_outside(now.mono);
  const int work = kept + (registry_ ? registry_->do_work(now.mono) : 0);
  return work + (descriptors_ ? descriptors_->do_work(now.mono) : 0);
}

void TenantAgent::ask_number(Nanos now) {
  const std::optional<Result<std::uint32_t>> number = options_.ask_number(now);
  if (!number) {
    return;
  }
  if (*number) {
    number_wanted_ = false;
    begin(**number, now);
  } else if (lease_ == nullptr) {
    no_number(number->error(), now);
  } else {
    ask_at_ = now + kAskPeriod;  // the lease tells how it stands
  }
}

/// W293.
void TenantAgent::ask_responder(Nanos now) {
  const std::optional<Result<std::uint32_t>> driver_answers = options_.ask_responder(now);
  if (!driver_answers) {
    return;
  }
  responder_wanted_ = !*driver_answers;
  ask_responder_at_ = now + kAskPeriod;
  if (*driver_answers) {
    registry_->set_responds(**driver_answers == 0);
  }
}

/// From the first lease on: before it there is no client id.
void TenantAgent::show_outside(Nanos now) {
  if (!report_) {
    return;
  }
  report_->settle(now);
  if (!report_->is_due(now) || lease_ == nullptr || lease_->machine().client_id() == 0) {
    return;
  }
  ProducerReport::Now known{.stream_id = shared_.stream_id.load(std::memory_order_relaxed),
                            .client_id = lease_->machine().client_id(),
                            .ring_uri = present_ ? std::string_view(ring_uri_) : ""};
  static_cast<ProducerCounters&>(known.reading) = shared_.tally.read();
  known.reading.epoch = present_ ? (*present_)->epoch() : 0;
  report_->show(known, now);
}

void TenantAgent::no_number(const Error& why, Nanos now) {
  const bool final = why.code != Errc::kNotFound && why.code != Errc::kAttachRefused;
  ask_at_ = final ? Nanos::max() : now + kAskPeriod;
  if (final || shared_.standing.now().error.code != why.code) {  // said once
    emit({.kind = ProducerEvent::Kind::kAttachFailed, .tries_again = !final, .error = why});
  }
  shared_.standing.set_failed(why, final);
}

void TenantAgent::begin(std::uint32_t stream_id, Nanos now) {
  if (lease_ != nullptr) {
    return;  // names keep their numbers, and it goes on by itself
  }
  options_.lease.stream_id = stream_id;
  lease_ = std::make_unique<AttachAgent>(
      leases_, options_.lease,
      AttachAgent::User{
          .map = [this](const core::region::MappingPlan& plan, Nanos) { return map(plan); },
          .unmap = [this](UnmapReason, Nanos) { unmap(); },
          .report = [this](const core::attach::AttachReport& what,
                           std::string_view text) { report(what, text); },
          .tally = &shared_.attach});
  shared_.stream_id.store(stream_id, std::memory_order_relaxed);
  lease_->want_attach(now);
}

/// As the producer's thread has to know it: its clock may be the coarse one, which is late by up to
/// a step.
Nanos TenantAgent::deadline() const noexcept {
  const Nanos deadline = lease_->machine().lease_deadline();
  return deadline == Nanos::max() ? deadline : deadline - os::SystemClock::coarse_step();
}

/// What a producer owes while it holds a lease (W205, W212).
int TenantAgent::keep_up(ControlBus& control, const base::Now& now) {
  (*present_)->set_deadline(deadline());
  const core::producer::Announcer::Due due = announcer_.poll(now.mono);
  if (due.refresh_activity) {
    (*present_)->regions->store_activity(now.mono);
    announcer_.activity_refreshed(now.mono);
  }
  if (due.data_source && metadata_.announce(control, speaker())) {
    announcer_.data_source_sent(now.mono);
  }
  if (qos_.is_due(now.mono) && tell_qos(control)) {
    qos_.sent(now.mono);
  }
  return metadata_.send_blobs(control, speaker());
}

Result<TenantAgent::EpochVersion> TenantAgent::set_metadata(std::vector<Attribute> attributes,
                                                            ControlBus& control, Nanos now) {
  if (const Status set = metadata_.set(std::move(attributes), control, now); !set) {
    return fail(set.error());
  }
  announcer_.data_source_changed();
  if (present_ && metadata_.announce(control, speaker())) {  // each version is heard
    announcer_.data_source_sent(now);
  }
  return EpochVersion{.epoch = present_ ? (*present_)->epoch() : 0, .version = metadata_.version()};
}

void TenantAgent::on_hello(const layout::ConsumerHello& hello, const base::Now& now) {
  if (present_ && hello.stream_id == shared_.stream_id.load(std::memory_order_relaxed)) {
    announcer_.on_hello(hello.consumer_id, now.mono);
  }
  if (registry_) {
    registry_->on_hello(hello, now.mono);
  }
}

void TenantAgent::on_qos(const layout::QosConsumer& qos, const base::Now& now) {
  if (registry_) {
    registry_->on_qos(qos, now.mono);
  }
}

void TenantAgent::on_foreign_config(const layout::ConsumerConfig& config, const base::Now& now) {
  if (registry_) {
    registry_->on_config(config, now.mono);
  }
}

void TenantAgent::on_lease_revoked(const layout::ShmLeaseRevoked& notice, const base::Now&) {
  if (registry_) {
    registry_->on_lease_revoked(notice);
  }
}

std::unique_ptr<AttachAgent> TenantAgent::close(Nanos now) {
  if (lease_ != nullptr) {
    lease_->close(now);  // unmaps first (D165)
    lease_->forget_user();
  }
  unmap();
  shared_.epochs.collect();
  return std::move(lease_);
}

Status TenantAgent::map(const core::region::MappingPlan& plan) {
  std::uint32_t largest = 0;
  for (const core::region::PlannedRegion& pool : plan.pools) {
    largest = std::max(largest, pool.expected.stride_bytes);
  }
  if (largest < options_.stride_bytes_min) {
    return fail(Errc::kNoPoolFits, "stream of the driver", options_.stride_bytes_min, largest);
  }
  Result<os::MappedStream> regions =
      os::open_stream(os::system_calls(), policy_, plan, os::Access::kReadWrite);
  if (!regions) {
    return fail(regions.error());
  }
  if (!descriptors_) {
    descriptors_.emplace(
        client_, bus::PublicationLink::Options{
                     .channel = options_.descriptor_channel,
                     .stream_id = options_.descriptor_stream_id != 0
                                      ? options_.descriptor_stream_id
                                      : core::naming::descriptor_stream_id(plan.stream_id())});
    RegistryAgent::Options registry = options_.registry;
    registry.descriptor_channel = descriptors_->channel();
    registry.descriptor_stream_id = descriptors_->stream_id();
    registry.responds = registry.responds && !options_.ask_responder;
    registry_.emplace(client_, control_, shared_.own_streams, plan.stream_id(), registry);
  }
  detail::WrittenEpoch::Memory memory = detail::memory_of(*regions);
  ring_uri_ = plan.header_ring.uri;
  candidate_.emplace(new detail::WrittenEpoch(std::move(*regions), std::move(memory), *descriptors_,
                                              {.stream_id = plan.stream_id(),
                                               .epoch = plan.epoch(),
                                               .stamp_descriptors = options_.stamp_descriptors}));
  return {};
}

void TenantAgent::unmap() {
  candidate_.reset();
  if (present_) {
    shared_.standing.set(AttachState::kBackoff);  // before publish can say that the lease is lost
    (*present_)->set_deadline(Nanos::min());
    shared_.lost_one.store(true, std::memory_order_relaxed);
    shared_.epochs.offer(nullptr);
    present_.reset();
  }
}

void TenantAgent::report(const core::attach::AttachReport& report, std::string_view text) {
  using Kind = core::attach::AttachReport::Kind;
  const core::attach::AttachMachine& machine = lease_->machine();
  switch (report.kind) {
    case Kind::kAttached:
      (*candidate_)->set_deadline(deadline());
      metadata_.begin_epoch();
      (*candidate_)->writer.set_meta_version(metadata_.version());  // W375
      if (metadata_.has_anything()) {
        announcer_.data_source_changed();
      }
      present_.emplace(*candidate_);
      candidate_.reset();
      shared_.stream_id.store(machine.stream_id(), std::memory_order_relaxed);
      shared_.epochs.offer(std::make_unique<detail::WrittenRef>(*present_));
      shared_.standing.set(AttachState::kAttached);
      responder_wanted_ = options_.registry.responds && options_.ask_responder;
      break;
    case Kind::kDetached:
      shared_.standing.set(AttachState::kUnattached);
      break;
    default:
      candidate_.reset();
      number_wanted_ = report.tries_again && static_cast<bool>(options_.ask_number);
      shared_.standing.set_failed(error_of(report, text), !report.tries_again);
      break;
  }
  emit(event_of<ProducerEvent>(report, text, machine));
}

void TenantAgent::emit(const ProducerEvent& event) const {
  if (options_.on_event) {
    options_.on_event(event);
  }
}

bool TenantAgent::tell_qos(ControlBus& control) const {
  layout::QosProducer message;
  message.stream_id = lease_->machine().stream_id();
  message.producer_id = lease_->machine().client_id();  // D85
  message.epoch = (*present_)->epoch();
  message.current_seq = shared_.next_seq.of(message.epoch).value_or(0);  // W395
  return control.send_qos(message);
}

MetadataSource::Speaker TenantAgent::speaker() const noexcept {
  return {.stream_id = lease_->machine().stream_id(),
          .producer_id = lease_->machine().client_id(),  // D85
          .epoch = (*present_)->epoch()};
}

}  // namespace tensorpool::inline v0::agents
