// tp-sim: runs seeds of the simulator.
//
// Exit codes: 0 fine, 2 usage, 3 crash, 4 safety, 5 liveness, 6 the runs were not what they
// promise.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "driver/world.hpp"
#include "report.hpp"
#include "service/world.hpp"
#include "source_hash.hpp"
#include "standalone/world.hpp"
#include "supervise.hpp"

namespace tensorpool::inline v0::sim {
namespace {

/// A world that a seed can stand for.
struct Kind {
  const char* name;
  std::vector<std::string> bugs;
  std::unique_ptr<World> (*make)(std::uint64_t seed, std::string_view bug);
};

template <class Bug, std::size_t kCount>
std::vector<std::string> names_of(const NamedBug<Bug> (&bugs)[kCount]) {
  std::vector<std::string> names;
  for (const NamedBug<Bug>& bug : bugs) {
    names.emplace_back(bug.name);
  }
  return names;
}

const std::vector<Kind> kWorlds = {
    {.name = "standalone",
     .bugs = names_of(standalone::kPlantedBugs),
     .make = [](std::uint64_t seed, std::string_view bug) -> std::unique_ptr<World> {
       return std::make_unique<standalone::World>(
           standalone::Scenario::draw(seed),
           bug_named<standalone::PlantedBug>(standalone::kPlantedBugs, bug));
     }},
    {.name = "driver",
     .bugs = names_of(driver::kPlantedBugs),
     .make = [](std::uint64_t seed, std::string_view bug) -> std::unique_ptr<World> {
       return std::make_unique<driver::World>(
           driver::Scenario::draw(seed), bug_named<driver::PlantedBug>(driver::kPlantedBugs, bug));
     }},
    {.name = "service",
     .bugs = names_of(service::kPlantedBugs),
     .make = [](std::uint64_t seed, std::string_view bug) -> std::unique_ptr<World> {
       return std::make_unique<service::World>(
           service::Scenario::draw(seed),
           bug_named<service::PlantedBug>(service::kPlantedBugs, bug));
     }},
};

unsigned long long wide(std::uint64_t value) {
  return value;
}

/// Of continuous integration: changes with the sources and once a day, and is always printed.
std::uint64_t seed_of_today() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return TP_SOURCE_HASH ^ static_cast<std::uint64_t>(
                              std::chrono::duration_cast<std::chrono::hours>(now).count() / 24);
}

const char* kind_of(int code) {
  switch (code) {
    case kSafetyBroken:
      return "safety";
    case kLivenessBroken:
      return "liveness";
    case kPromiseBroken:
      return "too tame";
    default:
      return "crash";
  }
}

int exit_code_of(Failure failure) {
  switch (failure) {
    case Failure::kSafety:
      return kSafetyBroken;
    case Failure::kLiveness:
      return kLivenessBroken;
    case Failure::kTooTame:
      return kPromiseBroken;
    case Failure::kNone:
      break;
  }
  return kFine;
}

class Program {
 public:
  int main(int argc, char** argv);

 private:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  }
  /// The worlds that the user wants; of a planted bug, the one that it belongs to.
  void choose_worlds(const std::string& name);
  /// In a worker: every jobs_-th seed in each world; stops at the first that fails.
  int run_worlds(Worker& worker, std::uint32_t index) const;
  int run_seeds(const Kind& kind, double until_s, Worker& worker, std::uint32_t index) const;
  void print_progress(std::span<const Worker> workers) const;
  void print_failure(const Outcome& outcome) const;
  int finish(std::span<const Worker> workers) const;
  [[nodiscard]] std::FILE* failures() const { return json_ ? stderr : stdout; }

