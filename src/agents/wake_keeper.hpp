// Keeps the words by which one producer wakes its consumers: made once there is a media driver, in
// whose directory they lie, for each epoch anew, and again after the directory was. Decision:
// docs/adr/0030.
//
// Thread contract: want() and words() the producer's thread; everything else the control thread.
// Precondition of destruction: the producer's thread calls no more.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "bus/handoff.hpp"
#include "os/wake_file.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::agents {

class WakeKeeper {
 public:
  /// `directory`: that of the media driver.
  explicit WakeKeeper(std::string directory) : directory_(std::move(directory)) {}

  /// What is written from now on.
  void want(std::uint32_t stream_id, std::uint64_t epoch) noexcept {
    stream_id_.store(stream_id, std::memory_order_relaxed);
    epoch_.store(epoch, std::memory_order_release);  // sync(wake-wanted): publish
  }
  /// Null while there are none. Those of the epoch before, for a moment, wake nobody.
  [[nodiscard]] layout::WakeWords* words() noexcept {
    const os::WakeFile* const file = files_.current();
    return file == nullptr ? nullptr : &file->words();
  }

  /// `has_driver`: there is a media driver in the directory.
  int do_work(Nanos now, bool has_driver);

 private:
  static constexpr Nanos kLookPeriod = std::chrono::seconds(1);

  std::string directory_;
  std::atomic<std::uint32_t> stream_id_{0};
  std::atomic<std::uint64_t> epoch_{0};  // 0: none yet
  bus::Handoff<os::WakeFile> files_;
  std::uint64_t tried_for_ = 0;
  Nanos look_at_{};
};

}  // namespace tensorpool::inline v0::agents
