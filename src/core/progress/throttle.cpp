#include "core/progress/throttle.hpp"

#include <algorithm>

namespace tensorpool::inline v0::core::progress {
namespace {

/// The smallest of the hints at `member`, if there is one.
template <class Usable>
[[nodiscard]] std::optional<std::uint32_t> smallest(std::span<const Hints> live,
                                                    std::optional<std::uint32_t> Hints::*member,
                                                    Usable&& usable) {
  std::optional<std::uint32_t> least;
  for (const Hints& hints : live) {
    const std::optional<std::uint32_t> hint = hints.*member;
    if (hint && usable(*hint) && (!least || *hint < *least)) {
      least = hint;
    }
  }
  return least;
}

}  // namespace

Status check_settings(const Settings& settings) noexcept {
  if (settings.interval < Nanos{} || settings.interval_floor < Nanos{}) {
    return fail(Errc::kInvalidArgument, "progress_interval_us");
  }
  if (settings.max_rate_hz == 0) {
    return fail(Errc::kInvalidArgument, "progress_max_rate_hz", 0, 1);
  }
  return {};
}

Effective combine(std::span<const Hints> live, const Settings& settings) noexcept {
  const auto any = [](std::uint32_t) { return true; };
  const auto not_zero = [](std::uint32_t hint) { return hint != 0; };
  const auto interval = smallest(live, &Hints::interval_us, any);
  const auto bytes = smallest(live, &Hints::bytes_delta, any);
  const auto major = smallest(live, &Hints::major_delta_units, not_zero);
  return {
      .interval =
          interval ? std::max<Nanos>(std::chrono::microseconds(*interval), settings.interval_floor)
                   : settings.interval,
      .bytes_delta = bytes ? std::max(*bytes, settings.bytes_delta_floor) : settings.bytes_delta,
      .major_delta_units =
          major ? std::max(*major, settings.major_delta_units_floor) : settings.major_delta_units};
}

std::uint64_t threshold_bytes(const Effective& effective, ProgressUnit unit,
                              std::uint32_t stride_bytes) noexcept {
  if (effective.major_delta_units == 0 || unit == ProgressUnit::kNone) {
    return effective.bytes_delta;
  }
  return std::min(effective.bytes_delta, std::uint64_t{effective.major_delta_units} * stride_bytes);
}

}  // namespace tensorpool::inline v0::core::progress
