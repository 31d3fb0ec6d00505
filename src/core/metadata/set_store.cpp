#include "core/metadata/set_store.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/mark.hpp"

namespace tensorpool::inline v0::core::metadata {
namespace {

[[nodiscard]] MetadataSet copy_of(const layout::DataSourceMeta& message, std::uint64_t epoch) {
  MetadataSet set{.stream_id = message.stream_id,
                  .epoch = epoch,
                  .version = message.meta_version,
                  .timestamp_ns = message.timestamp_ns};
  std::unordered_map<std::string_view, std::size_t> places;
  for (const layout::MetaAttribute& entry : message.attributes) {
    Attribute one{.key = std::string(entry.key),
                  .format = std::string(entry.format),
                  .value = {entry.value.begin(), entry.value.end()}};
    const auto [place, first] = places.emplace(entry.key, set.attributes.size());
    if (first) {
      set.attributes.push_back(std::move(one));
    } else {
      set.attributes[place->second] = std::move(one);  // W380
    }
  }
  return set;
}

}  // namespace

SetStore::Verdict SetStore::on_announce(const layout::DataSourceAnnounce& announce, Nanos now) {
  if (announce.stream_id != options_.stream_id || !layout::valid_epoch(announce.epoch)) {
    return Verdict::kIgnored;
  }
  if (announce.epoch < epoch_ && now - heard_at_ < options_.liveness_timeout) {
    return Verdict::kIgnored;  // W378
  }
  heard_at_ = now;
  if (announce.epoch == epoch_) {
    const bool lower = current_ != nullptr && announce.meta_version != 0 &&
                       announce.meta_version < current_->version;
    if (!std::exchange(doubted_, lower) || !lower) {
      return Verdict::kHeard;
    }
    TP_MARK("a set of a former producer was stored");
  }
  epoch_ = announce.epoch;
  doubted_ = false;
  current_.reset();  // W377
  return Verdict::kCleared;
}

SetStore::Verdict SetStore::on_set(const layout::DataSourceMeta& message) {
  if (message.stream_id != options_.stream_id) {
    return Verdict::kIgnored;
  }
  if (message.attributes.size() > options_.attributes_max ||
      std::any_of(message.attributes.begin(), message.attributes.end(),
                  [](const layout::MetaAttribute& one) { return one.key.empty(); })) {
    return Verdict::kMalformed;  // W381
  }
  if (message.meta_version == 0 || message.meta_version == layout::kMetaVersionNull ||
      (current_ != nullptr && message.meta_version < current_->version)) {
    return Verdict::kIgnored;  // W376
  }
  MetadataSet set = copy_of(message, epoch_);
  if (current_ != nullptr && *current_ == set) {
    return Verdict::kHeard;
  }
  current_ = std::make_shared<const MetadataSet>(std::move(set));
  return Verdict::kStored;
}

}  // namespace tensorpool::inline v0::core::metadata
