// What quiet_peer measures: the data path of one process, with its system calls trapped.
//
//   quiet_peer AERON_DIR BASE_DIR standalone|driver|watched
//       publishes and reads on one thread; writes one QuietReport and ends; claims tell how far
//       they are, and `watched` (standalone) somebody wants to know it
#pragma once

#include <cstdint>

namespace tensorpool::test {

inline constexpr std::uint64_t kQuietFrames = 100'000;

/// What the data thread caused while it handled kQuietFrames frames, after a first lap.
struct QuietReport {
  std::uint64_t published = 0;
  std::uint64_t by_descriptor = 0;  ///< frames that poll handed out because a descriptor came
  std::uint64_t by_ring = 0;        ///< frames that a direct reader's poll handed out
  std::uint64_t by_next = 0;
  std::uint64_t by_latest = 0;
  std::uint64_t by_progress = 0;   ///< reports
  std::uint64_t told = 0;          ///< by the producer
  std::uint64_t system_calls = 0;  ///< other than reading a clock
  std::int64_t last_system_call = -1;
  std::uint64_t allocations = 0;
  bool allocations_counted = false;  ///< false under a sanitizer
  std::uint64_t page_faults = 0;     ///< in the best of kQuietRounds: the kernel has its own, too
  /// The same three after one deliberate system call, allocation and first touch of a page.
  std::uint64_t control_system_calls = 0;
  std::uint64_t control_allocations = 0;
  std::uint64_t control_page_faults = 0;
};

}  // namespace tensorpool::test
