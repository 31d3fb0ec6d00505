// What readers noticed of each run, a line of JSON each, for docs/guide/failures.md. Written where
// TENSORPOOL_CHAOS_TABLES names a directory; tools/chaos-table makes tables out of it.
#pragma once

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "chaos/fleet.hpp"

namespace tensorpool::chaos {

class Table {
 public:
  using Clock = Fleet::Clock;

  /// Begins the table of this name anew.
  explicit Table(std::string_view name) {
    if (const char* const directory = std::getenv("TENSORPOOL_CHAOS_TABLES")) {
      std::filesystem::create_directories(directory);
      lines_.open(std::string(directory) + "/" + std::string(name) + ".jsonl", std::ios::trunc);
    }
  }

  /// `what` happened to `victim`; after `back` everybody had what he needs.
  void add(Role victim, std::string_view what, Clock::duration back,
           const Observer::Noticed& noticed) {
    const nlohmann::json line = {{"v", 1},
                                 {"victim", name_of(victim)},
                                 {"what", what},
                                 {"silence_ms", ms(noticed.silence)},
                                 {"back_ms", ms(back)},
                                 {"readers_are_told", noticed.told}};
    lines_ << line.dump() << std::endl;
  }

 private:
  [[nodiscard]] static std::int64_t ms(Clock::duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  }

  std::ofstream lines_;
};

}  // namespace tensorpool::chaos
