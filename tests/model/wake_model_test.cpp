// Explores the executions of a producer and the consumers that it wakes, under the C++ memory
// model, then takes every barrier, order and check away in turn and demands that a run notices, or
// that the table says why none can. To notice is to find a consumer that sleeps for ever: in the
// model a sleep has no bound.
//
// The futex is that of the kernel as far as it promises anything: the comparison and falling asleep
// are one step as against a wake, and both are full barriers.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "core/ring/slot_protocol.hpp"
#include "core/wake/wake_protocol.hpp"
#include "support/requirement.hpp"
// Relacy renames what the headers above use: last.
#include "model/mutants.hpp"
#include "model/run.hpp"

namespace tensorpool::model {
namespace {

using Word = rl::atomic<std::uint64_t>;

void futex_wait(Word& word, std::uint64_t expected) {
  rl::context& context = rl::ctx();
  context.sched();
  context.atomic_thread_fence_seq_cst();
  std::uint64_t found = 0;
  {
    const rl::preemption_disabler one_step(context);
    found = word.load(rl::mo_acquire, RL_INFO);
  }
  if (found == expected) {
    word.wait(context, /*is_timed=*/false, /*allow_spurious_wakeup=*/false, RL_INFO);
  }
}

void futex_wake_all(Word& word, unsigned sleepers) {
  rl::context& context = rl::ctx();
  context.sched();
  context.atomic_thread_fence_seq_cst();
  word.wake(context, static_cast<rl::thread_id_t>(sleepers), RL_INFO);
}

/// The protocol that ships, and two that look as good and lose wakes: the model carries out what a
/// thread does in its order, so that what keeps p3 before p4, and c1 before c2, is shown this way.
enum class Order : std::uint8_t {
  kAsShipped,
  kTicketBeforeDisarm,  ///< p4 before p3
  kArmBeforeTicket,     ///< c2 before c1
};

/// A producer of `kFrames` frames, and consumers that each want the last of them.
template <class Orders, unsigned kFrames, unsigned kConsumers, Order kOrder = Order::kAsShipped>
struct Wakes : rl::test_suite<Wakes<Orders, kFrames, kConsumers, kOrder>, 1 + kConsumers> {
  using Atom = RelacyAtom<Orders>;
  Word commit;
  Word armed;
  Word ticket;

  void before() {
    commit.store(0, rl::mo_relaxed, RL_INFO);
    armed.store(0, rl::mo_relaxed, RL_INFO);
    ticket.store(0, rl::mo_relaxed, RL_INFO);
  }
  void thread(unsigned index) { index == 0 ? produce() : consume(); }

