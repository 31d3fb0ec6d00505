#include "driver/epoch_works.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "core/driver/collect_rules.hpp"

namespace tensorpool::inline v0::sim::driver {

using core::driver::CollectOutcome;
using core::driver::CollectRequest;
using core::driver::KeepReason;

void EpochWorks::start(const JobFacts& facts) {
  facts_ = facts;
  tasks_.clear();
  cancelled_.clear();
  spaces_.clear();
  jobs_.clear();
  results_.clear();
  own_.clear();
  next_at_ = {};
}

void EpochWorks::provision(const core::driver::ProvisionRequest& request) {
  tasks_.push_back({.stream_id = request.geometry.stream_id, .what = request});
}

void EpochWorks::collect(const CollectRequest& request) {
  if (bug != PlantedBug::kNeverCollects) {
    tasks_.push_back({.stream_id = request.stream_id, .what = request});
  }
}

void EpochWorks::cancel_now(std::uint32_t stream_id) {
  const auto waiting = std::find_if(tasks_.begin(), tasks_.end(), [&](const Task& task) {
    return task.stream_id == stream_id && task.what.index() == 0;
  });
  if (waiting != tasks_.end()) {
    const auto& request = std::get<core::driver::ProvisionRequest>(waiting->what);
    results_.emplace_back(Provisioned{
        .outcome = {.stream_id = stream_id, .known_epoch = request.known_epoch}, .epoch = nullptr});
    tasks_.erase(waiting);
    return;
  }
  for (auto job = jobs_.begin(); job != jobs_.end(); ++job) {
    if (job->work.stream_id() == stream_id) {
      job->work.cancel();
      results_.emplace_back(Provisioned{.outcome = job->work.outcome(), .epoch = nullptr});
      jobs_.erase(job);
      return;
    }
  }
}

void EpochWorks::make_space_now(std::uint32_t stream_id,
                                const std::vector<CollectRequest>& requests) {
  for (const CollectRequest& request : requests) {
    const bool under_way = std::any_of(jobs_.begin(), jobs_.end(), [&](const Job& job) {
      return job.work.stream_id() == request.stream_id && !job.waits_for_space;
    });
    if (under_way || bug == PlantedBug::kNeverCollects) {
      continue;
    }
    TP_MARK("a collection makes space for a provisioning");
    if (auto outcome = collect_now(request, true)) {
      results_.emplace_back(*std::move(outcome));
    }
  }
  for (Job& job : jobs_) {
    job.waits_for_space = job.waits_for_space && job.work.stream_id() != stream_id;
  }
}

bool EpochWorks::is_busy(std::uint32_t stream_id) const {
  return std::any_of(jobs_.begin(), jobs_.end(),
                     [&](const Job& job) { return job.work.stream_id() == stream_id; });
}

// ---- pieces ----

bool EpochWorks::step() {
  const Nanos now = world_->clock.mono();
  if (now < next_at_) {
    return false;
  }
  for (const std::uint32_t stream_id : std::exchange(cancelled_, {})) {
    cancel_now(stream_id);
  }
  for (const auto& [stream_id, requests] : std::exchange(spaces_, {})) {
    make_space_now(stream_id, requests);
  }
  const auto job = std::find_if(jobs_.begin(), jobs_.end(),
                                [](const Job& each) { return !each.waits_for_space; });
  const bool both = job != jobs_.end() && !tasks_.empty();
  if (job == jobs_.end() || (both && random_.chance(1, 2))) {
    if (begin_next_task()) {
      return true;
    }
  }
  if (job == jobs_.end()) {
    return false;
  }
  if (!world_->healed && world_->scenario.slow_max != Nanos{} && random_.chance(1, 8)) {
    next_at_ = now + up_to(random_, world_->scenario.slow_max);
  }
  advance(job);
  return true;
}

bool EpochWorks::begin_next_task() {
  std::set<std::uint32_t> earlier;
  for (auto task = tasks_.begin(); task != tasks_.end(); ++task) {
    if (is_busy(task->stream_id) || !earlier.insert(task->stream_id).second) {
      continue;
    }
    const Task next = std::move(*task);
    tasks_.erase(task);
    if (const auto* const provision = std::get_if<core::driver::ProvisionRequest>(&next.what)) {
      jobs_.push_back(
          {.work = ProvisionWork(world_->disk, world_->clock,
                                 {.request = *provision,
                                  .pid = facts_.pid,
                                  .piece_bytes = world_->scenario.piece_bytes,
                                  .collects = world_->scenario.settings.policies.epoch_gc_enabled,
                                  .early = bug == PlantedBug::kEarlyEpoch,
                                  .same_epoch = bug == PlantedBug::kSameEpoch})});
    } else if (const auto* const collect = std::get_if<CollectRequest>(&next.what)) {
      if (auto outcome = collect_now(*collect, false)) {
        results_.emplace_back(*std::move(outcome));
      }
    } else {
      remove_own_now(next.stream_id);
    }
    return true;
  }
  return false;
}

void EpochWorks::advance(std::list<Job>::iterator job) {
  using Step = ProvisionWork::Step;
  const Step step = job->work.step();
  if (step == Step::kDone) {
    const auto& outcome = job->work.outcome();
    if (outcome.regions) {
      own_[outcome.stream_id].insert(outcome.regions->epoch());
    }
    results_.emplace_back(Provisioned{.outcome = outcome, .epoch = job->work.epoch()});
    jobs_.erase(job);
    return;
  }
  if (step != Step::kMore) {
    job->waits_for_space = true;
    results_.emplace_back(SpaceWanted{.stream_id = job->work.stream_id(),
                                      .of_all_streams = step == Step::kCollectAll});
  }
  jobs_.splice(jobs_.end(), jobs_, job);  // the others have their turn
}

std::optional<WorkResult> EpochWorks::next_result() {
  if (results_.empty()) {
    return std::nullopt;
  }
  WorkResult result = std::move(results_.front());
  results_.pop_front();
  return result;
}

// ---- collections, as os/collect_epochs makes them ----

std::optional<CollectOutcome> EpochWorks::collect_now(CollectRequest request, bool for_space) {
  if (bug == PlantedBug::kForgetsReferences) {
    request.referenced.clear();
  }
  const std::uint32_t stream_id = request.stream_id;
  const auto existing = world_->disk.list(stream_id);
  if (!existing) {
    return std::nullopt;
  }
  CollectOutcome outcome{.stream_id = stream_id,
                         .known_epoch = existing->empty() ? 0 : existing->back()};
  for (const std::uint64_t epoch : *existing) {
    if (const auto kept = collect_epoch(stream_id, epoch, *existing, request, for_space)) {
      outcome.kept.push_back({.epoch = epoch, .reason = *kept});
    } else {
      outcome.removed.push_back(epoch);
    }
  }
  return outcome;
}

std::optional<KeepReason> EpochWorks::collect_epoch(std::uint32_t stream_id, std::uint64_t epoch,
                                                    const std::vector<std::uint64_t>& existing,
                                                    const CollectRequest& request, bool for_space) {
  const auto& policies = world_->scenario.settings.policies;
  const auto reason = core::driver::protected_by_number(
      epoch, existing, request, bug == PlantedBug::kKeepsTooFew ? 0 : policies.epoch_gc_keep);
  if (reason) {
    return reason;
  }
  const Disk& disk = world_->disk;
  const Disk::Directory* const directory = disk.find(stream_id, epoch);
  if (directory == nullptr) {
    return KeepReason::kFailed;
  }
  const std::uint64_t pid = disk.pid(stream_id, epoch);
  const core::driver::EpochFacts facts{
      .activity_ns = disk.activity_ns(stream_id, epoch),
      .directory_changed_ns = static_cast<std::uint64_t>(directory->changed.count()),
      .writer_alive = pid != 0 && pid != facts_.pid && facts_.pid_of_others &&
                      pid == facts_.former_pid && !world_->healed};
  if (const auto young = core::driver::protected_by_facts(facts, request, policies.gc_min_age(),
                                                          world_->clock.now());
      young && bug != PlantedBug::kCollectsYoung) {
    return young;
  }
  if (!steps->running()->dead) {
    world_->account.removes(stream_id, epoch, for_space && request.waive_age);
  }
  return remove(stream_id, epoch) ? std::nullopt : std::optional(KeepReason::kFailed);
}

Status EpochWorks::remove(std::uint32_t stream_id, std::uint64_t epoch) {
  const Disk::Directory* const directory = world_->disk.find(stream_id, epoch);
  if (directory == nullptr) {
    return fail(Errc::kNotFound);
  }
  for (const std::string& uri : std::set(directory->files)) {
    if (Status removed = world_->disk.remove_file(stream_id, epoch, uri); !removed) {
      return removed;
    }
  }
  if (Status removed = world_->disk.remove_directory(stream_id, epoch); !removed) {
    return removed;
  }
  ++world_->epochs_collected;
  return {};
}

void EpochWorks::remove_own_epochs() {
  for (const auto& [stream_id, epochs] : own_) {
    tasks_.push_back({.stream_id = stream_id, .what = RemoveOwn{}});
  }
}

bool EpochWorks::removes() const {
  return std::any_of(tasks_.begin(), tasks_.end(),
                     [](const Task& task) { return std::holds_alternative<RemoveOwn>(task.what); });
}

void EpochWorks::remove_own_now(std::uint32_t stream_id) {
  for (const std::uint64_t epoch : own_.at(stream_id)) {
    TP_MARK("epochs are removed on exit");
    static_cast<void>(remove(stream_id, epoch));
  }
}

}  // namespace tensorpool::inline v0::sim::driver
