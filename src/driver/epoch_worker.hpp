// The driver's jobs on the file system, a piece at a time: provisionings, collections, and the
// unmapping of epochs that are over.
//
// Jobs of one stream are done in their order; jobs of several streams take turns, so that a large
// provisioning holds nobody else up. Where a provisioning finds no space it waits until the driver
// has said what may be collected (D204), since leases are the driver's business.
//
// Thread contract: one thread at a time. EpochKeeper gives it a thread or calls it in between.
// Spec: §2.5 (D345), §2.12, §2.14.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "core/driver/provisioning.hpp"
#include "os/collect_epochs.hpp"
#include "os/provision_epoch.hpp"

namespace tensorpool::inline v0::driver {

/// Make an epoch.
struct ProvisionTask {
  os::ManagedStream& stream;
  core::driver::ProvisionRequest request;
};
struct CollectTask {
  os::ManagedStream& stream;
  core::driver::CollectRequest request;
  std::uint64_t ticket = 0;  ///< of a person who asked; 0: the driver's machine did
};
/// The answer to SpaceWanted: collect all of these, then go on with the provisioning of
/// `stream_id`. Streams that are being provisioned themselves are left out.
struct MakeSpaceTask {
  std::uint32_t stream_id = 0;
  std::vector<CollectTask> collections;
};
/// Unmap and unlock, which takes its time for gigabytes.
struct DiscardTask {
  os::OwnedEpoch epoch;
};
/// Remove what this process has provisioned in the stream (D268).
struct RemoveTask {
  os::ManagedStream& stream;
};
/// Say when all that was asked for before is done in the stream.
struct ReleaseTask {
  std::uint32_t stream_id = 0;
  std::uint64_t number = 0;  ///< to tell one release of a stream from the next
};
using Task =
    std::variant<ProvisionTask, CollectTask, MakeSpaceTask, DiscardTask, RemoveTask, ReleaseTask>;

/// A provisioning has ended.
struct Provisioned {
  core::driver::ProvisionOutcome outcome;
  std::optional<os::OwnedEpoch> epoch;  ///< set when it has succeeded
};
/// A collection has ended.
struct Collected {
  Result<core::driver::CollectOutcome> outcome;
  std::uint64_t ticket = 0;
};
/// The provisioning of `stream_id` has no space: what may be collected, of it or of all streams
/// (D204, D231)? Answered by MakeSpaceTask, in any case.
struct SpaceWanted {
  std::uint32_t stream_id = 0;
  bool of_all_streams = false;
};
/// The end of a RemoveTask.
struct Removed {
  std::optional<core::driver::CollectOutcome> outcome;  ///< nothing: there was nothing
};
/// The end of a ReleaseTask.
struct Released {
  std::uint32_t stream_id = 0;
  std::uint64_t number = 0;
};
using TaskResult = std::variant<Provisioned, Collected, SpaceWanted, Removed, Released>;

class EpochWorker {
 public:
  EpochWorker(const core::driver::PolicySettings& policies, const base::Clock& clock) noexcept
      : policies_(policies), clock_(clock) {}

  void add(Task task);
  /// The provisioning of this stream is not wanted any more: it leaves nothing behind and ends with
  /// kClosed.
  void cancel(std::uint32_t stream_id);

  /// One piece of one task. False when there is nothing to do.
  bool step();
  [[nodiscard]] std::optional<TaskResult> next_result();
  /// Gives all jobs up and does nothing but the removals that were asked for: the end.
  void finish();

 private:
  struct Job {
    std::uint32_t stream_id;
    os::ProvisionJob work;
    bool waits_for_space = false;
  };

  [[nodiscard]] Job* job_of(std::uint32_t stream_id) noexcept;
  [[nodiscard]] bool may_begin(const Task& task) noexcept;
  bool begin_next_task();
  void begin(ProvisionTask task);
  void begin(const CollectTask& task);
  void begin(const MakeSpaceTask& task);
  void begin(const DiscardTask&) {}  // goes, and unmaps
  void begin(const RemoveTask& task);
  void begin(const ReleaseTask& task);
  /// True when the job has ended.
  bool advance(Job& job);

  const core::driver::PolicySettings& policies_;
  const base::Clock& clock_;
  std::list<Task> tasks_;
  std::list<Job> jobs_;  ///< take turns
  std::deque<TaskResult> results_;
};

}  // namespace tensorpool::inline v0::driver
