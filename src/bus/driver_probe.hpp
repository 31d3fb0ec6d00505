// Is there a media driver in this directory? A look that waits for nothing.
//
// For Client (before each attempt to connect), for the rendezvous, and for commands that have to
// tell a person why nothing comes. Thread contract: free functions, any thread. Spec: design §9.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::bus {

/// A media driver whose sign of life is older than this is taken for dead. Aeron's own driver shows
/// one every second, an embedded one every 100 ms.
inline constexpr Nanos kDriverTimeout = std::chrono::seconds(3);

enum class DriverState : std::uint8_t {
  kAbsent,        ///< No directory, or no driver's file in it.
  kStarting,      ///< The file is there and not ready yet.
  kAlive,         ///< A fresh sign of life.
  kDead,          ///< Left behind: shut down, killed or silent for longer than the time-out.
  kDenied,        ///< We may not read and write it.
  kWrongVersion,  ///< Another major version of the file's layout.
};

struct DriverProbe {
  DriverState state = DriverState::kAbsent;
  std::uint32_t version_found = 0;  ///< Major version of the file, for kWrongVersion.
  std::int32_t os_errno = 0;        ///< For kDenied.
  std::int64_t pid = 0;             ///< Process of the driver, in its own pid namespace; 0 unknown.
};

[[nodiscard]] DriverProbe probe_driver(const std::string& aeron_dir,
                                       Nanos timeout = kDriverTimeout) noexcept;

[[nodiscard]] inline bool driver_alive(const std::string& aeron_dir,
                                       Nanos timeout = kDriverTimeout) noexcept {
  return probe_driver(aeron_dir, timeout).state == DriverState::kAlive;
}

/// What to tell a person: kMediaDriverUnavailable for "nobody there", kOsFailure with the errno for
/// "not allowed", kUnsupportedVersion with both versions. Precondition: not kAlive.
[[nodiscard]] Error to_error(const DriverProbe& probe, std::string_view aeron_dir) noexcept;

/// `explicit_dir`, else AERON_DIR, else /dev/shm/tensorpool-<user>-aeron.
[[nodiscard]] std::string choose_aeron_dir(std::string_view explicit_dir = {});

/// Name of the file below the Aeron directory that an embedded driver keeps locked for as long as
/// its process lives. The kernel drops the lock with the process, so a driver that was killed is
/// known to be dead at once, in any pid namespace, and not only after the time-out.
inline constexpr std::string_view kHostLockName = "tensorpool-host.lock";

}  // namespace tensorpool::inline v0::bus
