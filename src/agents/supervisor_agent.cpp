#include "agents/supervisor_agent.hpp"

#include <algorithm>
#include <utility>

#include "agents/own_transport.hpp"

namespace tensorpool::inline v0::agents {

using core::registration::Responder;
using core::supervisor::Report;

Result<std::unique_ptr<SupervisorAgent>> SupervisorAgent::create(bus::Client& client,
                                                                 Options options, Nanos now) {
  const core::driver::SupervisorSettings& settings = options.settings;
  Supervisor::Options wanted{
      .settings = settings, .timing = options.timing, .transport_of = own_transport, .taken = {}};
  std::vector<Place> places;
  for (const core::driver::Endpoint* const shared :
       {&settings.control, &settings.announce, &settings.qos, &settings.metadata}) {
    Result<bus::Channel> channel = bus::Channel::parse(shared->channel);
    if (!channel) {
      return fail(channel.error());
    }
    if (!bus::is_valid_stream_id(shared->stream_id)) {
      return fail(Errc::kInvalidArgument, "stream id of the supervisor", shared->stream_id,
                  0x7FFF'FFFF);
    }
    wanted.taken.push_back({.transport = channel->transport_key(), .stream_id = shared->stream_id});
    places.push_back({.channel = std::move(*channel),
                      .stream_id = static_cast<std::int32_t>(shared->stream_id)});
  }
  wanted.taken.push_back(usual_descriptor_streams());
  Result<Supervisor> machine = Supervisor::create(std::move(wanted), now);
  if (!machine) {
    return fail(machine.error());
  }
  return std::unique_ptr<SupervisorAgent>(
      new SupervisorAgent(client, std::move(options), places, std::move(*machine)));
}

SupervisorAgent::SupervisorAgent(bus::Client& client, Options options,
                                 const std::vector<Place>& places, Supervisor machine)
    : options_(std::move(options)),
      out_(client, {.channel = places.front().channel, .stream_id = places.front().stream_id}),
      machine_(std::move(machine)),
      counters_(client, {.type_id_base = core::supervisor::kCounterTypeIdBase,
                         .instance_id = options_.instance_id,
                         .names = CounterBoard::names_of(core::supervisor::kCounterFields)}) {
  for (auto place = places.begin(); place != places.end(); ++place) {
    const bool is_new = std::none_of(places.begin(), place, [&](const Place& other) {
      return other.stream_id == place->stream_id &&
             other.channel.transport_key() == place->channel.transport_key();
    });
    if (is_new) {
      in_.push_back(std::make_unique<bus::SubscriptionLink>(
          client, bus::SubscriptionLink::Options{.channel = place->channel.untethered(),
                                                 .stream_id = place->stream_id}));
    }
  }
  warn_at_start();
}

void SupervisorAgent::warn_at_start() const {
  const core::driver::SupervisorSettings& settings = options_.settings;
  for (const auto& [key, channel] :
       {std::pair{"descriptor", &settings.per_consumer_descriptor.channel},
        std::pair{"control", &settings.per_consumer_control.channel}}) {
    if (settings.per_consumer_enabled && !channel->empty() && !own_transport(*channel) &&
        options_.log) {
      options_.log(LogLevel::kWarning,
                   std::string("supervisor.per_consumer_") + key + "_channel: " + *channel +
                       " is not aeron:ipc: every request for such a stream will be declined");
    }
  }
}

bool SupervisorAgent::is_ready() const noexcept {
  return out_.is_up() &&
         std::all_of(in_.begin(), in_.end(), [](const auto& each) { return each->is_up(); });
}

int SupervisorAgent::do_work(const base::Now& now) {
  core::supervisor::Counters& counters = machine_.counters();
  ++counters.total_duty_cycles;
  int work = out_.do_work(now.mono);
  int heard = 0;
  for (const std::unique_ptr<bus::SubscriptionLink>& each : in_) {
    work += each->do_work(now.mono);
    const int messages = hear(*each, now);
    heard += messages;
    work += messages == static_cast<int>(kMessagesPerCycle) ? 1 : 0;
  }
  machine_.poll(now.mono);
  carry_out();
  counters.total_work_done += static_cast<std::uint64_t>(work + heard);
  counters_.do_work(counters, core::supervisor::kCounterFields);
  return work;
}

int SupervisorAgent::hear(bus::SubscriptionLink& from, const base::Now& now) {
  bus::Subscription* const in = from.current();
  if (in == nullptr) {
    return 0;
  }
  return in->poll_messages(
      [&](const bus::Message& message) noexcept {
        const auto decoded = codec::decode<codec::Message900>(message.bytes, scratch_);  // D285
        if (!decoded) {
          malformed_ += decoded.error().code == Errc::kMalformedMessage ? 1 : 0;
          return;
        }
        const bus::ExclusivePublication* const own = out_.newest();
        take(*decoded, in->image_joined_at(message.session_id).value_or(now.mono),
             own != nullptr && own->session_id() == message.session_id, now);
        carry_out();
      },
      kMessagesPerCycle);
}

void SupervisorAgent::take(const codec::Message900& message, Nanos image_joined_at, bool own,
                           const base::Now& now) {
  if (const auto* const hello = std::get_if<layout::ConsumerHello>(&message)) {
    machine_.on_hello(*hello, now.mono);
  } else if (const auto* const of_consumer = std::get_if<layout::QosConsumer>(&message)) {
    machine_.on_qos(*of_consumer, now.mono);
  } else if (const auto* const of_producer = std::get_if<layout::QosProducer>(&message)) {
    machine_.on_qos(*of_producer, now.mono);
  } else if (const auto* const announce = std::get_if<layout::ShmPoolAnnounce>(&message)) {
    machine_.on_announce(*announce, image_joined_at, now);
  } else if (const auto* const source = std::get_if<layout::DataSourceAnnounce>(&message)) {
    machine_.on_metadata(*source);
  } else if (const auto* const meta = std::get_if<layout::DataSourceMeta>(&message)) {
    machine_.on_metadata(*meta);
  } else if (const auto* const config = std::get_if<layout::ConsumerConfig>(&message);
             config != nullptr && !own) {
    machine_.on_foreign_config(*config, now.mono);
  }
}

void SupervisorAgent::carry_out() {
  while (const auto action = machine_.next_action()) {
    std::visit([this](const auto& each) { carry_out(each); }, *action);
  }
}

/// Once: the consumer asks again where it does not arrive (D303).
void SupervisorAgent::carry_out(const layout::ConsumerConfig& config) {
  bus::ExclusivePublication* const out = out_.current();
  buffer_.resize(codec::encoded_size(config));
  const Result<std::size_t> size = codec::encode(config, buffer_);
  if (out == nullptr || !size) {
    return;
  }
  const auto sent = out->offer(std::span<const std::byte>(buffer_).first(*size));
  if (sent && *sent == bus::OfferStatus::kOk) {
    machine_.config_published();
  }
}

void SupervisorAgent::carry_out(const Report& report) const {
  if (options_.log) {
    options_.log(is_warning(report.kind) ? LogLevel::kWarning : LogLevel::kInfo, to_text(report));
  }
}

}  // namespace tensorpool::inline v0::agents
