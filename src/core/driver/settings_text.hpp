// How keys and values of settings are written, in files as in messages:
// `profiles."4 MiB".payload_pools[0].stride_bytes`, `20000-29999`, `660`.
//
// Spec: §2.21. Thread contract: free functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/driver/settings.hpp"

namespace tensorpool::inline v0::core::driver {

/// `value` as a basic string of TOML, in quotes; other than ASCII stays as it is.
[[nodiscard]] std::string quoted(std::string_view value);

/// A mode of files in octal digits, without a leading zero.
[[nodiscard]] std::string octal(std::uint32_t mode);

/// `first-last`.
[[nodiscard]] std::string text_of(const IdRange& range);

/// `name` as TOML writes a key: bare, or in quotes where it has to be.
[[nodiscard]] std::string key_text(std::string_view name);

/// `profiles.<name>`, and `.<leaf>` behind it where there is one.
[[nodiscard]] std::string profile_key(std::string_view name, std::string_view leaf = {});
[[nodiscard]] std::string pool_key(std::string_view profile, std::size_t index,
                                   std::string_view leaf = {});
[[nodiscard]] std::string stream_key(std::string_view name, std::string_view leaf = {});

}  // namespace tensorpool::inline v0::core::driver
