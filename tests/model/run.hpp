// One model, ready to be explored: in full, or by so many random executions.
// TENSORPOOL_MODEL=full adds larger models, TENSORPOOL_MODEL=show prints the execution that finds a
// mutant.
//
// Thread contract: one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <ostream>
#include <string>
#include <string_view>

#include "model/mutants.hpp"
#include "model/relacy_atom.hpp"

namespace tensorpool::model {

[[nodiscard]] inline bool mode_is(std::string_view mode) {
  const char* const wanted = std::getenv("TENSORPOOL_MODEL");
  return wanted != nullptr && wanted == mode;
}

struct Outcome {
  bool sound = false;
  std::uint64_t executions = 0;
  std::uint64_t accepted = 0;
  double seconds = 0;
  decltype(Surgery::met) met{};  ///< what could be removed from it
};

/// One model, ready to run.
struct Scenario {
  Form form{};
  std::string name;
  rl::iteration_t random_executions = 0;  ///< 0: full search
  bool finds_mutants = false;             ///< small enough to be run once for each
  bool (*simulate)(rl::test_params&) = nullptr;

  [[nodiscard]] Outcome run(bool show = false) const {
    std::ostream silent(nullptr);
    rl::test_params params;
    params.output_stream = show ? &std::cout : &silent;
    params.progress_stream = &silent;
    params.execution_depth_limit = 100'000;
    params.search_type =
        random_executions == 0 ? rl::fair_full_search_scheduler_type : rl::random_scheduler_type;
    params.iteration_count = random_executions == 0 ? 1 : random_executions;
    accepted = 0;
    surgery.met = {};
    const auto start = std::chrono::steady_clock::now();
    Outcome outcome;
    outcome.sound = simulate(params);
    outcome.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    outcome.executions = params.stop_iteration;
    outcome.accepted = accepted;
    outcome.met = surgery.met;
    return outcome;
  }
};

}  // namespace tensorpool::model
