// The configuration of a driver that is given no file. Spec: none; see `tp up`.
#pragma once

#include "config/load.hpp"

namespace tensorpool::inline v0::config {

/// A TOML text like any other; its name is `built-in`.
[[nodiscard]] const File& builtin_file();

}  // namespace tensorpool::inline v0::config
