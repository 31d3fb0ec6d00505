// Messages that make no sense to anybody, and those of a version to come. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "codec/codec.hpp"

namespace tensorpool::inline v0::apps::conform {

/// Cut short, of other schemas and templates, of later versions, with lengths that lead nowhere;
/// none means anything to a receiver of this version (W74..W79, W83, W89).
[[nodiscard]] std::vector<std::vector<std::byte>> strange_messages();

/// `message` with a block that is `more` bytes longer than listed, and a byte behind its end: means
/// the same (W80, W86). For messages without groups.
template <class M>
[[nodiscard]] std::vector<std::byte> with_long_block(const M& message, std::size_t more = 8) {
  std::vector<std::byte> bytes(codec::encoded_size(message));
  if (!codec::encode(message, std::span(bytes))) {
    return {};
  }
  const std::size_t block = M::kType.block_length;
  const auto length = static_cast<std::uint16_t>(block + more);
  bytes[0] = static_cast<std::byte>(length & 0xFFU);
  bytes[1] = static_cast<std::byte>(length >> 8U);
  bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(8 + block), more, std::byte{0x5A});
  bytes.push_back(std::byte{0x5A});
  return bytes;
}

}  // namespace tensorpool::inline v0::apps::conform
