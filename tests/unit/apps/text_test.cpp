#include "apps/text.hpp"

#include <gtest/gtest.h>

namespace tensorpool::apps {
namespace {

TEST(Text, groups_digits_by_three) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(18'446'744'073'709'551'615U), "18,446,744,073,709,551,615");
}

TEST(Text, shows_three_digits_of_a_duration_in_the_unit_that_fits) {
  EXPECT_EQ(duration_text(Nanos(0)), "0 ns");
  EXPECT_EQ(duration_text(Nanos(850)), "850 ns");
  EXPECT_EQ(duration_text(Nanos(1'234)), "1.23 us");
  EXPECT_EQ(duration_text(Nanos(56'780'000)), "56.8 ms");
  EXPECT_EQ(duration_text(Nanos(120'000'000'000)), "120 s");
  EXPECT_EQ(duration_text(Nanos(-1'234)), "-1.23 us");
}

TEST(Text, shows_bytes_in_powers_of_1024_and_rates_of_them_in_powers_of_1000) {
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(640 * 1024), "640 KiB");
  EXPECT_EQ(bytes_text(3UL << 29U), "1.5 GiB");
  EXPECT_EQ(megabytes_text(655'360'000), "655 MB/s");
  EXPECT_EQ(megabytes_text(12'340'000), "12.3 MB/s");
}

TEST(Text, shows_a_rate_the_finer_the_lower_it_is) {
  EXPECT_EQ(rate_text(59.94), "59.94 Hz");
  EXPECT_EQ(rate_text(1000), "1,000.0 Hz");
  EXPECT_EQ(rate_text(1'234'567), "1,234,567 Hz");
}

TEST(Text, counts_in_the_singular_and_the_plural) {
  EXPECT_EQ(counted(1, "frame"), "1 frame");
  EXPECT_EQ(counted(0, "frame"), "0 frames");
}

TEST(Text, says_when_a_tensor_is_column_major) {
  TensorInfo info = TensorInfo::packed(Dtype::kUint16, {512, 640});
  EXPECT_EQ(tensor_text(info), "512 x 640 uint16");
  info.order = MajorOrder::kColumn;
  EXPECT_EQ(tensor_text(info), "512 x 640 uint16, column-major");
}

}  // namespace
}  // namespace tensorpool::apps
