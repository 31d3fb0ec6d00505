#include "report.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace tensorpool::inline v0::sim {
namespace {

using base::simulation::Mark;

struct Row {
  const char* name;
  std::uint64_t RunStats::*value;
};
constexpr std::array kRows = {
    Row{"events", &RunStats::events},
    Row{"steps", &RunStats::steps},
    Row{"preemptions", &RunStats::preemptions},
    Row{"frames_published", &RunStats::frames_published},
    Row{"frames_received", &RunStats::frames_received},
    Row{"crashes", &RunStats::crashes},
    Row{"laps", &RunStats::laps},
    Row{"epochs", &RunStats::epochs},
    Row{"epochs_collected", &RunStats::epochs_collected},
    Row{"leases", &RunStats::leases},
    Row{"messages_lost", &RunStats::messages_lost},
    Row{"messages_doubled", &RunStats::messages_doubled},
    Row{"messages_reordered", &RunStats::messages_reordered},
    Row{"messages_delayed", &RunStats::messages_delayed},
};

unsigned long long wide(std::uint64_t value) {
  return value;
}

}  // namespace

void store_marks(Worker& worker) {
  std::size_t index = 0;
  for (const Mark* mark = Mark::first(); mark != nullptr; mark = mark->next) {
    worker.marks.at(index++) = mark->hits;
  }
}

Report::Report(std::span<const Worker> workers, double seconds)
    : workers_(workers.size()), seconds_(seconds) {
  for (const Worker& worker : workers) {
    total_ += worker.total;
    seeds_ += worker.seeds.load();
    std::size_t index = 0;
    for (const Mark* mark = Mark::first(); mark != nullptr; mark = mark->next) {
      marks_[mark->name] += worker.marks.at(index++);
    }
  }
}

void Report::print_text(std::FILE* out) const {
  std::fprintf(
      out, "%llu seeds in %.1f s by %zu processes: %.1f seeds/s, %.0f events/s, %.0f steps/s\n",
      wide(seeds_), seconds_, workers_, static_cast<double>(seeds_) / seconds_,
      static_cast<double>(total_.events) / seconds_, static_cast<double>(total_.steps) / seconds_);
  std::fprintf(out, "%-22s %16s %14s\n", "", "all", "per seed");
  for (const Row& row : kRows) {
    std::fprintf(out, "%-22s %16llu %14.1f\n", row.name, wide(total_.*row.value),
                 per_seed(total_.*row.value));
  }
  std::fprintf(out, "%-22s %16.0f %14.1f\n", "virtual seconds",
               std::chrono::duration<double>(total_.virtual_time).count(),
               per_seed(static_cast<std::uint64_t>(total_.virtual_time.count())) / 1e9);
  std::fprintf(out, "marks\n");
  for (const auto& [name, hits] : marks_) {
    std::fprintf(out, "%16llu  %s\n", wide(hits), name.c_str());
  }
}

void Report::print_json(std::FILE* out, std::uint64_t first_seed) const {
  std::fprintf(
      out, R"({"v": 1, "first_seed": "0x%llx", "seeds": %llu, "wall_s": %.3f, "processes": %zu)",
      wide(first_seed), wide(seeds_), seconds_, workers_);
  for (const Row& row : kRows) {
    std::fprintf(out, R"(, "%s": %llu)", row.name, wide(total_.*row.value));
  }
  std::fprintf(out, R"(, "virtual_s": %.3f, "marks": {)",
               std::chrono::duration<double>(total_.virtual_time).count());
  const char* separator = "";
  for (const auto& [name, hits] : marks_) {
    std::fprintf(out, R"(%s"%s": %llu)", separator, name.c_str(), wide(hits));
    separator = ", ";
  }
  std::fprintf(out, "}}\n");
}

std::vector<std::string> Report::shortcomings() const {
  std::vector<std::string> list;
  const auto demand = [&](double found, double wanted, const char* what) {
    if (found < wanted) {
      list.push_back(std::string("too few on average: ") + what);
    }
  };
  demand(per_seed(total_.crashes), 1, "crashes");
  demand(per_seed(total_.messages_lost + total_.messages_doubled), 20, "lost or doubled messages");
  demand(per_seed(total_.laps), 1, "laps");
  for (const auto& [name, hits] : marks_) {
    if (hits == 0) {
      list.push_back("never reached: " + name);
    }
  }
  return list;
}

}  // namespace tensorpool::inline v0::sim