 private:
  void produce() {
    for (std::uint64_t seq = 1; seq <= kFrames; ++seq) {
      core::ring::commit_write<Atom>(commit, seq);
      if (core::wake::somebody_sleeps<Atom>(armed)) {
        take_armings();
        futex_wake_all(ticket, kConsumers);
      }
    }
  }
  void consume() {
    std::uint64_t seen = 0;
    const auto newest = [&] {
      return core::ring::sequence_of(Atom::template load_acquire<Edge::kFollowLoad>(commit));
    };
    while (seen < kFrames) {
      if (const std::uint64_t seq = newest(); seq > seen) {
        seen = seq;
        continue;
      }
      const core::wake::Arming arming = arm([&] { return newest() > seen; });
      if (arming.may_sleep) {
        ++accepted;
        futex_wait(ticket, arming.ticket);
      }
    }
  }
  void take_armings() {
    if constexpr (kOrder == Order::kTicketBeforeDisarm) {
      ticket.fetch_add(1, rl::mo_acq_rel, RL_INFO);
      armed.store(0, rl::mo_release, RL_INFO);
    } else {
      core::wake::take_armings<Atom>(armed, ticket);
    }
  }
  template <class Look>
  core::wake::Arming arm(Look&& look) {
    if constexpr (kOrder == Order::kArmBeforeTicket) {
      Atom::template store_then_fence<Edge::kArm>(armed, 1);
      const std::uint64_t seen = ticket.load(rl::mo_acquire, RL_INFO);
      return {.may_sleep = !look(), .ticket = seen};
    } else {
      return core::wake::arm<Atom>(armed, ticket, look);
    }
  }
};

constexpr std::string_view kOneOrder =
    "the model carries out what a thread does in its order: that the order matters is shown by "
    "WakeOrder";
constexpr std::string_view kOneWordOnly =
    "taking an arming away later, or seeing one later, costs a call or a spin and loses nothing";
constexpr std::string_view kBarrierCarriesIt = "the barriers on both sides carry the frame itself";

constexpr std::array kWakeMutants{
    Mutant{Form::kFences, {Edge::kCommitStore, Removal::kOrder}, kBarrierCarriesIt},
    Mutant{Form::kFences, {Edge::kFollowLoad, Removal::kOrder}, kBarrierCarriesIt},
    Mutant{Form::kFences, {Edge::kArm, Removal::kFence}, kFound},
    Mutant{Form::kFences, {Edge::kArmedLoad, Removal::kFence}, kFound},
    Mutant{Form::kFences, {Edge::kTicketStore, Removal::kOrder}, kOneOrder},
    Mutant{Form::kFences, {Edge::kTicketLoad, Removal::kOrder}, kOneOrder},
    Mutant{Form::kFences, {Edge::kLookAgainCheck, Removal::kCheck}, kFound},

    Mutant{Form::kAcquireRelease, {Edge::kCommitStore, Removal::kOrder}, kBarrierCarriesIt},
    Mutant{Form::kAcquireRelease, {Edge::kFollowLoad, Removal::kOrder}, kBarrierCarriesIt},
    Mutant{Form::kAcquireRelease, {Edge::kArm, Removal::kFence}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kArm, Removal::kOrder}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kArmedLoad, Removal::kFence}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kArmedLoad, Removal::kOrder}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kDisarmStore, Removal::kOrder}, kOneWordOnly},
    Mutant{Form::kAcquireRelease, {Edge::kTicketStore, Removal::kOrder}, kOneOrder},
    Mutant{Form::kAcquireRelease, {Edge::kTicketLoad, Removal::kOrder}, kOneOrder},
    Mutant{Form::kAcquireRelease, {Edge::kLookAgainCheck, Removal::kCheck}, kFound},
};

template <class Orders>
void add_scenarios(Form form, std::vector<Scenario>& all) {
  const rl::iteration_t tries = mode_is("full") ? 10'000'000 : 300'000;
  const auto add = [&]<class Model>(std::type_identity<Model>, const char* name,
                                    rl::iteration_t random) {
    all.push_back({.form = form,
                   .name = name,
                   .random_executions = random,
                   .finds_mutants = true,
                   .simulate = rl::simulate<Model>});
  };
  using std::type_identity;
  add(type_identity<Wakes<Orders, 1, 1>>{}, "1 consumer, 1 frame", 0);
  add(type_identity<Wakes<Orders, 2, 1>>{}, "1 consumer, 2 frames", tries);
  add(type_identity<Wakes<Orders, 1, 2>>{}, "2 consumers, 1 frame", tries);
  add(type_identity<Wakes<Orders, 3, 2>>{}, "2 consumers, 3 frames", tries);
}

[[nodiscard]] const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all = [] {
    std::vector<Scenario> made;
    add_scenarios<base::FenceOrders>(Form::kFences, made);
    add_scenarios<base::AcquireReleaseOrders>(Form::kAcquireRelease, made);
    return made;
  }();
  return all;
}

[[nodiscard]] std::string describe(const Mutant& mutant) {
  return std::string(name_of(mutant.form)) + ": " +
         std::string(name_of(mutant.mutation.edge).name) + " without its " +
         std::string(name_of(mutant.mutation.removal));
}

class WakeModel : public ::testing::TestWithParam<std::size_t> {};

