#include "service/registry_side.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace tensorpool::inline v0::sim::service {

using core::registration::LiveConsumer;
using core::registration::OwnStream;
using core::registration::Responder;
using Kind = core::registration::ResponderAction::Kind;

Responder::Options responder_options(const Scenario& scenario) {
  Responder::Options options;
  options.stream_id = kStreamId;
  options.transport_of = [](std::string_view channel) -> Result<std::string> {
    if (channel != "aeron:ipc") {
      return fail(Errc::kInvalidArgument, channel);
    }
    return std::string("ipc");
  };
  for (const std::uint32_t shared : {1000U, 1001U, 1002U}) {
    options.taken.push_back({.transport = "ipc", .stream_id = shared});
  }
  if (scenario.hands_out_ids) {
    options.handed_out = {.descriptors = {{.first = 31'000, .last = 31'099}},
                          .controls = {{.first = 32'000, .last = 32'099}}};
  }
  options.capacity = scenario.capacity;
  options.stale_timeout = scenario.stale_timeout;
  return options;
}

void RegistrySide::start() {
  Responder::Options options = responder_options(world_->scenario);
  if (world_->scenario.supervised) {
    options.responds = !world_->scenario.knows_supervisor;
    options.handed_out.reset();
    options.capacity = 256;
  }
  responder_.emplace(*Responder::create(std::move(options)));
  rates_of_ = 0;
  ++session_;
  world_->registry = &*responder_;
}

void RegistrySide::bury() {
  world_->registry = nullptr;
  for (const Held& held : held_) {
    world_->own_streams.close(held.stream);
  }
  held_.clear();
  heard_at_.clear();
  responder_.reset();
}

// -- Inputs --------------------------------------------------------------------------------------

void RegistrySide::hear(const Message& message) {
  if (const auto* const hello = std::get_if<layout::ConsumerHello>(&message.body)) {
    heard_at_[hello->consumer_id] = now();
    responder_->on_hello(*hello, now());
  } else if (const auto* const qos = std::get_if<layout::QosConsumer>(&message.body)) {
    heard_at_[qos->consumer_id] = now();
    responder_->on_qos(*qos, now());
  } else if (const auto* const config = std::get_if<layout::ConsumerConfig>(&message.body);
             config != nullptr && message.producer_session != session_) {
    if (world_->scenario.supervised) {
      heard_at_[config->consumer_id] = now();
    }
    world_->verdict.note(now(), "producer", 0, "follows; descriptors on", config->consumer_id,
                         config->descriptor_stream_id);
    responder_->on_config(*config, now());
  }
  carry_out();
}

void RegistrySide::run() {
  settle();
  unsent_ = false;
  while (!unsent_ && responder_->poll(now())) {
    carry_out();
  }
  set_rates();
  check_silence(now());
  if (!responder_->check_invariants()) {
    world_->broken("the responder's invariants do not hold");
  }
}

void RegistrySide::carry_out() {
  while (const auto action = responder_->next_action()) {
    switch (action->kind) {
      case Kind::kAddPublication: {
        const OwnStream place{.channel = std::string(action->channel),
                              .stream_id = action->aeron_stream_id};
        held_.push_back({.consumer = action->consumer,
                         .which = action->which,
                         .stream = world_->own_streams.publish(place, now())});
        break;
      }
      case Kind::kClosePublication:
        close(*action);
        break;
      case Kind::kSendConfig: {
        check_config(action->config);
        world_->verdict.note(now(), "producer", 0, "answers; descriptors on",
                             action->config.consumer_id, action->config.descriptor_stream_id);
        Message message = keeping_channels(action->config);
        message.producer_session = session_;
        if (world_->control.offer(message, now()) != Offer::kSent) {
          unsent_ = true;
          responder_->on_config_unsent(action->consumer);
        }
        break;
      }
    }
  }
}

void RegistrySide::close(const Action& action) {
  if (world_->bug == PlantedBug::kKeepsPublication) {
    return;
  }
  const auto found = std::find_if(held_.begin(), held_.end(), [&](const Held& held) {
    return held.consumer == action.consumer && held.which == action.which;
  });
  if (found != held_.end()) {
    world_->own_streams.close(found->stream);
    held_.erase(found);
  }
}

