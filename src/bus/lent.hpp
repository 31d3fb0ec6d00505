// hot-path: any() is one load of a line that is seldom written; use() costs an exchange, a load and
// a store more. No allocation, no system call, nobody waits.
//
// Lends an object of the control thread to one data thread, and gets it back without the data
// thread's help: where that does nothing for a long time, what was replaced can be closed all the
// same. A Handoff is cheaper to use and gives back only at the next use.
//
// Invariants. (1) The data thread uses an object only inside use(), between storing `in_use_` and
// clearing it. (2) Whoever finds `in_use_` clear after replacing the object knows that the old one
// will not be used again: of the exchange of one side and the load of the other, in either order,
// one sees the other (both are sequentially consistent). (3) Neither side waits for the other.
//
// Thread contract: offer, collect and destruction: control thread. any, use: one data thread.
// Precondition of destruction: the data thread calls no more.
#pragma once

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

namespace tensorpool::inline v0::bus {

template <class T>
class Lent {
 public:
  Lent() = default;
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;

  /// Replaces the object; null: there is none from now on.
  void offer(std::unique_ptr<T> object) {
    offered_.store(object.get(), std::memory_order_seq_cst);  // sync(lent-offer): publish
    if (object_ != nullptr) {
      replaced_.push_back(std::move(object_));
    }
    object_ = std::move(object);
  }

  /// Destroys what was replaced. False while the data thread may be using it: try again later.
  bool collect() noexcept {
    if (replaced_.empty()) {
      return true;
    }
    // sync(lent-use): observe. The last use of what was replaced lies before.
    if (in_use_.load(std::memory_order_seq_cst)) {
      return false;
    }
    replaced_.clear();
    return true;
  }

  /// What was offered last. Control thread.
  [[nodiscard]] T* newest() const noexcept { return object_.get(); }

  /// Data thread. False while there is nothing to use.
  [[nodiscard]] bool any() const noexcept {
    return offered_.load(std::memory_order_relaxed) != nullptr;
  }

  /// Data thread. Calls `user(T&)` with the object, if there is one.
  template <class User>
  void use(User&& user) noexcept {
    static_cast<void>(in_use_.exchange(true, std::memory_order_seq_cst));
    // sync(lent-offer): observe.
    if (T* const object = offered_.load(std::memory_order_seq_cst)) {
      user(*object);
    }
    in_use_.store(false, std::memory_order_release);  // sync(lent-use): publish
  }

 private:
  std::atomic<T*> offered_{nullptr};
  std::atomic<bool> in_use_{false};
  std::unique_ptr<T> object_;  // control thread, as the next
  std::vector<std::unique_ptr<T>> replaced_;
};

}  // namespace tensorpool::inline v0::bus
