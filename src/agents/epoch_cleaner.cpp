#include "agents/epoch_cleaner.hpp"

#include <algorithm>
#include <string>

#include "os/syscalls.hpp"

namespace tensorpool::inline v0::agents {

void EpochCleaner::clean(const base::Now& now) {
  using Reason = os::CleanReport::Reason;
  options_.now = now;
  look_at_ = Nanos::max();
  const auto say = [this](LogLevel level, const std::string& line) {
    if (log_) {
      log_(level, line);
    }
  };
  const Result<os::CleanReport> report = os::clean_epochs(os::system_calls(), options_);
  if (!report) {
    say(LogLevel::kWarning, describe(report.error()));
    return;
  }
  for (const std::uint64_t epoch : report->removed) {
    say(LogLevel::kInfo, "removed epoch " + std::to_string(epoch) + " of stream " +
                             std::to_string(options_.place.stream_id) + ", whose producer is gone");
  }
  if (std::any_of(report->left.begin(), report->left.end(), [](const auto& left) {
        return left.reason == Reason::kFresh || left.reason == Reason::kOwnerAlive;
      })) {
    look_at_ = now.mono + options_.freshness_window;
  }
}

}  // namespace tensorpool::inline v0::agents
