// hot-path: is_asked() is one load of a line that is seldom written, and a branch.
//
// What one thread knows, told to another when that asks for it: a copy of many numbers now and then
// instead of a store for each of them all the time. The asked thread answers when it comes by,
// which may be never.
//
// Invariant. `value_` is the data thread's while `asked_` is set, and the control thread's while it
// is not.
//
// Thread contract: is_asked, answer: one data thread. ask, collect: the control thread.
#pragma once

#include <atomic>
#include <type_traits>

namespace tensorpool::inline v0::agents {

template <class T>
class Readout {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  [[nodiscard]] bool is_asked() const noexcept {
    return asked_.load(std::memory_order_acquire);  // sync(readout-asked): observe
  }
  /// Precondition: is_asked().
  void answer(const T& value) noexcept {
    value_ = value;
    asked_.store(false, std::memory_order_release);  // sync(readout-answered): publish
  }

  /// Once the last question was answered, or before the first; else nothing happens.
  void ask() noexcept {
    if (!open_) {
      open_ = true;
      asked_.store(true, std::memory_order_release);  // sync(readout-asked): publish
    }
  }
  /// True when `out` is the answer, once.
  bool collect(T& out) noexcept {
    if (!open_ || asked_.load(std::memory_order_acquire)) {  // sync(readout-answered): observe
      return false;
    }
    open_ = false;
    out = value_;
    return true;
  }

 private:
  std::atomic<bool> asked_{false};
  T value_{};
  bool open_ = false;  // control thread: asked, and the answer not collected
};

}  // namespace tensorpool::inline v0::agents
