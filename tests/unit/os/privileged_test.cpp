// File systems of their own: a tmpfs that is full, and hugetlbfs. Needs root; the mounts live in a
// mount namespace of this process and go with it.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>

#include "os/create_region.hpp"
#include "os/open_region.hpp"
#include "support/requirement.hpp"
#include "unit/os/faulty_syscalls.hpp"
#include "unit/os/fixture.hpp"
#include "unit/os/mounted.hpp"

namespace tensorpool::os {
namespace {

using test::kHugepage;
using test::Mounted;

TEST(FullTmpfs, is_an_error_before_the_first_byte_when_it_never_could_fit) {
  Mounted tmpfs;
  if (!tmpfs.mount("tmpfs", "size=256k")) {
    TP_SKIP_WITHOUT("root");
  }
  core::region::StreamGeometry geometry = test::small_geometry();
  geometry.nslots = 64;
  const auto created =
      OwnedStream::create(system_calls(), {.base_dir = tmpfs.path()}, geometry, test::kNow);
  ASSERT_FALSE(created.has_value());
  EXPECT_EQ(created.error().code, Errc::kNoSpace) << describe(created.error());
  EXPECT_GT(created.error().value, created.error().limit);
  EXPECT_LE(created.error().limit, 256U << 10U);
  EXPECT_GT(created.error().limit, 128U << 10U);
}

TEST(FullTmpfs, is_an_error_and_no_sigbus_when_it_fills_up_between_the_check_and_the_files) {
  Mounted tmpfs;
  if (!tmpfs.mount("tmpfs", "size=256k")) {
    TP_SKIP_WITHOUT("root");
  }
  static_cast<void>(OwnedStream::create(system_calls(), {.base_dir = tmpfs.path()},
                                        test::small_geometry(), test::kNow));
  const test::Footprint before = test::Footprint::take(tmpfs.path());
  const std::string filler = tmpfs.path() / "filler";
  test::FaultySyscalls calls;
  calls.before = [&](std::string_view call) {
    if (call == "fallocate") {
      std::ofstream(filler) << std::string(1U << 20U, 'x');
    }
    return 0;
  };
  const auto created =
      OwnedStream::create(calls, {.base_dir = tmpfs.path()}, test::small_geometry(), test::kNow);
  ASSERT_FALSE(created.has_value());
  EXPECT_EQ(created.error().code, Errc::kNoSpace) << describe(created.error());
  std::filesystem::remove(filler);
  EXPECT_EQ(test::Footprint::take(tmpfs.path()), before);
}

TEST(FullTmpfs, cannot_take_back_what_was_allocated) {
  Mounted tmpfs;
  if (!tmpfs.mount("tmpfs", "size=256k")) {
    TP_SKIP_WITHOUT("root");
  }
  const auto created = OwnedStream::create(system_calls(), {.base_dir = tmpfs.path()},
                                           test::small_geometry(), test::kNow);
  ASSERT_TRUE(created.has_value()) << describe(created.error());
  std::ofstream(tmpfs.path() / "filler") << std::string(1U << 20U, 'x');
  const auto payload = created->regions().pools.front().writable_bytes().subspan(64);
  std::fill(payload.begin(), payload.end(), std::byte{7});  // SIGBUS if it were sparse
  EXPECT_EQ(payload.back(), std::byte{7});
}

class Hugetlbfs : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!pages_.enough() || !mounted_.mount("hugetlbfs", "pagesize=2M")) {
      TP_SKIP_WITHOUT("root, hugetlbfs");
    }
  }
  [[nodiscard]] OwnerOptions owner() const {
    return {.base_dir = mounted_.path(), .require_hugepages = true};
  }

  test::Hugepages pages_{8};
  Mounted mounted_;
};

TEST_F(Hugetlbfs, regions_are_rounded_up_and_found_to_be_huge) {
  TP_REQ("W112", "W128", "W135", "W145", "W146");
  const test::Footprint before = test::Footprint::take(mounted_.path());
  {
    const auto owned =
        OwnedStream::create(system_calls(), owner(), test::small_geometry(), test::kNow);
    ASSERT_TRUE(owned.has_value()) << describe(owned.error());
    EXPECT_TRUE(owned->plan().header_ring.uri.ends_with("|require_hugepages=true"));
    for (const auto& entry : std::filesystem::recursive_directory_iterator(mounted_.path())) {
      EXPECT_TRUE(entry.is_directory() || entry.file_size() == kHugepage) << entry.path();
    }
    const auto policy =
        RegionPolicy::create(system_calls(), {.allowed_base_dirs = {mounted_.path()}});
    ASSERT_TRUE(policy.has_value());
    for (const Access access : {Access::kReadOnly, Access::kReadWrite}) {
      const auto mapped = open_stream(system_calls(), *policy, owned->plan(), access);
      ASSERT_TRUE(mapped.has_value()) << describe(mapped.error());
      EXPECT_EQ(mapped->header_ring.bytes().size(), 64U + 8 * 256);
      EXPECT_TRUE(mapped->recheck(system_calls(), owned->plan()).has_value());
    }
  }
  const test::Footprint after = test::Footprint::take(mounted_.path());
  EXPECT_EQ(after.mappings, before.mappings) << "unmapping takes the rounded length";
  EXPECT_EQ(after.descriptors, before.descriptors);
}

TEST_F(Hugetlbfs, regions_there_are_not_for_clients_that_want_ordinary_pages) {
  TP_REQ("D123");
  const auto owned =
      OwnedStream::create(system_calls(), owner(), test::small_geometry(), test::kNow);
  ASSERT_TRUE(owned.has_value()) << describe(owned.error());
  const auto policy = RegionPolicy::create(
      system_calls(), {.allowed_base_dirs = {mounted_.path()}, .forbid_hugepages = true});
  ASSERT_TRUE(policy.has_value());
  const auto refused = open_stream(system_calls(), *policy, owned->plan(), Access::kReadOnly);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::kHugepagesForbidden) << describe(refused.error());
}

TEST_F(Hugetlbfs, running_out_of_hugepages_is_an_error) {
  TP_REQ("W145");
  core::region::StreamGeometry geometry = test::small_geometry();
  geometry.nslots = 1U << 20U;  // far more than the hugepages of any test machine
  geometry.pools = {{.pool_id = 1, .stride_bytes = 1U << 24U}};
  const auto owned = OwnedStream::create(system_calls(), owner(), geometry, test::kNow);
  ASSERT_FALSE(owned.has_value());
  EXPECT_EQ(owned.error().code, Errc::kNoSpace) << describe(owned.error());
}

}  // namespace
}  // namespace tensorpool::os
