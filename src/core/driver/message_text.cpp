#include "core/driver/message_text.hpp"

#include <algorithm>

namespace tensorpool::inline v0::core::driver {

std::string message_text(std::string_view text) {
  std::string printable(text.substr(0, kErrorMessageBytesMax));
  std::replace_if(
      printable.begin(), printable.end(), [](char byte) { return byte < 0x20 || byte > 0x7E; },
      '?');
  return printable;
}

}  // namespace tensorpool::inline v0::core::driver
