#include "agents/registry_agent.hpp"

#include <algorithm>
#include <utility>

#include "agents/own_transport.hpp"

namespace tensorpool::inline v0::agents {

using core::registration::LiveConsumer;
using core::registration::OwnKind;
using core::registration::ResponderAction;

namespace {

[[nodiscard]] core::registration::Responder make_responder(const ControlBus& control,
                                                           std::uint32_t stream_id,
                                                           const RegistryAgent::Options& options) {
  core::registration::Responder::Options wanted;
  wanted.stream_id = stream_id;
  wanted.responds = options.responds;
  wanted.transport_of = own_transport;
  for (const auto& [channel, id] : control.streams()) {
    wanted.taken.push_back(
        {.transport = channel.transport_key(), .stream_id = static_cast<std::uint32_t>(id)});
  }
  wanted.taken.push_back({.transport = options.descriptor_channel.transport_key(),
                          .stream_id = static_cast<std::uint32_t>(options.descriptor_stream_id)});
  wanted.taken.push_back(usual_descriptor_streams());
  wanted.capacity = options.consumers_max;
  wanted.stale_timeout = options.stale_timeout;
  auto made = core::registration::Responder::create(std::move(wanted));
  TP_ASSERT(made.has_value());  // the options were checked where they came in
  return std::move(*made);
}

}  // namespace

RegistryAgent::RegistryAgent(bus::Client& client, ControlBus& control, OwnStreams& streams,
                             std::uint32_t stream_id, const Options& options)
    : client_(client),
      control_(control),
      streams_(streams),
      responder_(make_responder(control, stream_id, options)) {}

RegistryAgent::~RegistryAgent() {
  streams_.descriptors.offer(nullptr);
  streams_.progress.offer(nullptr);
  static_cast<void>(streams_.descriptors.collect() && streams_.progress.collect());
}

int RegistryAgent::do_work(Nanos now) {
  const int work = settle(now);
  unsent_ = false;
  while (!unsent_ && responder_.poll(now)) {
    carry_out();
  }
  follow_wishes();
  return work;
}

void RegistryAgent::on_hello(const layout::ConsumerHello& hello, Nanos now) {
  responder_.on_hello(hello, now);
  carry_out();
}

void RegistryAgent::on_qos(const layout::QosConsumer& qos, Nanos now) {
  responder_.on_qos(qos, now);
}

void RegistryAgent::on_config(const layout::ConsumerConfig& config, Nanos now) {
  responder_.on_config(config, now);
  carry_out();
}

void RegistryAgent::on_lease_revoked(const layout::ShmLeaseRevoked& notice) {
  if (notice.role == layout::Role::kConsumer) {
    responder_.on_lease_ended(
        {.stream_id = notice.stream_id, .consumer_id = notice.client_id});  // W321
    carry_out();
  }
}

void RegistryAgent::carry_out() {
  while (const std::optional<ResponderAction> action = responder_.next_action()) {
    switch (action->kind) {
      case ResponderAction::Kind::kAddPublication:
        add(*action);
        break;
      case ResponderAction::Kind::kClosePublication:
        close(*action);
        break;
      case ResponderAction::Kind::kSendConfig:
        if (!control_.send_control(action->config)) {
          unsent_ = true;
          responder_.on_config_unsent(action->consumer);
        }
        break;
    }
  }
}

void RegistryAgent::add(const ResponderAction& action) {
  Result<bus::Channel> channel =
      bus::Channel::parse(action.channel);  // as transport_of has seen it
  if (channel) {
    held_.push_back(
        {.consumer = action.consumer,
         .which = action.which,
         .stream = std::make_unique<OwnPublication>(
             client_, bus::PublicationLink::Options{
                          .channel = std::move(*channel),
                          .stream_id = static_cast<std::int32_t>(action.aeron_stream_id)})});
  }
}

void RegistryAgent::close(const ResponderAction& action) {
  const auto found = std::find_if(held_.begin(), held_.end(), [&action](const Held& one) {
    return one.consumer == action.consumer && one.which == action.which;
  });
  if (found == held_.end()) {
    return;
  }
  Held ended = std::exchange(*found, std::move(held_.back()));
  held_.pop_back();
  if (ended.open) {
    offer(ended.which);
    closing_.push_back(std::move(ended.stream));
  }
}

/// Keeps publications up; tells the responder what became of those that it has asked for, and
/// closes what the producer's thread uses no more. In this order nothing new is reported while
/// something old is open (W311).
int RegistryAgent::settle(Nanos now) {
  int work = 0;
  const bool all_returned = streams_.descriptors.collect() && streams_.progress.collect();
  if (all_returned) {
    closing_.clear();
  }
  if (shared_progress_ != nullptr) {
    work += shared_progress_->link.do_work(now);
  }
  for (std::size_t k = 0; k < held_.size();) {
    Held& held = held_[k];
    work += held.stream->link.do_work(now);
    const bool up = held.stream->link.is_up();
    if (held.open || !all_returned || (!up && !held.stream->link.last_error())) {
      ++k;
      continue;
    }
    const auto consumer = held.consumer;
    const OwnKind which = held.which;
    if (up) {
      held.open = true;
      offer(which);
      ++k;
    } else {
      std::swap(held, held_.back());
      held_.pop_back();
    }
    responder_.on_added(consumer, which, up);
    carry_out();
  }
  return work;
}

/// Rates of single consumers, and who wants progress, follow at once (W337, W351).
void RegistryAgent::follow_wishes() {
  if (wishes_of_ == responder_.generation()) {
    return;
  }
  wishes_of_ = responder_.generation();
  for (Held& held : held_) {
    const std::optional<LiveConsumer> live = responder_.find(held.consumer);
    const bool limited = live && live->mode == layout::Mode::kRateLimited;  // W334, W335
    held.stream->interval_ns.store(
        limited ? core::registration::interval_of(live->max_rate_hz).count() : 0,
        std::memory_order_relaxed);
  }
  offer_progress();
}

void RegistryAgent::offer(OwnKind which) {
  which == OwnKind::kDescriptor ? offer_descriptors() : offer_progress();
}

void RegistryAgent::offer_descriptors() {
  auto list = std::make_unique<OwnStreams::List>();
  for (const Held& held : held_) {
    if (held.open && held.which == OwnKind::kDescriptor) {
      list->push_back(held.stream.get());
    }
  }
  streams_.descriptors.offer(list->empty() ? nullptr : std::move(list));
}

void RegistryAgent::offer_progress() {
  auto audience = std::make_unique<ProgressAudience>();
  bool some_share = false;
  responder_.for_each([&](const LiveConsumer& live) {
    if (!live.supports_progress) {
      return;
    }
    audience->hints.push_back({.interval_us = live.progress_interval_us,
                               .bytes_delta = live.progress_bytes_delta,
                               .major_delta_units = live.progress_major_delta_units});
    const auto own = std::find_if(held_.begin(), held_.end(), [&live](const Held& held) {
      return held.open && held.which == OwnKind::kControl && held.consumer == live.key;
    });
    if (own != held_.end()) {
      audience->streams.push_back(own->stream.get());  // W355
    } else {
      some_share = true;
    }
  });
  keep_shared(some_share);
  if (some_share) {
    audience->streams.push_back(shared_progress_.get());  // W354
  }
  if (!audience->streams.empty() || streams_.progress.newest() != nullptr) {
    audience->number = ++audiences_;
    streams_.progress.offer(audience->streams.empty() ? nullptr : std::move(audience));
  }
}

/// What is wanted no more is closed when the producer's thread has let go of it.
void RegistryAgent::keep_shared(bool wanted) {
  if (wanted && shared_progress_ == nullptr) {
    shared_progress_ = std::make_unique<OwnPublication>(client_, control_.control_place());
  } else if (!wanted && shared_progress_ != nullptr) {
    closing_.push_back(std::move(shared_progress_));
  }
}

}  // namespace tensorpool::inline v0::agents
