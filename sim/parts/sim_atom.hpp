// hot-path: every access of shared memory in a simulated run.
//
// The `Atom` policy and the copier of the simulator. Each load and store is a step: before it
// happens, any other process may run, and a process may die between any two of its stores.
//
// The steps are sequentially consistent; weaker orders are the model checker's task (tests/model).
//
// Thread contract: one simulated run per thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "base/atomics.hpp"
#include "base/mark.hpp"
#include "core/copy.hpp"

namespace tensorpool::inline v0::sim {

using base::Edge;

/// A process as shared memory sees it.
struct Process {
  static constexpr std::uint64_t kImmortal = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t stores_left = kImmortal;  ///< until it is killed
  bool dead = false;
  bool inside_frame = false;  ///< between IN_PROGRESS and COMMITTED
};

/// Counts the steps of a run and lets others in between.
class Steps {
 public:
  /// Runs others, in the middle of what the present process is doing.
  class Preemptor {
   public:
    Preemptor() = default;
    Preemptor(const Preemptor&) = delete;
    Preemptor& operator=(const Preemptor&) = delete;
    virtual void preempt() noexcept = 0;

   protected:
    ~Preemptor() = default;
  };

  /// A planted bug: the check or the store of this edge is left out. For the simulator's own tests.
  struct Mutant {
    bool planted = false;
    Edge edge{};
  };

  void load() noexcept { tick(); }

  /// True when the store of the present process takes place.
  [[nodiscard]] bool store(Edge edge) noexcept {
    if ((mutant.planted && mutant.edge == edge) || !acts()) [[unlikely]] {
      return false;
    }
    process_->inside_frame =
        edge == Edge::kBeginStore || (process_->inside_frame && edge != Edge::kCommitStore);
    return true;
  }
  /// True when the message of the present process is sent: a process dies there too.
  [[nodiscard]] bool message() noexcept { return acts(); }
  /// True when the system call of the present process takes place.
  [[nodiscard]] bool system_call() noexcept { return acts(); }

  /// `process` runs from now on; returns the one that ran so far.
  Process* enter(Process* process) noexcept { return std::exchange(process_, process); }
  [[nodiscard]] const Process* running() const noexcept { return process_; }

  void preempt_by(Preemptor* preemptor) noexcept { preemptor_ = preemptor; }
  /// The next preemption comes before the `steps`-th step from now, `steps` > 0.
  void preempt_after(std::uint64_t steps) noexcept {
    taken_ += planned_ - left_;
    planned_ = left_ = steps;
  }
  [[nodiscard]] std::uint64_t taken() const noexcept { return taken_ + planned_ - left_; }

  Mutant mutant;

 private:
  [[nodiscard]] bool acts() noexcept {
    tick();
    if (process_->dead) [[unlikely]] {
      return false;
    }
    if (process_->stores_left-- == 0) [[unlikely]] {
      process_->dead = true;
      if (process_->inside_frame) {
        TP_MARK("killed between IN_PROGRESS and COMMITTED");
      }
      return false;
    }
    return true;
  }
  void tick() noexcept {
    if (--left_ == 0) [[unlikely]] {
      preemptor_->preempt();  // plans the next one
    }
  }

  Process* process_ = nullptr;
  Preemptor* preemptor_ = nullptr;
  std::uint64_t planned_ = 0;
  std::uint64_t left_ = 0;
  std::uint64_t taken_ = 0;
};

inline constinit thread_local Steps* steps = nullptr;

struct SimAtom {
  using Word = std::uint64_t;

  template <Edge>
  [[nodiscard]] static Word load_relaxed(const Word& word) noexcept {
    steps->load();
    return word;
  }
  template <Edge>
  [[nodiscard]] static Word load_acquire(const Word& word) noexcept {
    steps->load();
    return word;
  }
  template <Edge kEdge>
  static void store_relaxed(Word& word, Word value) noexcept {
    if (steps->store(kEdge)) [[likely]] {
      word = value;
    }
  }
  template <Edge kEdge>
  static void store_release(Word& word, Word value) noexcept {
    store_relaxed<kEdge>(word, value);
  }
  template <Edge>
  static void fence_acquire() noexcept {}
  template <Edge>
  static void fence_release() noexcept {}
  template <Edge>
  static void store_fence() noexcept {}
  template <Edge kEdge>
  [[nodiscard]] static bool passes(bool condition) noexcept {
    return condition || (steps->mutant.planted && steps->mutant.edge == kEdge);
  }
};

/// Copies word by word, a step each.
struct SimCopier {
  static void in(std::byte* to, const std::byte* from, std::size_t bytes,
                 core::CopyKind /*kind*/) noexcept {
    for (std::size_t k = 0; k < bytes; k += sizeof(SimAtom::Word)) {
      if (steps->store(Edge::kPayloadStore)) [[likely]] {
        std::memcpy(to + k, from + k, std::min(bytes - k, sizeof(SimAtom::Word)));
      }
    }
  }
  static void out(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
    for (std::size_t k = 0; k < bytes; k += sizeof(SimAtom::Word)) {
      steps->load();
      std::memcpy(to + k, from + k, std::min(bytes - k, sizeof(SimAtom::Word)));
    }
  }
};

}  // namespace tensorpool::inline v0::sim
