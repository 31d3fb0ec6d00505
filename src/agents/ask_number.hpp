// The number of a stream, asked of somebody who may take a while: a driver, over its admin socket.
//
// Thread contract: a plain type; the function is called on the control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::agents {

/// Asks, or looks for the answer, without waiting: nothing as long as there is none. kNotFound: not
/// now, but perhaps later; other errors are final. The call after an answer asks anew.
using AskNumber = std::function<std::optional<Result<std::uint32_t>>(Nanos now)>;

}  // namespace tensorpool::inline v0::agents
