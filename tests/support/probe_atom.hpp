// An Atom policy that writes down the edges it passes and can do something in the middle of one:
// for tests that have to overwrite a slot while it is read, or to count fences.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "base/atomics.hpp"

namespace tensorpool::test {

struct ProbeAtom {
  using Word = std::uint64_t;
  using Edge = base::Edge;

  /// What the present test has asked for and seen. One test at a time.
  struct Probe {
    std::vector<Edge> seen;
    Edge at{};
    std::function<void()> action;  ///< done once, just before the operation of edge `at`

    [[nodiscard]] std::size_t count(Edge edge) const {
      return static_cast<std::size_t>(std::count(seen.begin(), seen.end(), edge));
    }
    void before(Edge edge, std::function<void()> what) {
      at = edge;
      action = std::move(what);
    }
  };
  static Probe& probe() {
    static Probe instance;
    return instance;
  }

  template <Edge kEdge>
  static Word load_relaxed(const Word& word) noexcept {
    pass(kEdge);
    return __atomic_load_n(&word, __ATOMIC_RELAXED);
  }
  template <Edge kEdge>
  static Word load_acquire(const Word& word) noexcept {
    pass(kEdge);
    return __atomic_load_n(&word, __ATOMIC_ACQUIRE);
  }
  template <Edge kEdge>
  static void store_relaxed(Word& word, Word value) noexcept {
    pass(kEdge);
    __atomic_store_n(&word, value, __ATOMIC_RELAXED);
  }
  template <Edge kEdge>
  static void store_release(Word& word, Word value) noexcept {
    pass(kEdge);
    __atomic_store_n(&word, value, __ATOMIC_RELEASE);
  }
  template <Edge kEdge>
  static void fence_acquire() noexcept {
    pass(kEdge);
  }
  template <Edge kEdge>
  static void fence_release() noexcept {
    pass(kEdge);
  }
  template <Edge kEdge>
  static void store_fence() noexcept {
    pass(kEdge);
  }
  template <Edge>
  static constexpr bool passes(bool condition) noexcept {
    return condition;
  }

 private:
  static void pass(Edge edge) {
    Probe& here = probe();
    if (here.action && here.at == edge) {
      // Taken out first: what the action does passes edges too.
      std::exchange(here.action, nullptr)();
    }
    here.seen.push_back(edge);
  }
};

}  // namespace tensorpool::test
