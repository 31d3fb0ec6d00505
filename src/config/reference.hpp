// The page of the guide that lists every key. Thread contract: free function, any thread.
#pragma once

#include <string>

namespace tensorpool::inline v0::config {

/// docs/guide/configuration.md, which a test compares with this.
[[nodiscard]] std::string reference_page();

}  // namespace tensorpool::inline v0::config
