// Does a received frame show exactly the ramp that `tp pub --sim ramp` publishes?
//
// Element i of frame f is f + i, modulo 65536 (256 for types of one byte, 2 for booleans). A frame
// whose elements do not rise one by one is a mixture of frames; one whose first element does not
// fit its number is another frame than it says. Pure but for what it remembers of the first frame.
// Thread contract: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::inline v0::apps {

/// The number f, modulo the period, of a whole and dense ramp; nothing for any other frame.
[[nodiscard]] std::optional<std::uint64_t> ramp_start(const TensorInfo& info,
                                                      std::span<const std::byte> bytes) noexcept;

class RampCheck {
 public:
  enum class Verdict : std::uint8_t {
    kRight,
    kTorn,        ///< no ramp: bytes of several frames, or of something else
    kMisnumbered  ///< a ramp, but that of another frame
  };

  /// `epoch` and `seq` are those of the frame. The first ramp of an epoch tells where it started.
  [[nodiscard]] Verdict check(const TensorInfo& info, std::span<const std::byte> bytes,
                              std::uint64_t epoch, std::uint64_t seq) noexcept;

  [[nodiscard]] std::uint64_t checked() const noexcept { return checked_; }
  [[nodiscard]] std::uint64_t torn() const noexcept { return torn_; }
  [[nodiscard]] std::uint64_t misnumbered() const noexcept { return misnumbered_; }

 private:
  std::uint64_t checked_ = 0;
  std::uint64_t torn_ = 0;
  std::uint64_t misnumbered_ = 0;
  std::uint64_t epoch_ = 0;
  std::optional<std::uint64_t> offset_;  // start minus sequence, modulo the period
};

}  // namespace tensorpool::inline v0::apps
