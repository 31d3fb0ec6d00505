#include "core/crc32c.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core {
namespace {

[[nodiscard]] std::uint32_t crc_of(std::span<const std::byte> bytes) {
  Crc32c crc;
  crc.update(bytes);
  return crc.digest();
}

/// The definition, bit by bit.
[[nodiscard]] std::uint32_t crc_by_bits(std::span<const std::byte> bytes) {
  std::uint32_t crc = 0xFFFF'FFFFU;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 1U) != 0 ? (crc >> 1U) ^ 0x82F6'3B78U : crc >> 1U;
    }
  }
  return ~crc;
}

TEST(Crc32c, gives_the_values_of_rfc_3720) {
  TP_REQ("W389");
  std::array<std::byte, 32> bytes{};
  EXPECT_EQ(crc_of(bytes), 0x8A91'36AAU);
  bytes.fill(std::byte{0xFF});
  EXPECT_EQ(crc_of(bytes), 0x62A8'AB43U);
  for (std::size_t k = 0; k < bytes.size(); ++k) {
    bytes[k] = static_cast<std::byte>(k);
  }
  EXPECT_EQ(crc_of(bytes), 0x46DD'794EU);
  for (std::size_t k = 0; k < bytes.size(); ++k) {
    bytes[k] = static_cast<std::byte>(31 - k);
  }
  EXPECT_EQ(crc_of(bytes), 0x113F'DB5CU);
}

TEST(Crc32c, gives_the_check_value_of_the_polynomial) {
  constexpr std::string_view kDigits = "123456789";
  EXPECT_EQ(crc_of(std::as_bytes(std::span(kDigits))), 0xE306'9283U);
  EXPECT_EQ(crc_of({}), 0U);
}

TEST(Crc32c, agrees_with_the_definition_in_pieces_of_any_length) {
  base::Random random(1);
  std::vector<std::byte> bytes(300);
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(random.next());
  }
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    const std::span<const std::byte> all(bytes.data(), length);
    const std::size_t cut = length == 0 ? 0 : random.below(length);
    Crc32c sut;
    sut.update(all.first(cut));
    sut.update(all.subspan(cut));
    ASSERT_EQ(sut.digest(), crc_by_bits(all)) << length << " bytes, cut at " << cut;
  }
}

}  // namespace
}  // namespace tensorpool::core
