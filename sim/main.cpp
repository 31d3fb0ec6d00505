// tp-sim: runs seeds of the simulator.
//
// Exit codes: 0 fine, 2 usage, 3 crash, 4 safety, 5 liveness, 6 the runs were not what they
// promise.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>

#include "report.hpp"
#include "source_hash.hpp"
#include "supervise.hpp"
#include "world.hpp"

namespace tensorpool::inline v0::sim {
namespace {

const std::map<std::string, PlantedBug> kBugs = {
    {"no-first-check", PlantedBug::kNoFirstCheck},
    {"no-second-check", PlantedBug::kNoSecondCheck},
    {"no-check-after-use", PlantedBug::kNoCheckAfterUse},
    {"no-in-progress", PlantedBug::kNoInProgress},
    {"forgets-gaps", PlantedBug::kForgetsGaps},
    {"keeps-mapping", PlantedBug::kKeepsMapping},
    {"believes-announces", PlantedBug::kBelievesAnnounces},
    {"mute-after-restart", PlantedBug::kMuteAfterRestart},
};
const std::map<std::string, Failure> kExpectations = {{"safety", Failure::kSafety},
                                                      {"liveness", Failure::kLiveness}};

/// Of continuous integration: changes with the sources and once a day, and is always printed.
std::uint64_t seed_of_today() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return TP_SOURCE_HASH ^ static_cast<std::uint64_t>(
                              std::chrono::duration_cast<std::chrono::hours>(now).count() / 24);
}

class Program {
 public:
  int main(int argc, char** argv);

 private:
  [[nodiscard]] bool goes_on() const {
    return limit_s_ > 0 ? report_.seconds() < limit_s_ : report_.seeds() < seeds_;
  }
  int run_seeds(Watched& watched);
  int finish();
  [[nodiscard]] int failed(std::uint64_t seed, const Verdict& verdict) const;
  void print_replay(std::uint64_t seed) const;
  [[nodiscard]] std::FILE* failures() const { return json_ ? stderr : stdout; }

  std::string name_;
  std::string bug_name_;
  std::string seed_text_;
  std::uint64_t first_seed_ = 0;
  std::uint64_t seeds_ = 1;
  double limit_s_ = 0;
  bool json_ = false;
  bool demand_ = false;
  PlantedBug bug_ = PlantedBug::kNone;
  Failure expected_ = Failure::kNone;
  Report report_;
};

int Program::main(int argc, char** argv) {
  name_ = argv[0];
  CLI::App app("Deterministic simulator of tensorpool: one seed decides everything.", "tp-sim");
  std::string expected;
  app.add_option("--seed", seed_text_, "first seed (default: hash of the sources xor the day)");
  app.add_option("--seeds", seeds_, "number of seeds, counted up from the first");
  app.add_option("--seconds", limit_s_, "run for this long instead");
  app.add_flag("--json", json_, "report as one JSON object");
  app.add_flag("--demand-marks", demand_, "fail when a marked path was never taken");
  app.add_option("--bug", bug_name_, "plant a bug")->check(CLI::IsMember(kBugs));
  app.add_option("--expect", expected, "succeed only when this kind of failure is found")
      ->check(CLI::IsMember(kExpectations));
  try {
    app.parse(argc, argv);
    first_seed_ = seed_text_.empty() ? seed_of_today() : std::stoull(seed_text_, nullptr, 0);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kFine : kUsage;
  } catch (const std::exception&) {
    std::fprintf(stderr, "tp-sim: --seed: not a number: %s\n", seed_text_.c_str());
    return kUsage;
  }
  bug_ = bug_name_.empty() ? PlantedBug::kNone : kBugs.at(bug_name_);
  expected_ = expected.empty() ? Failure::kNone : kExpectations.at(expected);
  if (!json_) {
    std::printf("first seed 0x%llx\n", static_cast<unsigned long long>(first_seed_));
    std::fflush(stdout);
  }
  return supervise([this](Watched& watched) { return run_seeds(watched); },
                   [this](std::uint64_t seed) {
                     print_replay(seed);
                     std::fprintf(failures(), "crash\n");
                     std::fflush(failures());
                   });
}

int Program::run_seeds(Watched& watched) {
  std::FILE* const terminal = ::isatty(STDOUT_FILENO) != 0 ? stdout : nullptr;
  for (std::uint64_t seed = first_seed_; goes_on(); ++seed) {
    watched.seed.store(seed);
    World world(Scenario::draw(seed), bug_);
    world.run();
    report_.add(world.stats());
    if (world.verdict().failed()) {
      if (expected_ == Failure::kNone) {
        return failed(seed, world.verdict());
      }
      if (world.verdict().failure() == expected_) {
        std::printf(
            "found by seed 0x%llx, the %llu. one: %s\n", static_cast<unsigned long long>(seed),
            static_cast<unsigned long long>(report_.seeds()), world.verdict().what().c_str());
        return kFine;
      }
    }
    if (terminal != nullptr && !json_ && report_.seeds() % 16 == 0) {
      report_.print_progress(terminal);
    }
  }
  if (terminal != nullptr && !json_) {
    std::fprintf(terminal, "\r\033[K");
  }
  return finish();
}

int Program::finish() {
  if (json_) {
    report_.print_json(stdout, first_seed_);
  } else {
    report_.print_text(stdout);
  }
  if (expected_ != Failure::kNone) {
    std::fprintf(failures(), "the planted bug was not found\n");
    return kPromiseBroken;
  }
  const auto shortcomings = demand_ ? report_.shortcomings() : std::vector<std::string>{};
  for (const std::string& shortcoming : shortcomings) {
    std::fprintf(failures(), "%s\n", shortcoming.c_str());
  }
  return shortcomings.empty() ? kFine : kPromiseBroken;
}

int Program::failed(std::uint64_t seed, const Verdict& verdict) const {
  print_replay(seed);
  const char* kind = "safety";
  int code = kSafetyBroken;
  if (verdict.failure() == Failure::kLiveness) {
    kind = "liveness";
    code = kLivenessBroken;
  } else if (verdict.failure() == Failure::kTooTame) {
    kind = "too tame";
    code = kPromiseBroken;
  }
  std::fprintf(failures(), "%s: %s\n", kind, verdict.what().c_str());
  verdict.print_notes(failures());
  return code;
}

void Program::print_replay(std::uint64_t seed) const {
  std::fprintf(failures(), "%s%s --seed 0x%llx%s%s\n", isatty(STDOUT_FILENO) != 0 ? "\r\033[K" : "",
               name_.c_str(), static_cast<unsigned long long>(seed),
               bug_name_.empty() ? "" : " --bug ", bug_name_.c_str());
}

}  // namespace
}  // namespace tensorpool::inline v0::sim

int main(int argc, char** argv) {
  return tensorpool::sim::Program().main(argc, argv);
}
