#include "driver/epoch_keeper.hpp"

#include <algorithm>
#include <utility>

#include "base/kill_point.hpp"

namespace tensorpool::inline v0::driver {

namespace core_driver = core::driver;

Result<std::unique_ptr<EpochKeeper>> EpochKeeper::create(os::Syscalls& calls,
                                                         const core_driver::Settings& settings,
                                                         const base::Clock& clock, Jobs jobs,
                                                         os::StoreAccess access) {
  Result<std::unique_ptr<os::EpochStore>> store =
      os::EpochStore::create(calls, settings.shm, std::move(access));
  if (!store) {
    return fail(store.error());
  }
  std::unique_ptr<EpochKeeper> keeper(
      new EpochKeeper(calls, settings.policies, std::move(*store), clock));
  if (jobs == Jobs::kOwnThread) {
    Result<agents::Thread> thread =
        agents::Thread::start({.name = "tp-epochs"}, [self = keeper.get()] { self->run(); });
    if (!thread) {
      return fail(thread.error());
    }
    keeper->thread_ = std::move(*thread);
  }
  return keeper;
}

EpochKeeper::EpochKeeper(os::Syscalls& calls, core_driver::PolicySettings policies,
                         std::unique_ptr<os::EpochStore> store, const base::Clock& clock)
    : calls_(calls),
      store_(std::move(store)),
      policies_(std::move(policies)),
      goes_without_mlock_(policies_.mlock_shm && !store_->mlock_available()),
      worker_(policies_, clock) {
  policies_.mlock_shm = policies_.mlock_shm && !goes_without_mlock_;
}

EpochKeeper::~EpochKeeper() {
  if (thread_) {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_->join();
    give_to_worker(orders_);
  }
  worker_.finish();
}

/// For work that begins now, and wins over a release that was to come.
os::ManagedStream& EpochKeeper::stream(std::uint32_t stream_id) {
  releases_.erase(stream_id);
  return store_->stream(stream_id);
}

void EpochKeeper::carry_out(const core_driver::Provision& action) {
  add(ProvisionTask{.stream = stream(action.request.geometry.stream_id),
                    .request = action.request});
}

void EpochKeeper::carry_out(const core_driver::CancelProvisioning& action) {
  if (!thread_) {
    worker_.cancel(action.stream_id);
    return;
  }
  hand_over(action);
}

void EpochKeeper::carry_out(const core_driver::RetireEpoch& action) {
  const auto found = epochs_.find({action.stream_id, action.epoch});
  if (found != epochs_.end()) {
    TP_KILLPOINT("driver.retire");
    add(DiscardTask{.epoch = std::move(found->second)});
    epochs_.erase(found);
  }
}

void EpochKeeper::carry_out(const core_driver::Collect& action) {
  add(CollectTask{.stream = stream(action.request.stream_id), .request = action.request});
}

void EpochKeeper::carry_out(const core_driver::CollectAtStart& action) {
  std::vector<std::uint32_t> ids = action.static_streams;
  for (const std::uint32_t id :
       store_->existing_stream_ids().value_or(std::vector<std::uint32_t>{})) {
    if (std::any_of(action.ranges.begin(), action.ranges.end(),
                    [&](const core_driver::IdRange& range) { return range.contains(id); })) {
      ids.push_back(id);
    }
  }
  for (const std::uint32_t id : ids) {
    add(CollectTask{.stream = stream(id), .request = {.stream_id = id}});
  }
}

Status EpochKeeper::carry_out(const core_driver::RefreshActivity& action, Nanos now_mono) const {
  const os::OwnedEpoch* const epoch = find(action.stream_id, action.epoch);
  if (epoch == nullptr) {
    return {};
  }
  Status whole = epoch->check_files(calls_);
  if (whole) {
    epoch->store_activity(now_mono);
  }
  return whole;
}

void EpochKeeper::carry_out(const core_driver::ForgetStream& action) {
  releases_[action.stream_id] = ++last_release_;
  add(ReleaseTask{.stream_id = action.stream_id, .number = last_release_});
}

void EpochKeeper::carry_out(const core_driver::RemoveOwnEpochs&) {
  TP_KILLPOINT("driver.shutdown.files");
  for (auto& [id, epoch] : epochs_) {
    add(DiscardTask{.epoch = std::move(epoch)});
  }
  epochs_.clear();
  for (auto& [stream_id, stream] : store_->streams()) {
    ++removals_;
    add(RemoveTask{.stream = stream});
  }
}

Status EpochKeeper::carry_out(const core_driver::VerifyEpoch& action) const {
  const os::OwnedEpoch* const epoch = find(action.plan->stream_id(), action.plan->epoch());
  return epoch == nullptr ? Status(fail(Errc::kNotFound, "epoch", action.plan->epoch()))
                          : epoch->check_files(calls_);
}

void EpochKeeper::make_space(std::uint32_t stream_id,
                             const std::vector<core_driver::CollectRequest>& requests) {
  MakeSpaceTask task{.stream_id = stream_id, .collections = {}};
  for (const core_driver::CollectRequest& request : requests) {
    task.collections.push_back({.stream = stream(request.stream_id), .request = request});
  }
  add(std::move(task));
}

void EpochKeeper::collect(const core_driver::CollectRequest& request, std::uint64_t ticket) {
  add(CollectTask{.stream = stream(request.stream_id), .request = request, .ticket = ticket});
}

int EpochKeeper::do_work() {
  return !thread_ && worker_.step() ? 1 : 0;
}

std::optional<TaskResult> EpochKeeper::next_of_worker() {
  if (!thread_) {
    return worker_.next_result();
  }
  const std::lock_guard lock(mutex_);
  if (results_.empty()) {
    return std::nullopt;
  }
  TaskResult result = std::move(results_.front());
  results_.pop_front();
  return result;
}

std::optional<TaskResult> EpochKeeper::next_result() {
  std::optional<TaskResult> result = next_of_worker();
  for (; result && std::holds_alternative<Released>(*result); result = next_of_worker()) {
    const Released& release = std::get<Released>(*result);
    if (const auto found = releases_.find(release.stream_id);
        found != releases_.end() && found->second == release.number) {
      releases_.erase(found);
      store_->release(release.stream_id);
    }
  }
  if (auto* const made = result ? std::get_if<Provisioned>(&*result) : nullptr;
      made != nullptr && made->epoch) {
    const EpochId id{made->outcome.stream_id, made->epoch->epoch()};
    epochs_.emplace(id, std::move(*made->epoch));
    made->epoch.reset();
  }
  removals_ -= result && std::holds_alternative<Removed>(*result) ? 1 : 0;
  return result;
}

void EpochKeeper::add(Task task) {
  if (!thread_) {
    worker_.add(std::move(task));
    return;
  }
  hand_over(std::move(task));
}

void EpochKeeper::hand_over(Order order) {
  {
    const std::lock_guard lock(mutex_);
    orders_.push_back(std::move(order));
  }
  wake_.notify_one();
}

void EpochKeeper::give_to_worker(std::vector<Order>& orders) {
  for (Order& order : orders) {
    if (const auto* const cancel = std::get_if<core_driver::CancelProvisioning>(&order)) {
      worker_.cancel(cancel->stream_id);
    } else {
      worker_.add(std::move(std::get<Task>(order)));
    }
  }
  orders.clear();
}

/// The jobs' thread.
void EpochKeeper::run() noexcept {
  std::vector<Order> orders;
  bool more = false;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return more || stopping_ || !orders_.empty(); });
      if (stopping_) {
        return;
      }
      orders.swap(orders_);
    }
    give_to_worker(orders);
    more = worker_.step();
    while (std::optional<TaskResult> result = worker_.next_result()) {
      const std::lock_guard lock(mutex_);
      results_.push_back(std::move(*result));
    }
  }
}

const os::OwnedEpoch* EpochKeeper::find(std::uint32_t stream_id,
                                        std::uint64_t epoch) const noexcept {
  const auto found = epochs_.find({stream_id, epoch});
  return found == epochs_.end() ? nullptr : &found->second;
}

}  // namespace tensorpool::inline v0::driver
