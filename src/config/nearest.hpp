// The word that was meant: for messages about names that nobody knows.
//
// Thread contract: free function, any thread.
#pragma once

#include <span>
#include <string_view>

namespace tensorpool::inline v0::config {

/// The candidate that takes the fewest insertions, deletions and replacements to get from `word`;
/// an empty text when all are too far away to be meant.
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       std::span<const std::string_view> candidates);

}  // namespace tensorpool::inline v0::config
