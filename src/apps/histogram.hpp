// Distribution of durations: HdrHistogram with three digits, 1 ns to 1 hour.
//
// Thread contract: one thread at a time. Allocates: once, in create.
#pragma once

#include <cstdint>
#include <memory>

#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

struct hdr_histogram;

namespace tensorpool::inline v0::apps {

class Histogram {
 public:
  [[nodiscard]] static Result<Histogram> create();

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

 private:
  struct Close {
    void operator()(hdr_histogram* histogram) const noexcept;
  };
  explicit Histogram(hdr_histogram* histogram) noexcept : histogram_(histogram) {}
  std::unique_ptr<hdr_histogram, Close> histogram_;
};

}  // namespace tensorpool::inline v0::apps
