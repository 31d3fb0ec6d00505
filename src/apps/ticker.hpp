// Showing what a busy thread does without holding it up.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps {

/// The newest value of something, handed from a busy thread to one that shows it.
/// Thread contract: any thread; `offer` never waits.
template <class T>
class Snapshot {
  static_assert(std::is_copy_assignable_v<T>);

 public:
  void offer(const T& value) {
    if (const std::unique_lock lock(mutex_, std::try_to_lock); lock) {
      value_ = value;
    }
  }
  [[nodiscard]] T load() {
    const std::scoped_lock lock(mutex_);
    return value_;
  }

 private:
  std::mutex mutex_;
  T value_{};
};

/// Calls a function again and again, on a thread of its own that takes no signals, until it goes.
class Ticker {
 public:
  Ticker(Nanos period, std::function<void()> tick);
  ~Ticker();
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace tensorpool::inline v0::apps
