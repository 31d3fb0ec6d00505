#include "agents/registration_agent.hpp"

#include <utility>

namespace tensorpool::inline v0::agents {

using core::registration::ConsumerWish;
using core::registration::OwnKind;
using core::registration::OwnStream;

namespace {

[[nodiscard]] OwnStream completed(OwnStream wanted, OwnKind kind, std::uint32_t consumer_id) {
  if (!wanted.channel.empty() && wanted.stream_id == 0) {
    wanted.stream_id = core::registration::preferred_stream_id(kind, consumer_id);
  }
  return wanted;
}

}  // namespace

RegistrationAgent::RegistrationAgent(bus::Client& client, DeliveryShared& shared, Options options,
                                     Nanos now)
    : shared_(shared),
      options_(std::move(options)),
      hello_(options_.stream_id, options_.timing.hello_interval, options_.wish, now),
      qos_(options_.timing.qos_interval, now) {
  if (!options_.direct) {
    descriptors_.emplace(client, options_.descriptor_channel, options_.descriptor_stream_id,
                         shared_.own_stream_id);
  }
  if (options_.wish.supports_progress) {
    progress_.emplace(client, options_.control_channel, options_.control_stream_id,
                      shared_.own_control_id);
  }
}

int RegistrationAgent::do_work(ControlBus& control, std::uint32_t consumer_id, std::uint64_t epoch,
                               Nanos now) {
  const int work = keep(descriptors_, now) + keep(progress_, now);
  follow_wish(consumer_id);
  say_hello(control, now);
  say_qos(control, consumer_id, epoch, now);
  return work;
}

// -- What is said --------------------------------------------------------------------------------

void RegistrationAgent::follow_wish(std::uint32_t consumer_id) {
  const std::uint64_t wished = shared_.wished.load(std::memory_order_relaxed);
  if (wished == wished_ && consumer_id == hello_.consumer_id()) {
    return;
  }
  if (wished != wished_) {
    wished_ = wished;
    shared_.in_force.store(wished, std::memory_order_relaxed);  // until a config says otherwise
  }
  ConsumerWish wish = options_.wish;
  wish.mode = Delivery::unpack(wished).mode;
  wish.max_rate_hz = Delivery::unpack(wished).max_rate_hz;
  if (!options_.direct) {
    wish.descriptors = completed(options_.own.descriptors, OwnKind::kDescriptor, consumer_id);
  }
  if (progress_) {
    wish.control = completed(options_.own.control, OwnKind::kControl, consumer_id);
  }
  hello_.set_wish(std::move(wish));
  hello_.set_consumer_id(consumer_id);
}

void RegistrationAgent::say_hello(ControlBus& control, Nanos now) {
  if (hello_.is_due(now) && control.send_control(hello_.hello())) {
    hello_.sent(now);
  }
}

void RegistrationAgent::say_qos(ControlBus& control, std::uint32_t consumer_id, std::uint64_t epoch,
                                Nanos now) {
  if (consumer_id == 0 || !qos_.is_due(now)) {
    return;
  }
  layout::QosConsumer message;
  message.stream_id = options_.stream_id;
  message.consumer_id = consumer_id;
  message.epoch = epoch;  // W397
  if (epoch != 0) {
    message.last_seq_seen = shared_.sequence.of(epoch).value_or(0);  // W398
  }
  message.drops_gap = shared_.drops_gap.load(std::memory_order_relaxed);  // W396
  message.drops_late = shared_.drops_late.load(std::memory_order_relaxed);
  message.mode = Delivery::unpack(shared_.in_force.load(std::memory_order_relaxed)).mode;
  if (control.send_qos(message)) {
    qos_.sent(now);
  }
}

// -- What is assigned ----------------------------------------------------------------------------

Status RegistrationAgent::on_config(const layout::ConsumerConfig& config) {
  OwnStream descriptors = OwnStream::of(config.descriptor_channel, config.descriptor_stream_id);
  OwnStream control = OwnStream::of(config.control_channel, config.control_stream_id);
  for (const OwnStream* const one : {&descriptors, &control}) {
    if (one->is_half()) {
      return fail(make_error(Errc::kStreamAssignmentInvalid, one->channel, one->stream_id)
                      .in_stream(options_.stream_id));
    }
  }
  const Delivery wished = Delivery::unpack(shared_.wished.load(std::memory_order_relaxed));
  shared_.in_force.store(Delivery{.mode = config.mode, .max_rate_hz = wished.max_rate_hz}.packed(),
                         std::memory_order_relaxed);  // W331
  if (descriptors_) {
    descriptors_->assign(std::move(descriptors));
  }
  if (progress_) {
    progress_->assign(std::move(control));
  }
  return {};
}

int RegistrationAgent::keep(std::optional<AssignedStream>& stream, Nanos now) {
  if (!stream) {
    return 0;
  }
  const int work = stream->do_work(now);
  if (const std::optional<OwnStream> at = stream->take_refused()) {
    refusal_ = make_error(Errc::kStreamAssignmentInvalid, at->channel, at->stream_id)
                   .in_stream(options_.stream_id);
  }
  return work;
}

}  // namespace tensorpool::inline v0::agents
