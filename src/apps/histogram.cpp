#include "apps/histogram.hpp"

#include <hdr/hdr_histogram.h>

#include <algorithm>
#include <chrono>

namespace tensorpool::inline v0::apps {
namespace {

constexpr std::int64_t kHighest = Nanos(std::chrono::hours(1)).count();
constexpr int kDigits = 3;

}  // namespace

Result<Histogram> Histogram::create() {
  hdr_histogram* histogram = nullptr;
  if (const int status = hdr_init(1, kHighest, kDigits, &histogram); status != 0) {
    return fail(make_os_error(Errc::kOsFailure, "hdr_init", status));
  }
  return Histogram(histogram);
}

void Histogram::Close::operator()(hdr_histogram* histogram) const noexcept {
  hdr_close(histogram);
}

void Histogram::record(Nanos span) noexcept {
  hdr_record_value(histogram_.get(), std::clamp<std::int64_t>(span.count(), 1, kHighest));
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

}  // namespace tensorpool::inline v0::apps
