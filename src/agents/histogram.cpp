#include "agents/histogram.hpp"

#include <hdr/hdr_histogram.h>

#include <algorithm>

namespace tensorpool::inline v0::agents {
namespace {

constexpr int kDigits = 3;

}  // namespace

Result<Histogram> Histogram::create(Nanos highest) {
  hdr_histogram* histogram = nullptr;
  if (const int status = hdr_init(1, highest.count(), kDigits, &histogram); status != 0) {
    return fail(make_os_error(Errc::kOsFailure, "hdr_init", status));
  }
  return Histogram(histogram, highest);
}

void Histogram::Close::operator()(hdr_histogram* histogram) const noexcept {
  hdr_close(histogram);
}

void Histogram::record(Nanos span) noexcept {
  hdr_record_value(histogram_.get(), std::clamp(span, Nanos{1}, highest_).count());
}

void Histogram::reset() noexcept {
  hdr_reset(histogram_.get());
}

void Histogram::add(const Histogram& other) noexcept {
  hdr_add(histogram_.get(), other.histogram_.get());
}

std::uint64_t Histogram::count() const noexcept {
  return static_cast<std::uint64_t>(histogram_->total_count);
}

Nanos Histogram::percentile(double percent) const noexcept {
  return Nanos(count() == 0 ? 0 : hdr_value_at_percentile(histogram_.get(), percent));
}

Nanos Histogram::max() const noexcept {
  return Nanos(count() == 0 ? 0 : hdr_max(histogram_.get()));
}

Nanos Histogram::standard_deviation() const noexcept {
  return Nanos(count() == 0 ? 0 : static_cast<std::int64_t>(hdr_stddev(histogram_.get())));
}

Histogram::Summary Histogram::summary() const noexcept {
  constexpr std::array<double, 4> kPercents = {50, 90, 99, 99.9};
  std::array<std::int64_t, kPercents.size()> at{};
  if (count() == 0 ||
      hdr_value_at_percentiles(histogram_.get(), kPercents.data(), at.data(), at.size()) != 0) {
    return {};
  }
  return {.count = count(),
          .p50 = Nanos(at[0]),
          .p90 = Nanos(at[1]),
          .p99 = Nanos(at[2]),
          .p999 = Nanos(at[3]),
          .max = max()};
}

}  // namespace tensorpool::inline v0::agents
