// hot-path: current() is one load that is always shared, and one branch.
//
// Hands objects from the control thread to one data thread, and back when they are replaced.
//
// The control thread makes and destroys publications and subscriptions; a data thread may be in the
// middle of using one at any moment. So the control thread only offers: the data thread takes the
// new object at its next call and puts the old one on a pile, from which the control thread
// destroys it. Offering null withdraws the present one the same way.
//
// Invariants. (1) An object is used by the data thread only between taking it and piling it.
// (2) It is destroyed only by the control thread, and only from the pile, from the offer that was
// never taken, or by close(). (3) Neither side waits for the other.
//
// Thread contract: offer, collect, newest, close and destruction: control thread. current(): one
// data thread. Precondition of close and destruction: the data thread calls no more.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

namespace tensorpool::inline v0::bus {

template <class T>
class Handoff {
 public:
  Handoff() = default;
  Handoff(const Handoff&) = delete;
  Handoff& operator=(const Handoff&) = delete;
  ~Handoff() { close(); }

  /// Control thread. Replaces what the data thread has, and an offer that it has not taken yet.
  void offer(std::unique_ptr<T> object) {
    newest_ = object.get();
    // sync(handoff-offer): publish. Acquire, because an untaken offer comes back to be destroyed.
    delete offered_.exchange(new Node{.object = std::move(object)}, std::memory_order_acq_rel);
  }

  /// Control thread. Destroys what the data thread gave back.
  void collect() noexcept {
    // sync(handoff-return): observe. The data thread's last use lies before.
    Node* pile = returned_.exchange(nullptr, std::memory_order_acquire);
    while (pile != nullptr) {
      delete std::exchange(pile, pile->next);
    }
  }

  /// Control thread. What was offered last; null when that was null.
  [[nodiscard]] T* newest() const noexcept { return newest_; }

  /// Control thread. Destroys everything.
  void close() noexcept {
    collect();
    delete offered_.exchange(nullptr, std::memory_order_acquire);
    delete std::exchange(in_use_, nullptr);
    newest_ = nullptr;
  }

  /// Data thread. What to use until the next call; null when there is nothing.
  [[nodiscard]] T* current() noexcept {
    if (offered_.load(std::memory_order_relaxed) != nullptr) [[unlikely]] {
      take();
    }
    return in_use_ == nullptr ? nullptr : in_use_->object.get();
  }

 private:
  struct Node {
    std::unique_ptr<T> object;
    Node* next = nullptr;
  };

  [[gnu::cold, gnu::noinline]] void take() noexcept {
    // sync(handoff-offer): observe. Null when the control thread has just taken it back.
    Node* next = offered_.exchange(nullptr, std::memory_order_acquire);
    if (next == nullptr) {
      return;
    }
    Node* old = std::exchange(in_use_, next);
    if (old != nullptr) {
      // Only this thread pushes, so the pile can change under us only by being emptied.
      old->next = returned_.load(std::memory_order_relaxed);
      // sync(handoff-return): publish.
      while (!returned_.compare_exchange_weak(old->next, old, std::memory_order_release,
                                              std::memory_order_relaxed)) {
      }
    }
  }

  std::atomic<Node*> offered_{nullptr};
  std::atomic<Node*> returned_{nullptr};
  Node* in_use_ = nullptr;  // data thread
  T* newest_ = nullptr;     // control thread
};

}  // namespace tensorpool::inline v0::bus
