// hot-path: the producer, after each frame, while nobody sleeps: 1 barrier, 1 load, 1 branch.
//
// How a sleeping consumer is woken: two words, `armed` and `ticket`, and one that sleeps on
// `ticket` as a futex. For the client (producer and consumer), with the words of layout/wake_words.
// Decision: docs/adr/0030. Model-checked: tests/model/wake_model_test.cpp.
//
//     consumer                                       producer
//     c1  t := ticket                  (acquire)     p1  commit the frame, send its descriptor
//     c2  armed := 1, then barrier                   p2  barrier, then load armed: 0: done
//     c3  look again: a frame: done                  p3  armed := 0
//     c4  sleep while ticket == t                    p4  ticket := ticket + 1     (release)
//                                                    p5  wake all who sleep on ticket
//
// Nobody sleeps through a frame. Take a consumer that has looked in vain at c3 for a frame that is
// committed.
//  1. The barriers of c2 and p2 are ordered one way or the other. Were p2's the earlier one, c3
//     would see what p1 stored. So c2's is, and the load of p2 sees its 1, or what replaced it.
//  2. What replaced it is a 0 of p3, of this frame or an earlier one; or the load sees 1 and p3
//     follows. Either way there is a p3 that took this 1 away, and a p4 after it.
//  3. c1 did not read what that p4 stored: else p3, which is before p4, would come before c2, which
//     is after c1 (release and acquire), and have taken nothing away.
//  4. So at c4 `ticket` either has changed already, and the kernel lets nobody sleep, or it changes
//     while the consumer sleeps, and p5 comes after that. The kernel decides which, under a lock.
// Armings of several consumers may be taken away by one p3; 3 and 4 hold for each of them.
//
// What the words may hold besides is no matter of trust: whoever may write them can make a producer
// call the kernel, which core/wake/wake_budget bounds, and keep others from being woken, which the
// bound of each sleep does. Nothing is read on their strength.
//
// Thread contract: the producer's functions on its one thread, as only one writes p3 and p4; the
// consumer's on any number.
#pragma once

#include <cstdint>

#include "base/atomics.hpp"

namespace tensorpool::inline v0::core::wake {

using base::Edge;

/// p2. True when somebody sleeps, or is about to.
template <class Atom>
[[nodiscard]] bool somebody_sleeps(typename Atom::Word& armed) noexcept {
  return Atom::template fence_then_load<Edge::kArmedLoad>(armed) != 0;
}

/// p3, p4. The caller then wakes all who sleep on `ticket`.
template <class Atom>
void take_armings(typename Atom::Word& armed, typename Atom::Word& ticket) noexcept {
  const std::uint64_t before = Atom::template load_relaxed<Edge::kTicketLoad>(ticket);
  Atom::template store_relaxed<Edge::kDisarmStore>(armed, 0);
  Atom::template store_release<Edge::kTicketStore>(ticket, before + 1);  // sync(ticket): publish
}

/// What c1 to c3 came to.
struct Arming {
  bool may_sleep = false;  ///< while `ticket` is what the word holds
  std::uint64_t ticket = 0;
};

/// c1 to c3. `look` is asked once, and says whether there is something to be read.
template <class Atom, class Look>
[[nodiscard]] Arming arm(typename Atom::Word& armed, const typename Atom::Word& ticket,
                         Look&& look) noexcept {
  const std::uint64_t seen =
      Atom::template load_acquire<Edge::kTicketLoad>(ticket);  // sync(ticket): observe
  Atom::template store_then_fence<Edge::kArm>(armed, 1);
  return {.may_sleep = Atom::template passes<Edge::kLookAgainCheck>(!look()), .ticket = seen};
}

}  // namespace tensorpool::inline v0::core::wake
