#include "os/directory.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/reason.hpp"
#include "core/region/directories.hpp"
#include "os/region_policy.hpp"
#include "os/safe_open.hpp"

namespace tensorpool::inline v0::os {
namespace {

constexpr uid_t kSameUser = static_cast<uid_t>(-1);
constexpr int kOpenFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

[[nodiscard, gnu::cold]] Error directory_error(Errc code, std::string_view reason,
                                               std::string_view path, int os_errno) noexcept {
  Error error = base::make_reason(code, reason, path).of_field(Field::kPath);
  error.os_errno = os_errno;
  return error;
}

/// W151.
[[nodiscard]] Status check_own(const struct stat& found, std::string_view path) noexcept {
  if (found.st_uid != ::geteuid()) {
    return fail(base::make_reason(Errc::kPathRejected, "directory of another user", path,
                                  found.st_uid, ::geteuid())
                    .of_field(Field::kUid));
  }
  const mode_t mode = found.st_mode & 07777;
  if ((mode & S_IWOTH) != 0) {
    return fail(base::make_reason(Errc::kPathRejected, "directory is writable by others", path,
                                  mode, mode & ~mode_t{S_IWOTH})
                    .of_field(Field::kMode));
  }
  return {};
}

[[nodiscard]] Status give_access(Syscalls& calls, const Directory& directory, mode_t mode,
                                 std::optional<gid_t> group) {
  if (group && calls.fchown(directory.fd.get(), kSameUser, *group) != 0) {
    return fail(directory_error(Errc::kPathRejected, "group cannot be set", directory.path, errno));
  }
  if (calls.fchmod(directory.fd.get(), mode) != 0) {
    return fail(directory_error(Errc::kPathRejected, "mode cannot be set", directory.path, errno));
  }
  return {};
}

/// Has an existing directory follow what is wanted now.
[[nodiscard]] Status adapt(Syscalls& calls, const Directory& directory,
                           const DirectoryAccess& access) {
  using Existing = DirectoryAccess::Existing;
  struct stat found {};
  if (access.existing == Existing::kLeave) {
    return {};
  }
  if (calls.fstat(directory.fd.get(), found) != 0) {
    return fail(directory_error(Errc::kPathRejected, "cannot be examined", directory.path, errno));
  }
  const mode_t present = found.st_mode & 07777;
  const mode_t mode = access.existing == Existing::kWiden ? present | access.mode : access.mode;
  const bool right = mode == present && access.group.value_or(found.st_gid) == found.st_gid;
  return right ? Status() : give_access(calls, directory, mode, access.group);
}

}  // namespace

Result<Directory> open_own_directory(Syscalls& calls, const Directory& parent,
                                     const std::string& name) {
  Directory directory{.fd = UniqueFd(calls.openat(parent.fd.get(), name.c_str(), kOpenFlags, 0)),
                      .path = parent / name};
  if (!directory.fd) {
    const int os_errno = errno;
    return fail(os_errno == ENOENT
                    ? directory_error(Errc::kNotFound, "no directory", directory.path, os_errno)
                    : open_error(directory.path, os_errno).of_field(Field::kPath));
  }
  struct stat found {};
  if (calls.fstat(directory.fd.get(), found) != 0) {
    return fail(directory_error(Errc::kPathRejected, "cannot be examined", directory.path, errno));
  }
  if (Status own = check_own(found, directory.path); !own) {
    return fail(own.error());
  }
  return directory;
}

Result<Directory> create_directory(Syscalls& calls, const Directory& parent,
                                   const std::string& name, const DirectoryAccess& access) {
  if (calls.mkdirat(parent.fd.get(), name.c_str(), 0700) != 0) {  // others enter after fchmod
    const int os_errno = errno;
    const bool full = os_errno == ENOSPC || os_errno == EDQUOT;
    return fail(directory_error(os_errno == EEXIST ? Errc::kAlreadyExists
                                : full             ? Errc::kNoSpace
                                                   : Errc::kPathRejected,
                                "directory cannot be created", parent / name, os_errno));
  }
  auto directory = open_own_directory(calls, parent, name);
  if (directory) {
    if (Status given = give_access(calls, *directory, access.mode, access.group); !given) {
      directory = fail(given.error());
    }
  }
  if (!directory) {
    static_cast<void>(calls.unlinkat(parent.fd.get(), name.c_str(), AT_REMOVEDIR));
  }
  return directory;
}

Result<Directory> open_level(Syscalls& calls, const Directory& parent, const std::string& name,
                             const std::optional<DirectoryAccess>& create) {
  auto level = open_own_directory(calls, parent, name);
  if (!level && level.error().code == Errc::kNotFound && create) {
    level = create_directory(calls, parent, name, *create);
    if (level || level.error().code != Errc::kAlreadyExists) {
      return level;
    }
    level = open_own_directory(calls, parent, name);  // another owner was faster
  }
  if (level && create) {
    if (Status adapted = adapt(calls, *level, *create); !adapted) {
      return fail(adapted.error());
    }
  }
  return level;
}

Result<Directory> open_levels(Syscalls& calls, const std::string& base,
                              std::span<const std::string> levels,
                              const std::optional<DirectoryAccess>& create) {
  auto opened = open_canonical(calls, probe_open_variant(calls), {.base = base, .rest = {}},
                               O_PATH | O_DIRECTORY);
  if (!opened) {
    return fail(opened.error());
  }
  Directory directory{.fd = *std::move(opened), .path = base};
  for (const std::string& level : levels) {
    auto next = open_level(calls, directory, level, create);
    if (!next) {
      return next;
    }
    directory = *std::move(next);
  }
  return directory;
}

Result<std::string> create_base_directory(Syscalls& calls, const std::string& directory,
                                          const DirectoryAccess& access) {
  auto existing = canonical_base_dir(calls, directory);
  const std::filesystem::path path(directory);
  if (existing || existing.error().os_errno != ENOENT || !path.has_filename()) {
    return existing;
  }
  auto parent = path.parent_path() == "/" ? Result<std::string>("/")
                                          : canonical_base_dir(calls, path.parent_path().string());
  if (!parent) {
    return parent;
  }
  const Directory above{.fd = UniqueFd(calls.openat(AT_FDCWD, parent->c_str(), kOpenFlags, 0)),
                        .path = *parent};
  if (!above.fd) {
    return fail(open_error(*parent, errno));
  }
  const auto created = create_directory(calls, above, path.filename().string(), access);
  if (!created && created.error().code != Errc::kAlreadyExists) {
    return fail(created.error());
  }
  return canonical_base_dir(calls, directory);
}

Result<std::vector<std::uint64_t>> list_numbered(Syscalls& calls, const Directory& parent,
                                                 std::uint64_t most) {
  std::vector<std::string> names;
  if (calls.list_directory(parent.fd.get(), names) != 0) {
    return fail(directory_error(Errc::kOsFailure, "cannot be listed", parent.path, errno));
  }
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : names) {
    const std::uint64_t number = core::region::parse_decimal(name).value_or(0);
    if (number == 0 || number > most) {
      continue;
    }
    struct stat found {};
    if (calls.lstatat(parent.fd.get(), name.c_str(), found) == 0) {
      if (S_ISDIR(found.st_mode)) {
        numbers.push_back(number);
      }
    } else if (errno != ENOENT) {  // removed meanwhile
      return fail(directory_error(Errc::kOsFailure, "cannot be examined", parent / name, errno));
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

bool lets_others_exchange(Syscalls& calls, const std::string& directory) {
  struct stat found {};
  return calls.lstatat(AT_FDCWD, directory.c_str(), found) == 0 && (found.st_mode & S_IWOTH) != 0 &&
         (found.st_mode & S_ISVTX) == 0;
}

Status ensure_private_directory(const std::string& path, std::optional<gid_t> group) {
  Syscalls& calls = system_calls();
  std::error_code absent;
  const std::filesystem::path above =
      std::filesystem::canonical(std::filesystem::path(path).parent_path(), absent);
  if (lets_others_exchange(calls, above.native())) {
    return fail(
        directory_error(Errc::kPathRejected, "others may exchange what is in", above.native(), 0));
  }
  if (::mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    return fail(make_os_error(Errc::kOsFailure, path, errno));
  }
  const Directory directory{.fd = UniqueFd(::open(path.c_str(), kOpenFlags)), .path = path};
  struct stat found {};
  const bool ours = directory.fd && calls.fstat(directory.fd.get(), found) == 0 &&
                    found.st_uid == ::geteuid() && (found.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  if (!ours) {
    return fail(Errc::kPathRejected, path);
  }
  return group ? give_access(calls, directory, S_IRWXU | S_IXGRP, group) : Status();
}

}  // namespace tensorpool::inline v0::os
