// Provisions an epoch on the simulated disk, a piece at a time, as os/ProvisionJob does it on a
// real one: the same phases, the same answers, nothing left behind on failure.
//
// Spec: §2.11, §2.12.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/driver/provisioning.hpp"
#include "driver/disk.hpp"

namespace tensorpool::inline v0::sim::driver {

class ProvisionWork {
 public:
  enum class Step : std::uint8_t { kMore, kCollectStream, kCollectAll, kDone };

  struct Options {
    core::driver::ProvisionRequest request;
    std::uint64_t pid = 0;
    std::uint64_t piece_bytes = 4096;
    bool collects = true;  ///< when there is no space
    // Planted bugs.
    bool early = false;       ///< done before the superblocks are stored
    bool same_epoch = false;  ///< one that is known is taken again
  };

  /// The references outlive the work.
  ProvisionWork(Disk& disk, const VirtualClock& clock, Options options);

  [[nodiscard]] std::uint32_t stream_id() const noexcept { return outcome_.stream_id; }
  /// The next piece. After kDone nothing happens any more.
  [[nodiscard]] Step step();
  /// It is not wanted any more: leaves nothing behind.
  void cancel();

  /// Precondition: done.
  [[nodiscard]] const core::driver::ProvisionOutcome& outcome() const noexcept { return outcome_; }
  [[nodiscard]] const std::shared_ptr<SimMapping>& epoch() const noexcept { return epoch_; }

 private:
  enum class Phase : std::uint8_t {
    kScan,
    kSpace,
    kDirectory,
    kFiles,
    kBlocks,
    kBlocksDone,
    kDone
  };

  [[nodiscard]] Status advance();
  [[nodiscard]] Status scan();
  [[nodiscard]] Status check_space();
  [[nodiscard]] Status make_directory();
  [[nodiscard]] Status create_file();
  [[nodiscard]] Status allocate();
  void finish();
  void remove_epoch(std::uint64_t epoch);
  void give_up(const Error& error);
  [[nodiscard]] const core::region::PlannedRegion& region(std::size_t index) const {
    return index == 0 ? plan_.header_ring : plan_.pools[index - 1];
  }

  Disk* disk_;
  const VirtualClock* clock_;
  Options options_;
  Phase phase_ = Phase::kScan;
  Step wanted_ = Step::kMore;
  int collections_left_;
  core::region::MappingPlan plan_;
  std::vector<std::shared_ptr<RegionFile>> files_;
  std::size_t region_ = 0;
  std::shared_ptr<SimMapping> epoch_;
  core::driver::ProvisionOutcome outcome_;
};

}  // namespace tensorpool::inline v0::sim::driver
