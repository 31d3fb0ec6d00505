// The driver's jobs on the simulated disk, a piece at a time, in the order that driver/EpochWorker
// keeps: those of one stream one after the other, those of several streams in turns.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "core/driver/settings.hpp"
#include "driver/environment.hpp"
#include "driver/provision_work.hpp"

namespace tensorpool::inline v0::sim::driver {

/// What of the driver's process its jobs have to know.
struct JobFacts {
  std::uint64_t pid = 0;
  bool pid_of_others = false;  ///< another process lives under a former driver's id
  std::uint64_t former_pid = 0;
};

/// A provisioning has ended.
struct Provisioned {
  core::driver::ProvisionOutcome outcome;
  std::shared_ptr<SimMapping> epoch;
};
struct SpaceWanted {
  std::uint32_t stream_id = 0;
  bool of_all_streams = false;
};
using WorkResult = std::variant<Provisioned, core::driver::CollectOutcome, SpaceWanted>;

class EpochWorks {
 public:
  /// The environment outlives the works.
  EpochWorks(Environment& environment, base::Random random)
      : world_(&environment), random_(random) {}

  /// A new process: nothing is to be done.
  void start(const JobFacts& facts);

  void provision(const core::driver::ProvisionRequest& request);
  // At the next piece: the present one may be under way.
  void cancel(std::uint32_t stream_id) { cancelled_.push_back(stream_id); }
  void collect(const core::driver::CollectRequest& request);
  /// The answer to SpaceWanted.
  void make_space(std::uint32_t stream_id, std::vector<core::driver::CollectRequest> requests) {
    spaces_.emplace_back(stream_id, std::move(requests));
  }
  /// D268, a job for each stream.
  void remove_own_epochs();
  /// Some of them are left.
  [[nodiscard]] bool removes() const;

  /// One piece of one job. False when there is nothing to do, or the disk takes its time.
  bool step();
  [[nodiscard]] std::optional<WorkResult> next_result();

  PlantedBug bug = PlantedBug::kNone;

 private:
  struct RemoveOwn {};
  struct Task {
    std::uint32_t stream_id = 0;
    std::variant<core::driver::ProvisionRequest, core::driver::CollectRequest, RemoveOwn> what;
  };
  struct Job {
    ProvisionWork work;
    bool waits_for_space = false;
  };

  [[nodiscard]] bool is_busy(std::uint32_t stream_id) const;
  void cancel_now(std::uint32_t stream_id);
  void make_space_now(std::uint32_t stream_id,
                      const std::vector<core::driver::CollectRequest>& requests);
  bool begin_next_task();
  void advance(std::list<Job>::iterator job);
  [[nodiscard]] std::optional<core::driver::CollectOutcome> collect_now(
      core::driver::CollectRequest request, bool for_space);
  [[nodiscard]] std::optional<core::driver::KeepReason> collect_epoch(
      std::uint32_t stream_id, std::uint64_t epoch, const std::vector<std::uint64_t>& existing,
      const core::driver::CollectRequest& request, bool for_space);
  [[nodiscard]] Status remove(std::uint32_t stream_id, std::uint64_t epoch);
  void remove_own_now(std::uint32_t stream_id);

  Environment* world_;
  base::Random random_;
  JobFacts facts_;
  std::list<Task> tasks_;
  std::vector<std::uint32_t> cancelled_;
  std::vector<std::pair<std::uint32_t, std::vector<core::driver::CollectRequest>>> spaces_;
  std::list<Job> jobs_;
  std::deque<WorkResult> results_;
  std::map<std::uint32_t, std::set<std::uint64_t>> own_;  ///< provisioned in this life
  Nanos next_at_{};
};

}  // namespace tensorpool::inline v0::sim::driver
