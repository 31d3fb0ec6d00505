// Makes a new epoch of a stream for a driver: all of it, or nothing. Spec: 2-driver §2.11, §2.12.
//
// A job that works in pieces, so that it may run between duty cycles or in a thread of its own:
//
//   ProvisionJob job(store.stream(request.geometry.stream_id), settings.policies, request);
//   for (auto step = job.step(now_mono); step != ProvisionJob::Step::kDone; ...) { ... }
//   machine.on_provisioned(job.outcome());
//   current = job.take_epoch();
//
// | step             | a piece of it                                                          | rules      |
// | ---------------- | ---------------------------------------------------------------------- | ---------- |
// | directories      | all levels opened or created, locked; the epochs in there (first use)  | D180 D196  |
// | space            | compared; the caller is asked to collect, twice at most                | D204       |
// | epoch directory  | a number, its directory                                                | D178 D199  |
// | files            | one file, and the node of its pages                                    | D195       |
// | blocks           | 64 MiB of one file; with prefault false the superblock's alone         | D205 D206  |
// | mappings         | one file's owner, group, mode, and mapping                             | D195       |
// | pages            | 64 MiB of one file touched, then locked, as the policies have it       | D205 D207  |
// | superblocks      | one                                                                    | D200 D202  |
//
// A job that fails or is destroyed leaves no file, no descriptor and no mapping behind (D203);
// directories above the epoch's stay. Thread contract: one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/driver/provisioning.hpp"
#include "core/driver/settings.hpp"
#include "os/epoch_files.hpp"
#include "os/epoch_store.hpp"

namespace tensorpool::inline v0::os {

/// A provisioned epoch, mapped for writing, and locked in memory if the policies want it (D207).
/// When it goes, mappings and locks go; the files stay for the collection.
class OwnedEpoch {
 public:
  [[nodiscard]] const core::region::MappingPlan& plan() const noexcept { return plan_; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return plan_.epoch(); }
  [[nodiscard]] const MappedStream& regions() const noexcept { return regions_; }
  /// D34, in every region. Precondition: no producer lease is active (D35).
  void store_activity(Nanos now_mono) const noexcept { regions_.store_activity(now_mono); }
  /// Whether every file is still where it was announced, with its size: `not_found`,
  /// `region_too_small`, `os_failure`. Spec: D69 and the table of §2.11.
  [[nodiscard]] Status check_files(Syscalls& calls) const;

 private:
  friend class ProvisionJob;
  OwnedEpoch(MappedStream regions, core::region::MappingPlan plan) noexcept
      : regions_(std::move(regions)), plan_(std::move(plan)) {}

  MappedStream regions_;
  core::region::MappingPlan plan_;
};

class ProvisionJob {
 public:
  enum class Step : std::uint8_t {
    kMore,           ///< call `step` again
    kCollectStream,  ///< collect this stream, then call `step` again (D204)
    kCollectAll,     ///< collect all streams with the age waived (D231), then call `step` again
    kDone,           ///< see `outcome`
  };

  /// `stream` outlives the job, which is the only one that works on it.
  /// Precondition: the geometry passes `core::region::check_geometry`.
  ProvisionJob(ManagedStream& stream, const core::driver::PolicySettings& policies,
               core::driver::ProvisionRequest request);
  ProvisionJob(ProvisionJob&&) noexcept = default;
  ProvisionJob& operator=(ProvisionJob&&) = delete;
  ProvisionJob(const ProvisionJob&) = delete;
  ProvisionJob& operator=(const ProvisionJob&) = delete;
  ~ProvisionJob() = default;

  /// The next piece. After kDone nothing happens any more.
  [[nodiscard]] Step step(Nanos now_mono);
  /// Precondition: done.
  [[nodiscard]] const core::driver::ProvisionOutcome& outcome() const noexcept { return outcome_; }
  /// The epoch, once; empty when the job has failed. Precondition: done.
  [[nodiscard]] std::optional<OwnedEpoch> take_epoch() noexcept { return std::move(epoch_); }

 private:
  enum class Phase : std::uint8_t {
    kDirectories,
    kSpace,
    kEpochDirectory,
    kFiles,
    kBlocks,
    kMappings,
    kTouch,
    kLock,
    kSuperblocks,
    kDone,
  };

  [[nodiscard]] Status advance(Nanos now_mono);
  [[nodiscard]] Status open_directories();
  [[nodiscard]] Result<std::uint64_t> free_space() const;
  [[nodiscard]] Status check_space();
  [[nodiscard]] Status create_directory(Nanos now_mono);
  [[nodiscard]] Status plan_regions();
  [[nodiscard]] Status create_file();
  [[nodiscard]] Status allocate_blocks();
  [[nodiscard]] Status map_file();
  [[nodiscard]] Status store_superblock(Nanos now_mono);
  [[nodiscard]] Status each_slice(Status (NewRegion::*work)(NewRegion::Slice) const, Phase next);
  void next_region(Phase next) noexcept;
  void finish();
  void give_up(const Error& error);

  ManagedStream& stream_;
  core::region::StreamGeometry geometry_;
  std::optional<std::uint32_t> numa_node_;
  bool prefault_;
  bool mlock_;
  std::uint8_t collections_left_;  ///< how often the caller may still be asked to collect

  Phase phase_ = Phase::kDirectories;
  Step wanted_ = Step::kMore;  ///< what the caller has to do before the next step
  std::size_t region_ = 0;     ///< where the phase stands
  std::uint64_t offset_ = 0;
  std::uint64_t page_bytes_ = 1;
  std::vector<core::region::ExpectedRegion> regions_;
  std::optional<EpochFiles> files_;
  std::vector<NewRegion> new_regions_;
  std::vector<MappedRegion> mapped_;
  std::optional<OwnedEpoch> epoch_;
  core::driver::ProvisionOutcome outcome_;
};

}  // namespace tensorpool::inline v0::os
