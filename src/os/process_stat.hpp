// What the kernel tells of a process: its name, when it was started, how much processor time it has
// had; and who we are ourselves.
//
// Thread contract: any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::os {

struct ProcessStat {
  std::string name = {};          ///< of the program, cut to 15 bytes by the kernel
  std::uint64_t start_ticks = 0;  ///< since boot: with the id it names a process for ever
  Nanos cpu{};                    ///< of all its threads, user and system
};

/// The text of /proc/PID/stat. `ticks_per_second`: that of the kernel, for `cpu`. Nothing where it
/// is none.
[[nodiscard]] std::optional<ProcessStat> parse_process_stat(std::string_view text,
                                                            std::uint64_t ticks_per_second);

/// Nothing where there is no such process, or one may not know. Allocates.
[[nodiscard]] std::optional<ProcessStat> read_process_stat(std::uint64_t pid);

struct OwnProcess {
  std::uint64_t pid = 0;
  std::uint64_t start_ticks = 0;  ///< 0: not known
};
[[nodiscard]] OwnProcess own_process();

}  // namespace tensorpool::inline v0::os
