// A loaded configuration as it is in effect: every key with its value and where that comes from.
//
// Thread contract: free functions, any thread.
#pragma once

#include <string>
#include <vector>

#include "config/key_table.hpp"
#include "config/load.hpp"
#include "config/value.hpp"

namespace tensorpool::inline v0::config {

struct EffectiveValue {
  const Key* key = nullptr;
  std::string full_key;  ///< `profiles.small.payload_pools[0].pool_id`
  Value value;           ///< none: nothing is set, or it is hidden
  Origin origin;
  bool hidden = false;  ///< a secret that is set
};

/// In the order of the key table; tables that the user names in the order of the file.
[[nodiscard]] std::vector<EffectiveValue> effective_values(const Loaded& loaded);

/// A line of a TOML text, and what is to stand in a comment behind it.
struct CommentedLine {
  std::string text;
  std::string comment;
};

/// A file that means the same, secrets left out. Comments name the origins.
[[nodiscard]] std::vector<CommentedLine> effective_toml(const Loaded& loaded);

}  // namespace tensorpool::inline v0::config
