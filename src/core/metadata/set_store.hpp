// What a receiver knows of the metadata of one stream. Spec: §1.18 (W376..W381).
//
// | event                                         | condition                          | effect    |
// | --------------------------------------------- | ---------------------------------- | --------- |
// | announce of a higher epoch, or the first one  |                                    | cleared   |
// | announce of the stored epoch                  |                                    | heard     |
// | two of them that name a lower version         | in a row                           | cleared   |
// | announce of a lower epoch                     | stored epoch heard of lately       | ignored   |
// | announce of a lower epoch                     | silent for the liveness timeout    | cleared   |
// | set with an empty key, or too many attributes |                                    | malformed |
// | set of a lower version, or of none            |                                    | ignored   |
// | set with what is stored already               |                                    | heard     |
// | set of the stored version or a higher one     |                                    | stored    |
//
// A set names no epoch: it belongs to that of the last announce that was accepted. One that comes
// before any announce is kept under epoch 0, until there is one. One of a producer that has ended
// may come after the first announce of the next, and its version may be higher than any that the
// next will have for long: the announces tell. Only announces of the stored epoch
// show that it lives, for a set may be anybody's.
//
// Pure. Thread contract: one thread at a time. Allocates: in proportion to the sets that arrive.
#pragma once

#include <cstdint>
#include <memory>

#include "layout/messages_900.hpp"
#include "tensorpool/types/metadata.hpp"

namespace tensorpool::inline v0::core::metadata {

class SetStore {
 public:
  struct Options {
    std::uint32_t stream_id = 0;
    Nanos liveness_timeout = std::chrono::seconds(5);
    std::uint32_t attributes_max = MetadataLimits{}.max_attributes;
  };
  enum class Verdict : std::uint8_t { kIgnored, kMalformed, kHeard, kCleared, kStored };

  explicit SetStore(const Options& options) noexcept : options_(options) {}

  Verdict on_announce(const layout::DataSourceAnnounce& announce, Nanos now);
  Verdict on_set(const layout::DataSourceMeta& message);

  /// Null while there is none. Stays as it is for whoever holds it.
  [[nodiscard]] const std::shared_ptr<const MetadataSet>& current() const noexcept {
    return current_;
  }
  /// Of the last announce that was accepted; 0 before that.
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }

 private:
  Options options_;
  std::uint64_t epoch_ = 0;
  Nanos heard_at_{};
  bool doubted_ = false;  // the last announce named a lower version than that of the stored set
  std::shared_ptr<const MetadataSet> current_;
};

}  // namespace tensorpool::inline v0::core::metadata
