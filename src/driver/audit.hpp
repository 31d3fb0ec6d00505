// One line for each decision about a lease: attach, refusal, detach, end; and what keeps those who
// send messages by the million from filling a disk with them.
//
// Thread contract: one thread at a time; `now` never decreases.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "core/driver/actions.hpp"
#include "tensorpool/log.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::driver {

/// `attach: producer of stream 20000, client 77: lease 12, epoch 9, node 3`, or
/// `refused: producer of stream 20000, client 77: REJECTED producer already attached`.
[[nodiscard]] std::string audit_line(const core::driver::AttachAnswer& answer);
/// `detach: ...`, or `refused: detach ...`.
[[nodiscard]] std::string audit_line(const core::driver::DetachAnswer& answer);
/// `lease 12 ended: producer of stream 20000, client 77: EXPIRED lease expired`; for a lease that
/// never was `refused: keepalive of ...`.
[[nodiscard]] std::string audit_line(const core::driver::LeaseNotice& notice);

/// How many lines may be written: `burst` at once, and `per_second` in the long run.
class LineBudget {
 public:
  struct Options {
    std::uint32_t burst = 1;
    std::uint32_t per_second = 1;
  };
  explicit LineBudget(const Options& options) noexcept : options_(options), lines_(options.burst) {}

  /// Takes a line, or counts that there was none.
  [[nodiscard]] bool take(Nanos now) noexcept {
    refill(now);
    if (lines_ == 0) {
      ++suppressed_;
      return false;
    }
    --lines_;
    return true;
  }
  /// How many lines were left out, once there is one to say it with; else 0.
  [[nodiscard]] std::uint64_t take_suppressed(Nanos now) noexcept {
    refill(now);
    if (suppressed_ == 0 || lines_ == 0) {
      return 0;
    }
    --lines_;
    return std::exchange(suppressed_, 0);
  }

 private:
  void refill(Nanos now) noexcept;

  Options options_;
  std::uint32_t lines_;
  std::uint64_t suppressed_ = 0;
  Nanos refilled_at_{};
};

/// Writes audit lines. Two budgets: whoever is refused all the time does not cost others theirs.
class AuditLog {
 public:
  /// A hundred megabytes a day, if somebody sets his mind to it.
  static constexpr LineBudget::Options kRefusals{.burst = 200, .per_second = 10};
  /// Room for a thousand streams with ten consumers each that attach at once.
  static constexpr LineBudget::Options kChanges{.burst = 20'000, .per_second = 100};

  static constexpr Nanos kReportPeriod = std::chrono::seconds(10);

  /// `sink` may be empty.
  explicit AuditLog(LogSink sink) : sink_(std::move(sink)) {}

  void write(const core::driver::AttachAnswer& answer, Nanos now);
  void write(const core::driver::DetachAnswer& answer, Nanos now);
  void write(const core::driver::LeaseNotice& notice, Nanos now);
  /// What people have done over the admin socket, and what they were refused.
  void write_request(std::string_view line, bool refused, Nanos now);
  /// Says how many lines were left out, every kReportPeriod.
  void poll(Nanos now);

 private:
  template <class Line>
  void write(LineBudget& budget, Nanos now, const Line& line) {
    if (sink_ && budget.take(now)) {
      sink_(LogLevel::kInfo, line());
    }
  }

  LogSink sink_;
  LineBudget refusals_{kRefusals};
  LineBudget changes_{kChanges};
  Nanos report_at_{};
};

/// Which epochs somebody was warned of (D232). Remembers kMax of them; beyond, there are no more
/// warnings.
class WarnedOf {
 public:
  static constexpr std::size_t kMax = 1024;

  [[nodiscard]] bool admit(std::uint32_t stream_id, std::uint64_t epoch) {
    return known_.size() < kMax && known_.emplace(stream_id, epoch).second;
  }

 private:
  std::set<std::pair<std::uint32_t, std::uint64_t>> known_;
};

}  // namespace tensorpool::inline v0::driver
