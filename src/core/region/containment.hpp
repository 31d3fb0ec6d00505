// Does a canonical path lie below a canonical directory? Spec: §1.7 (W122).
#pragma once

#include <string_view>

namespace tensorpool::inline v0::core::region {

/// The part of `path` after `base + "/"`, or an empty view when `path` does not lie below `base`.
/// A string prefix alone (`/dev/shm2` for `/dev/shm`) is not containment.
/// Precondition: both are canonical: absolute, without `.`, `..`, doubled or trailing slashes.
[[nodiscard]] constexpr std::string_view rest_below(std::string_view base,
                                                    std::string_view path) noexcept {
  if (base.empty() || base.back() == '/' || !path.starts_with(base)) {
    return {};
  }
  path.remove_prefix(base.size());
  return path.size() > 1 && path.front() == '/' ? path.substr(1) : std::string_view();
}

/// True when `path` equals `base + "/" + rest` with a non-empty rest.
[[nodiscard]] constexpr bool is_below(std::string_view base, std::string_view path) noexcept {
  return !rest_below(base, path).empty();
}

}  // namespace tensorpool::inline v0::core::region
