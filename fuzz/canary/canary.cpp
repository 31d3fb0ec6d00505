// A reader with a planted bug: it believes a length that the input claims. A fuzz run that does not
// find it proves nothing about the other targets, so the test of this one passes only on a crash.
#include <string_view>

#include "harness/fuzz.hpp"

int fuzz_canary(std::span<const std::byte> input) {
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  if (text.size() < 3 || text[0] != 'T' || text[1] != 'P') {
    return 0;
  }
  const auto claimed = static_cast<unsigned char>(text[2]);
  if (claimed > text.size() - 3) {
    std::fputs("planted bug: read beyond the end\n", stderr);
    std::abort();
  }
  return 0;
}
