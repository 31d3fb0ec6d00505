#include "os/local_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace tensorpool::inline v0::os {
namespace {

constexpr int kBacklog = 16;
constexpr uid_t kSameUser = static_cast<uid_t>(-1);

struct Address {
  sockaddr_un name{};
  socklen_t bytes = 0;

  [[nodiscard]] const sockaddr* get() const noexcept {
    return reinterpret_cast<const sockaddr*>(&name);
  }
};

[[nodiscard]] Result<Address> address_of(const std::string& path) {
  Address address;
  address.name.sun_family = AF_UNIX;
  const std::size_t longest = sizeof(address.name.sun_path) - 1;
  if (path.empty() || path.size() > longest) {
    return fail(Errc::kInvalidArgument, path + ": length of a socket's path", path.size(), longest);
  }
  std::memcpy(address.name.sun_path, path.data(), path.size());
  address.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

[[nodiscard]] Result<UniqueFd> make_socket(const std::string& path, int flags) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!fd) {
    return fail(make_os_error(Errc::kOsFailure, path, errno));
  }
  return fd;
}

/// None where the kernel (before 4.13) does not tell.
[[nodiscard]] std::vector<std::uint32_t> groups_of(int fd) {
  static_assert(sizeof(gid_t) == sizeof(std::uint32_t));
  std::vector<std::uint32_t> groups(64);
  for (;;) {
    auto bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const bool told = ::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes) == 0;
    if (!told && errno != ERANGE) {
      return {};
    }
    groups.resize(bytes / sizeof(gid_t));
    if (told) {
      return groups;
    }
  }
}

[[nodiscard]] PeerCredentials peer_of(int fd) {
  ucred peer{};
  socklen_t bytes = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) {
    return {.pid = 0, .uid = UINT32_MAX, .gid = UINT32_MAX};  // nobody
  }
  return {.pid = peer.pid, .uid = peer.uid, .gid = peer.gid, .groups = groups_of(fd)};
}

[[nodiscard]] LocalConnection::Transfer outcome_of(ssize_t bytes, bool zero_is_end) noexcept {
  using State = LocalConnection::State;
  if (bytes > 0 || (bytes == 0 && !zero_is_end)) {
    return {.state = State::kOpen, .bytes = static_cast<std::size_t>(bytes)};
  }
  const bool later = bytes < 0 && (errno == EAGAIN || errno == EINTR);
  return {.state = later ? State::kWait : State::kClosed};
}

}  // namespace

Result<LocalConnection> LocalConnection::connect(const std::string& path, Nanos patience) {
  const Result<Address> address = address_of(path);
  if (!address) {
    return fail(address.error());
  }
  Result<UniqueFd> fd = make_socket(path, patience == Nanos{0} ? SOCK_NONBLOCK : 0);
  if (!fd) {
    return fail(fd.error());
  }
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(patience).count();
  const timeval limit{.tv_sec = micros / 1'000'000, .tv_usec = micros % 1'000'000};
  ::setsockopt(fd->get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  ::setsockopt(fd->get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (::connect(fd->get(), address->get(), address->bytes) != 0) {
    const bool nobody = errno == ENOENT || errno == ECONNREFUSED;
    return fail(make_os_error(nobody ? Errc::kNotFound : Errc::kOsFailure, path, errno));
  }
  PeerCredentials peer = peer_of(fd->get());
  return LocalConnection(std::move(*fd), std::move(peer));
}

LocalConnection::Transfer LocalConnection::read(std::span<std::byte> into) noexcept {
  return outcome_of(::recv(fd_.get(), into.data(), into.size(), 0), !into.empty());
}

LocalConnection::Transfer LocalConnection::write(std::span<const std::byte> bytes) noexcept {
  return outcome_of(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), false);
}

Result<LocalListener> LocalListener::listen(const std::string& path, mode_t mode,
                                            std::optional<gid_t> group) {
  constexpr auto kProbePatience = std::chrono::milliseconds(100);
  const Result<LocalConnection> other = LocalConnection::connect(path, kProbePatience);
  if (other || other.error().code != Errc::kNotFound) {
    // A listener that is too busy to answer is one, too.
    return other || other.error().os_errno == EAGAIN ? fail(Errc::kAlreadyExists, path)
                                                     : fail(other.error());
  }
  // Bound under a name of its own and renamed when its mode is right: nobody can connect before,
  // and what a killed process left at the path is replaced in one step.
  const std::string hidden = path + "." + std::to_string(::getpid());
  const Result<Address> address = address_of(hidden);
  if (!address) {
    return fail(address.error());
  }
  Result<UniqueFd> fd = make_socket(path, SOCK_NONBLOCK);
  if (!fd) {
    return fail(fd.error());
  }
  ::unlink(hidden.c_str());  // of a process with our number that is gone
  struct stat status {};
  if (::bind(fd->get(), address->get(), address->bytes) != 0) {
    return fail(make_os_error(Errc::kOsFailure, path, errno));
  }
  if ((group && ::lchown(hidden.c_str(), kSameUser, *group) != 0) ||
      ::chmod(hidden.c_str(), mode) != 0 || ::lstat(hidden.c_str(), &status) != 0 ||
      ::listen(fd->get(), kBacklog) != 0 || ::rename(hidden.c_str(), path.c_str()) != 0) {
    const Error error = make_os_error(Errc::kOsFailure, path, errno);
    ::unlink(hidden.c_str());
    return fail(error);
  }
  return LocalListener(std::move(*fd), path, status.st_dev, status.st_ino);
}

LocalListener::LocalListener(LocalListener&& other) noexcept
    : fd_(std::move(other.fd_)),
      path_(std::exchange(other.path_, {})),
      device_(other.device_),
      inode_(other.inode_) {}

LocalListener::~LocalListener() {
  struct stat status {};
  if (!path_.empty() && ::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ &&
      status.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
}

std::optional<LocalConnection> LocalListener::accept() {
  UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd) {
    return std::nullopt;
  }
  PeerCredentials peer = peer_of(fd.get());
  return LocalConnection(std::move(fd), std::move(peer));
}

}  // namespace tensorpool::inline v0::os