void RegistrySide::settle() {
  for (std::size_t k = 0; k < held_.size();) {
    const auto state = world_->own_streams.state(held_[k].stream, now());
    const bool early = world_->bug == PlantedBug::kConfigBeforeOpen;
    if (held_[k].open || (state == PrivateStreams::State::kComing && !early)) {
      ++k;
      continue;
    }
    const auto consumer = held_[k].consumer;
    const OwnKind which = held_[k].which;
    const bool up = state == PrivateStreams::State::kUp;
    if (up || early) {
      held_[k].open = up;
      ++k;
    } else {
      TP_MARK("a publication of one consumer cannot be added");
      world_->own_streams.close(held_[k].stream);
      held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(k));
    }
    responder_->on_added(consumer, which, up || early);
    carry_out();
  }
}

void RegistrySide::set_rates() {
  if (rates_of_ == responder_->generation() ||
      (world_->bug == PlantedBug::kForgetsRate && rates_of_ != 0)) {
    return;
  }
  rates_of_ = responder_->generation();
  for (Held& held : held_) {
    const std::optional<LiveConsumer> live = responder_->find(held.consumer);
    const bool limited = live && live->mode == layout::Mode::kRateLimited;
    held.interval = limited ? core::registration::interval_of(live->max_rate_hz) : Nanos{};
  }
}

// -- Frames --------------------------------------------------------------------------------------

void RegistrySide::publish(const Notice& notice) {
  set_rates();
  for (Held& held : held_) {
    if (!held.open || held.which != OwnKind::kDescriptor ||
        !held.cap.is_due(notice.at, held.interval)) {
      continue;
    }
    held.cap.sent(notice.at);
    check_rate(held, notice.at);
    Notice own = notice;
    own.for_consumer = held.consumer.consumer_id;
    world_->own_streams.send(held.stream, own, now());
  }
}

void RegistrySide::tell_progress(const layout::FrameProgress& message) {
  bool shared = false;
  bool anybody = false;
  responder_->for_each([&](const LiveConsumer& live) {
    anybody = anybody || live.supports_progress;
    shared = shared || (live.supports_progress && live.control_stream_id == 0);
    if (!live.supports_progress || live.control_stream_id == 0) {
      return;
    }
    for (const Held& held : held_) {
      if (held.open && held.which == OwnKind::kControl && held.consumer == live.key) {
        world_->own_streams.send(held.stream, message, now());
      }
    }
  });
  if (!anybody) {
    world_->broken("progress is told although nobody wants it");
  }
  if (shared) {
    static_cast<void>(world_->control.offer(plain(message), now()));
  }
}

std::size_t RegistrySide::open_streams(OwnKind which) const {
  return static_cast<std::size_t>(
      std::count_if(held_.begin(), held_.end(),
                    [which](const Held& held) { return held.open && held.which == which; }));
}

// -- Checks --------------------------------------------------------------------------------------

void RegistrySide::check_config(const layout::ConsumerConfig& config) {
  const std::array streams = {OwnStream::of(config.descriptor_channel, config.descriptor_stream_id),
                              OwnStream::of(config.control_channel, config.control_stream_id)};
  for (std::size_t k = 0; k < streams.size(); ++k) {
    const OwnStream& named = streams[k];
    if (named.is_absent()) {
      continue;
    }
    if (!named.is_complete() || named.stream_id < 31'000) {
      world_->broken("a config names a stream that nobody may have");
    }
    int open = 0;
    for (const Held& held : held_) {
      if (world_->own_streams.place(held.stream) != named) {
        continue;
      }
      const bool right =
          held.consumer.consumer_id == config.consumer_id && held.which == static_cast<OwnKind>(k);
      if (!right) {
        world_->broken("a config names a stream that serves somebody else as well");
      }
      open += held.open ? 1 : 0;
    }
    if (open != 1) {
      world_->broken("a config names a stream that is not open");
    }
  }
}

void RegistrySide::check_rate(Held& held, Nanos now) {
  const std::optional<LiveConsumer> live = responder_->find(held.consumer);
  if (live && live->mode == layout::Mode::kRateLimited && live->max_rate_hz != 0 && held.sent_at &&
      now - *held.sent_at < Nanos(1'000'000'000 / live->max_rate_hz)) {
    world_->broken("a stream of one consumer is faster than its rate");
  }
  held.sent_at = now;
}

void RegistrySide::check_silence(Nanos now) {
  for (const Held& held : held_) {
    const auto heard = heard_at_.find(held.consumer.consumer_id);
    if (heard == heard_at_.end() || now - heard->second > world_->scenario.stale_timeout) {
      world_->broken("a silent consumer keeps a stream of its own");
    }
  }
}

}  // namespace tensorpool::inline v0::sim::service
