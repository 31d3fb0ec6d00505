// Options that several verbs have, and checks of their values.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps {

inline void add_aeron_dir(CLI::App& verb, std::string& aeron_dir) {
  verb.add_option("--aeron-dir", aeron_dir,
                  "Directory of the media driver [AERON_DIR, else "
                  "/dev/shm/tensorpool-USER-aeron]")
      ->type_name("DIR");
}

/// What holds the frames, where that is not /dev/shm.
inline void add_shm_dir(CLI::App& verb, std::string& shm_dir) {
  verb.add_option("--shm-dir", shm_dir, "Directory of the frames, as a mount of huge pages")
      ->type_name("DIR")
      ->capture_default_str();
}

/// Seconds that fit a duration.
[[nodiscard]] inline CLI::Range seconds_range() {
  return {0.0, 1e9, "SECONDS"};
}

[[nodiscard]] inline Nanos from_seconds(double seconds) noexcept {
  return std::chrono::duration_cast<Nanos>(std::chrono::duration<double>(seconds));
}
[[nodiscard]] inline double to_seconds(Nanos span) noexcept {
  return std::chrono::duration<double>(span).count();
}

/// Per second, 0 where no time has passed.
[[nodiscard]] inline double per_second(double amount, Nanos span) noexcept {
  return span > Nanos{0} ? amount / to_seconds(span) : 0;
}

}  // namespace tensorpool::inline v0::apps
