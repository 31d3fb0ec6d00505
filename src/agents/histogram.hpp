// Distribution of durations: HdrHistogram with three digits, from 1 ns on.
//
// Thread contract: one thread at a time. Allocates: once, in create.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>

#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

struct hdr_histogram;

namespace tensorpool::inline v0::agents {

class Histogram {
 public:
  /// What the distribution comes down to; all 0 when there is nothing in it.
  struct Summary {
    std::uint64_t count = 0;
    Nanos p50{};
    Nanos p90{};
    Nanos p99{};
    Nanos p999{};
    Nanos max{};

    friend bool operator==(const Summary&, const Summary&) = default;
  };

  [[nodiscard]] static Result<Histogram> create(Nanos highest = std::chrono::hours(1));

  /// Durations outside the range count as the nearest end of it.
  void record(Nanos span) noexcept;
  void reset() noexcept;
  /// Adds all of `other`.
  void add(const Histogram& other) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept;
  /// `percent` of all durations are at most this; 0 when there is none.
  [[nodiscard]] Nanos percentile(double percent) const noexcept;
  [[nodiscard]] Nanos max() const noexcept;
  [[nodiscard]] Nanos standard_deviation() const noexcept;
  /// In one pass.
  [[nodiscard]] Summary summary() const noexcept;

 private:
  struct Close {
    void operator()(hdr_histogram* histogram) const noexcept;
  };
  Histogram(hdr_histogram* histogram, Nanos highest) noexcept
      : histogram_(histogram), highest_(highest) {}

  std::unique_ptr<hdr_histogram, Close> histogram_;
  Nanos highest_;
};

}  // namespace tensorpool::inline v0::agents
