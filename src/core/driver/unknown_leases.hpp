// Which keepalives of unknown leases are answered by a notice, so that clients of an earlier life
// of the driver learn at once that their leases are gone.
//
// One notice for each lease id among the last kRemembered, and at most kPerSecond: whoever invents
// lease ids cannot crowd out the driver's other messages. A client that had to go without hears at
// its next keepalive. Never allocates.
//
// Thread contract: one thread at a time; `now` never decreases. Spec: §2.10 (D157, D158).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::driver {

class UnknownLeases {
 public:
  static constexpr std::size_t kRemembered = 1024;
  static constexpr std::uint32_t kPerSecond = 1000;

  /// Whether a notice for `lease_id` is to be sent now; it is remembered if so.
  [[nodiscard]] bool admit(std::uint64_t lease_id, Nanos now) noexcept {
    const auto end = told_.begin() + static_cast<std::ptrdiff_t>(size_);
    if (std::find(told_.begin(), end, lease_id) != end) {
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
    size_ = std::min(size_ + 1, kRemembered);
    return true;
  }

 private:
  std::array<std::uint64_t, kRemembered> told_{};
  std::size_t next_ = 0;
  std::size_t size_ = 0;
  Nanos window_start_{};
  std::uint32_t sent_in_window_ = 0;
};

}  // namespace tensorpool::inline v0::core::driver
