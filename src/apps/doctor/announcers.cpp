#include "apps/doctor/announcers.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "bus/client.hpp"
#include "bus/link.hpp"
#include "codec/codec.hpp"
#include "os/clock.hpp"

namespace tensorpool::inline v0::apps::doctor {
namespace {

constexpr std::int32_t kStreams[] = {1000, 1001};  // control, announces: as every driver has them
constexpr std::string_view kChannel = "aeron:ipc?term-length=4m";
constexpr Nanos kRest = std::chrono::milliseconds(1);
constexpr std::size_t kFragments = 64;

}  // namespace

void Announcers::on_announce(const layout::ShmPoolAnnounce& announce, std::int32_t session) {
  Source& source = streams_[announce.stream_id][session];
  source.last_at = ++heard_;
  source.first_at = source.first_at == 0 ? heard_ : source.first_at;
  source.uri = announce.header_region_uri;
}

std::vector<StreamClash> Announcers::clashes() const {
  std::vector<StreamClash> found;
  for (const auto& [stream_id, sources] : streams_) {
    StreamClash clash{.stream_id = stream_id, .regions = {}};
    for (const auto& one : sources) {
      const bool overlaps = std::any_of(sources.begin(), sources.end(), [&](const auto& other) {
        return other.first != one.first && other.second.first_at < one.second.last_at &&
               one.second.first_at < other.second.last_at;
      });
      if (overlaps) {
        clash.regions.push_back(one.second.uri);
      }
    }
    if (!clash.regions.empty()) {
      found.push_back(std::move(clash));
    }
  }
  return found;
}

std::vector<StreamClash> listen_for_clashes(const std::string& aeron_dir, Nanos span) {
  Result<bus::Client> client = bus::Client::create({.aeron_dir = aeron_dir, .name = "tp doctor"});
  const Result<bus::Channel> channel = bus::Channel::parse(kChannel);
  if (!client || !channel) {
    return {};
  }
  bus::SubscriptionLink control(*client, {.channel = *channel, .stream_id = kStreams[0]});
  bus::SubscriptionLink announces(*client, {.channel = *channel, .stream_id = kStreams[1]});
  Announcers heard;
  codec::Scratch scratch;
  const os::SystemClock clock;
  for (const Nanos end = clock.mono() + span; clock.mono() < end;) {
    int work = client->do_work(clock.mono());
    for (bus::SubscriptionLink* const link : {&control, &announces}) {
      work += link->do_work(clock.mono());
      bus::Subscription* const in = link->current();
      work += in == nullptr ? 0
                            : in->poll_messages(
                                  [&](const bus::Message& message) noexcept {
                                    const auto announce = codec::decode<layout::ShmPoolAnnounce>(
                                        message.bytes, scratch);
                                    if (announce) {
                                      heard.on_announce(*announce, message.session_id);
                                    }
                                  },
                                  kFragments);
    }
    if (work == 0) {
      std::this_thread::sleep_for(kRest);
    }
  }
  return heard.clashes();
}

}  // namespace tensorpool::inline v0::apps::doctor
