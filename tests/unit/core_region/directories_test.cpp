#include "core/region/directories.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "core/region/containment.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::region {
namespace {

TEST(Containment, is_a_matter_of_components_and_not_of_prefixes) {
  TP_REQ("W122");
  EXPECT_TRUE(is_below("/dev/shm", "/dev/shm/a"));
  EXPECT_EQ(rest_below("/dev/shm", "/dev/shm/a/b"), "a/b");
  for (const char* outside :
       {"/dev/shm", "/dev/shm/", "/dev/shm2", "/dev/shm2/a", "/dev/shma", "/dev", "/", "", "a"}) {
    EXPECT_FALSE(is_below("/dev/shm", outside)) << outside;
  }
  EXPECT_FALSE(is_below("", "/a"));
  EXPECT_FALSE(is_below("/", "/a")) << "a base never is the root (W117)";
}

TEST(Directories, have_the_names_of_the_specification) {
  TP_REQ("W137", "W138");
  const StreamPlace place{.user = "alice", .name_space = "lab", .stream_id = 10000};
  EXPECT_EQ(place.levels(), (std::array<std::string, 3>{"tensorpool-alice", "lab", "10000"}));
  ExpectedRegion region;
  EXPECT_EQ(region_file_name(region), "header.ring");
  region.type = layout::RegionType::kPayloadPool;
  EXPECT_EQ(region_file_name(region), "0.pool");
  region.pool_id = 65534;
  EXPECT_EQ(region_file_name(region), "65534.pool");
}

TEST(Directories, user_names_lose_what_could_mislead) {
  TP_REQ("W139");
  EXPECT_EQ(sanitized_user("alice", 7), "alice");
  EXPECT_EQ(sanitized_user("A-b_9", 7), "A-b_9");
  EXPECT_EQ(sanitized_user("../x y", 7), "___x_y");
  EXPECT_EQ(sanitized_user("j\xc3\xb6rg", 7), "j__rg");
  EXPECT_EQ(sanitized_user("", 1000), "1000");
}

TEST(Directories, namespaces_are_one_plain_word) {
  TP_REQ("W140");
  for (const char* good : {"default", "A", "0", "-", "_", "lab-2_b"}) {
    EXPECT_TRUE(check_namespace(good).has_value()) << good;
  }
  for (const char* bad : {"", ".", "..", "a/b", "/", "a b", "a.b", "\xc3\xa4"}) {
    const Status judged = check_namespace(bad);
    ASSERT_FALSE(judged.has_value()) << bad;
    EXPECT_EQ(judged.error().code, Errc::kInvalidArgument);
  }
}

TEST(Directories, decimals_have_no_sign_no_zeros_in_front_and_fit_64_bits) {
  TP_REQ("W138", "W416", "W421");
  EXPECT_EQ(parse_decimal("0"), 0U);
  EXPECT_EQ(parse_decimal("18446744073709551615"), 0xFFFF'FFFF'FFFF'FFFFULL);
  for (const char* bad :
       {"", "-1", "+1", "01", "00", " 1", "1 ", "1a", "0x1", "18446744073709551616"}) {
    EXPECT_FALSE(parse_decimal(bad).has_value()) << bad;
  }
  for (const char* good : {"header.ring", "0.pool", "65535.pool"}) {
    EXPECT_TRUE(is_region_file_name(good)) << good;
  }
  for (const char* bad : {"", ".pool", "x.pool", "01.pool", "1.pool2", "header.ring2", "1.POOL"}) {
    EXPECT_FALSE(is_region_file_name(bad)) << bad;
  }
}

TEST(Directories, the_next_epoch_is_above_all_others_and_never_wraps) {
  TP_REQ("W409", "W410", "W413");
  using std::chrono::nanoseconds;
  EXPECT_EQ(choose_epoch(0, nanoseconds{1000}), 1000U);
  EXPECT_EQ(choose_epoch(999, nanoseconds{1000}), 1000U);
  EXPECT_EQ(choose_epoch(1000, nanoseconds{1000}), 1001U);
  EXPECT_EQ(choose_epoch(5000, nanoseconds{1000}), 5001U);
  EXPECT_EQ(choose_epoch(0, nanoseconds{0}), 1U) << "epoch 0 does not exist";
  EXPECT_EQ(choose_epoch(0, nanoseconds{-5}), 1U);
  EXPECT_EQ(choose_epoch(layout::kEpochMax - 1, nanoseconds{1}), layout::kEpochMax);
  for (const std::uint64_t highest : {layout::kEpochMax, layout::kEpochMax + 1}) {
    const auto epoch = choose_epoch(highest, nanoseconds{1});
    ASSERT_FALSE(epoch.has_value());
    EXPECT_EQ(epoch.error().code, Errc::kEpochExhausted);
  }
}

}  // namespace
}  // namespace tensorpool::core::region
