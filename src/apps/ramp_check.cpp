#include "apps/ramp_check.hpp"

#include <cstring>

namespace tensorpool::inline v0::apps {
namespace {

std::uint64_t period_of(Dtype dtype) noexcept {
  if (dtype == Dtype::kBoolean) {
    return 2;
  }
  return element_bytes(dtype) == 1 ? 256 : 65'536;
}

template <class T>
T element(std::span<const std::byte> bytes, std::size_t index) noexcept {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

/// Precondition: `bytes` holds at least one element, `period` is a power of two.
template <class T>
std::optional<std::uint64_t> start_as(std::span<const std::byte> bytes,
                                      std::uint64_t period) noexcept {
  const T first = element<T>(bytes, 0);
  const auto value = static_cast<double>(first);
  if (!(value >= 0 && value < static_cast<double>(period))) {
    return std::nullopt;
  }
  const auto start = static_cast<std::uint64_t>(value);
  bool wrong = false;
  for (std::size_t i = 0; i < bytes.size() / sizeof(T); ++i) {
    wrong |= element<T>(bytes, i) != static_cast<T>((start + i) & (period - 1));
  }
  return wrong ? std::nullopt : std::optional(start);
}

}  // namespace

std::optional<std::uint64_t> ramp_start(const TensorInfo& info,
                                        std::span<const std::byte> bytes) noexcept {
  const std::size_t size = element_bytes(info.dtype);
  if (size == 0 || bytes.size() < size || bytes.size() % size != 0) {
    return std::nullopt;
  }
  const std::uint64_t period = period_of(info.dtype);
  if (info.dtype == Dtype::kFloat32) {
    return start_as<float>(bytes, period);
  }
  if (info.dtype == Dtype::kFloat64) {
    return start_as<double>(bytes, period);
  }
  switch (size) {
    case 1:
      return start_as<std::uint8_t>(bytes, period);
    case 2:
      return start_as<std::uint16_t>(bytes, period);
    case 4:
      return start_as<std::uint32_t>(bytes, period);
    default:
      return start_as<std::uint64_t>(bytes, period);
  }
}

RampCheck::Verdict RampCheck::check(const TensorInfo& info, std::span<const std::byte> bytes,
                                    std::uint64_t epoch, std::uint64_t seq) noexcept {
  ++checked_;
  const std::optional<std::uint64_t> start = ramp_start(info, bytes);
  if (!start) {
    ++torn_;
    return Verdict::kTorn;
  }
  const std::uint64_t offset = (*start - seq) % period_of(info.dtype);  // periods divide 2^64
  if (!offset_ || epoch != epoch_) {
    epoch_ = epoch;
    offset_ = offset;
  }
  if (offset != *offset_) {
    ++misnumbered_;
    return Verdict::kMisnumbered;
  }
  return Verdict::kRight;
}

}  // namespace tensorpool::inline v0::apps
