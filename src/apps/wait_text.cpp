#include "apps/wait_text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace tensorpool::inline v0::apps {
namespace {

constexpr std::uint32_t kSpinUsMax = 1'000'000;

}  // namespace

std::string_view to_string(WaitKind kind) noexcept {
  switch (kind) {
    case WaitKind::kSpin:
      return "spin";
    case WaitKind::kYield:
      return "yield";
    case WaitKind::kBackoff:
      return "backoff";
    case WaitKind::kPark:
      return "park";
    case WaitKind::kHybrid:
      break;
  }
  return "hybrid";
}

Result<WaitStrategy> parse_wait(std::string_view text) {
  const auto kind = std::find_if(kWaitKinds.begin(), kWaitKinds.end(),
                                 [text](WaitKind known) { return to_string(known) == text; });
  if (kind != kWaitKinds.end()) {
    return WaitStrategy{.kind = *kind};
  }
  constexpr std::string_view kTimed = "hybrid:";
  std::uint32_t spin_us = 0;
  if (text.starts_with(kTimed)) {
    const char* const end = text.data() + text.size();
    const auto [last, error] = std::from_chars(text.data() + kTimed.size(), end, spin_us);
    if (error == std::errc() && last == end && spin_us <= kSpinUsMax) {
      return WaitStrategy{.kind = WaitKind::kHybrid,
                          .spin_for = std::chrono::microseconds(spin_us)};
    }
  }
  return fail(Errc::kInvalidArgument, "one of spin, yield, backoff, park, hybrid, hybrid:US");
}

}  // namespace tensorpool::inline v0::apps
