#include "os/clean_epochs.hpp"

#include <cerrno>
#include <optional>
#include <utility>

#include "core/region/superblock.hpp"
#include "os/directory.hpp"
#include "os/old_epoch.hpp"
#include "os/process.hpp"
#include "os/region_policy.hpp"

namespace tensorpool::inline v0::os {
namespace {

using core::region::EpochEvidence;
using core::region::EpochVerdict;
using Reason = CleanReport::Reason;

/// True when the block says of itself what its directory says of it.
[[nodiscard]] bool describes(const layout::Superblock& block, std::uint32_t stream_id,
                             std::uint64_t epoch) noexcept {
  const core::region::ExpectedRegion expected{.stream_id = stream_id,
                                              .epoch = epoch,
                                              .type = layout::RegionType::kHeaderRing,
                                              .pool_id = 0,
                                              .nslots = block.nslots,
                                              .stride_bytes = 0};
  return core::region::check_superblock(block, expected).has_value();
}

[[nodiscard]] EpochEvidence evidence_of(Syscalls& calls, const OldEpoch& old,
                                        std::uint32_t stream_id, std::uint64_t epoch) {
  EpochEvidence evidence{.epoch = epoch, .newest_change_ns = old.newest_change_ns()};
  const auto block = old.superblock();
  if (block && *block && describes(**block, stream_id, epoch)) {
    evidence.header_valid = true;
    evidence.activity_ns = (*block)->activity_timestamp_ns;
    evidence.owner_alive = owner_alive(calls, (*block)->pid);
  }
  return evidence;
}

/// Removes what is removable and reports the rest (W421).
void remove(const OldEpoch& old, const std::string& name, std::uint64_t epoch,
            CleanReport& report) {
  const auto leave = [&](const std::string& entry, Reason reason) {
    std::string path = name;
    if (!entry.empty()) {  // not the directory itself
      path.append("/").append(entry);
    }
    report.left.push_back({.path = std::move(path), .reason = reason});
  };
  const OldEpoch::Removal removal = old.remove();
  for (const auto& refused : removal.refused) {
    leave(refused.name, Reason::kRefused);
  }
  for (const std::string& entry : old.foreign()) {
    leave(entry, Reason::kForeignEntry);
  }
  if (removal.complete) {
    report.removed.push_back(epoch);
  }
}

void clean_one(Syscalls& calls, const CleanOptions& options, const Directory& stream_directory,
               const std::string& name, std::uint64_t epoch, CleanReport& report) {
  const auto old = OldEpoch::open(calls, stream_directory, name);  // W416
  if (!old) {
    report.left.push_back({.path = name, .reason = Reason::kRefused});
    return;
  }
  switch (judge_epoch(evidence_of(calls, *old, options.place.stream_id, epoch),
                      options.current_epoch, options.now, options.freshness_window)) {
    case EpochVerdict::kRemove:
      remove(*old, name, epoch, report);
      break;
    case EpochVerdict::kFresh:
      report.left.push_back({.path = name, .reason = Reason::kFresh});
      break;
    case EpochVerdict::kOwnerAlive:
      report.left.push_back({.path = name, .reason = Reason::kOwnerAlive});
      break;
    case EpochVerdict::kCurrent:
      break;
  }
}

}  // namespace

Result<CleanReport> clean_epochs(Syscalls& calls, const CleanOptions& options) {
  const auto base = canonical_base_dir(calls, options.base_dir);
  if (!base) {
    return fail(base.error());
  }
  auto stream_directory = open_levels(calls, *base, options.place.levels(), std::nullopt);
  CleanReport report;
  if (!stream_directory) {
    if (stream_directory.error().code == Errc::kNotFound) {
      return report;
    }
    return fail(stream_directory.error().in_stream(options.place.stream_id));
  }
  std::vector<std::string> names;
  if (calls.list_directory(stream_directory->fd.get(), names) != 0) {
    return fail(make_os_error(Errc::kOsFailure, "listing the epochs of the stream", errno)
                    .in_stream(options.place.stream_id));
  }
  for (const std::string& name : names) {
    const auto epoch = core::region::parse_decimal(name);
    if (epoch && *epoch != options.current_epoch) {
      clean_one(calls, options, *stream_directory, name, *epoch, report);
    }
  }
  return report;
}

}  // namespace tensorpool::inline v0::os
