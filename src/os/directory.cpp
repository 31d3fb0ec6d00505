#include "os/directory.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/reason.hpp"
#include "core/region/directories.hpp"
#include "os/region_policy.hpp"
#include "os/safe_open.hpp"

namespace tensorpool::inline v0::os {
namespace {

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
                                   const std::string& name, mode_t mode) {
  if (calls.mkdirat(parent.fd.get(), name.c_str(), 0700) != 0) {  // others enter after fchmod
    const int os_errno = errno;
    const bool full = os_errno == ENOSPC || os_errno == EDQUOT;
    return fail(directory_error(os_errno == EEXIST ? Errc::kAlreadyExists
                                : full             ? Errc::kNoSpace
                                                   : Errc::kPathRejected,
                                "directory cannot be created", parent / name, os_errno));
  }
  auto directory = open_own_directory(calls, parent, name);
  if (directory && calls.fchmod(directory->fd.get(), mode) != 0) {
    directory =
        fail(directory_error(Errc::kPathRejected, "mode cannot be set", directory->path, errno));
  }
  if (!directory) {
    static_cast<void>(calls.unlinkat(parent.fd.get(), name.c_str(), AT_REMOVEDIR));
  }
  return directory;
}

Result<Directory> open_levels(Syscalls& calls, const std::string& base,
                              std::span<const std::string> levels,
                              std::optional<mode_t> create_mode) {
  auto opened = open_canonical(calls, probe_open_variant(calls), {.base = base, .rest = {}},
                               O_PATH | O_DIRECTORY);
  if (!opened) {
    return fail(opened.error());
  }
  Directory directory{.fd = *std::move(opened), .path = base};
  for (const std::string& level : levels) {
    auto next = open_own_directory(calls, directory, level);
    if (!next && next.error().code == Errc::kNotFound && create_mode) {
      next = create_directory(calls, directory, level, *create_mode);
    }
    if (!next && next.error().code == Errc::kAlreadyExists) {  // another owner was faster
      next = open_own_directory(calls, directory, level);
    }
    if (!next) {
      return next;
    }
    directory = *std::move(next);
  }
  return directory;
}

Result<std::string> create_base_directory(Syscalls& calls, const std::string& directory,
                                          mode_t mode) {
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
  const auto created = create_directory(calls, above, path.filename().string(), mode);
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

Status ensure_private_directory(const std::string& path) {
  if (::mkdir(path.c_str(), S_IRWXU) == 0) {
    return {};
  }
  if (errno != EEXIST) {
    return fail(make_os_error(Errc::kOsFailure, path, errno));
  }
  struct stat status {};
  const bool ours = ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
                    status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  return ours ? Status{} : fail(Errc::kPathRejected, path);
}

}  // namespace tensorpool::inline v0::os
