#include "agents/stream_directory.hpp"

namespace tensorpool::inline v0::agents {

StreamDirectory::Entry* StreamDirectory::entry(std::uint32_t stream_id) {
  if (!layout::valid_stream_id(stream_id)) {
    return nullptr;  // W8
  }
  auto found = streams_.find(stream_id);
  if (found == streams_.end()) {
    if (streams_.size() >= kStreamsMax) {
      return nullptr;
    }
    found = streams_.emplace(stream_id, Entry{}).first;
    found->second.info.stream_id = stream_id;
  }
  return &found->second;
}

void StreamDirectory::on_announce(const layout::ShmPoolAnnounce& announce, Nanos joined_at,
                                  const base::Now& now) {
  const bool realtime = announce.announce_clock_domain == layout::ClockDomain::kRealtimeSynced;
  if (!core::is_fresh(announce.announce_timestamp_ns, realtime ? now.real : now.mono,
                      timing_.freshness_window)) {
    refuse(announce, realtime, now);
    return;
  }
  if (!realtime && announce.announce_timestamp_ns < static_cast<std::uint64_t>(joined_at.count())) {
    return;  // a late joiner sees old log content
  }
  const std::lock_guard lock(mutex_);
  refused_.erase(announce.stream_id);
  Entry* const known = entry(announce.stream_id);
  if (known == nullptr || announce.epoch < known->info.epoch) {
    return;
  }
  known->heard_at = now.mono;
  known->info.epoch = announce.epoch;
  known->info.producer_id = announce.producer_id;
  known->info.nslots = announce.header_nslots;
  known->info.header_region_uri = announce.header_region_uri;
  known->info.pools.clear();
  for (const layout::PayloadPool& pool : announce.payload_pools) {
    known->info.pools.push_back({.pool_id = pool.pool_id, .stride_bytes = pool.stride_bytes});
  }
}

void StreamDirectory::refuse(const layout::ShmPoolAnnounce& announce, bool realtime,
                             const base::Now& now) {
  std::optional<Error> news;
  {
    const std::lock_guard lock(mutex_);
    auto known = refused_.find(announce.stream_id);
    if (known == refused_.end()) {
      if (refused_.size() >= kRefusedMax || !layout::valid_stream_id(announce.stream_id)) {
        return;
      }
      const Refused first{.clock = core::consumer::ForeignClock(timing_.announce_period)};
      known = refused_.emplace(announce.stream_id, first).first;
    }
    Refused& stream = known->second;
    stream.heard_at = now.mono;
    auto why = stream.clock.on_refused(announce.announce_timestamp_ns, realtime, now);
    if (why && !stream.why) {
      stream.why = why->in_stream(announce.stream_id).in_epoch(announce.epoch);
      news = stream.why;
    }
  }
  if (news && on_refused_) {
    on_refused_(*news);
  }
}

void StreamDirectory::on_data_source(const layout::DataSourceAnnounce& source,
                                     const base::Now& now) {
  const std::lock_guard lock(mutex_);
  Entry* const known = entry(source.stream_id);
  if (known == nullptr || source.epoch < known->info.epoch) {
    return;
  }
  if (source.epoch > known->info.epoch) {
    known->info = {.stream_id = source.stream_id, .epoch = source.epoch};  // W377
  }
  known->heard_at = now.mono;
  known->info.name = source.name;
  known->info.summary = source.summary;
}

void StreamDirectory::remove_silent(Nanos now) {
  const std::lock_guard lock(mutex_);
  std::erase_if(streams_, [&](const auto& item) {
    return now - item.second.heard_at > timing_.liveness_timeout;
  });
  std::erase_if(refused_, [&](const auto& item) {
    return now - item.second.heard_at > timing_.liveness_timeout;
  });
}

std::optional<std::uint32_t> StreamDirectory::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  std::optional<std::uint32_t> found;
  for (const auto& [id, entry] : streams_) {
    // Two streams of one name: the one whose producer started last.
    if (entry.info.name == name && entry.info.nslots != 0 &&
        (!found || entry.info.epoch > streams_.at(*found).info.epoch)) {
      found = id;
    }
  }
  return found;
}

std::vector<StreamInfo> StreamDirectory::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<StreamInfo> all;
  all.reserve(streams_.size());
  for (const auto& [id, entry] : streams_) {
    all.push_back(entry.info);
  }
  return all;
}

std::vector<Error> StreamDirectory::refused() const {
  const std::lock_guard lock(mutex_);
  std::vector<Error> all;
  for (const auto& [id, stream] : refused_) {
    if (stream.why) {
      all.push_back(*stream.why);
    }
  }
  return all;
}

}  // namespace tensorpool::inline v0::agents
