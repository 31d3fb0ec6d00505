// Ways of waiting on the command line.
//
// Thread contract: free functions.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "tensorpool/types/error.hpp"
#include "tensorpool/types/wait.hpp"

namespace tensorpool::inline v0::apps {

inline constexpr std::array kWaitKinds{WaitKind::kSpin, WaitKind::kYield, WaitKind::kBackoff,
                                       WaitKind::kPark, WaitKind::kHybrid};

/// `spin`, `yield`, `backoff`, `park`, `hybrid`.
[[nodiscard]] std::string_view to_string(WaitKind kind) noexcept;

/// One of these, or `hybrid:US`, which spins for so many microseconds first.
[[nodiscard]] Result<WaitStrategy> parse_wait(std::string_view text);

}  // namespace tensorpool::inline v0::apps
