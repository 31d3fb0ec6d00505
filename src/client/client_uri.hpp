// How a client is told by one string what to connect to.
//
//     uri   = "tensorpool:" mode [ "?" param *( "|" param ) ]
//     mode  = "standalone" / "driver" / "embedded"
//     param = key "=" value        ; a value holds any byte but "|", and is not empty
//
// Every key at most once, except allowed-dir. Keys are those of ClientOptions, and listed there.
// Pure. Thread contract: free functions, any thread.
#pragma once

#include <string_view>

#include "tensorpool/client.hpp"

namespace tensorpool::inline v0::detail {

/// kInvalidArgument with what is wrong and what would do.
[[nodiscard]] Result<ClientOptions> parse_client_uri(std::string_view uri);

}  // namespace tensorpool::inline v0::detail
