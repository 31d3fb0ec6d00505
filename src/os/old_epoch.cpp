#include "os/old_epoch.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/atomics.hpp"
#include "base/kill_point.hpp"
#include "base/reason.hpp"
#include "core/region/directories.hpp"
#include "core/region/superblock.hpp"
#include "os/mapping.hpp"

namespace tensorpool::inline v0::os {
namespace {

using base::DefaultAtom;

[[nodiscard]] std::uint64_t modified_ns(const struct stat& file) noexcept {
  const auto seconds = static_cast<std::uint64_t>(file.st_mtim.tv_sec);
  return seconds * 1'000'000'000U + static_cast<std::uint64_t>(file.st_mtim.tv_nsec);
}

[[nodiscard, gnu::cold]] Error system_error(std::string_view call, const std::string& path,
                                            int os_errno) noexcept {
  Error error = base::make_reason(Errc::kOsFailure, call, path);
  error.os_errno = os_errno;
  return error;
}

}  // namespace

Result<OldEpoch> OldEpoch::open(Syscalls& calls, const Directory& stream_directory,
                                std::string name) {
  auto directory = open_own_directory(calls, stream_directory, name);
  if (!directory) {
    return fail(directory.error());
  }
  OldEpoch epoch(calls, stream_directory, *std::move(directory), std::move(name));
  if (Status looked = epoch.look(); !looked) {
    return fail(looked.error());
  }
  return epoch;
}

Status OldEpoch::look() {
  std::vector<std::string> entries;
  struct stat found {};
  if (calls_->list_directory(directory_.fd.get(), entries) != 0 ||
      calls_->fstat(directory_.fd.get(), found) != 0) {
    return fail(system_error("examining", directory_.path, errno));
  }
  directory_changed_ns_ = newest_change_ns_ = modified_ns(found);
  for (std::string& entry : entries) {
    if (calls_->lstatat(directory_.fd.get(), entry.c_str(), found) != 0) {
      return fail(system_error("examining", directory_ / entry, errno));
    }
    newest_change_ns_ = std::max(newest_change_ns_, modified_ns(found));
    const bool ours = S_ISREG(found.st_mode) && core::region::is_region_file_name(entry);
    (ours ? removable_ : foreign_).push_back(std::move(entry));
  }
  return {};
}

Result<std::optional<layout::Superblock>> OldEpoch::superblock() const {
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  const std::string path = directory_ / "header.ring";
  const UniqueFd fd(calls_->openat(directory_.fd.get(), "header.ring", kFlags, 0));
  if (!fd && (errno == ENOENT || errno == ELOOP)) {
    return std::nullopt;
  }
  struct stat file {};
  if (!fd || calls_->fstat(fd.get(), file) != 0) {
    return fail(system_error("examining", path, errno));
  }
  if (!S_ISREG(file.st_mode) ||
      static_cast<std::uint64_t>(file.st_size) < layout::kSuperblockBytes) {
    return std::nullopt;
  }
  const auto page = file_page_bytes(*calls_, fd.get(), path, false);
  if (!page) {
    return fail(page.error());
  }
  const auto mapping = Mapping::create(*calls_, fd.get(),
                                       {.bytes = layout::kSuperblockBytes,
                                        .page_bytes = *page,
                                        .access = Access::kReadOnly,
                                        .populate = false});
  if (!mapping) {
    return fail(mapping.error());
  }
  return core::region::load_superblock<DefaultAtom>(core::region::ConstSuperblockWords<DefaultAtom>(
      reinterpret_cast<const DefaultAtom::Word*>(mapping->data()), layout::kSuperblockWords));
}

OldEpoch::Removal OldEpoch::remove() const {
  Removal removal;
  for (const std::string& entry : removable_) {
    if (calls_->unlinkat(directory_.fd.get(), entry.c_str(), 0) != 0) {
      removal.refused.push_back({.name = entry, .os_errno = errno});
    }
    TP_KILLPOINT("driver.collect.file");
  }
  if (removal.refused.empty() && foreign_.empty()) {
    TP_KILLPOINT("driver.collect.files");
    removal.complete =
        calls_->unlinkat(stream_directory_->fd.get(), name_.c_str(), AT_REMOVEDIR) == 0;
    if (!removal.complete) {
      removal.refused.push_back({.name = {}, .os_errno = errno});
    }
  }
  return removal;
}

}  // namespace tensorpool::inline v0::os
