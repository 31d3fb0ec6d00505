#include "core/driver/stream_table.hpp"

#include <algorithm>
#include <string_view>

#include "base/assert.hpp"

namespace tensorpool::inline v0::core::driver {
namespace {

[[nodiscard]] std::optional<Profile> profile_of(const std::vector<Profile>& profiles,
                                                std::string_view name) {
  const auto found = std::find_if(profiles.begin(), profiles.end(),
                                  [&](const Profile& profile) { return profile.name == name; });
  return found == profiles.end() ? std::nullopt : std::optional(*found);
}

}  // namespace

StreamTable::StreamTable(const Settings& settings) : ranges_(settings.stream_ids) {
  const std::string& by_name = settings.policies.default_profile;
  if (!by_name.empty()) {
    default_profile_ = profile_of(settings.profiles, by_name);
  } else if (!settings.profiles.empty()) {
    default_profile_ = settings.profiles.front();
  }
  for (const StaticStream& configured : settings.streams) {
    Stream& stream = streams_[configured.stream_id];
    stream.id = configured.stream_id;
    stream.name = configured.name;
    stream.profile = profile_of(settings.profiles, configured.profile);
    stream.closed_to_producers = !configured.producers.empty();
    stream.closed_to_consumers = !configured.consumers.empty();
  }
  for (const IdRange& range : ranges_) {
    range_ids_ += std::uint64_t{range.last} - range.first + 1;
  }
  for (const auto& [id, stream] : streams_) {
    range_ids_ -= in_range(id) ? 1 : 0;  // D238 forbids it
  }
  id_at_ = ranges_.empty() ? 0 : ranges_.front().first;
}

Stream* StreamTable::find(std::uint32_t id) noexcept {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : &found->second;
}

const Stream* StreamTable::find(std::uint32_t id) const noexcept {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : &found->second;
}

bool StreamTable::in_range(std::uint32_t id) const noexcept {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [id](const IdRange& range) { return range.contains(id); });
}

bool StreamTable::id_left() const noexcept {
  return !unclaimed_.empty() || dynamic_count_ < range_ids_ || !idle_.empty();
}

Stream& StreamTable::create(std::uint32_t id) {
  const auto [position, created] = streams_.try_emplace(id);
  TP_ASSERT(created);
  Stream& stream = position->second;
  stream.id = id;
  stream.dynamic = true;
  stream.profile = default_profile_;
  if (const auto found = remembered_epochs_.find(id); found != remembered_epochs_.end()) {
    stream.known_epoch = found->second;
    remembered_epochs_.erase(found);
  }
  ++dynamic_count_;
  unclaimed_.insert(id);
  return stream;
}

StreamTable::Allocation StreamTable::allocate() {
  if (!unclaimed_.empty()) {
    return {.stream = *find(*unclaimed_.begin())};
  }
  if (const std::optional<std::uint32_t> id = next_unused()) {
    return {.stream = create(*id)};
  }
  TP_ASSERT(!idle_.empty());
  return {.stream = *find(idle_.begin()->second), .reclaimed = true};
}

std::optional<std::uint32_t> StreamTable::next_unused() {
  if (dynamic_count_ >= range_ids_) {
    return std::nullopt;
  }
  for (std::uint64_t tried = 0; tried < range_ids_ + streams_.size(); ++tried) {
    const auto id = static_cast<std::uint32_t>(id_at_);
    if (id_at_++ == ranges_[range_at_].last) {
      range_at_ = (range_at_ + 1) % ranges_.size();
      id_at_ = ranges_[range_at_].first;
    }
    if (!streams_.contains(id)) {
      return id;
    }
  }
  return std::nullopt;
}

void StreamTable::set_used(Stream& stream, bool used) {
  if (!stream.dynamic) {
    return;
  }
  unclaimed_.erase(stream.id);
  const auto since = idle_since_.find(stream.id);
  if (used && since != idle_since_.end()) {
    idle_.erase(since->second);
    idle_since_.erase(since);
  } else if (!used && !stream.claimed) {
    unclaimed_.insert(stream.id);
  } else if (!used && since == idle_since_.end()) {
    idle_.emplace(++idle_clock_, stream.id);
    idle_since_.emplace(stream.id, idle_clock_);
  }
}

void StreamTable::remove(Stream& stream, Nanos now) {
  TP_ASSERT(stream.dynamic && !stream.claimed && !stream.job);
  if (stream.known_epoch >= static_cast<std::uint64_t>(now.count())) {
    remembered_epochs_[stream.id] = stream.known_epoch;
  }
  unclaimed_.erase(stream.id);
  --dynamic_count_;
  streams_.erase(stream.id);
}

}  // namespace tensorpool::inline v0::core::driver
