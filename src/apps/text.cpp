#include "apps/text.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

namespace tensorpool::inline v0::apps {

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t k = digits.size(); k > 3; k -= 3) {
    digits.insert(k - 3, 1, ',');
  }
  return digits;
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return value == std::floor(value) ? fmt::format("{:.0f} {}", value, kUnits[unit])
                                    : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string megabytes_text(double bytes_per_second) {
  const double megabytes = bytes_per_second / 1e6;
  const int digits = megabytes < 1 ? 3 : megabytes < 100 ? 1 : 0;
  return fmt::format("{:.{}f} MB/s", megabytes, digits);
}

std::string duration_text(Nanos span) {
  const auto ns = static_cast<double>(span.count());
  const double size = std::fabs(ns);
  if (size < 1e3) {
    return fmt::format("{:.0f} ns", ns);
  }
  const auto [unit, name] = size < 1e6   ? std::pair(1e3, "us")
                            : size < 1e9 ? std::pair(1e6, "ms")
                                         : std::pair(1e9, "s");
  const int digits = size / unit < 10 ? 2 : size / unit < 100 ? 1 : 0;
  return fmt::format("{:.{}f} {}", ns / unit, digits, name);
}

std::string rate_text(double hz) {
  if (hz < 100) {
    return fmt::format("{:.2f} Hz", hz);
  }
  const auto tenths = static_cast<std::uint64_t>(std::llround(hz * 10));
  return hz < 10'000 ? fmt::format("{}.{} Hz", grouped(tenths / 10), tenths % 10)
                     : fmt::format("{} Hz", grouped((tenths + 5) / 10));
}

std::string tensor_text(const TensorInfo& info) {
  std::string text;
  for (const std::int32_t extent : info.shape()) {
    text += (text.empty() ? "" : " x ") + std::to_string(extent);
  }
  text += ' ';
  text += to_string(info.dtype);
  return info.order == MajorOrder::kColumn ? text + ", column-major" : text;
}

std::string counted(std::uint64_t number, const char* noun) {
  return fmt::format("{} {}{}", grouped(number), noun, number == 1 ? "" : "s");
}

}  // namespace tensorpool::inline v0::apps
