// The driver's hands: owns the mapped epochs, has jobs done, and tells what became of them.
//
// Where the driver runs in a thread of its own, jobs run in another one, so that keepalives, expiry
// and announces never wait for memory to be allocated. Where the host calls the driver, it does the
// jobs too, one piece of at most 64 MiB a cycle (D281).
//
// Thread contract: the driver's thread. Spec: §2.5 (D345), §2.11, §2.12, §2.14, D268.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "agents/thread.hpp"
#include "base/clock.hpp"
#include "core/driver/actions.hpp"
#include "core/driver/attach_checks.hpp"
#include "driver/epoch_worker.hpp"
#include "os/epoch_store.hpp"

namespace tensorpool::inline v0::driver {

class EpochKeeper {
 public:
  enum class Jobs : std::uint8_t {
    kOwnThread,
    kInvoked,  ///< by do_work
  };

  /// Errors: those of EpochStore::create, and of a thread that cannot be started. The references
  /// outlive the keeper.
  [[nodiscard]] static Result<std::unique_ptr<EpochKeeper>> create(
      os::Syscalls& calls, const core::driver::Settings& settings, const base::Clock& clock,
      Jobs jobs, os::StoreAccess access = {});
  EpochKeeper(const EpochKeeper&) = delete;
  EpochKeeper& operator=(const EpochKeeper&) = delete;
  /// Stops jobs that are under way; they leave nothing behind. Epochs are unmapped, files stay,
  /// except those whose removal was asked for.
  ~EpochKeeper();

  [[nodiscard]] const core::driver::PageFacts& pages() const noexcept { return store_->pages(); }
  /// Others could put directories of their own in the place of ours.
  [[nodiscard]] bool is_exposed() const { return store_->is_exposed(); }
  /// Regions are to be locked in memory, and that is not to be had here (D208).
  [[nodiscard]] bool goes_without_mlock() const noexcept { return goes_without_mlock_; }

  void carry_out(const core::driver::Provision& action);
  void carry_out(const core::driver::CancelProvisioning& action);
  void carry_out(const core::driver::RetireEpoch& action);
  void carry_out(const core::driver::Collect& action);
  void carry_out(const core::driver::CollectAtStart& action);
  /// Looks at the files first: a store to what somebody has cut off would raise SIGBUS. An error
  /// as for VerifyEpoch.
  [[nodiscard]] Status carry_out(const core::driver::RefreshActivity& action, Nanos now_mono) const;
  void carry_out(const core::driver::ForgetStream& action);
  /// Jobs, too, one for each stream: `removals` of them are left.
  void carry_out(const core::driver::RemoveOwnEpochs& action);
  [[nodiscard]] std::size_t removals() const noexcept { return removals_; }
  [[nodiscard]] Status carry_out(const core::driver::VerifyEpoch& action) const;
  /// The answer to SpaceWanted.
  void make_space(std::uint32_t stream_id,
                  const std::vector<core::driver::CollectRequest>& requests);
  /// For people: the result comes with `ticket`, which is not 0.
  void collect(const core::driver::CollectRequest& request, std::uint64_t ticket);

  /// Jobs::kInvoked: a piece of a job. Returns the amount of work done.
  int do_work();
  /// What has ended since. An epoch that was provisioned is kept here.
  [[nodiscard]] std::optional<TaskResult> next_result();

 private:
  using EpochId = std::pair<std::uint32_t, std::uint64_t>;  // stream, epoch
  /// In their order: a cancellation is for what was ordered before it, never for what comes after.
  using Order = std::variant<Task, core::driver::CancelProvisioning>;

  EpochKeeper(os::Syscalls& calls, core::driver::PolicySettings policies,
              std::unique_ptr<os::EpochStore> store, const base::Clock& clock);
  [[nodiscard]] os::ManagedStream& stream(std::uint32_t stream_id);
  void add(Task task);
  void hand_over(Order order);
  void give_to_worker(std::vector<Order>& orders);
  [[nodiscard]] std::optional<TaskResult> next_of_worker();
  void run() noexcept;
  [[nodiscard]] const os::OwnedEpoch* find(std::uint32_t stream_id,
                                           std::uint64_t epoch) const noexcept;

  os::Syscalls& calls_;
  std::unique_ptr<os::EpochStore> store_;
  core::driver::PolicySettings policies_;
  bool goes_without_mlock_ = false;
  std::map<EpochId, os::OwnedEpoch> epochs_;
  std::map<std::uint32_t, std::uint64_t> releases_;  ///< under way: of which stream, its number
  std::uint64_t last_release_ = 0;
  std::size_t removals_ = 0;

  // Between the two threads.
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Order> orders_;
  std::deque<TaskResult> results_;
  bool stopping_ = false;

  EpochWorker worker_;                    // of the jobs' thread, where there is one
  std::optional<agents::Thread> thread_;  // last: it uses everything above
};

}  // namespace tensorpool::inline v0::driver
