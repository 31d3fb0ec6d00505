// What all runs of a program did together: totals, speed, histogram of marks.
#pragma once

#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "supervise.hpp"

namespace tensorpool::inline v0::sim {

/// Writes the hits of this process's marks where its parent finds them.
void store_marks(Worker& worker);

class Report {
 public:
  /// What the workers did, all of whom have ended.
  explicit Report(std::span<const Worker> workers, double seconds);

  void print_text(std::FILE* out) const;
  void print_json(std::FILE* out, std::uint64_t first_seed) const;

  /// What a run has to do on average (crash, 20 lost or doubled messages, lap) and did not, and
  /// marks that were never hit.
  [[nodiscard]] std::vector<std::string> shortcomings() const;

 private:
  [[nodiscard]] double per_seed(std::uint64_t count) const {
    return seeds_ == 0 ? 0 : static_cast<double>(count) / static_cast<double>(seeds_);
  }

  /// A name, and how often it was reached.
  using Marks = std::map<std::string, std::uint64_t>;

  RunStats total_;
  Marks marks_;
  std::uint64_t seeds_ = 0;
  std::size_t workers_;
  double seconds_;
};

}  // namespace tensorpool::inline v0::sim
