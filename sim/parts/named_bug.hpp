// The name under which `tp-sim --bug` plants a bug.
#pragma once

#include <algorithm>
#include <span>
#include <string_view>

namespace tensorpool::inline v0::sim {

template <class Bug>
struct NamedBug {
  const char* name;
  Bug bug;
};

/// Bug{}, which is none, when nothing has this name.
template <class Bug>
[[nodiscard]] Bug bug_named(std::span<const NamedBug<Bug>> all, std::string_view name) {
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const NamedBug<Bug>& bug) { return bug.name == name; });
  return found == all.end() ? Bug{} : found->bug;
}

}  // namespace tensorpool::inline v0::sim
