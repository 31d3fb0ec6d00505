// A consumer in the test's own process that outlives everybody: sees what readers see while others
// die. Thread contract: looked at by one thread; polls on its own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "apps/ramp_check.hpp"
#include "chaos/identity.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::chaos {

class Observer {
 public:
  using Clock = std::chrono::steady_clock;

  /// Follows the stream `name` of the driver in `aeron_dir`, which need not be there yet.
  Observer(const std::string& name, const std::string& aeron_dir, const std::string& shm_dir);
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  ~Observer();

  /// Epoch of the newest frame, 0 before the first; and when it came.
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_.load(); }
  [[nodiscard]] Clock::time_point last_frame_at() const noexcept { return last_frame_at_.load(); }
  [[nodiscard]] std::uint64_t frames() const noexcept { return frames_.load(); }

  struct Findings {
    std::uint64_t frames = 0;
    std::uint64_t torn = 0;        ///< valid after use, and not the ramp of its number
    std::uint64_t backwards = 0;   ///< an epoch or a number that is not above the one before
    std::uint64_t unbalanced = 0;  ///< polls after which the accounting identity did not hold
  };
  /// Ends it.
  [[nodiscard]] Findings finish();

  /// What readers noticed of something that happened to others.
  struct Noticed {
    Clock::duration silence{};      ///< the longest pause between two frames
    std::vector<std::string> told;  ///< what the library told, without repetitions
  };
  /// What ended, or was told, in this span.
  [[nodiscard]] Noticed noticed(Clock::time_point from, Clock::time_point to);

 private:
  void run(Consumer consumer);
  void take(const FrameView& frame);
  void hear(const ConsumerEvent& event);
  void note(std::string line);

  struct Pause {
    Clock::time_point end;
    Clock::duration span{};
  };
  struct Told {
    Clock::time_point at;
    std::string text;
  };

  std::mutex mutex_;
  std::vector<Pause> pauses_;
  std::vector<Told> told_;
  std::vector<Told> history_;  // everything, for a test that fails
  std::atomic<std::uint64_t> epoch_{0};
  std::atomic<std::uint64_t> frames_{0};
  std::atomic<Clock::time_point> last_frame_at_{Clock::time_point{}};
  std::atomic<bool> ending_{false};
  apps::RampCheck ramp_;
  Identity identity_;
  std::uint64_t last_seq_ = 0;
  Findings findings_;
  std::optional<Client> client_;
  std::thread thread_;
};

}  // namespace tensorpool::chaos
