// Errors that say in a few words why: "is a directory: /dev/shm/x". For the cold paths that refuse
// something.
//
// Thread contract: free function, any thread. Allocates: nothing.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::base {

/// An Error whose subject is `reason: subject`, cut like every subject.
[[nodiscard]] inline Error make_reason(Errc code, std::string_view reason, std::string_view subject,
                                       std::uint64_t value = 0, std::uint64_t limit = 0) noexcept {
  constexpr std::string_view kColon = ": ";
  std::array<char, sizeof(Error::subject) + 1> text{};  // one byte longer, so that a cut shows
  char* end = text.data();
  for (std::string_view part : {reason, kColon, subject}) {
    const auto room = static_cast<std::size_t>(text.data() + text.size() - end);
    part = part.substr(0, room);
    end = std::copy(part.begin(), part.end(), end);
  }
  return make_error(code, {text.data(), static_cast<std::size_t>(end - text.data())}, value, limit);
}

}  // namespace tensorpool::inline v0::base
