// Aeron's per-thread error turned into an Error. Internal to bus/.
#pragma once

#include <string_view>

#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::bus {

/// The innermost cause in a message of Aeron, which is a chain of lines: "(code) text" opens a
/// chain, "[function, file:line] text" adds a cause.
[[nodiscard]] std::string_view root_cause(std::string_view message) noexcept;

/// An Error from a code and message that Aeron handed to a callback. Positive codes are errno.
[[nodiscard]] Error make_aeron_error(Errc code, int aeron_code, std::string_view message) noexcept;

/// An Error from the failed call that this thread has just made.
[[nodiscard]] Error last_aeron_error(Errc code) noexcept;

}  // namespace tensorpool::inline v0::bus
