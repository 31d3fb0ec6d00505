// Which keepalives of unknown leases are answered by a notice, so that clients of an earlier life
// of the driver learn at once that their leases are gone.
//
// One notice for each lease id among the last kRemembered, and at most kPerSecond: whoever invents
// lease ids cannot crowd out the driver's other messages. A client that had to go without hears at
// its next keepalive; so does one whose notice came to nobody, as when it is the first thing that a
// driver says, and its publication not yet connected. Never allocates.
//
// Thread contract: one thread at a time; `now` never decreases. Spec: §2.10 (D157, D158).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::driver {

class UnknownLeases {
 public:
  static constexpr std::size_t kRemembered = 1024;
  static constexpr std::uint32_t kPerSecond = 1000;

  /// Whether a notice for `lease_id` is to be sent now; it is remembered if so.
  [[nodiscard]] bool admit(std::uint64_t lease_id, Nanos now) noexcept {
    if (std::find(told_.begin(), told_.end(), lease_id) != told_.end()) {
      return false;
    }
    if (now - window_start_ >= std::chrono::seconds(1)) {
      window_start_ = now;
      sent_in_window_ = 0;
    }
    if (sent_in_window_ == kPerSecond) {
      return false;
    }
    ++sent_in_window_;
    told_[next_] = lease_id;
    next_ = (next_ + 1) % kRemembered;
    return true;
  }
  /// The notice for this lease was not sent after all.
  void forget(std::uint64_t lease_id) noexcept {
    if (const auto told = std::find(told_.begin(), told_.end(), lease_id); told != told_.end()) {
      told->reset();
    }
  }

 private:
  std::array<std::optional<std::uint64_t>, kRemembered> told_{};
  std::size_t next_ = 0;
  Nanos window_start_{};
  std::uint32_t sent_in_window_ = 0;
};

}  // namespace tensorpool::inline v0::core::driver
