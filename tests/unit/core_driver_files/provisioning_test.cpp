// Numbers, modes and texts of a driver's provisioning.
#include "core/driver/provisioning.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "core/region/directories.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::driver {
namespace {

using region::choose_epoch;
using region::kDriverEpochMax;

TEST(DriverEpoch, is_the_clock_or_one_above_the_highest_that_is_known) {
  TP_REQ("D178");
  EXPECT_EQ(choose_epoch(0, Nanos{1000}, kDriverEpochMax), 1000U);
  EXPECT_EQ(choose_epoch(998, Nanos{1000}, kDriverEpochMax), 1000U);
  EXPECT_EQ(choose_epoch(1000, Nanos{1000}, kDriverEpochMax), 1001U);
  EXPECT_EQ(choose_epoch(5000, Nanos{1000}, kDriverEpochMax), 5001U);
  EXPECT_EQ(choose_epoch(0, Nanos{0}, kDriverEpochMax), 1U);
}

TEST(DriverEpoch, ends_at_the_highest_signed_number) {
  TP_REQ("D179");
  EXPECT_EQ(kDriverEpochMax, 9'223'372'036'854'775'807U);
  EXPECT_EQ(choose_epoch(kDriverEpochMax - 1, Nanos{1}, kDriverEpochMax), kDriverEpochMax);
  const auto epoch = choose_epoch(kDriverEpochMax, Nanos{1}, kDriverEpochMax);
  ASSERT_FALSE(epoch.has_value());
  EXPECT_EQ(epoch.error().code, Errc::kEpochExhausted);
  EXPECT_EQ(provision_detail(epoch.error()), "epoch space exhausted");
}

TEST(DirectoryMode, lets_enter_who_may_read_and_keeps_the_group) {
  TP_REQ("D196", "W150");
  const struct {
    std::uint32_t file;
    std::uint32_t directory;
  } table[] = {{0660, 02770}, {0600, 0700}, {0640, 02750}, {0644, 02755},
               {0666, 02777}, {0620, 0720}, {0604, 0705},  {0700, 0700}};
  for (const auto& [file, directory] : table) {
    EXPECT_EQ(region::directory_mode(file), directory) << std::oct << file;
  }
}

TEST(ProvisionDetail, is_the_text_of_the_specification_where_there_is_one) {
  TP_REQ("D204", "D207", "D214");
  EXPECT_EQ(provision_detail(make_error(Errc::kNoSpace, "/dev/shm", 1000, 7)),
            "insufficient space: need 1000 bytes, have 7");
  EXPECT_EQ(provision_detail(make_error(Errc::kNoSpace, "/dev/shm", ~std::uint64_t{0}, 0)),
            "insufficient space: need 18446744073709551615 bytes, have 0");
  Error locked = make_error(Errc::kAlreadyExists, "locked by another driver: /dev/shm/x");
  EXPECT_EQ(provision_detail(locked.of_field(Field::kStreamId)), "stream locked by another driver");
  EXPECT_EQ(provision_detail(make_os_error(Errc::kOsFailure, "mlock", ENOMEM)).find("mlock"), 0U);
}

TEST(ProvisionDetail, is_everything_known_otherwise) {
  for (const Error& error :
       {make_os_error(Errc::kNoSpace, "fallocate: /dev/shm/x", ENOSPC),
        make_error(Errc::kPathRejected, "directory of another user: /dev/shm/x", 5, 6),
        make_error(Errc::kAlreadyExists, "others take each epoch first").of_field(Field::kEpoch)}) {
    EXPECT_EQ(provision_detail(error), describe(error));
  }
}

TEST(KeepReason, has_a_name_each) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(KeepReason::kFailed); ++i) {
    names.insert(to_string(static_cast<KeepReason>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(KeepReason::kFailed) + 1);
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace tensorpool::core::driver
