#include "os/directory.hpp"

#include <unistd.h>

#include <cerrno>

#include "base/reason.hpp"
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

Result<Directory> open_stream_directory(Syscalls& calls, const std::string& base,
                                        const core::region::StreamPlace& place,
                                        std::optional<mode_t> create_mode) {
  auto opened = open_canonical(calls, probe_open_variant(calls), {.base = base, .rest = {}},
                               O_PATH | O_DIRECTORY);
  if (!opened) {
    return fail(opened.error());
  }
  Directory directory{.fd = *std::move(opened), .path = base};
  for (const std::string& level : place.levels()) {
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

}  // namespace tensorpool::inline v0::os
