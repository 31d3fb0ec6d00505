#include "bus/driver_probe.hpp"

#include <aeronc.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>

namespace tensorpool::inline v0::bus {
namespace {

constexpr std::uint32_t kCncMajor = 0;  // of the layout of cnc.dat since Aeron 1.0

/// True when an embedded driver made this directory and its process is gone.
bool host_is_gone(const std::string& aeron_dir) noexcept {
  const std::string path = aeron_dir + '/' + std::string(kHostLockName);
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) {
    return false;  // not embedded by us: only the sign of life tells
  }
  const bool locked = ::flock(file, LOCK_SH | LOCK_NB) == 0;
  ::close(file);
  return locked;
}

std::int64_t epoch_ms() noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// Reads the version that stands first in the driver's file. 0: not ready.
DriverProbe probe_version(const std::string& cnc) noexcept {
  DriverProbe probe;
  const int file = ::open(cnc.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) {
    if (errno != ENOENT && errno != ENOTDIR) {
      probe.state = DriverState::kDenied;
      probe.os_errno = errno;
    }
    return probe;
  }
  std::int32_t version = 0;
  const bool whole = ::pread(file, &version, sizeof(version), 0) == sizeof(version);
  ::close(file);
  probe.version_found = static_cast<std::uint32_t>(version) >> 16U;
  if (!whole || version == 0) {
    probe.state = DriverState::kStarting;
  } else if (probe.version_found != kCncMajor) {
    probe.state = DriverState::kWrongVersion;
  } else {
    probe.state = DriverState::kAlive;
  }
  return probe;
}

}  // namespace

DriverProbe probe_driver(const std::string& aeron_dir, Nanos timeout) noexcept {
  DriverProbe probe = probe_version(aeron_dir + "/cnc.dat");
  if (probe.state != DriverState::kAlive) {
    if (probe.state == DriverState::kStarting && host_is_gone(aeron_dir)) {
      probe.state = DriverState::kDead;
    }
    return probe;
  }
  aeron_cnc_t* cnc = nullptr;
  if (aeron_cnc_init(&cnc, aeron_dir.c_str(), 0) < 0) {
    probe.state = DriverState::kStarting;
    return probe;
  }
  aeron_cnc_constants_t constants{};
  if (aeron_cnc_constants(cnc, &constants) == 0) {
    probe.pid = constants.pid;
  }
  const std::int64_t heartbeat_ms = aeron_cnc_to_driver_heartbeat(cnc);
  aeron_cnc_close(cnc);
  const auto timeout_ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
  if (heartbeat_ms <= 0 || epoch_ms() - heartbeat_ms > timeout_ms || host_is_gone(aeron_dir)) {
    probe.state = DriverState::kDead;
  }
  return probe;
}

Error to_error(const DriverProbe& probe, std::string_view aeron_dir) noexcept {
  switch (probe.state) {
    case DriverState::kDenied:
      return make_os_error(Errc::kOsFailure, aeron_dir, probe.os_errno);
    case DriverState::kWrongVersion:
      return make_error(Errc::kUnsupportedVersion, aeron_dir, probe.version_found, kCncMajor);
    case DriverState::kAbsent:
    case DriverState::kStarting:
    case DriverState::kAlive:
    case DriverState::kDead:
      break;
  }
  return make_error(Errc::kMediaDriverUnavailable, aeron_dir);
}

std::string choose_aeron_dir(std::string_view explicit_dir) {
  if (!explicit_dir.empty()) {
    return std::string(explicit_dir);
  }
  if (const char* from_environment = std::getenv("AERON_DIR");
      from_environment != nullptr && from_environment[0] != '\0') {
    return from_environment;
  }
  std::array<char, 1024> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  const uid_t uid = ::geteuid();
  const bool named = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 &&
                     found != nullptr && found->pw_name != nullptr;
  return "/dev/shm/tensorpool-" + (named ? std::string(found->pw_name) : std::to_string(uid)) +
         "-aeron";
}

}  // namespace tensorpool::inline v0::bus
