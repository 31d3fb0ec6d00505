// Removes what earlier lives of a stream have left behind: before a new epoch is created, so that
// its space counts as free, and again while something is left that was too fresh or whose owner
// still ran. Spec: §1.21 (W416..W423).
//
// Thread contract: one thread at a time.
#pragma once

#include <cstdint>

#include "os/clean_epochs.hpp"
#include "tensorpool/log.hpp"

namespace tensorpool::inline v0::agents {

class EpochCleaner {
 public:
  /// `options.now` is not used. `log` may be empty.
  EpochCleaner(os::CleanOptions options, LogSink log)
      : options_(std::move(options)), log_(std::move(log)) {}

  /// The epoch that the owner has created meanwhile, which stays.
  void set_current_epoch(std::uint64_t epoch) noexcept { options_.current_epoch = epoch; }

  /// Looks now, and decides whether and when to look again.
  void clean(const base::Now& now);
  /// Looks when it is time.
  void poll(const base::Now& now) {
    if (now.mono >= look_at_) {
      clean(now);
    }
  }

 private:
  os::CleanOptions options_;
  LogSink log_;
  Nanos look_at_ = Nanos::max();
};

}  // namespace tensorpool::inline v0::agents