TEST_P(WakeModel, lets_nobody_sleep_through_a_frame) {
  const Scenario& scenario = scenarios()[GetParam()];
  const Outcome outcome = scenario.run(mode_is("show"));
  std::printf("%-16s%-46s%-7s%11llu executions%9llu sleeps%7.1f s\n", name_of(scenario.form).data(),
              scenario.name.c_str(), scenario.random_executions == 0 ? "full" : "random",
              static_cast<unsigned long long>(outcome.executions),
              static_cast<unsigned long long>(outcome.accepted), outcome.seconds);
  std::fflush(stdout);
  EXPECT_TRUE(outcome.sound);
  EXPECT_NE(outcome.accepted, 0U) << "a model in which nobody sleeps";
}

INSTANTIATE_TEST_SUITE_P(All, WakeModel, ::testing::Range<std::size_t>(0, scenarios().size()));

class WakeMutant : public ::testing::TestWithParam<std::size_t> {};

TEST_P(WakeMutant, is_found_or_redundant_as_the_table_says) {
  const Mutant& mutant = kWakeMutants[GetParam()];
  std::uint64_t executions = 0;
  const Scenario* found_by = nullptr;
  bool was_met = false;
  for (const Scenario& scenario : scenarios()) {
    if (scenario.form != mutant.form || found_by != nullptr) {
      continue;
    }
    surgery.removed = mutant.mutation;
    const Outcome outcome = scenario.run(mode_is("show"));
    surgery.removed.reset();
    executions += outcome.executions;
    was_met |= outcome.met[static_cast<std::size_t>(mutant.mutation.edge)]
                          [static_cast<std::size_t>(mutant.mutation.removal)];
    found_by = outcome.sound ? nullptr : &scenario;
  }
  std::printf("%s: %s after %llu executions%s%s\n", describe(mutant).c_str(),
              found_by != nullptr ? "found" : "not found",
              static_cast<unsigned long long>(executions), found_by != nullptr ? ", " : "",
              found_by != nullptr ? found_by->name.c_str() : "");
  ASSERT_TRUE(was_met) << describe(mutant) << ": no model has it";
  EXPECT_EQ(found_by == nullptr, mutant.is_redundant()) << describe(mutant);
}

INSTANTIATE_TEST_SUITE_P(Table, WakeMutant, ::testing::Range<std::size_t>(0, kWakeMutants.size()));

TEST(WakeOrder, of_the_stores_and_loads_around_the_ticket_matters) {
  const auto is_sound = [](bool (*simulate)(rl::test_params&)) {
    return Scenario{.name = {}, .random_executions = 300'000, .simulate = simulate}.run().sound;
  };
  using Orders = base::FenceOrders;
  EXPECT_TRUE(is_sound(rl::simulate<Wakes<Orders, 2, 2, Order::kAsShipped>>));
  EXPECT_FALSE(is_sound(rl::simulate<Wakes<Orders, 2, 2, Order::kTicketBeforeDisarm>>));
  EXPECT_FALSE(is_sound(rl::simulate<Wakes<Orders, 2, 2, Order::kArmBeforeTicket>>));
}

TEST(WakeMutants, have_a_row_for_everything_that_could_be_removed) {
  for (const Scenario& scenario : scenarios()) {
    const Outcome outcome = scenario.run();
    for (std::size_t edge = 0; edge < kEdges; ++edge) {
      for (std::size_t removal = 0; removal < kRemovals; ++removal) {
        const Mutant wanted{
            scenario.form, {static_cast<Edge>(edge), static_cast<Removal>(removal)}, {}};
        const auto is_row = [&](const Mutant& m) {
          return m.form == wanted.form && m.mutation == wanted.mutation;
        };
        if (outcome.met[edge][removal]) {
          EXPECT_EQ(std::count_if(kWakeMutants.begin(), kWakeMutants.end(), is_row), 1)
              << describe(wanted);
        }
      }
    }
  }
}

}  // namespace
}  // namespace tensorpool::model
