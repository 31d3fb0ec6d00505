// How a part of the library runs in its process.
#pragma once

#include <cstdint>

namespace tensorpool::inline v0 {

/// Who does the work besides the data path: announces, activity, hello, mapping, leases, Aeron's
/// conductor.
enum class Threading : std::uint8_t {
  kBackground,  ///< one thread of the object's own
  kInvoked,     ///< the application, by calling do_work
};

/// How it comes to a media driver.
enum class MediaDriverPolicy : std::uint8_t {
  kExternal,  ///< wait for one to run in `aeron_dir`
  kAuto,      ///< join the one in `aeron_dir`, or embed one there when none is alive
  kEmbedded,  ///< embed one; fails when one is alive there already
};

}  // namespace tensorpool::inline v0
