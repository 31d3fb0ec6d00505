#include "apps/conform/workbench.hpp"

#include <algorithm>
#include <utility>

#include "apps/pacer.hpp"

namespace tensorpool::inline v0::apps::conform {
namespace {

constexpr Nanos kRest = std::chrono::microseconds(100);
constexpr Nanos kPatience = std::chrono::seconds(10);

}  // namespace

std::map<std::string, std::string> Places::values() const {
  return {{"aeron_dir", aeron_dir},
          {"shm_dir", shm_dir},
          {"stream_id", std::to_string(stream_id)},
          {"control_stream", std::to_string(control_stream)},
          {"announce_stream", std::to_string(announce_stream)},
          {"descriptor_stream", std::to_string(descriptor_stream)},
          {"qos_stream", std::to_string(qos_stream)},
          {"metadata_stream", std::to_string(metadata_stream)}};
}

Workbench::Workbench(const Places& places, bus::MediaDriverHandle host, bus::Client client,
                     bus::Channel channel)
    : places_(places),
      host_(std::move(host)),
      client_(std::move(client)),
      channel_(std::move(channel)) {}

Result<std::unique_ptr<Workbench>> Workbench::create(const Places& places) {
  Result<bus::MediaDriverHandle> host =
      bus::join_or_embed({.driver = {.aeron_dir = places.aeron_dir}});
  if (!host) {
    return fail(host.error());
  }
  Result<bus::Client> client =
      bus::Client::create({.aeron_dir = places.aeron_dir, .name = "tp conform"});
  Result<bus::Channel> channel = bus::Channel::parse(places.channel);
  if (!client || !channel) {
    return fail(client ? channel.error() : client.error());
  }
  std::unique_ptr<Workbench> made(
      new Workbench(places, std::move(*host), std::move(*client), std::move(*channel)));
  if (const Status joined = made->join(); !joined) {
    return fail(joined.error());
  }
  return made;
}

Status Workbench::join() {
  const std::pair<Wire, std::int32_t> streams[] = {{Wire::kControl, places_.control_stream},
                                                   {Wire::kAnnounce, places_.announce_stream},
                                                   {Wire::kDescriptor, places_.descriptor_stream},
                                                   {Wire::kQos, places_.qos_stream},
                                                   {Wire::kMetadata, places_.metadata_stream}};
  for (const auto& [wire, id] : streams) {
    if (wire == Wire::kAnnounce && id == places_.control_stream) {
      continue;  // would be heard twice
    }
    const auto k = static_cast<std::size_t>(wire);
    ears_[k] = std::make_unique<bus::SubscriptionLink>(
        client_, bus::SubscriptionLink::Options{.channel = channel_, .stream_id = id});
    mouths_[k] = std::make_unique<bus::PublicationLink>(
        client_, bus::PublicationLink::Options{.channel = channel_, .stream_id = id});
  }
  const auto is_up = [](const auto& link) { return link == nullptr || link->is_up(); };
  const Nanos end = now() + kPatience;
  while (!std::all_of(ears_.begin(), ears_.end(), is_up) ||
         !std::all_of(mouths_.begin(), mouths_.end(), is_up)) {
    if (now() >= end) {
      return fail(client_.last_error().code == Errc{}
                      ? make_error(Errc::kTimeout, places_.aeron_dir)
                      : client_.last_error());
    }
    work([](const Heard&) {});
  }
  return {};
}

int Workbench::keep_up() {
  const Nanos at = now();
  int work = client_.do_work(at);
  for (std::size_t k = 0; k < kWires; ++k) {
    work += ears_[k] ? ears_[k]->do_work(at) : 0;
    work += mouths_[k] ? mouths_[k]->do_work(at) : 0;
  }
  return work;
}

bool Workbench::send(Wire on, std::span<const std::byte> bytes) {
  auto& link = mouths_[static_cast<std::size_t>(on)];
  bus::ExclusivePublication* const out = link ? link->current() : nullptr;
  if (out == nullptr) {
    return on == Wire::kAnnounce && send(Wire::kControl, bytes);
  }
  const Result<bus::OfferStatus> status = out->offer(bytes);
  return status && *status == bus::OfferStatus::kOk;
}

void Workbench::hear_own(std::int32_t stream_id) {
  auto& ear = ears_[static_cast<std::size_t>(Wire::kOwnDescriptor)];
  ear.reset();
  if (stream_id != 0) {
    ear = std::make_unique<bus::SubscriptionLink>(
        client_, bus::SubscriptionLink::Options{.channel = channel_, .stream_id = stream_id});
  }
}

void Workbench::speak_own(std::int32_t stream_id) {
  auto& mouth = mouths_[static_cast<std::size_t>(Wire::kOwnDescriptor)];
  mouth.reset();
  if (stream_id != 0) {
    mouth = std::make_unique<bus::PublicationLink>(
        client_, bus::PublicationLink::Options{.channel = channel_, .stream_id = stream_id});
  }
}

bool Workbench::is_own_joined() noexcept {
  auto& mouth = mouths_[static_cast<std::size_t>(Wire::kOwnDescriptor)];
  bus::ExclusivePublication* const out = mouth ? mouth->current() : nullptr;
  return out != nullptr && out->is_connected();
}

bool Workbench::is_own(std::int32_t session_id) const noexcept {
  return std::any_of(mouths_.begin(), mouths_.end(), [session_id](const auto& link) {
    return link != nullptr && link->newest() != nullptr &&
           link->newest()->session_id() == session_id;
  });
}

void Workbench::rest() noexcept {
  sleep_for(kRest);
}

}  // namespace tensorpool::inline v0::apps::conform
