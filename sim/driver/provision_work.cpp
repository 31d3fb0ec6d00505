#include "driver/provision_work.hpp"

#include <algorithm>
#include <utility>

#include "core/region/directories.hpp"
#include "parts/announced_regions.hpp"

namespace tensorpool::inline v0::sim::driver {

ProvisionWork::ProvisionWork(Disk& disk, const VirtualClock& clock, Options options)
    : disk_(&disk),
      clock_(&clock),
      options_(std::move(options)),
      collections_left_(options_.collects ? 2 : 0) {
  outcome_.stream_id = options_.request.geometry.stream_id;
  outcome_.known_epoch = options_.request.known_epoch;
}

ProvisionWork::Step ProvisionWork::step() {
  if (phase_ == Phase::kDone) {
    return Step::kDone;
  }
  wanted_ = Step::kMore;
  if (Status done = advance(); !done) {
    give_up(done.error());
  }
  return phase_ == Phase::kDone ? Step::kDone : wanted_;
}

void ProvisionWork::cancel() {
  if (phase_ != Phase::kDone) {
    TP_MARK("a provisioning is cancelled");
    give_up(make_error(Errc::kClosed));
  }
}

Status ProvisionWork::advance() {
  switch (phase_) {
    case Phase::kScan:
      return scan();
    case Phase::kSpace:
      return check_space();
    case Phase::kDirectory:
      return make_directory();
    case Phase::kFiles:
      return create_file();
    case Phase::kBlocks:
      return allocate();
    case Phase::kBlocksDone:
      finish();
      break;
    case Phase::kDone:
      break;
  }
  return {};
}

// D180.
Status ProvisionWork::scan() {
  if (outcome_.known_epoch == 0) {
    const auto existing = disk_->list(stream_id());
    if (!existing) {
      return fail(existing.error());
    }
    outcome_.known_epoch = existing->empty() ? 0 : existing->back();
  }
  phase_ = Phase::kSpace;
  return {};
}

// D204.
Status ProvisionWork::check_space() {
  const auto free = disk_->free_bytes();
  if (!free) {
    return fail(free.error());
  }
  std::uint64_t needed = 0;
  for (const auto& each : core::region::regions_of(options_.request.geometry, 0)) {
    needed += each.bytes();
  }
  if (needed <= *free) {
    phase_ = Phase::kDirectory;
    return {};
  }
  if (collections_left_ == 0) {
    TP_MARK("a provisioning finds no space");
    return fail(Errc::kNoSpace, "disk", needed, *free);
  }
  wanted_ = collections_left_-- == 2 ? Step::kCollectStream : Step::kCollectAll;
  return {};
}

// D178, D199.
Status ProvisionWork::make_directory() {
  for (int attempt = 0; attempt < 8; ++attempt) {
    const auto epoch = options_.same_epoch && outcome_.known_epoch != 0
                           ? Result<std::uint64_t>(outcome_.known_epoch)
                           : core::region::choose_epoch(outcome_.known_epoch, clock_->mono(),
                                                        core::region::kDriverEpochMax);
    if (!epoch) {
      return fail(epoch.error());
    }
    outcome_.known_epoch = *epoch;
    if (options_.same_epoch) {
      remove_epoch(*epoch);
    }
    const Status made = disk_->make_directory(stream_id(), *epoch);
    if (made) {
      plan_ = plan_of(options_.request.geometry, *epoch);
      phase_ = Phase::kFiles;
      return {};
    }
    if (made.error().code != Errc::kAlreadyExists) {
      return made;
    }
  }
  return fail(Errc::kAlreadyExists);
}

Status ProvisionWork::create_file() {
  auto file = disk_->create_file(region(region_));
  if (!file) {
    return fail(file.error());
  }
  files_.push_back(*std::move(file));
  if (++region_ == 1 + plan_.pools.size()) {
    region_ = 0;
    phase_ = Phase::kBlocks;
  }
  return {};
}

Status ProvisionWork::allocate() {
  RegionFile& file = *files_[region_];
  const std::uint64_t wanted = region(region_).expected.bytes();
  if (Status done = disk_->allocate(file, std::min(options_.piece_bytes, wanted - file.bytes()));
      !done) {
    return done;
  }
  if (file.bytes() == wanted && ++region_ == files_.size()) {
    phase_ = Phase::kBlocksDone;
  }
  return {};
}

void ProvisionWork::finish() {
  epoch_ = std::make_shared<SimMapping>(plan_, files_);
  if (!options_.early) {
    epoch_->initialise(
        plan_, {.pid = options_.pid, .now_ns = static_cast<std::uint64_t>(clock_->mono().count())});
  }
  outcome_.regions = std::move(plan_);
  phase_ = Phase::kDone;
}

void ProvisionWork::remove_epoch(std::uint64_t epoch) {
  if (const Disk::Directory* const directory = disk_->find(stream_id(), epoch)) {
    for (const std::string& uri : std::set(directory->files)) {
      static_cast<void>(disk_->remove_file(stream_id(), epoch, uri));
    }
    static_cast<void>(disk_->remove_directory(stream_id(), epoch));
  }
}

// D203.
void ProvisionWork::give_up(const Error& error) {
  if (plan_.epoch() != 0) {
    remove_epoch(plan_.epoch());
  }
  files_.clear();
  outcome_.regions = fail(error);
  phase_ = Phase::kDone;
}

}  // namespace tensorpool::inline v0::sim::driver
