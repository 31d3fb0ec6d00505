// Hands libFuzzer's inputs to the target.
#include <cstdint>

#include "harness/fuzz.hpp"

int TP_FUZZ_TARGET(std::span<const std::byte> input);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return TP_FUZZ_TARGET(std::as_bytes(std::span(data, size)));
}
