#include "core/naming/stream_names.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>

namespace tensorpool::inline v0::core::naming {
namespace {

static_assert(stream_number("cam1") == stream_number("cam1"), "usable at compile time");

TEST(Crc32c, has_the_published_check_values) {
  EXPECT_EQ(crc32c("123456789"), 0xE306'9283U);
  EXPECT_EQ(crc32c(""), 0U);
  // RFC 3720, B.4: 32 bytes of zeros and of ones.
  EXPECT_EQ(crc32c(std::string_view(
                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32)),
            0x8A91'36AAU);
  EXPECT_EQ(crc32c("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                   "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
            0x62A8'AB43U);
}

TEST(StreamNumber, is_ten_thousand_plus_the_checksum_of_the_name_modulo_a_thousand) {
  EXPECT_EQ(stream_number("123456789"), 10'000U + 0xE306'9283U % 1000U);
  EXPECT_EQ(stream_number(""), 10'000U);
}

TEST(DescriptorStreamId, is_another_one_for_each_of_a_thousand_numbers_and_never_a_reserved_one) {
  const std::set<std::int32_t> reserved = {1000, 1200, 1300};
  std::set<std::int32_t> seen;
  for (std::uint32_t number = 10'000; number < 11'000; ++number) {
    const std::int32_t id = descriptor_stream_id(number);
    EXPECT_TRUE(seen.insert(id).second) << number;
    EXPECT_EQ(reserved.count(id), 0U) << number;
    EXPECT_EQ(id, descriptor_stream_id(number + 1000)) << number;
  }
}

TEST(DescriptorStreamId, moves_only_the_two_reserved_ones) {
  EXPECT_EQ(descriptor_stream_id(10'000), 1100);
  EXPECT_EQ(descriptor_stream_id(10'099), 1199);
  EXPECT_EQ(descriptor_stream_id(10'100), 2100);
  EXPECT_EQ(descriptor_stream_id(10'200), 2101);
  EXPECT_EQ(descriptor_stream_id(10'999), 2099);
  EXPECT_EQ(descriptor_stream_id(0xFFFF'FFFEU), 1100 + 294);
}

}  // namespace
}  // namespace tensorpool::inline v0::core::naming
