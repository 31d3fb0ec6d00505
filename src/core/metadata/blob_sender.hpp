// The blobs of one producer, one after the other, each as announce, chunks and complete.
// Spec: §1.18.1 (W383..W385, W388, W389, W392).
//
// | state         | message()           | sent()                                     |
// | ------------- | ------------------- | ------------------------------------------ |
// | ANNOUNCE      | MetaBlobAnnounce    | CHUNKS, or COMPLETE when the blob is empty |
// | CHUNKS(next)  | MetaBlobChunk, next | CHUNKS(next + length), or COMPLETE         |
// | COMPLETE      | MetaBlobComplete    | ANNOUNCE of the next blob                  |
// | nothing queued| none                |                                            |
//
// The caller sends `message()` and calls `sent()` when it is on its way; until then, under back
// pressure, the message stays the same. A new epoch begins the present blob anew: receivers give up
// what they have of it when they hear the announce.
//
// Pure. Thread contract: one thread at a time. Allocates: when a blob is queued.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "layout/messages_900.hpp"
#include "tensorpool/types/metadata.hpp"

namespace tensorpool::inline v0::core::metadata {

inline constexpr std::size_t kBlobChunkBytesMax = 65'536;  // W385

using BlobMessage =
    std::variant<layout::MetaBlobAnnounce, layout::MetaBlobChunk, layout::MetaBlobComplete>;

class BlobSender {
 public:
  struct Options {
    std::uint64_t blob_bytes_max = MetadataLimits{}.max_blob_bytes;  ///< receivers ignore more
    std::size_t blobs_max = 64;                                      ///< queued at a time
  };

  explicit BlobSender(const Options& options) noexcept : options_(options) {}

  /// Queues a blob that belongs to metadata `version`. Refuses with kMetadataTooLarge what
  /// receivers would, and with kLimitReached when the queue is full.
  [[nodiscard]] Status push(std::uint32_t version, std::uint32_t type,
                            std::vector<std::byte> bytes);

  /// What queued blobs belong to in the new epoch, from the beginning.
  void begin_epoch(std::uint32_t version) noexcept;

  /// What is to be sent next, in a message of at most `message_bytes_max`; a view, valid until the
  /// next call of push, sent or begin_epoch.
  [[nodiscard]] std::optional<BlobMessage> message(std::uint32_t stream_id,
                                                   std::size_t message_bytes_max) const noexcept;
  /// That `message` was sent.
  void sent(const BlobMessage& message) noexcept;

  /// Blobs that are not wholly sent.
  [[nodiscard]] std::size_t pending() const noexcept { return queue_.size(); }

 private:
  struct Entry {
    std::uint32_t version;
    std::uint32_t type;
    std::uint32_t checksum;
    std::vector<std::byte> bytes;
  };
  Options options_;
  std::deque<Entry> queue_;
  bool announced_ = false;  // of the first
  std::uint64_t next_ = 0;  // likewise
};

}  // namespace tensorpool::inline v0::core::metadata
