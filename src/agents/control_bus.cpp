#include "agents/control_bus.hpp"

#include <algorithm>
#include <memory>

namespace tensorpool::inline v0::agents {
namespace {

/// Where owners announce that keep announces apart without being told to (§1.23, W-D43).
constexpr std::int32_t kAnnouncesApart = 1001;

[[nodiscard]] Status check_stream_id(std::string_view name, std::int64_t id) {
  if (!bus::is_valid_stream_id(id)) {
    return fail(Errc::kInvalidArgument, name, static_cast<std::uint64_t>(id), 0x7FFF'FFFF);  // W432
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ControlBus>> ControlBus::create(bus::Client& client,
                                                       const Channels& channels) {
  const std::int32_t announce_id =
      channels.announce_stream_id != 0 ? channels.announce_stream_id : channels.control_stream_id;
  for (const auto& [name, id] : {std::pair{"control stream id", channels.control_stream_id},
                                 std::pair{"announce stream id", announce_id},
                                 std::pair{"QoS stream id", channels.qos_stream_id},
                                 std::pair{"metadata stream id", channels.metadata_stream_id}}) {
    if (const Status status = check_stream_id(name, id); !status) {
      return fail(status.error());
    }
  }
  ParsedChannels parsed;
  parsed.separate_announce = channels.announce_stream_id != 0 || !channels.announce_channel.empty();
  const std::string& announce =
      channels.announce_channel.empty() ? channels.control_channel : channels.announce_channel;
  for (const auto& [text, to] :
       {std::pair{&channels.control_channel, &parsed.control},
        std::pair{&announce, &parsed.announce}, std::pair{&channels.qos_channel, &parsed.qos},
        std::pair{&channels.metadata_channel, &parsed.metadata}}) {
    Result<bus::Channel> channel = bus::Channel::parse(*text);
    if (!channel) {
      return fail(channel.error());
    }
    *to = std::move(*channel);
  }
  parsed.announce_stream_id = announce_id;
  return std::unique_ptr<ControlBus>(new ControlBus(client, channels, parsed));
}

ControlBus::ControlBus(bus::Client& client, const Channels& channels, const ParsedChannels& parsed)
    : client_(client),
      control_in_(client, {.channel = parsed.control.untethered(),
                           .stream_id = channels.control_stream_id}),
      control_out_(client, {.channel = parsed.control, .stream_id = channels.control_stream_id}),
      qos_in_(client, {.channel = parsed.qos.untethered(), .stream_id = channels.qos_stream_id}),
      qos_out_(client, {.channel = parsed.qos, .stream_id = channels.qos_stream_id}),
      metadata_in_(client, {.channel = parsed.metadata.untethered(),
                            .stream_id = channels.metadata_stream_id}),
      metadata_out_(client,
                    {.channel = parsed.metadata, .stream_id = channels.metadata_stream_id}) {
  if (parsed.separate_announce) {
    hear_announces_on(parsed.announce, parsed.announce_stream_id);
  } else if (channels.control_stream_id != kAnnouncesApart &&
             channels.qos_stream_id != kAnnouncesApart &&
             channels.metadata_stream_id != kAnnouncesApart) {
    announce_in_.emplace(client_,
                         bus::SubscriptionLink::Options{.channel = parsed.control.untethered(),
                                                        .stream_id = kAnnouncesApart});
  }
}

void ControlBus::hear_announces_on(const bus::Channel& channel, std::int32_t stream_id) {
  announce_in_.emplace(client_, bus::SubscriptionLink::Options{.channel = channel.untethered(),
                                                               .stream_id = stream_id});
  announce_out_.emplace(client_,
                        bus::PublicationLink::Options{.channel = channel, .stream_id = stream_id});
}

Status ControlBus::follow_announces(const std::string& channel, std::int32_t stream_id) {
  if (Status status = check_stream_id("announce stream id", stream_id); !status) {
    return status;
  }
  Result<bus::Channel> parsed = bus::Channel::parse(channel);
  if (!parsed) {
    return fail(parsed.error());
  }
  hear_announces_on(*parsed, stream_id);
  return {};
}

int ControlBus::keep_links(Nanos now) {
  int work = control_in_.do_work(now) + control_out_.do_work(now) + qos_in_.do_work(now) +
             qos_out_.do_work(now) + metadata_in_.do_work(now) + metadata_out_.do_work(now);
  work += announce_in_ ? announce_in_->do_work(now) : 0;
  work += announce_out_ ? announce_out_->do_work(now) : 0;
  return work;
}

std::optional<codec::Message900> ControlBus::decode(std::span<const std::byte> bytes) noexcept {
  Result<codec::Message900> message = codec::decode<codec::Message900>(bytes, scratch_);
  if (message) {
    return *message;
  }
  switch (message.error().code) {
    case Errc::kMalformedMessage:
      ++counters_.malformed_messages;
      break;
    case Errc::kUnsupportedVersion:
      ++counters_.unsupported_version;
      break;
    default:
      break;  // another schema or template: somebody else's (W74, W75)
  }
  return std::nullopt;
}

template <class M>
bus::OfferStatus ControlBus::offer(bus::PublicationLink& link, const M& message) {
  bus::ExclusivePublication* out = link.current();
  if (out == nullptr) {
    return bus::OfferStatus::kClosed;
  }
  buffer_.resize(codec::encoded_size(message));
  const Result<std::size_t> size = codec::encode(message, buffer_);
  if (!size) {
    return bus::OfferStatus::kError;
  }
  const Result<bus::OfferStatus> status = out->offer(std::span(buffer_).first(*size));
  return status ? *status : bus::OfferStatus::kError;
}

template <class M>
bool ControlBus::send(bus::PublicationLink& link, const M& message) {
  const bus::OfferStatus status = offer(link, message);
  // Nobody listening is no reason to try again at once: the next period will do.
  return status == bus::OfferStatus::kOk || status == bus::OfferStatus::kNotConnected;
}

std::vector<std::pair<bus::Channel, std::int32_t>> ControlBus::streams() const {
  std::vector<std::pair<bus::Channel, std::int32_t>> all;
  for (const bus::PublicationLink* link :
       {&control_out_, announce_out_ ? &*announce_out_ : nullptr, &qos_out_, &metadata_out_}) {
    if (link != nullptr) {
      all.emplace_back(link->channel(), link->stream_id());
    }
  }
  return all;
}

bool ControlBus::is_of_driver(std::span<const std::byte> bytes) noexcept {
  const Result<codec::MessageHeader> header = codec::peek_header(bytes);
  return header && header->schema_id == layout::kDriverSchemaId;
}

bool ControlBus::is_control_connected() noexcept {
  bus::ExclusivePublication* const out = control_out_.current();
  return out != nullptr && out->is_connected() && control_in_.current() != nullptr;
}

bus::OfferStatus ControlBus::send_to_driver(const layout::ShmAttachRequest& message) {
  return offer(control_out_, message);
}

bus::OfferStatus ControlBus::send_to_driver(const layout::ShmLeaseKeepalive& message) {
  return offer(control_out_, message);
}

bus::OfferStatus ControlBus::send_to_driver(const layout::ShmDetachRequest& message) {
  return offer(control_out_, message);
}
bus::OfferStatus ControlBus::send_to_driver(const layout::ShmDriverShutdownRequest& message) {
  return offer(control_out_, message);
}

bool ControlBus::send_control(const layout::ConsumerHello& message) {
  return send(control_out_, message);
}

bool ControlBus::send_control(const layout::ConsumerConfig& message) {
  return send(control_out_, message);
}

bool ControlBus::send_qos(const layout::QosConsumer& message) {
  return send(qos_out_, message);
}

bool ControlBus::send_qos(const layout::QosProducer& message) {
  return send(qos_out_, message);
}

bool ControlBus::is_own(std::int32_t session_id) const noexcept {
  const auto is_of = [session_id](const bus::PublicationLink& link) {
    return link.newest() != nullptr && link.newest()->session_id() == session_id;
  };
  return is_of(control_out_) || is_of(qos_out_);
}

bool ControlBus::send_announce(const layout::ShmPoolAnnounce& message) {
  return send(announce_out_ ? *announce_out_ : control_out_, message);
}

bool ControlBus::send_metadata(const layout::DataSourceAnnounce& message) {
  return send(metadata_out_, message);
}

bool ControlBus::send_metadata(const layout::DataSourceMeta& message) {
  return send(metadata_out_, message);
}

bool ControlBus::send_metadata(const layout::MetaBlobAnnounce& message) {
  return send(metadata_out_, message);
}

bool ControlBus::send_metadata(const layout::MetaBlobChunk& message) {
  return send(metadata_out_, message);
}

bool ControlBus::send_metadata(const layout::MetaBlobComplete& message) {
  return send(metadata_out_, message);
}

std::size_t ControlBus::metadata_message_bytes_max() const noexcept {
  if (const bus::ExclusivePublication* const out = metadata_out_.newest()) {
    return out->max_message_bytes();
  }
  // While there is none: what Aeron will say.
  constexpr std::size_t kUsualTermBytes = 64U << 20U;
  constexpr std::size_t kMessageBytesMax = 16U << 20U;
  const std::size_t term = metadata_out_.channel().term_bytes();
  return std::min((term != 0 ? term : kUsualTermBytes) / 8, kMessageBytesMax);
}

}  // namespace tensorpool::inline v0::agents
