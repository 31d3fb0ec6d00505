#include "driver/driver_bus.hpp"

#include <string>

#include "driver/consumer_streams.hpp"

namespace tensorpool::inline v0::driver {

namespace core_driver = core::driver;

namespace {

[[nodiscard]] core_driver::Offer offer_of(bus::OfferStatus status) noexcept {
  switch (status) {
    case bus::OfferStatus::kOk:
      return core_driver::Offer::kPublished;
    case bus::OfferStatus::kNotConnected:
      return core_driver::Offer::kNobody;
    case bus::OfferStatus::kBackPressured:
    case bus::OfferStatus::kAdminAction:
      return core_driver::Offer::kLater;
    case bus::OfferStatus::kClosed:
    case bus::OfferStatus::kError:
      break;
  }
  return core_driver::Offer::kFailed;
}

[[nodiscard]] std::int32_t wire_id(std::uint32_t stream_id) noexcept {
  return static_cast<std::int32_t>(stream_id);
}

}  // namespace

Result<std::unique_ptr<DriverBus>> DriverBus::create(bus::Client& client,
                                                     const core_driver::Settings& settings,
                                                     core_driver::Counters& counters,
                                                     Observer& observer) {
  const Result<bus::Channel> control = bus::Channel::parse(settings.control.channel);
  const Result<bus::Channel> announce = bus::Channel::parse(settings.announce.channel);
  if (!control || !announce) {
    return fail(control ? announce.error() : control.error());
  }
  return std::unique_ptr<DriverBus>(
      new DriverBus(client, settings, *control, *announce, counters, observer));
}

DriverBus::DriverBus(bus::Client& client, const core_driver::Settings& settings,
                     const bus::Channel& control, const bus::Channel& announce,
                     core_driver::Counters& counters, Observer& observer)
    : requests_(client, {.channel = control, .stream_id = wire_id(settings.control.stream_id)}),
      answers_(client, control, settings.control.stream_id),
      hears_hellos_(ConsumerStreams::is_responder(settings)),
      counters_(counters),
      observer_(observer) {
  if (settings.announce != settings.control) {
    announces_.emplace(client, announce, settings.announce.stream_id);
  }
}

DriverBus::Lane::Lane(bus::Client& client, const bus::Channel& channel, std::uint32_t stream_id)
    : link(client, {.channel = channel, .stream_id = wire_id(stream_id)}) {}

int DriverBus::keep_up(Nanos now) {
  int work = requests_.do_work(now) + answers_.link.do_work(now);
  flush(answers_, now);
  if (announces_) {
    work += announces_->link.do_work(now);
    flush(*announces_, now);
  }
  return work;
}

bool DriverBus::is_up() noexcept {
  return requests_.current() != nullptr && answers_.link.current() != nullptr &&
         (!announces_ || announces_->link.current() != nullptr);
}

void DriverBus::send(const layout::ShmAttachResponse& message, Nanos received_at, Nanos now) {
  send(answers_, {.kind = core_driver::kind_of(message), .since = received_at}, message, now);
}

void DriverBus::send(const layout::ShmDetachResponse& message, Nanos received_at, Nanos now) {
  send(answers_, {.kind = core_driver::kind_of(message), .since = received_at}, message, now);
}

void DriverBus::send(const layout::ShmLeaseRevoked& message, std::optional<Nanos> expiry,
                     Nanos now) {
  send(answers_,
       {.kind = core_driver::kind_of(message),
        .stream_id = message.stream_id,
        .since = expiry,
        .lease_id = message.lease_id},
       message, now);
}

void DriverBus::send(const layout::ShmDriverShutdown& message, Nanos now) {
  send(answers_, {.kind = core_driver::kind_of(message)}, message, now);
}

void DriverBus::send(const layout::ShmPoolAnnounce& message, Nanos now) {
  send(announces_ ? *announces_ : answers_,
       {.kind = core_driver::kind_of(message), .stream_id = message.stream_id}, message, now);
}

void DriverBus::send(const layout::ConsumerConfig& message) {
  bus::ExclusivePublication* const out = answers_.link.current();
  buffer_.resize(codec::encoded_size(message));
  const Result<std::size_t> size = codec::encode(message, buffer_);
  if (out != nullptr && size) {
    static_cast<void>(out->offer(std::span<const std::byte>(buffer_).first(*size)));
  }
}

std::optional<Request> DriverBus::decode(std::span<const std::byte> bytes) noexcept {
  const auto decoded = codec::decode<codec::DriverRequest>(bytes, scratch_);
  if (decoded) {
    return std::visit([](const auto& request) { return Request(request); }, *decoded);
  }
  if (decoded.error().code == Errc::kMalformedMessage) {
    ++counters_.control_malformed;  // D3
  } else if (decoded.error().code == Errc::kUnsupportedVersion) {
    const Result<codec::MessageHeader> header = codec::peek_header(bytes);
    const std::optional<std::int64_t> correlation_id = codec::peek_correlation_id(bytes);
    if (header && header->template_id == layout::ShmAttachRequest::kType.template_id &&
        correlation_id) {
      return LaterAttachRequest{*correlation_id};  // D12
    }
    ++counters_.control_unsupported;  // D13
  } else if (hears_hellos_) {
    if (const auto hello = codec::decode<layout::ConsumerHello>(bytes, scratch_)) {
      return Request(*hello);  // D255: others are dropped
    }
  }
  return std::nullopt;  // of another schema, its own output, or unknown (D10, D11)
}

bool DriverBus::is_for_another_life(const Request& request, bool may_be_old) noexcept {
  const bool is_old =
      may_be_old && std::holds_alternative<layout::ShmDriverShutdownRequest>(request);
  counters_.shutdown_request_rejects += is_old ? 1 : 0;
  return is_old;
}

template <class M>
void DriverBus::send(Lane& lane, const Outgoing& about, const M& message, Nanos now) {
  buffer_.resize(codec::encoded_size(message));
  const Result<std::size_t> size = codec::encode(message, buffer_);
  if (!size) {
    ended(about, core_driver::Ending::kGivenUp);
    return;
  }
  lane.queue.send(
      about, std::span<const std::byte>(buffer_).first(*size), now,
      [&](const Outgoing& what, std::span<const std::byte> bytes) {
        return offer(lane, what, bytes);
      },
      [this](const Outgoing& what, core_driver::Ending ending) { ended(what, ending); });
}

void DriverBus::flush(Lane& lane, Nanos now) {
  lane.queue.flush(
      now,
      [&](const Outgoing& what, std::span<const std::byte> bytes) {
        return offer(lane, what, bytes);
      },
      [this](const Outgoing& what, core_driver::Ending ending) { ended(what, ending); });
}

core_driver::Offer DriverBus::offer(Lane& lane, const Outgoing& about,
                                    std::span<const std::byte> bytes) noexcept {
  const bool overtakes =
      announces_ && &lane == &*announces_ && answers_.queue.holds([&](const Outgoing& waiting) {
        return waiting.kind == core_driver::MessageKind::kLeaseRevoked &&
               waiting.stream_id == about.stream_id;
      });
  if (overtakes) {
    return core_driver::Offer::kLater;  // D152
  }
  bus::ExclusivePublication* const out = lane.link.current();
  if (out == nullptr) {
    return core_driver::Offer::kNobody;
  }
  const Result<bus::OfferStatus> status = out->offer(bytes);  // in fragments where needed (D9)
  return status ? offer_of(*status) : core_driver::Offer::kFailed;
}

void DriverBus::ended(const Outgoing& message, core_driver::Ending ending) {
  switch (ending) {
    case core_driver::Ending::kPublished:
      core_driver::count_published(counters_, message.kind);
      break;
    case core_driver::Ending::kUnheard:
      core_driver::count_unheard(counters_, message.kind);
      break;
    case core_driver::Ending::kGivenUp:
      core_driver::count_given_up(counters_, message.kind);
      break;
  }
  observer_.on_ended(message, ending);
}

}  // namespace tensorpool::inline v0::driver
