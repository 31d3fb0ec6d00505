// Atom policies for the model checker: the shipping templates of core/ring over Relacy's atomics,
// with the orders of base/atomics.hpp, one of which can be taken away.
//
// Thread contract: one thread; Relacy runs its threads as fibres.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/atomics.hpp"
#include "base/fixed_vector.hpp"
#include "model/relacy.hpp"

namespace tensorpool::model {

using base::Edge;
inline constexpr std::size_t kEdges = base::kEdgeCount;

/// How a mutant takes something away at an edge.
enum class Removal : std::uint8_t {
  kOrder,  ///< acquire or release becomes relaxed
  kFence,  ///< the fence is left out
  kCheck,  ///< the check always passes
  kStore,  ///< the store is left out
};
inline constexpr std::size_t kRemovals = 4;

struct Mutation {
  Edge edge{};
  Removal removal{};
  friend bool operator==(const Mutation&, const Mutation&) = default;
};

/// What is removed in this run, and what of the protocol was there to be removed. Plain arrays:
/// Relacy takes memory that outlives an execution for a leak.
struct Surgery {
  std::optional<Mutation> removed;
  std::array<std::array<bool, kRemovals>, kEdges> met{};

  [[nodiscard]] bool removes(Edge edge, Removal removal) {
    met[static_cast<std::size_t>(edge)][static_cast<std::size_t>(removal)] = true;
    return removed == Mutation{edge, removal};
  }
};
inline Surgery surgery;

/// What readers accepted in all executions of a run.
inline std::uint64_t accepted = 0;

[[nodiscard]] constexpr rl::memory_order relacy_order(std::memory_order order) {
  return order == std::memory_order_acquire   ? rl::mo_acquire
         : order == std::memory_order_release ? rl::mo_release
                                              : rl::mo_relaxed;
}

template <class Orders>
struct RelacyAtom {
  using Word = rl::atomic<std::uint64_t>;

  template <Edge kEdge>
  static std::uint64_t load_relaxed(const Word& word) {
    return word.load(order<kEdge>(Orders::kRelaxedLoad), RL_INFO);
  }
  template <Edge kEdge>
  static std::uint64_t load_acquire(const Word& word) {
    return word.load(order<kEdge>(std::memory_order_acquire), RL_INFO);
  }
  template <Edge kEdge>
  static void store_relaxed(Word& word, std::uint64_t value) {
    const rl::memory_order order_here = order<kEdge>(Orders::kRelaxedStore);
    if (kEdge != Edge::kBeginStore || !surgery.removes(kEdge, Removal::kStore)) {
      word.store(value, order_here, RL_INFO);
    }
  }
  template <Edge kEdge>
  static void store_release(Word& word, std::uint64_t value) {
    word.store(value, order<kEdge>(std::memory_order_release), RL_INFO);
  }
  template <Edge kEdge>
  static void fence_acquire() {
    fence<kEdge>(rl::mo_acquire);
  }
  template <Edge kEdge>
  static void fence_release() {
    fence<kEdge>(rl::mo_release);
  }
  template <Edge kEdge>
  static void store_fence() {}  // nothing is streamed here: see StreamingAtom
  template <Edge kEdge>
  static void store_then_fence(Word& word, std::uint64_t value) {
    if (surgery.removes(kEdge, Removal::kFence)) {
      word.store(value, relacy_order(Orders::kRelaxedStore), RL_INFO);
    } else if (Orders::kFences) {
      word.store(value, rl::mo_relaxed, RL_INFO);
      rl::atomic_thread_fence(rl::mo_seq_cst, RL_INFO);
    } else {
      word.exchange(value, exchange_order<kEdge>(), RL_INFO);
    }
  }
  template <Edge kEdge>
  static std::uint64_t fence_then_load(Word& word) {
    if (surgery.removes(kEdge, Removal::kFence)) {
      return word.load(relacy_order(Orders::kRelaxedLoad), RL_INFO);
    }
    if (Orders::kFences) {
      rl::atomic_thread_fence(rl::mo_seq_cst, RL_INFO);
      return word.load(rl::mo_relaxed, RL_INFO);
    }
    return word.fetch_add(0, exchange_order<kEdge>(), RL_INFO);
  }
  template <Edge kEdge>
  static bool passes(bool condition) {
    return surgery.removes(kEdge, Removal::kCheck) || condition;
  }

 private:
  template <Edge kEdge>
  static rl::memory_order exchange_order() {
    return surgery.removes(kEdge, Removal::kOrder) ? rl::mo_relaxed : rl::mo_acq_rel;
  }
  template <Edge kEdge>
  static rl::memory_order order(std::memory_order wanted) {
    const bool weakened =
        wanted != std::memory_order_relaxed && surgery.removes(kEdge, Removal::kOrder);
    return weakened ? rl::mo_relaxed : relacy_order(wanted);
  }
  template <Edge kEdge>
  static void fence(rl::memory_order wanted) {
    if (Orders::kFences && !surgery.removes(kEdge, Removal::kFence)) {
      rl::atomic_thread_fence(wanted, RL_INFO);
    }
  }
};

/// A processor whose payload stores are non-temporal: they become visible in any order, before
/// plain stores that precede them and after plain stores that follow, and only a store fence keeps
/// them in place. Plain stores among themselves stay in order, as on x86.
template <class Orders>
struct StreamingAtom : RelacyAtom<Orders> {
  using Base = RelacyAtom<Orders>;
  using typename Base::Word;

  /// Stores that have been executed and are not visible yet.
  struct Store {
    Word* word = nullptr;
    std::uint64_t value = 0;
  };
  struct Pending {
    std::optional<Store> begin;
    base::FixedVector<Store, 8> payload;
  };
  static Pending& pending() {
    static Pending instance;
    return instance;
  }

  template <Edge kEdge>
  static void store_relaxed(Word& word, std::uint64_t value) {
    if constexpr (kEdge == Edge::kBeginStore) {
      release_payload(/*all=*/false);
      pending().begin = Store{&word, value};
    } else if constexpr (kEdge == Edge::kPayloadStore) {
      if (rl::rand(2) == 0) {
        release_begin();
      }
      pending().payload.push_back({&word, value});
      release_payload(/*all=*/false);
    } else {
      release_begin();
      Base::template store_relaxed<kEdge>(word, value);
      release_payload(/*all=*/false);
    }
  }
  template <Edge kEdge>
  static void store_release(Word& word, std::uint64_t value) {
    release_begin();
    Base::template store_release<kEdge>(word, value);
    release_payload(/*all=*/false);
  }
  template <Edge kEdge>
  static void store_fence() {
    if (!surgery.removes(kEdge, Removal::kFence)) {
      release_begin();
      release_payload(/*all=*/true);
    }
  }
  /// The processor gets round to everything in the end.
  static void quiesce() {
    release_begin();
    release_payload(/*all=*/true);
  }

 private:
  static void release_begin() {
    if (auto& begin = pending().begin) {
      const auto [word, value] = *begin;
      begin.reset();
      Base::template store_relaxed<Edge::kBeginStore>(*word, value);
      rl::atomic_thread_fence(rl::mo_release, RL_INFO);  // later plain stores stay behind it
    }
  }
  static void release_payload(bool all) {
    const auto waiting = std::exchange(pending().payload, {});
    for (const Store& store : waiting) {
      if (all || rl::rand(2) == 0) {
        store.word->store(store.value, rl::mo_relaxed, RL_INFO);
      } else {
        pending().payload.push_back(store);
      }
    }
  }
};

}  // namespace tensorpool::model
