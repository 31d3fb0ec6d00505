#include "bus/aeron_error.hpp"

#include <aeronc.h>

#include <cstddef>
#include <cstdint>

namespace tensorpool::inline v0::bus {

std::string_view root_cause(std::string_view message) noexcept {
  std::string_view cause;
  std::string_view opening;
  for (std::string_view rest = message; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() == rest.size() ? line.size() : line.size() + 1);
    if (line.starts_with('(')) {
      opening = line;
      cause = {};
      continue;
    }
    const std::size_t tail = line.starts_with('[') ? line.find("] ") : std::string_view::npos;
    const std::string_view text = tail == std::string_view::npos ? line : line.substr(tail + 2);
    if (cause.empty()) {
      cause = text;
    }
  }
  return cause.empty() ? opening : cause;
}

Error make_aeron_error(Errc code, int aeron_code, std::string_view message) noexcept {
  Error error = make_error(code, root_cause(message));
  error.os_errno = aeron_code > 0 ? aeron_code : 0;
  return error;
}

Error last_aeron_error(Errc code) noexcept {
  return make_aeron_error(code, aeron_errcode(), aeron_errmsg());
}

}  // namespace tensorpool::inline v0::bus
