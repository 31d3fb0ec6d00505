// What a foreign consumer is judged by: it is given frames, torn frames, wrong descriptors,
// announces and configs by hand, and its hellos and QosConsumer tell what became of them. Pure: the
// record comes from drive_consumer.hpp.
//
// Thread contract: plain values and free functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "apps/conform/heard.hpp"
#include "layout/messages_900.hpp"

namespace tensorpool::inline v0::apps::conform {

/// One thing that the hand-driven producer does. After each but those that end a mapping it
/// publishes a frame in order, the mark; the scene is over when QosConsumer has reached it.
enum class Scene : std::uint8_t {
  kFirstFrames,      ///< regions are announced, frames published
  kFrames,           ///< kFramesInOrder of them
  kInProgress,       ///< a descriptor before the commit
  kOverwritten,      ///< descriptors come after their slots were lapped by one frame
  kBadHeaders,       ///< kBadHeaders of them, each wrong in another field
  kBadPayloads,      ///< an unknown pool, a length beyond the stride
  kAborted,          ///< kAborted numbers are taken and never committed
  kDuplicate,        ///< a descriptor twice
  kForged,           ///< a descriptor of a number far ahead of its slot
  kLowerEpochFrame,  ///< a descriptor of an epoch before
  kStrange,          ///< messages of other schemas, templates, versions, lengths, on every stream
  kLongBlock,        ///< a descriptor with a longer block, and bytes behind it
  kWrongAnnounces,   ///< of another stream, time or epoch
  kForeignConfig,    ///< for another consumer, and half an assignment
  kOwnStream,        ///< descriptors on a stream that was assigned, and nowhere else
  kBackToShared,     ///< taken back
  kMode,             ///< told to be RATE_LIMITED
  kNoShm,            ///< told not to use shared memory: no mark
  kShmAgain,         ///< told to use it, and announced to
  kRegression,       ///< a descriptor of an earlier number: no mark
  kAfterRegression,  ///< the same epoch is announced
  kLaterEpochFrame,  ///< a descriptor of a later epoch: no mark
  kNewEpoch,         ///< that epoch is announced, with new files
  kOldEpoch,         ///< the one before is announced again
  kMismatch,         ///< regions whose superblock says otherwise: no mark
  kShortFile,        ///< a file that is too small: no mark
  kWritableByAll,    ///< a file that everybody may write: no mark
  kAfterRefusals,    ///< a good epoch after these
  kPaused,           ///< the activity stands still: no mark
  kResumed,          ///< and goes on
};

inline constexpr std::uint64_t kFramesInOrder = 20;
inline constexpr std::uint64_t kBadHeadersCount = 5;
inline constexpr std::uint64_t kBadPayloadsCount = 2;
inline constexpr std::uint64_t kAbortedCount = 5;

struct SceneLook {
  Scene scene = Scene::kFirstFrames;
  std::optional<layout::QosConsumer> before = {};
  std::optional<layout::QosConsumer> after = {};
  std::uint64_t epoch = 0;   ///< that is published in
  std::uint64_t mark = 0;    ///< the last frame that was published in order
  std::uint64_t forged = 0;  ///< of kForged
  bool joined = false;       ///< kOwnStream, kBackToShared: somebody subscribes to the own stream
  bool alive = false;
};

struct ConsumerRecord {
  std::uint32_t stream_id = 0;
  Nanos period = std::chrono::seconds(1);  ///< of hellos and QoS
  Window window = {};                      ///< from the first hello on
  HeardList heard = {};
  std::vector<SceneLook> scenes = {};
  bool files_untouched = false;  ///< of the producer, as far as a consumer could change them
  bool alive = false;            ///< when it was told to stop
};

[[nodiscard]] std::span<const Case<ConsumerRecord>> consumer_cases() noexcept;

}  // namespace tensorpool::inline v0::apps::conform
