// Explores the executions of small rings under the C++ memory model, then takes every order, fence
// and check away in turn and demands that a run notices, or that mutants.hpp says why none can.
//
// Full search tries every interleaving and, for each load, the newest value and the one before it,
// where the memory model allows both; random scheduling tries two values back. Both are
// deterministic. TENSORPOOL_MODEL=full adds larger rings (make model: some minutes);
// TENSORPOOL_MODEL=show prints the execution that finds a mutant: choose it by --gtest_filter.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "core/consumer/ring_search.hpp"
#include "core/region/superblock.hpp"
#include "support/requirement.hpp"
// Relacy renames what the headers above use: last.
#include "model/mutants.hpp"
#include "model/run.hpp"
#include "model/scenarios.hpp"

namespace tensorpool::model {
namespace {

template <class Orders>
void add_scenarios(Form form, std::vector<Scenario>& all) {
  const bool full = mode_is("full");
  const rl::iteration_t tries = full ? 20'000'000 : 1'000'000;
  const auto add = [&]<class Model>(std::type_identity<Model>, const char* name, bool finds_mutants,
                                    rl::iteration_t random = 0) {
    all.push_back({.form = form,
                   .name = name,
                   .random_executions = random,
                   .finds_mutants = finds_mutants,
                   .simulate = rl::simulate<Model>});
  };
  using std::type_identity;
  add(type_identity<OverwrittenSlot<Orders, 2, 3, 1>>{}, "1 slot, 3 wraps, 2 header words, frame 1",
      true);
  add(type_identity<OverwrittenSlot<Orders, 2, 3, 0>>{}, "1 slot, 3 wraps, 2 header words, frame 0",
      true);
  add(type_identity<OverwrittenSlot<Orders, 3, 3, 1>>{}, "1 slot, 3 wraps, 3 header words, frame 1",
      false);
  if (full || Orders::kFences) {
    add(type_identity<OverwrittenSlot<Orders, 4, 3, 1>>{},
        "1 slot, 3 wraps, 4 header words, frame 1", false);
  }
  add(type_identity<OverwrittenSlot<Orders, 4, 3, 2>>{}, "1 slot, 3 wraps, 4 header words, frame 2",
      false);
  if (full) {
    add(type_identity<OverwrittenSlot<Orders, 3, 3, 0>>{},
        "1 slot, 3 wraps, 3 header words, frame 0", false);
    add(type_identity<OverwrittenSlot<Orders, 4, 3, 0>>{},
        "1 slot, 3 wraps, 4 header words, frame 0", false);
  }
  add(type_identity<TwoClaims<Orders, 1>>{}, "2 slots, 2 claims, filled newest first, abort", true);
  add(type_identity<HeardOf<Orders>>{}, "descriptor after commit", true);
  add(type_identity<NothingAborted<Orders>>{}, "direct mode, nothing aborted", true);
  add(type_identity<OneAborted<Orders>>{}, "direct mode, one aborted", true);
  add(type_identity<NewRegion<Orders>>{}, "superblock of a new region", true);
  add(type_identity<TwoReaders<Orders, 4, 3>>{}, "1 slot, 3 wraps, 4 header words, 2 readers",
      false, tries);
  add(type_identity<TwoClaims<Orders, 2>>{}, "2 slots, 2 claims, abort, 2 readers", false, tries);
  if constexpr (Orders::kFences) {
    add(type_identity<StreamedSlot<Orders, 1, 2>>{}, "streamed payload, 2 wraps, 1 word", true);
    add(type_identity<StreamedSlot<Orders, 2, 1>>{}, "streamed payload, 1 wrap, 2 words", true);
    if (full) {
      add(type_identity<StreamedSlot<Orders, 2, 2>>{}, "streamed payload, 2 wraps, 2 words", false);
    }
  }
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

/// The run of scenario `index` with nothing removed; run when it is first asked for.
[[nodiscard]] const Outcome& whole(std::size_t index) {
  static std::vector<std::optional<Outcome>> done(scenarios().size());
  if (!done[index]) {
    done[index] = scenarios()[index].run();
  }
  return *done[index];
}

[[nodiscard]] bool met(std::size_t scenario, const Mutation& mutation) {
  return whole(scenario)
      .met[static_cast<std::size_t>(mutation.edge)][static_cast<std::size_t>(mutation.removal)];
}

[[nodiscard]] std::string describe(const Mutant& mutant) {
  return std::string(name_of(mutant.form)) + ": " +
         std::string(name_of(mutant.mutation.edge).name) + " without its " +
         std::string(name_of(mutant.mutation.removal));
}

class RingModel : public ::testing::TestWithParam<std::size_t> {};

TEST_P(RingModel, accepts_no_mixed_frame) {
  TP_REQ("W16", "W17", "W154", "W156", "W157", "W164", "W165", "W167", "W170", "W174", "W182",
         "W450");
  const Scenario& scenario = scenarios()[GetParam()];
  const Outcome& outcome = whole(GetParam());
  std::printf("%-16s%-46s%-7s%11llu executions%9llu accepted%7.1f s\n",
              name_of(scenario.form).data(), scenario.name.c_str(),
              scenario.random_executions == 0 ? "full" : "random",
              static_cast<unsigned long long>(outcome.executions),
              static_cast<unsigned long long>(outcome.accepted), outcome.seconds);
  std::fflush(stdout);
  EXPECT_TRUE(outcome.sound);
  EXPECT_NE(outcome.accepted, 0U) << "a model in which nothing happens";
}

INSTANTIATE_TEST_SUITE_P(All, RingModel, ::testing::Range<std::size_t>(0, scenarios().size()));

class RingMutant : public ::testing::TestWithParam<std::size_t> {};

TEST_P(RingMutant, is_found_or_redundant_as_the_table_says) {
  const Mutant& mutant = kMutants[GetParam()];
  std::uint64_t executions = 0;
  bool was_met = false;
  const Scenario* found_by = nullptr;
  for (std::size_t k = 0; k < scenarios().size() && found_by == nullptr; ++k) {
    const Scenario& scenario = scenarios()[k];
    if (scenario.form != mutant.form || !scenario.finds_mutants || !met(k, mutant.mutation)) {
      continue;
    }
    was_met = true;
    surgery.removed = mutant.mutation;
    const Outcome outcome = scenario.run(mode_is("show"));
    surgery.removed.reset();
    executions += outcome.executions;
    found_by = outcome.sound ? nullptr : &scenario;
  }
  std::printf("%s: %s after %llu executions%s%s\n", describe(mutant).c_str(),
              found_by != nullptr ? "found" : "not found",
              static_cast<unsigned long long>(executions), found_by != nullptr ? ", " : "",
              found_by != nullptr ? found_by->name.c_str() : "");
  ASSERT_TRUE(was_met) << describe(mutant) << ": no model has it";
  EXPECT_EQ(found_by == nullptr, mutant.is_redundant()) << describe(mutant);
}

INSTANTIATE_TEST_SUITE_P(Table, RingMutant, ::testing::Range<std::size_t>(0, kMutants.size()));

TEST(RingMutants, have_a_row_for_everything_that_could_be_removed) {
  for (std::size_t k = 0; k < scenarios().size(); ++k) {
    const Form form = scenarios()[k].form;
    for (std::size_t edge = 0; edge < kEdges; ++edge) {
      for (std::size_t removal = 0; removal < kRemovals; ++removal) {
        const Mutant wanted{form, {static_cast<Edge>(edge), static_cast<Removal>(removal)}, {}};
        const auto is_row = [&](const Mutant& m) {
          return m.form == form && m.mutation == wanted.mutation;
        };
        if (met(k, wanted.mutation)) {
          EXPECT_EQ(std::count_if(kMutants.begin(), kMutants.end(), is_row), 1)
              << describe(wanted) << ": rows in mutants.hpp";
        }
      }
    }
  }
}

[[nodiscard]] std::string table_for_the_documents() {
  std::ostringstream out;
  out << "| form | what | rule | removed | outcome |\n| --- | --- | --- | --- | --- |\n";
  for (const Mutant& mutant : kMutants) {
    const EdgeName& edge = name_of(mutant.mutation.edge);
    out << "| " << name_of(mutant.form) << " | " << edge.name << " | " << edge.spec << " | "
        << name_of(mutant.mutation.removal) << " | ";
    if (mutant.is_redundant()) {
      out << "*redundant, because* " << mutant.redundant_because;
    } else {
      out << "found";
    }
    out << " |\n";
  }
  return out.str();
}

TEST(RingMutants, are_the_table_of_the_documents) {
  std::ifstream file(TP_RING_DOCUMENT);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  ASSERT_FALSE(text.empty()) << TP_RING_DOCUMENT;
  const std::string table = table_for_the_documents();
  EXPECT_NE(text.find("\n" + table), std::string::npos)
      << TP_RING_DOCUMENT << " has to contain this table:\n"
      << table;
}

}  // namespace
}  // namespace tensorpool::model
