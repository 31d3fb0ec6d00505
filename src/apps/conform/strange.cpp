#include "apps/conform/strange.hpp"

#include <array>
#include <cstdint>

#include "layout/message.hpp"

namespace tensorpool::inline v0::apps::conform {
namespace {

/// Four words, little-endian, then `rest` bytes of 0xFF: the null value of whatever they are.
[[nodiscard]] std::vector<std::byte> message_of(std::array<std::uint16_t, 4> header,
                                                std::size_t rest) {
  std::vector<std::byte> bytes;
  for (const std::uint16_t word : header) {
    bytes.push_back(static_cast<std::byte>(word & 0xFFU));
    bytes.push_back(static_cast<std::byte>(word >> 8U));
  }
  bytes.resize(bytes.size() + rest, std::byte{0xFF});
  return bytes;
}

}  // namespace

std::vector<std::vector<std::byte>> strange_messages() {
  constexpr std::uint16_t kWire = 900;
  constexpr std::uint16_t kDriver = 901;
  std::vector<std::vector<std::byte>> messages = {
      std::vector<std::byte>(7, std::byte{1}),  // no header
      message_of({0, 0, 0, 0}, 0),
      message_of({40, 4, 950, 1}, 40),      // another schema
      message_of({16, 200, kWire, 1}, 16),  // an unknown template
      message_of({16, 200, kDriver, 1}, 16),
      message_of({64, 50, kWire, 1}, 64),  // of shared memory
      message_of({60, 51, kWire, 1}, 64),
  };
  for (std::uint16_t id = 1; id <= 13; ++id) {
    messages.push_back(message_of({64, id, kWire, 2}, 64));      // a later version
    messages.push_back(message_of({1, id, kWire, 1}, 1));        // a block that is too short
    messages.push_back(message_of({0xFFFF, id, kWire, 1}, 64));  // and one that is too long
    messages.push_back(message_of({64, id, kWire, 1}, 64));      // nulls, and endless texts
  }
  return messages;
}

}  // namespace tensorpool::inline v0::apps::conform
