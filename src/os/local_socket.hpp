// Unix sockets for people and tools of this host: a listener that never blocks, connections, and
// who is at the other end.
//
// For admin/. Nothing on the data path goes over a socket. Thread contract: an object with one
// owner.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "os/unique_fd.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::os {

/// The process at the other end, as the kernel vouches for it, at the time it connected.
struct PeerCredentials {
  std::int32_t pid = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups = {};  ///< supplementary
};

/// A byte stream to another process.
class LocalConnection {
 public:
  enum class State : std::uint8_t {
    kOpen,    ///< goes on
    kWait,    ///< nothing to be had, or no room, for now
    kClosed,  ///< the other end has gone, or the connection failed
  };
  struct Transfer {
    State state = State::kOpen;
    std::size_t bytes = 0;
  };

  /// Connects to the listener at `path` and waits at most `patience` for each later transfer; with
  /// 0 never.
  /// Errors: kNotFound where nobody listens, kOsFailure otherwise, both with the path.
  [[nodiscard]] static Result<LocalConnection> connect(const std::string& path, Nanos patience);

  [[nodiscard]] Transfer read(std::span<std::byte> into) noexcept;
  [[nodiscard]] Transfer write(std::span<const std::byte> bytes) noexcept;
  [[nodiscard]] const PeerCredentials& peer() const noexcept { return peer_; }

 private:
  friend class LocalListener;
  LocalConnection(UniqueFd fd, PeerCredentials peer) noexcept
      : fd_(std::move(fd)), peer_(std::move(peer)) {}

  UniqueFd fd_;
  PeerCredentials peer_;
};

/// A socket file that others connect to. What a killed process left at the path is replaced.
class LocalListener {
 public:
  /// `mode` of the socket file, and its group where one is given, are exact, whatever the umask
  /// says, from the moment it has its name.
  /// Errors: kAlreadyExists where somebody listens already, kInvalidArgument for a path that is too
  /// long for a socket, kOsFailure.
  [[nodiscard]] static Result<LocalListener> listen(const std::string& path, mode_t mode,
                                                    std::optional<gid_t> group = {});
  LocalListener(LocalListener&& other) noexcept;
  LocalListener& operator=(LocalListener&&) = delete;
  /// Removes the socket file, unless it is somebody else's by now.
  ~LocalListener();

  /// The next connection that waits, or nothing.
  [[nodiscard]] std::optional<LocalConnection> accept();
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  LocalListener(UniqueFd fd, std::string path, dev_t device, ino_t inode) noexcept
      : fd_(std::move(fd)), path_(std::move(path)), device_(device), inode_(inode) {}

  UniqueFd fd_;
  std::string path_;
  dev_t device_;  // of the socket file
  ino_t inode_;
};

}  // namespace tensorpool::inline v0::os
