#include "driver/epoch_worker.hpp"

#include <algorithm>
#include <utility>

namespace tensorpool::inline v0::driver {
namespace {

[[nodiscard]] Provisioned cancelled(std::uint32_t stream_id, std::uint64_t known_epoch) {
  return {.outcome = {.stream_id = stream_id,
                      .known_epoch = known_epoch,
                      .regions = fail(Errc::kClosed, "provisioning")},
          .epoch = std::nullopt};
}

/// The stream whose job a task has to wait for.
[[nodiscard]] std::optional<std::uint32_t> stream_of(const Task& task) noexcept {
  if (const auto* const provision = std::get_if<ProvisionTask>(&task)) {
    return provision->request.geometry.stream_id;
  }
  if (const auto* const collect = std::get_if<CollectTask>(&task)) {
    return collect->request.stream_id;
  }
  if (const auto* const remove = std::get_if<RemoveTask>(&task)) {
    return remove->stream.stream_id();
  }
  const auto* const release = std::get_if<ReleaseTask>(&task);
  return release == nullptr ? std::nullopt : std::optional(release->stream_id);
}

}  // namespace

void EpochWorker::add(Task task) {
  tasks_.push_back(std::move(task));
}

void EpochWorker::cancel(std::uint32_t stream_id) {
  const auto waiting = std::find_if(tasks_.begin(), tasks_.end(), [&](const Task& task) {
    const auto* const provision = std::get_if<ProvisionTask>(&task);
    return provision != nullptr && provision->request.geometry.stream_id == stream_id;
  });
  if (waiting != tasks_.end()) {
    results_.emplace_back(
        cancelled(stream_id, std::get<ProvisionTask>(*waiting).request.known_epoch));
    tasks_.erase(waiting);
    return;
  }
  if (const Job* const job = job_of(stream_id)) {
    results_.emplace_back(cancelled(stream_id, job->work.outcome().known_epoch));
    jobs_.remove_if([&](const Job& each) { return each.stream_id == stream_id; });
  }
}

bool EpochWorker::step() {
  if (begin_next_task()) {
    return true;
  }
  const auto next =
      std::find_if(jobs_.begin(), jobs_.end(), [](const Job& job) { return !job.waits_for_space; });
  if (next == jobs_.end()) {
    return false;
  }
  if (advance(*next)) {
    jobs_.erase(next);
  } else {
    jobs_.splice(jobs_.end(), jobs_, next);  // the others' turn
  }
  return true;
}

std::optional<TaskResult> EpochWorker::next_result() {
  if (results_.empty()) {
    return std::nullopt;
  }
  TaskResult result = std::move(results_.front());
  results_.pop_front();
  return result;
}

EpochWorker::Job* EpochWorker::job_of(std::uint32_t stream_id) noexcept {
  const auto found = std::find_if(jobs_.begin(), jobs_.end(),
                                  [&](const Job& job) { return job.stream_id == stream_id; });
  return found == jobs_.end() ? nullptr : &*found;
}

/// One job at a time works on a stream.
bool EpochWorker::may_begin(const Task& task) noexcept {
  const std::optional<std::uint32_t> stream_id = stream_of(task);
  return !stream_id || job_of(*stream_id) == nullptr;
}

bool EpochWorker::begin_next_task() {
  const auto task = std::find_if(tasks_.begin(), tasks_.end(),
                                 [this](const Task& each) { return may_begin(each); });
  if (task == tasks_.end()) {
    return false;
  }
  Task chosen = std::move(*task);
  tasks_.erase(task);
  std::visit([this](auto& each) { begin(std::move(each)); }, chosen);
  return true;
}

void EpochWorker::begin(ProvisionTask task) {
  const std::uint32_t stream_id = task.request.geometry.stream_id;
  jobs_.push_back({.stream_id = stream_id,
                   .work = os::ProvisionJob(task.stream, policies_, std::move(task.request))});
}

void EpochWorker::begin(const CollectTask& task) {
  results_.emplace_back(
      Collected{.outcome = os::collect_epochs(task.stream, policies_, task.request, clock_.now()),
                .ticket = task.ticket});
}

void EpochWorker::begin(const MakeSpaceTask& task) {
  for (const CollectTask& collection : task.collections) {
    const Job* const job = job_of(collection.request.stream_id);
    if (job == nullptr || job->waits_for_space) {
      begin(collection);
    }
  }
  if (Job* const job = job_of(task.stream_id)) {
    job->waits_for_space = false;
  }
}

void EpochWorker::begin(const RemoveTask& task) {
  results_.emplace_back(Removed{.outcome = os::remove_provisioned(task.stream)});
}

void EpochWorker::begin(const ReleaseTask& task) {
  results_.emplace_back(Released{.stream_id = task.stream_id, .number = task.number});
}

void EpochWorker::finish() {
  jobs_.clear();
  for (const Task& task : tasks_) {
    if (const auto* const removal = std::get_if<RemoveTask>(&task)) {
      begin(*removal);
    }
  }
  tasks_.clear();
}

bool EpochWorker::advance(Job& job) {
  const os::ProvisionJob::Step step = job.work.step(clock_.mono());
  switch (step) {
    case os::ProvisionJob::Step::kMore:
      return false;
    case os::ProvisionJob::Step::kCollectStream:
    case os::ProvisionJob::Step::kCollectAll:
      job.waits_for_space = true;
      results_.emplace_back(
          SpaceWanted{.stream_id = job.stream_id,
                      .of_all_streams = step == os::ProvisionJob::Step::kCollectAll});
      return false;
    case os::ProvisionJob::Step::kDone:
      break;
  }
  results_.emplace_back(Provisioned{.outcome = job.work.outcome(), .epoch = job.work.take_epoch()});
  return true;
}

}  // namespace tensorpool::inline v0::driver
