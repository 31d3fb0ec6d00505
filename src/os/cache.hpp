// The last-level cache of this machine, for choosing how to copy. Thread contract: any thread.
#pragma once

#include <cstdint>

namespace tensorpool::inline v0::os {

/// Bytes of the last-level cache as the system reports it, or 0 when it does not.
[[nodiscard]] std::uint64_t last_level_cache_bytes() noexcept;

}  // namespace tensorpool::inline v0::os
