#include "os/directory.hpp"

#include <unistd.h>

#include <cerrno>

#include "base/reason.hpp"
#include "os/safe_open.hpp"

namespace tensorpool::inline v0::os {
namespace {

constexpr int kOpenFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

[[nodiscard, gnu::cold]] Error directory_error(Errc code, std::string_view reason,
                                               std::string_view name, int os_errno) noexcept {
  Error error = base::make_reason(code, reason, name).of_field(Field::kPath);
  error.os_errno = os_errno;
  return error;
}

[[nodiscard]] Errc space_or_path(int os_errno) noexcept {
  return os_errno == ENOSPC || os_errno == EDQUOT ? Errc::kNoSpace : Errc::kPathRejected;
}

}  // namespace

Result<UniqueFd> open_own_directory(Syscalls& calls, int parent, const std::string& name) {
  UniqueFd fd(calls.openat(parent, name.c_str(), kOpenFlags, 0));
  if (!fd) {
    const int os_errno = errno;
    return fail(os_errno == ENOENT
                    ? directory_error(Errc::kNotFound, "no such directory", name, os_errno)
                    : open_error(name, os_errno).of_field(Field::kPath));
  }
  struct stat found {};
  if (calls.fstat(fd.get(), found) != 0) {
    return fail(directory_error(Errc::kPathRejected, "cannot be examined", name, errno));
  }
  if (found.st_uid != ::geteuid()) {
    return fail(base::make_reason(Errc::kPathRejected, "directory of another user", name,
                                  found.st_uid, ::geteuid())
                    .of_field(Field::kUid));
  }
  const mode_t mode = found.st_mode & 07777;
  if ((mode & S_IWOTH) != 0) {
    return fail(base::make_reason(Errc::kPathRejected, "directory is writable by others", name,
                                  mode, mode & ~mode_t{S_IWOTH})
                    .of_field(Field::kMode));
  }
  return fd;
}

Result<UniqueFd> create_directory(Syscalls& calls, int parent, const std::string& name,
                                  mode_t mode) {
  if (calls.mkdirat(parent, name.c_str(), 0700) != 0) {  // nobody else enters before fchmod
    const int os_errno = errno;
    return fail(directory_error(os_errno == EEXIST ? Errc::kAlreadyExists : space_or_path(os_errno),
                                "directory cannot be created", name, os_errno));
  }
  auto fd = open_own_directory(calls, parent, name);
  if (fd && calls.fchmod(fd->get(), mode) != 0) {
    fd = fail(directory_error(Errc::kPathRejected, "mode cannot be set", name, errno));
  }
  if (!fd) {
    static_cast<void>(calls.unlinkat(parent, name.c_str(), AT_REMOVEDIR));
  }
  return fd;
}

Result<UniqueFd> open_stream_directory(Syscalls& calls, std::string_view base,
                                       const core::region::StreamPlace& place,
                                       std::optional<mode_t> create_mode) {
  Result<UniqueFd> directory = open_canonical(calls, probe_open_variant(calls),
                                              {.base = base, .rest = {}}, O_PATH | O_DIRECTORY);
  for (const std::string& level : place.levels()) {
    if (!directory) {
      return directory;
    }
    auto next = open_own_directory(calls, directory->get(), level);
    if (!next && next.error().code == Errc::kNotFound && create_mode) {
      next = create_directory(calls, directory->get(), level, *create_mode);
    }
    if (!next && next.error().code == Errc::kAlreadyExists) {  // another owner was faster
      next = open_own_directory(calls, directory->get(), level);
    }
    directory = std::move(next);
  }
  return directory;
}

}  // namespace tensorpool::inline v0::os
