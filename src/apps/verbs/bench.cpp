// tp bench: one case as one JSON line, or the standard comparison with its floors.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "apps/bench/standard.hpp"
#include "apps/bench/transports.hpp"
#include "apps/output.hpp"
#include "apps/verbs.hpp"

namespace tensorpool::inline v0::apps {
namespace {

struct Options {
  std::string test;
  bench::Case wanted;
  int touch = 1;
  int repetitions = 3;
  bool json = false;
};

[[nodiscard]] nlohmann::ordered_json number(std::optional<double> value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

/// The line that every transport is measured in.
[[nodiscard]] nlohmann::ordered_json line_of(const bench::Case& wanted,
                                             const bench::Outcome& outcome) {
  const auto quantile = [&](double q) {
    return outcome.ns.empty() ? std::optional<double>() : std::optional(outcome.quantile(q));
  };
  nlohmann::ordered_json line;
  line["v"] = 1;
  line["peer"] = "tensorpool";
  line["version"] = TP_VERSION;
  line["variant"] = wanted.variant;
  line["test"] = bench::to_string(wanted.test);
  line["payload"] = wanted.payload;
  line["rate"] = wanted.test == bench::Test::kLatency ? wanted.rate : 0;
  line["touch"] = wanted.touch ? 1 : 0;
  if (wanted.test == bench::Test::kPublishCost) {
    line["burst"] = wanted.burst;
  }
  line["p50_ns"] = number(quantile(0.5));
  line["p99_ns"] = number(quantile(0.99));
  line["p999_ns"] = number(quantile(0.999));
  line["max_ns"] = number(quantile(1.0));
  line["frames_per_s"] = number(outcome.frames_per_s);
  line["gb_per_s"] =
      number(wanted.touch && outcome.frames_per_s
                 ? std::optional(*outcome.frames_per_s * static_cast<double>(wanted.payload) / 1e9)
                 : std::nullopt);
  line["sent_per_s"] = number(outcome.sent_per_s);
  line["lost"] =
      outcome.lost ? nlohmann::ordered_json(*outcome.lost) : nlohmann::ordered_json(nullptr);
  line["samples"] = outcome.ns.size();
  line["consumers"] = wanted.consumers;
  line["driver"] = wanted.driver;
  line["nslots"] = outcome.nslots;
  return line;
}

[[nodiscard]] ExitCode run_one(Options options) {
  const auto test = bench::test_from_string(options.test);
  if (!test) {
    fmt::print(stderr,
               "tp bench: no test is called {}: use latency, throughput, publish_cost, copy or "
               "poll_cost\n",
               options.test);
    return ExitCode::kUsage;
  }
  options.wanted.test = *test;
  options.wanted.touch = options.touch != 0 && *test != bench::Test::kPublishCost;
  if (options.wanted.variant.empty()) {
    options.wanted.variant = *test == bench::Test::kCopy ? "memcpy" : "descriptors";
  }
  const Result<bench::Outcome> outcome = bench::run(options.wanted);
  if (!outcome) {
    fmt::print(stderr, "tp bench: {}\n", describe(outcome.error()));
    return ExitCode::kFailed;
  }
  return put_json(line_of(options.wanted, *outcome)) ? ExitCode::kFine : ExitCode::kFailed;
}

[[nodiscard]] std::string goal_text(const bench::Promise& promise) {
  switch (promise.relation) {
    case bench::Promise::Relation::kRatioAtLeast:
      return fmt::format(">= {:g}x", promise.goal);
    case bench::Promise::Relation::kRatioAtMost:
      return fmt::format("<= {:g}x", promise.goal);
    case bench::Promise::Relation::kDifferenceAtMost:
      return fmt::format("<= +{:g} ns", promise.goal);
    case bench::Promise::Relation::kLinearAtMost:
      return fmt::format("<= {:g}x+{:g} ns", promise.goal, promise.offset);
  }
  return {};
}

[[nodiscard]] std::string human(double value, const std::string& unit) {
  if (unit == "ns") {
    return value < 10'000 ? fmt::format("{:.0f} ns", value) : fmt::format("{:.1f} us", value / 1e3);
  }
  return value >= 1e6 ? fmt::format("{:.2f} M/s", value / 1e6)
                      : fmt::format("{:.1f} k/s", value / 1e3);
}

/// Ours and its floors in turn, so that a slow minute of the machine does not fall on one of them
/// alone.
[[nodiscard]] Result<bench::Verdict> measure(const bench::Promise& promise,
                                             const Options& options) {
  std::vector<double> ours;
  std::vector<double> floors;
  const auto run = [&](const bench::Case& wanted) -> Result<double> {
    const Result<bench::Outcome> outcome = bench::run(wanted);
    if (!outcome) {
      return fail(outcome.error());
    }
    if (options.json) {
      static_cast<void>(put_json(line_of(wanted, *outcome)));
    }
    return promise.figure(*outcome);
  };
  for (int repetition = 0; repetition < options.repetitions; ++repetition) {
    const Result<double> own = run(promise.ours.front());
    if (!own) {
      return fail(own.error());
    }
    ours.push_back(*own);
    std::optional<double> best;
    for (const bench::Case& floor : promise.floors) {
      const Result<double> value = run(floor);
      if (!value) {
        return fail(value.error());
      }
      best = !best                    ? *value
             : promise.more_is_better ? std::max(*best, *value)
                                      : std::min(*best, *value);
    }
    floors.push_back(*best);
  }
  return bench::judge(promise, ours, floors);
}

constexpr const char* kRow = "{:<40} {:>9} {:>9} {:>7} {:>13} {}";

[[nodiscard]] ExitCode run_standard(const Options& options) {
  fmt::print(
      stderr,
      "Medians of {} runs, each beside its floor. Latency is p50 at 10 kHz, payload untouched;\n"
      "publish cost is of 32 at a time. Nothing else should run on this machine.\n",
      options.repetitions);
  bool complete = true;
  if (!options.json) {
    static_cast<void>(put_line(fmt::format(kRow, "", "ours", "floor", "value", "goal", "")));
  }
  for (bench::Promise promise : bench::standard_promises()) {
    promise.ours.front().driver = options.wanted.driver;
    const Result<bench::Verdict> verdict = measure(promise, options);
    if (!verdict) {
      fmt::print(stderr, "tp bench: {}: {}\n", promise.what, describe(verdict.error()));
      complete = false;
      continue;
    }
    if (options.json) {
      nlohmann::ordered_json line;
      line["v"] = 1;
      line["promise"] = promise.what;
      line["unit"] = promise.unit;
      line["ours"] = verdict->ours;
      line["floor"] = verdict->floor;
      line["value"] = verdict->value;
      line["goal"] = goal_text(promise);
      line["met"] = verdict->met;
      static_cast<void>(put_json(line));
      continue;
    }
    static_cast<void>(put_line(fmt::format(kRow, promise.what, human(verdict->ours, promise.unit),
                                           human(verdict->floor, promise.unit),
                                           fmt::format("{:.2f}", verdict->value),
                                           goal_text(promise), verdict->met ? "met" : "missed")));
  }
  return complete ? ExitCode::kFine : ExitCode::kFailed;
}

constexpr const char* kExamples = R"(Examples:
  tp bench                                         the standard comparison, about two minutes
  tp bench --driver                                the same, ours under a driver
  tp bench --json >results.jsonl                   every measurement as a line
  tp bench --test latency --payload 655360 --rate 10000 --touch 0
  tp bench --test throughput --variant direct --consumers 4
Variants: descriptors, direct; floors: raw-aeron, seqlock, memcpy, stream.)";

}  // namespace

void add_bench(CLI::App& tp, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* const verb =
      tp.add_subcommand("bench", "Measure this machine: tensorpool beside its floors");
  verb->footer(kExamples);
  verb->add_option("--test", options->test,
                   "latency, throughput, publish_cost, copy or poll_cost; without it: all");
  verb->add_option("--variant", options->wanted.variant, "what to measure");
  verb->add_option("--payload", options->wanted.payload, "bytes of a frame")
      ->check(CLI::Range(16, 1 << 30));
  verb->add_option("--rate", options->wanted.rate, "frames/s of a latency test")
      ->check(CLI::PositiveNumber);
  verb->add_option("--seconds", options->wanted.seconds, "measured time")
      ->check(CLI::PositiveNumber);
  verb->add_option("--consumers", options->wanted.consumers, "consumer processes")
      ->check(CLI::Range(1, 16));
  verb->add_option("--burst", options->wanted.burst, "calls timed together (publish_cost)")
      ->check(CLI::Range(1, 4096));
  verb->add_option("--touch", options->touch, "1: copy the whole payload; 0: write its head only")
      ->check(CLI::Range(0, 1));
  verb->add_option("--producer-cpu", options->wanted.producer_cpu, "processor of the producer");
  verb->add_option("--consumer-cpu", options->wanted.consumer_cpu, "processor of all consumers");
  verb->add_option("--slots", options->wanted.nslots,
                   "slots of the ring, a power of two; 0: by payload");
  verb->add_flag("--driver", options->wanted.driver,
                 "tensorpool under a driver: its producer and consumers hold leases");
  verb->add_option("--repetitions", options->repetitions, "of the standard comparison")
      ->check(CLI::Range(1, 99));
  verb->add_flag("--json", options->json, "lines of JSON");
  verb->callback([options, &action] {
    action = [options] {
      return options->test.empty() ? run_standard(*options) : run_one(*options);
    };
  });
}

}  // namespace tensorpool::inline v0::apps
