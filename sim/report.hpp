// What all runs of a program did together: totals, speed, histogram of marks.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "world.hpp"

namespace tensorpool::inline v0::sim {

class Report {
 public:
  void add(const RunStats& run) {
    total_ += run;
    ++seeds_;
  }
  [[nodiscard]] std::uint64_t seeds() const { return seeds_; }
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  }

  void print_text(std::FILE* out) const;
  void print_json(std::FILE* out, std::uint64_t first_seed) const;
  /// One line, over the one before; for terminals.
  void print_progress(std::FILE* out) const;

  /// What a run has to do on average (crash, 20 lost or doubled messages, lap) and did not, and
  /// marks that were never hit.
  [[nodiscard]] std::vector<std::string> shortcomings() const;

 private:
  [[nodiscard]] double per_seed(std::uint64_t count) const {
    return seeds_ == 0 ? 0 : static_cast<double>(count) / static_cast<double>(seeds_);
  }

  RunStats total_;
  std::uint64_t seeds_ = 0;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace tensorpool::inline v0::sim
