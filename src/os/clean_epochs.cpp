#include "os/clean_epochs.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/atomics.hpp"
#include "core/region/superblock.hpp"
#include "os/directory.hpp"
#include "os/mapping.hpp"
#include "os/process.hpp"
#include "os/region_policy.hpp"

namespace tensorpool::inline v0::os {
namespace {

using base::DefaultAtom;
using core::region::EpochEvidence;
using core::region::EpochVerdict;
using Reason = CleanReport::Reason;

/// The superblock of a header ring, if there is a readable one.
[[nodiscard]] std::optional<layout::Superblock> read_superblock(Syscalls& calls, int directory) {
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  const UniqueFd fd(calls.openat(directory, "header.ring", kFlags, 0));
  struct stat file {};
  if (!fd || calls.fstat(fd.get(), file) != 0 || !S_ISREG(file.st_mode) ||
      static_cast<std::uint64_t>(file.st_size) < layout::kSuperblockBytes) {
    return std::nullopt;
  }
  const auto page = file_page_bytes(calls, fd.get(), "header.ring", false);
  if (!page) {
    return std::nullopt;
  }
  const auto mapping = Mapping::create(calls, fd.get(),
                                       {.bytes = layout::kSuperblockBytes,
                                        .page_bytes = *page,
                                        .access = Access::kReadOnly,
                                        .populate = false});
  if (!mapping) {
    return std::nullopt;
  }
  return core::region::load_superblock<DefaultAtom>(core::region::ConstSuperblockWords<DefaultAtom>(
      reinterpret_cast<const DefaultAtom::Word*>(mapping->data()), layout::kSuperblockWords));
}

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

[[nodiscard]] std::uint64_t modified_ns(const struct stat& file) noexcept {
  const auto seconds = static_cast<std::uint64_t>(file.st_mtim.tv_sec);
  return seconds * 1'000'000'000U + static_cast<std::uint64_t>(file.st_mtim.tv_nsec);
}

/// One epoch directory under examination.
class OldEpoch {
 public:
  OldEpoch(Syscalls& calls, const Directory& stream_directory, Directory directory,
           std::string name)
      : calls_(calls),
        stream_directory_(stream_directory),
        directory_(std::move(directory)),
        name_(std::move(name)) {}

  /// Lists the entries; false when that fails.
  [[nodiscard]] bool look(std::uint64_t& newest_change_ns) {
    struct stat found {};
    if (calls_.list_directory(directory_.fd.get(), entries_) != 0 ||
        calls_.fstat(directory_.fd.get(), found) != 0) {
      return false;
    }
    newest_change_ns = modified_ns(found);
    for (const std::string& entry : entries_) {
      if (calls_.lstatat(directory_.fd.get(), entry.c_str(), found) != 0) {
        return false;
      }
      newest_change_ns = std::max(newest_change_ns, modified_ns(found));
      const bool ours = S_ISREG(found.st_mode) && core::region::is_region_file_name(entry);
      (ours ? removable_ : foreign_).push_back(entry);
    }
    return true;
  }

  [[nodiscard]] EpochEvidence evidence(std::uint32_t stream_id, std::uint64_t epoch,
                                       std::uint64_t newest_change_ns) const {
    EpochEvidence evidence{.epoch = epoch, .newest_change_ns = newest_change_ns};
    const auto block = read_superblock(calls_, directory_.fd.get());
    if (block && describes(*block, stream_id, epoch)) {
      evidence.header_valid = true;
      evidence.activity_ns = block->activity_timestamp_ns;
      evidence.owner_alive = owner_alive(calls_, block->pid);
    }
    return evidence;
  }

  /// Removes what is removable and reports the rest (W421).
  void remove(std::uint64_t epoch, CleanReport& report) const {
    bool failed = false;
    for (const std::string& entry : removable_) {
      if (calls_.unlinkat(directory_.fd.get(), entry.c_str(), 0) != 0) {
        report.left.push_back({.path = name_ + "/" + entry, .reason = Reason::kRefused});
        failed = true;
      }
    }
    for (const std::string& entry : foreign_) {
      report.left.push_back({.path = name_ + "/" + entry, .reason = Reason::kForeignEntry});
    }
    if (failed || !foreign_.empty()) {
      return;
    }
    if (calls_.unlinkat(stream_directory_.fd.get(), name_.c_str(), AT_REMOVEDIR) != 0) {
      report.left.push_back({.path = name_, .reason = Reason::kRefused});
      return;
    }
    report.removed.push_back(epoch);
  }

 private:
  Syscalls& calls_;
  const Directory& stream_directory_;
  Directory directory_;
  std::string name_;
  std::vector<std::string> entries_;
  std::vector<std::string> removable_;
  std::vector<std::string> foreign_;
};

void clean_one(Syscalls& calls, const CleanOptions& options, const Directory& stream_directory,
               const std::string& name, std::uint64_t epoch, CleanReport& report) {
  auto directory = open_own_directory(calls, stream_directory, name);  // W416
  if (!directory) {
    report.left.push_back({.path = name, .reason = Reason::kRefused});
    return;
  }
  OldEpoch old(calls, stream_directory, *std::move(directory), name);
  std::uint64_t newest_change_ns = 0;
  if (!old.look(newest_change_ns)) {
    report.left.push_back({.path = name, .reason = Reason::kRefused});
    return;
  }
  switch (judge_epoch(old.evidence(options.place.stream_id, epoch, newest_change_ns),
                      options.current_epoch, options.now, options.freshness_window)) {
    case EpochVerdict::kRemove:
      old.remove(epoch, report);
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
  auto stream_directory = open_stream_directory(calls, *base, options.place, std::nullopt);
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
