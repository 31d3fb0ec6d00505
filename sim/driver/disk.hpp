// The file system under a driver: epoch directories with region files, as they outlive every
// process. Each call of a process is a step, before which it may die, and may fail.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "core/region/plan.hpp"
#include "parts/sim_memory.hpp"
#include "parts/virtual_clock.hpp"

namespace tensorpool::inline v0::sim::driver {

class Disk {
 public:
  /// One epoch directory.
  struct Directory {
    std::set<std::string> files{};  ///< URIs
    Nanos changed{};                ///< CLOCK_REALTIME
    bool harmed = false;            ///< somebody has deleted a file in it
  };

  Disk(const VirtualClock& clock, std::uint64_t capacity, std::uint32_t call_fails_ppm,
       base::Random random)
      : clock_(&clock),
        capacity_(capacity),
        call_fails_ppm_(call_fails_ppm),
        random_(random),
        used_(std::make_shared<std::uint64_t>(0)) {}

  // -- System calls of the running process. `closed`: it is dead, and nothing has happened
  // ---------

  /// `already_exists` when there is such an epoch.
  [[nodiscard]] Status make_directory(std::uint32_t stream_id, std::uint64_t epoch);
  [[nodiscard]] Result<std::shared_ptr<RegionFile>> create_file(
      const core::region::PlannedRegion& region);
  /// Makes `file` longer; `no_space`.
  [[nodiscard]] Status allocate(RegionFile& file, std::uint64_t bytes);
  [[nodiscard]] Status remove_file(std::uint32_t stream_id, std::uint64_t epoch,
                                   const std::string& uri);
  /// Only when it is empty.
  [[nodiscard]] Status remove_directory(std::uint32_t stream_id, std::uint64_t epoch);
  /// The epochs that have a directory, ascending.
  [[nodiscard]] Result<std::vector<std::uint64_t>> list(std::uint32_t stream_id);
  [[nodiscard]] Result<std::uint64_t> free_bytes();
  /// Whether these files are still there, with their sizes (D69).
  [[nodiscard]] Status check_files(const core::region::MappingPlan& plan,
                                   const SimMapping& mapping);

  // -- What only the simulation may do
  // -------------------------------------------------------------

  [[nodiscard]] RegionStore& store() noexcept { return store_; }
  [[nodiscard]] const Directory* find(std::uint32_t stream_id, std::uint64_t epoch) const;
  [[nodiscard]] std::vector<std::uint64_t> epochs(std::uint32_t stream_id) const;
  [[nodiscard]] std::vector<std::uint32_t> stream_ids() const;
  /// Every file of the plan is there, as long as it should be, with the right superblock; none of
  /// it counts as a step. Precondition: nobody has harmed the epoch.
  [[nodiscard]] bool is_complete(const core::region::MappingPlan& plan) const;
  /// activityTimestampNs of the header ring; 0 when there is no ring, or it has no magic.
  [[nodiscard]] std::uint64_t activity_ns(std::uint32_t stream_id, std::uint64_t epoch) const;
  [[nodiscard]] std::uint64_t pid(std::uint32_t stream_id, std::uint64_t epoch) const;
  /// Somebody deletes one file.
  void harm(std::uint32_t stream_id, std::uint64_t epoch);
  /// Others take what is left, or give it back.
  void fill() { others_ = capacity_ > *used_ ? capacity_ - *used_ : 0; }
  void clear_out() { others_ = 0; }
  void heal();

 private:
  [[nodiscard]] Status call(std::string_view name);
  [[nodiscard]] Directory* directory(std::uint32_t stream_id, std::uint64_t epoch);
  [[nodiscard]] std::optional<layout::Superblock> superblock(std::uint32_t stream_id,
                                                             std::uint64_t epoch) const;

  const VirtualClock* clock_;
  RegionStore store_;
  std::map<std::uint32_t, std::map<std::uint64_t, Directory>> streams_;
  std::uint64_t capacity_;
  std::uint64_t others_ = 0;
  std::uint32_t call_fails_ppm_;
  base::Random random_;
  std::shared_ptr<std::uint64_t> used_;  ///< by files that are linked or mapped
};

}  // namespace tensorpool::inline v0::sim::driver
