#include "os/safe_open.hpp"

#include <sys/resource.h>

#include <cerrno>
#include <string>
#include <utility>

#include "base/reason.hpp"

namespace tensorpool::inline v0::os {
namespace {

constexpr int kDirectoryFlags = O_PATH | O_DIRECTORY;
constexpr __u64 kNoLinks = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

[[nodiscard]] int open_at_once(Syscalls& calls, int directory, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<__u64>(flags);
  how.resolve = RESOLVE_BENEATH | kNoLinks;
  return calls.openat2(directory, path.c_str(), how);
}

[[nodiscard]] int open_by_components(Syscalls& calls, int directory, std::string_view path,
                                     int flags) {
  UniqueFd current;
  for (;;) {
    const std::size_t slash = path.find('/');
    const bool last = slash == std::string_view::npos;
    const std::string component(path.substr(0, slash));
    if (component.empty() || component == "." || component == "..") {
      errno = EINVAL;  // not canonical
      return -1;
    }
    const int step = last ? flags : kDirectoryFlags | O_CLOEXEC | O_NOFOLLOW;
    UniqueFd next(calls.openat(current ? current.get() : directory, component.c_str(), step, 0));
    if (last || !next) {
      return next.release();
    }
    current = std::move(next);
    path.remove_prefix(slash + 1);
  }
}

/// errno tells why an empty one came back.
[[nodiscard]] UniqueFd open_beneath(Syscalls& calls, OpenVariant variant, int directory,
                                    std::string_view path, int flags) {
  flags |= O_CLOEXEC | O_NOFOLLOW;
  return UniqueFd(variant == OpenVariant::kOpenat2
                      ? open_at_once(calls, directory, std::string(path), flags)
                      : open_by_components(calls, directory, path, flags));
}

}  // namespace

OpenVariant probe_open_variant(Syscalls& calls) {
  open_how how{};
  how.flags = static_cast<__u64>(kDirectoryFlags | O_CLOEXEC);
  how.resolve = kNoLinks;
  const UniqueFd root(calls.openat2(AT_FDCWD, "/", how));
  const bool absent = !root && (errno == ENOSYS || errno == EPERM || errno == EINVAL);
  return absent ? OpenVariant::kComponentWalk : OpenVariant::kOpenat2;
}

Result<UniqueFd> open_canonical(Syscalls& calls, OpenVariant variant, CanonicalPath path,
                                int flags) {
  UniqueFd fd(calls.openat(AT_FDCWD, "/", kDirectoryFlags | O_CLOEXEC, 0));
  if (fd) {
    fd = open_beneath(calls, variant, fd.get(), path.base.substr(1),
                      path.rest.empty() ? flags : kDirectoryFlags);
  }
  if (fd && !path.rest.empty()) {
    fd = open_beneath(calls, variant, fd.get(), path.rest, flags);
  }
  if (!fd) {
    const int os_errno = errno;
    return fail(open_error(std::string(path.base).append("/").append(path.rest), os_errno));
  }
  return fd;
}

Error open_error(std::string_view path, int os_errno) noexcept {
  if (os_errno != EMFILE && os_errno != ENFILE) {
    Error error = base::make_reason(Errc::kPathRejected, "cannot be opened", path);
    error.os_errno = os_errno;
    return error;
  }
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  Error error = base::make_reason(Errc::kLimitReached, "file descriptors, to open", path,
                                  limit.rlim_cur, limit.rlim_cur);
  error.os_errno = os_errno;
  return error;
}

}  // namespace tensorpool::inline v0::os
