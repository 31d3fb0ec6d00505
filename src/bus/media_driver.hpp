// An Aeron media driver inside this process, small and in a directory of its own.
//
// Thread contract: one thread at a time. The driver runs one thread of its own, with all signals
// blocked. Use join_or_embed (rendezvous.hpp) unless the directory is private to the caller.
// Spec: design §9.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>

#include "bus/aeron_fwd.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::bus {

class MediaDriver {
 public:
  /// The untethered time-outs decide how long a stopped reader holds up the others; with Aeron's
  /// own values (5 s, 10 s) a reader stopped for 8 s cost the others 64 % of their messages.
  struct Options {
    std::string aeron_dir;
    std::size_t term_bytes = 4U * 1024 * 1024;  ///< Of channels that do not say `term-length`.
    Nanos timer_interval = std::chrono::milliseconds(100);
    Nanos untethered_timeout = std::chrono::milliseconds(200);
    Nanos client_timeout = std::chrono::seconds(10);  ///< A client silent for longer is dropped.
    /// Whose members may use the driver, too: they can send anything and read everything.
    std::optional<gid_t> group = {};
  };

  /// Empties the directory, creates it with mode 0700, or 2770 for a group, and runs until
  /// destruction, which removes it. Precondition: no live driver is in it (join_or_embed checks).
  /// Refuses a directory that belongs to another user and anything that is no directory.
  [[nodiscard]] static Result<MediaDriver> start(const Options& options);

  MediaDriver(MediaDriver&& other) noexcept;
  MediaDriver& operator=(MediaDriver&& other) noexcept;
  /// Stops the driver and removes its directory. Does nothing in a forked child.
  ~MediaDriver();

  /// False in a forked child, where the driver still belongs to the parent.
  [[nodiscard]] bool is_ours() const noexcept;

 private:
  MediaDriver() = default;
  void stop() noexcept;
  [[nodiscard]] Status init(const Options& options);
  [[nodiscard]] Status lock_host_file(const std::string& aeron_dir, bool group) noexcept;

  aeron_driver_context_stct* context_ = nullptr;
  aeron_driver_stct* driver_ = nullptr;
  pid_t owner_ = 0;
  int host_lock_ = -1;
};

}  // namespace tensorpool::inline v0::bus
