// The atomic operations of the shared memory, and the only file that spells them.
//
// Purpose. Ring, superblock and queues name an `Atom` policy instead of std::atomic, so that one
// source runs on the hardware, under ThreadSanitizer, in the simulator and in the model checker. A
// policy has
//
//   Word                                 the shared 8-byte object
//   load_relaxed<E>, load_acquire<E>,
//   store_relaxed<E>, store_release<E>
//   fence_acquire<E>, fence_release<E>   the C++ fences of spec §1.9
//   store_fence<E>                       orders non-temporal stores, as no C++ fence does (W450)
//   store_then_fence<E>,                 the two halves of "I said so before I looked": of two
//   fence_then_load<E>                   threads that store and then load, one sees the other
//   passes<E>(condition)                 a check of the protocol; the identity but in mutants
//
// where E is the Edge that the operation belongs to. An edge is named at both of its ends in the
// code, `sync(name): publish` and `sync(name): observe`; the model checker removes one edge at a
// time and has to notice (tests/model).
//
// Thread contract: every function is a free function over one word and may be called from any
// thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace tensorpool::inline v0::base {

/// The ordering edges and checks of the shared-memory protocol. Spec: §1.9, §1.3.1.
enum class Edge : std::uint8_t {
  kBeginStore,        ///< W154: IN_PROGRESS into the commit word
  kBeginFence,        ///< W154: keeps payload and header stores behind it
  kBeginStoreFence,   ///< W450: the same for non-temporal stores
  kHeaderStore,       ///< W156: header words
  kPayloadStore,      ///< W155: payload words (models and simulator only)
  kCommitStoreFence,  ///< W450: non-temporal payload before COMMITTED
  kCommitStore,       ///< W157: COMMITTED into the commit word
  kFirstLoad,         ///< W164: first load of the commit word
  kFirstCheck,        ///< W164: LSB
  kSequenceCheck,     ///< W165
  kHeaderLoad,        ///< W166: header words into private memory
  kPayloadLoad,       ///< W174: payload words (models and simulator only)
  kSecondFence,       ///< W167: keeps the header loads before the second load
  kSecondLoad,        ///< W167
  kSecondCheck,       ///< W167
  kAfterUseFence,     ///< W170, W174: keeps payload loads before the load after use
  kAfterUseLoad,      ///< W170
  kAfterUseCheck,     ///< W170
  kPlausibleLoad,     ///< W257
  kFollowLoad,        ///< direct mode: next slot
  kAbortCommitCheck,  ///< direct mode: only a later COMMITTED frame proves an abort (W181)
  kAbortSeqCheck,     ///< direct mode: of this lap, not of the last
  kAbortAgainCheck,   ///< direct mode: and the number was not committed meanwhile
  kMagicStore,        ///< W16
  kMagicLoad,         ///< W17
  kActivityStore,     ///< W15
  kActivityLoad,      ///< W15
  kArm,               ///< ADR 30: a consumer that is about to sleep says so, then looks again
  kArmedLoad,         ///< ADR 30: the producer has committed, then looks whether anybody sleeps
  kDisarmStore,       ///< ADR 30: one wake for each arming
  kTicketStore,       ///< ADR 30: whoever armed before this is woken, or does not fall asleep
  kTicketLoad,        ///< ADR 30: read before arming
  kLookAgainCheck,    ///< ADR 30: whether a frame came between the last look and arming
};

/// How many there are.
inline constexpr unsigned kEdgeCount = static_cast<unsigned>(Edge::kLookAgainCheck) + 1;

namespace detail {

inline void order_streaming_stores() noexcept {
#if defined(__x86_64__)
  asm volatile("sfence" ::: "memory");
#elif defined(__aarch64__)
  asm volatile("dmb ishst" ::: "memory");
#else
#error "tensorpool: no store fence known for this processor (W450)"
#endif
}

}  // namespace detail

