// Texts as driver messages carry them: printable ASCII of at most 1024 bytes.
//
// Thread contract: free function, any thread. Spec: D17, D262.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tensorpool::inline v0::core::driver {

inline constexpr std::size_t kErrorMessageBytesMax = 1024;

/// `text` with `?` for every byte outside 0x20..0x7E, cut to 1024 bytes (D17).
[[nodiscard]] std::string message_text(std::string_view text);

}  // namespace tensorpool::inline v0::core::driver