  std::string name_;
  std::string bug_name_;
  std::uint64_t first_seed_ = 0;
  std::uint64_t seeds_ = 1;
  std::uint32_t jobs_ = 1;
  double limit_s_ = 0;
  bool json_ = false;
  bool demand_ = false;
  bool on_terminal_ = false;
  std::vector<const Kind*> worlds_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

int Program::main(int argc, char** argv) {
  name_ = argv[0];
  CLI::App app("Deterministic simulator of tensorpool: one seed decides everything.", "tp-sim");
  std::string seed_text;
  std::string world_name = "all";
  app.add_option("--world", world_name, "standalone, driver, service, or all, one after the other")
      ->check(CLI::IsMember({"standalone", "driver", "service", "all"}));
  app.add_option("--seed", seed_text, "first seed (default: hash of the sources xor the day)");
  app.add_option("--seeds", seeds_, "number of seeds for each world, counted up from the first");
  app.add_option("--seconds", limit_s_, "at least this long, with more seeds");
  app.add_option("--jobs", jobs_, "processes that share the seeds")->check(CLI::Range(1, 1024));
  app.add_flag("--json", json_, "report as one JSON object");
  app.add_flag("--demand-marks", demand_, "fail when a marked path was never taken");
  std::vector<std::string> bugs;
  for (const Kind& kind : kWorlds) {
    bugs.insert(bugs.end(), kind.bugs.begin(), kind.bugs.end());
  }
  app.add_option("--bug", bug_name_, "plant a bug, which is to be found")
      ->check(CLI::IsMember(bugs));
  try {
    app.parse(argc, argv);
    first_seed_ = seed_text.empty() ? seed_of_today() : std::stoull(seed_text, nullptr, 0);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kFine : kUsage;
  } catch (const std::exception&) {
    std::fprintf(stderr, "tp-sim: --seed: not a number: %s\n", seed_text.c_str());
    return kUsage;
  }
  choose_worlds(world_name);
  on_terminal_ = !json_ && ::isatty(STDOUT_FILENO) != 0;
  if (!json_) {
    std::printf("first seed 0x%llx\n", wide(first_seed_));
  }
  int code = kFine;
  const Outcome outcome = supervise(
      jobs_, [this](Worker& worker, std::uint32_t index) { return run_worlds(worker, index); },
      [&](std::span<const Worker> workers, bool ended) {
        print_progress(workers);
        code = ended ? finish(workers) : code;
      });
  if (outcome.code != kFine) {
    print_failure(outcome);
    return outcome.code;
  }
  return code;
}

void Program::choose_worlds(const std::string& name) {
  for (const Kind& kind : kWorlds) {
    const bool wanted = name == "all" || name == kind.name;
    const bool has_bug =
        std::find(kind.bugs.begin(), kind.bugs.end(), bug_name_) != kind.bugs.end();
    if (wanted && (bug_name_.empty() || has_bug)) {
      worlds_.push_back(&kind);
    }
  }
}

int Program::run_worlds(Worker& worker, std::uint32_t index) const {
  for (std::size_t k = 0; k < worlds_.size(); ++k) {
    worker.world.store(static_cast<std::uint32_t>(k));
    const double until_s =
        limit_s_ * static_cast<double>(k + 1) / static_cast<double>(worlds_.size());
    if (const int code = run_seeds(*worlds_[k], until_s, worker, index); code != kFine) {
      return code;
    }
  }
  store_marks(worker);
  return kFine;
}

int Program::run_seeds(const Kind& kind, double until_s, Worker& worker,
                       std::uint32_t index) const {
  for (std::uint64_t k = index; k < seeds_ || seconds() < until_s; k += jobs_) {
    const std::uint64_t seed = first_seed_ + k;
    worker.seed.store(seed);
    const std::unique_ptr<World> world = kind.make(seed, bug_name_);
    world->run();
    worker.total += world->stats();
    worker.seeds.fetch_add(1);
    worker.events.store(worker.total.events);
    if (world->verdict().failed()) {
      std::fprintf(stderr, "%s\n", world->verdict().what().c_str());
      world->verdict().print_notes(stderr);
      return exit_code_of(world->verdict().failure());
    }
  }
  return kFine;
}

void Program::print_progress(std::span<const Worker> workers) const {
  if (!on_terminal_) {
    return;
  }
  std::uint64_t seeds = 0;
  std::uint64_t events = 0;
  for (const Worker& worker : workers) {
    seeds += worker.seeds.load();
    events += worker.events.load();
  }
  std::printf("\r\033[K%llu seeds, %.0f s, %.0f events/s ", wide(seeds), seconds(),
              static_cast<double>(events) / seconds());
  std::fflush(stdout);
}

int Program::finish(std::span<const Worker> workers) const {
  const Report report(workers, seconds());
  if (json_) {
    report.print_json(stdout, first_seed_);
  } else {
    std::printf("%s", on_terminal_ ? "\r\033[K" : "");
    report.print_text(stdout);
  }
  const auto shortcomings = demand_ ? report.shortcomings() : std::vector<std::string>{};
  for (const std::string& shortcoming : shortcomings) {
    std::fprintf(failures(), "%s\n", shortcoming.c_str());
  }
  return shortcomings.empty() ? kFine : kPromiseBroken;
}

void Program::print_failure(const Outcome& outcome) const {
  std::fprintf(failures(), "%s%s --world %s --seed 0x%llx%s%s\n", on_terminal_ ? "\r\033[K" : "",
               name_.c_str(), worlds_[outcome.world]->name, wide(outcome.seed),
               bug_name_.empty() ? "" : " --bug ", bug_name_.c_str());
  std::fprintf(failures(), "%s: %s", kind_of(outcome.code), outcome.said.c_str());
}

}  // namespace
}  // namespace tensorpool::inline v0::sim

int main(int argc, char** argv) {
  return tensorpool::sim::Program().main(argc, argv);
}