/// The orders of the product: relaxed words ordered by fences, exactly as spec §1.9 has it.
struct FenceOrders {
  static constexpr std::memory_order kRelaxedLoad = std::memory_order_relaxed;
  static constexpr std::memory_order kRelaxedStore = std::memory_order_relaxed;
  static constexpr bool kFences = true;
};

/// The orders under ThreadSanitizer, which does not model fences: every word carries the order
/// itself, so the same edges exist without a fence.
struct AcquireReleaseOrders {
  static constexpr std::memory_order kRelaxedLoad = std::memory_order_acquire;
  static constexpr std::memory_order kRelaxedStore = std::memory_order_release;
  static constexpr bool kFences = false;
};

/// The policy for memory that is shared in earnest. The model checker takes its orders from the
/// same `Orders` (tests/model).
template <class Orders>
struct HardwareAtom {
  using Word = std::uint64_t;
  static_assert(__atomic_always_lock_free(sizeof(Word), nullptr),
                "the commit word has to be lock-free (W158)");

  template <Edge>
  [[nodiscard]] static Word load_relaxed(const Word& word) noexcept {
    return __atomic_load_n(&word, static_cast<int>(Orders::kRelaxedLoad));
  }
  template <Edge>
  [[nodiscard]] static Word load_acquire(const Word& word) noexcept {
    return __atomic_load_n(&word, __ATOMIC_ACQUIRE);
  }
  template <Edge>
  static void store_relaxed(Word& word, Word value) noexcept {
    __atomic_store_n(&word, value, static_cast<int>(Orders::kRelaxedStore));
  }
  template <Edge>
  static void store_release(Word& word, Word value) noexcept {
    __atomic_store_n(&word, value, __ATOMIC_RELEASE);
  }
  template <Edge>
  static void fence_acquire() noexcept {
    fence<std::memory_order_acquire>();
  }
  template <Edge>
  static void fence_release() noexcept {
    fence<std::memory_order_release>();
  }
  template <Edge>
  static void store_fence() noexcept {
    detail::order_streaming_stores();
  }
  /// Stores; whatever this thread loads afterwards is loaded after the store is visible to all who
  /// use fence_then_load() of the same word. Without fences an exchange does it: the two exchanges
  /// of a word come one after the other, and the later one acquires from the earlier.
  template <Edge>
  static void store_then_fence(Word& word, Word value) noexcept {
    if constexpr (Orders::kFences) {
      __atomic_store_n(&word, value, __ATOMIC_RELAXED);
      fence<std::memory_order_seq_cst>();
    } else {
      __atomic_exchange_n(&word, value, __ATOMIC_ACQ_REL);
    }
  }
  /// Loads, after whatever this thread stored before is visible in the same sense.
  template <Edge>
  [[nodiscard]] static Word fence_then_load(Word& word) noexcept {
    if constexpr (Orders::kFences) {
      fence<std::memory_order_seq_cst>();
      return __atomic_load_n(&word, __ATOMIC_RELAXED);
    } else {
      return __atomic_fetch_add(&word, 0, __ATOMIC_ACQ_REL);
    }
  }
  template <Edge>
  [[nodiscard]] static constexpr bool passes(bool condition) noexcept {
    return condition;
  }

 private:
  template <std::memory_order kOrder>
  static void fence() noexcept {
    if constexpr (Orders::kFences) {
      std::atomic_thread_fence(kOrder);
    } else {
      std::atomic_signal_fence(kOrder);
    }
  }
};

using FenceAtom = HardwareAtom<FenceOrders>;
using AcquireReleaseAtom = HardwareAtom<AcquireReleaseOrders>;

#if defined(__SANITIZE_THREAD__)
#define TP_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TP_THREAD_SANITIZER 1
#endif
#endif

/// What the library itself is built with.
#if defined(TP_THREAD_SANITIZER)
using DefaultAtom = AcquireReleaseAtom;
#else
using DefaultAtom = FenceAtom;
#endif

}  // namespace tensorpool::inline v0::base
