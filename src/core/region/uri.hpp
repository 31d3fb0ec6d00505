// Region URIs: `shm:file?path=/dev/shm/…/1.pool|require_hugepages=true`.
//
// For everybody who announces or maps a region. Pure and strict: what the grammar does not name is
// refused, because a tolerated mistake hides an attack. Spec: §1.6 (W100..W111).
// Thread contract: free functions, any thread.
#pragma once

#include <string>
#include <string_view>

#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::core::region {

/// The two parameters of a region URI. `path` is a view into the text that was parsed.
struct RegionUri {
  std::string_view path;
  bool require_hugepages = false;
};

/// Takes a URI apart, or answers `uri_unsupported_scheme` or `uri_invalid` with the parameter to
/// blame. Allocates: nothing.
[[nodiscard]] Result<RegionUri> parse_region_uri(std::string_view uri) noexcept;

/// The canonical form that owners announce (W111). Precondition: none; whether the path can stand
/// in a URI is for `parse_region_uri` to say.
[[nodiscard]] std::string format_region_uri(const RegionUri& uri);

}  // namespace tensorpool::inline v0::core::region
