// Join the media driver of a directory, or become its host.
//
// Thread contract: free function, any thread; it may wait up to Options::patience while another
// process starts or stops a driver there. Spec: design §9.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bus/driver_probe.hpp"
#include "bus/media_driver.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::bus {

enum class DriverPolicy : std::uint8_t {
  kAuto,      ///< Join a live driver, else embed one.
  kEmbedded,  ///< Embed one; a live driver is an error.
  kExternal,  ///< Join a live driver; none is an error.
};

struct RendezvousOptions {
  MediaDriver::Options driver;  ///< aeron_dir, and the settings of an embedded driver.
  DriverPolicy policy = DriverPolicy::kAuto;
  Nanos driver_timeout = kDriverTimeout;
  Nanos patience = std::chrono::seconds(10);
};

/// A directory with a live media driver in it. Where it is embedded, the driver ends and its
/// directory goes away with this object; other processes then say so, and the next join_or_embed
/// makes a new one.
class MediaDriverHandle {
 public:
  [[nodiscard]] const std::string& aeron_dir() const noexcept { return aeron_dir_; }
  [[nodiscard]] bool is_embedded() const noexcept { return driver_.has_value(); }

  MediaDriverHandle(MediaDriverHandle&& other) noexcept;
  MediaDriverHandle& operator=(MediaDriverHandle&&) noexcept;
  ~MediaDriverHandle();

 private:
  friend Result<MediaDriverHandle> join_or_embed(const RendezvousOptions& options);
  MediaDriverHandle(std::string aeron_dir, std::optional<MediaDriver> driver) noexcept
      : aeron_dir_(std::move(aeron_dir)), driver_(std::move(driver)) {}
  void stop() noexcept;

  std::string aeron_dir_;
  std::optional<MediaDriver> driver_;
};

/// Errors: those of to_error(DriverProbe) and MediaDriver::start; kAlreadyExists for kEmbedded
/// where a driver lives; kTimeout when another process neither finished nor gave up starting one.
///
/// Only a process that holds `<aeron_dir>.lock` starts or stops an embedded driver, so of many that
/// come at once one embeds and the others join, and nobody removes the directory of a successor.
/// The lock file is gone again afterwards.
[[nodiscard]] Result<MediaDriverHandle> join_or_embed(const RendezvousOptions& options);

}  // namespace tensorpool::inline v0::bus
