// A piece of a camera frame as coloured blocks on a terminal.
//
// Thread contract: `Picture` is handed from the thread that receives frames to the one that draws.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tensorpool::inline v0::apps::demo {

/// Brightness of one corner of a frame: each cell is the mean of kCell x kCell pixels.
struct Picture {
  static constexpr std::size_t kCell = 4;
  static constexpr std::size_t kColumns = 72;  // nine spots
  static constexpr std::size_t kRows = 24;     // three spots
  std::array<std::uint16_t, kColumns * kRows> cells{};
};

/// Precondition: `frame` has the size of a demo frame.
void sample(std::span<const std::byte> frame, Picture& picture) noexcept;

/// Two rows of cells to a line; in colour, or in characters from blank to @.
[[nodiscard]] std::vector<std::string> draw(const Picture& picture, bool colour);

/// One picture that is asked for by one thread and taken by another, without waiting.
class PictureExchange {
 public:
  void ask() noexcept {
    int empty = kEmpty;
    state_.compare_exchange_strong(empty, kWanted, std::memory_order_relaxed);
  }
  [[nodiscard]] bool is_wanted() const noexcept {
    return state_.load(std::memory_order_relaxed) == kWanted;
  }
  /// Where a wanted picture goes; call `deliver` when it is good.
  [[nodiscard]] Picture& slot() noexcept { return picture_; }
  void deliver() noexcept { state_.store(kFilled, std::memory_order_release); }
  /// Copies a picture that is ready. False when there is none.
  [[nodiscard]] bool take(Picture& to) noexcept {
    if (state_.load(std::memory_order_acquire) != kFilled) {
      return false;
    }
    to = picture_;
    state_.store(kEmpty, std::memory_order_release);
    return true;
  }

 private:
  enum State : int { kEmpty, kWanted, kFilled };
  std::atomic<int> state_{kEmpty};
  Picture picture_;
};

}  // namespace tensorpool::inline v0::apps::demo
