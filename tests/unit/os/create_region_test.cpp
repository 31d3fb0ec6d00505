// What an owner creates, how it cleans up after itself, and what it refuses.
#include "os/create_region.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "core/region/uri.hpp"
#include "support/requirement.hpp"
#include "unit/os/faulty_syscalls.hpp"
#include "unit/os/fixture.hpp"

namespace tensorpool::os {
namespace {

namespace fs = std::filesystem;
using core::region::StreamGeometry;

class CreateRegion : public test::RegionTest {
 protected:
  [[nodiscard]] OwnerOptions alice() const {
    OwnerOptions options = owner();
    options.user = "alice";
    return options;
  }
  [[nodiscard]] fs::path stream_directory() const {
    return base_.path() / "tensorpool-alice" / "default" / "10000";
  }
  [[nodiscard]] Result<OwnedStream> create_with(const OwnerOptions& options,
                                                base::Now now = test::kNow) {
    return OwnedStream::create(system_calls(), options, test::small_geometry(), now);
  }
  /// Expects a refusal that leaves nothing behind.
  void expect_refused(const OwnerOptions& options, Errc code) {
    const test::Footprint before = footprint();
    const auto created = create_with(options);
    ASSERT_FALSE(created.has_value());
    EXPECT_EQ(created.error().code, code) << describe(created.error());
    EXPECT_EQ(created.error().stream_id, 10000U);
    EXPECT_EQ(footprint(), before);
  }
};

[[nodiscard]] mode_t mode_of(const fs::path& path) {
  struct stat found {};
  EXPECT_EQ(::stat(path.c_str(), &found), 0) << path;
  return found.st_mode & 07777;
}

TEST_F(CreateRegion, files_lie_where_the_specification_puts_them) {
  TP_REQ("W111", "W115", "W137", "W138", "W139", "W144", "W410");
  const auto created = create_with(alice());
  ASSERT_TRUE(created.has_value()) << describe(created.error());
  const fs::path epoch = stream_directory() / "1763718000000000";
  EXPECT_EQ(created->epoch(), 1'763'718'000'000'000U);
  EXPECT_EQ(created->plan().header_ring.uri, "shm:file?path=" + (epoch / "header.ring").string());
  EXPECT_EQ(created->plan().pools[1].uri, "shm:file?path=" + (epoch / "2.pool").string());
  EXPECT_EQ(fs::file_size(epoch / "header.ring"), 64U + 8 * 256);
  EXPECT_EQ(fs::file_size(epoch / "1.pool"), 64U + 8 * 4096);
  EXPECT_EQ(fs::file_size(epoch / "2.pool"), 64U + 8 * 64);
}

TEST_F(CreateRegion, what_an_owner_creates_a_client_can_open) {
  TP_REQ("W134", "W231");
  const OwnedStream owned = create(test::small_geometry());
  const auto mapped =
      open_stream(system_calls(), policy(allow_base()), owned.plan(), Access::kReadOnly);
  ASSERT_TRUE(mapped.has_value()) << describe(mapped.error());
  EXPECT_TRUE(mapped->recheck(system_calls(), owned.plan()).has_value());
}

TEST_F(CreateRegion, superblocks_are_complete_and_the_rest_is_zero) {
  TP_REQ("W10", "W12", "W20", "W22", "W146", "W147");
  const OwnedStream owned = create(test::small_geometry());
  std::vector<const MappedRegion*> regions = {&owned.regions().header_ring};
  for (const MappedRegion& pool : owned.regions().pools) {
    regions.push_back(&pool);
  }
  for (const MappedRegion* region : regions) {
    const layout::Superblock block = region->superblock();
    EXPECT_TRUE(check_superblock(block, region->expected()).has_value());
    EXPECT_EQ(block.pid, static_cast<std::uint64_t>(::getpid()));
    EXPECT_EQ(block.start_timestamp_ns, 5'000'000'000U);
    EXPECT_EQ(block.activity_timestamp_ns, 5'000'000'000U);
    const auto rest = region->bytes().subspan(layout::kSuperblockBytes);
    EXPECT_TRUE(std::all_of(rest.begin(), rest.end(), [](auto b) { return b == std::byte{}; }));
  }
}

TEST_F(CreateRegion, activity_is_refreshed_in_every_region) {
  TP_REQ("W14", "W15", "W212");
  const OwnedStream owned = create(test::small_geometry());
  owned.regions().store_activity(Nanos{6'000'000'000});
  const auto mapped =
      open_stream(system_calls(), policy(allow_base()), owned.plan(), Access::kReadOnly);
  ASSERT_TRUE(mapped.has_value());
  EXPECT_EQ(mapped->header_ring.activity_ns(), 6'000'000'000U);
  for (const MappedRegion& pool : mapped->pools) {
    EXPECT_EQ(pool.activity_ns(), 6'000'000'000U);
  }
  EXPECT_TRUE(mapped->recheck(system_calls(), owned.plan()).has_value());
}

TEST_F(CreateRegion, modes_do_not_depend_on_the_umask) {
  TP_REQ("W149", "W150");
  const struct {
    bool private_files;
    mode_t file;
    mode_t directory;
  } table[] = {{false, 0660, 02770}, {true, 0600, 0700}};
  for (const auto& [private_files, file, directory] : table) {
    for (const mode_t mask : {mode_t{0000}, mode_t{0022}, mode_t{0077}, mode_t{0177}}) {
      const test::TemporaryDirectory base;
      OwnerOptions options{.base_dir = base.path(), .private_files = private_files};
      const mode_t before = ::umask(mask);
      const auto created = create_with(options);
      ::umask(before);
      ASSERT_TRUE(created.has_value()) << describe(created.error());
      for (const auto& entry : fs::recursive_directory_iterator(base.path())) {
        EXPECT_EQ(mode_of(entry.path()), entry.is_directory() ? directory : file) << entry.path();
      }
    }
  }
}

TEST_F(CreateRegion, everything_is_created_before_superblocks_and_synchronised_after) {
  TP_REQ("W144", "W148");
  test::FaultySyscalls calls;
  std::vector<std::string> order;
  calls.before = [&](std::string_view call) {
    if (call == "fallocate" || call == "fchmod" || call == "mmap" || call == "msync") {
      order.emplace_back(call);
    }
    return 0;
  };
  const auto created = OwnedStream::create(calls, owner(), test::small_geometry(), test::kNow);
  ASSERT_TRUE(created.has_value());
  const std::vector<std::string> one_file = {"fallocate", "fchmod", "mmap"};
  std::vector<std::string> expected(4, "fchmod");  // three levels and the epoch
  for (int i = 0; i < 3; ++i) {
    expected.insert(expected.end(), one_file.begin(), one_file.end());
  }
  expected.insert(expected.end(), 3, "msync");
  EXPECT_EQ(order, expected);
}

TEST_F(CreateRegion, each_start_takes_a_higher_epoch) {
  TP_REQ("W141", "W143", "W407", "W409", "W410");
  OwnerOptions keep = alice();
  keep.remove_on_close = false;
  const auto first = create_with(keep);
  const auto second = create_with(keep);
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(second->epoch(), first->epoch() + 1);
  fs::create_directory(stream_directory() / "9763718000000000");
  const auto third = create_with(keep);
  ASSERT_TRUE(third.has_value());
  EXPECT_EQ(third->epoch(), 9'763'718'000'000'001U);
}

TEST_F(CreateRegion, an_epoch_that_appears_meanwhile_is_stepped_over) {
  TP_REQ("W141", "W143");
  ASSERT_TRUE(create_with(alice()).has_value());  // makes the levels
  test::FaultySyscalls calls;
  bool first = true;
  calls.before = [&](std::string_view call) {
    if (call == "mkdirat" && first) {
      first = false;
      fs::create_directory(stream_directory() / "1763718000000000");
    }
    return 0;
  };
  const auto created = OwnedStream::create(calls, alice(), test::small_geometry(), test::kNow);
  ASSERT_TRUE(created.has_value()) << describe(created.error());
  EXPECT_EQ(created->epoch(), 1'763'718'000'000'001U);
}

TEST_F(CreateRegion, the_last_epoch_is_followed_by_an_error) {
  TP_REQ("W409", "W413");
  fs::create_directories(stream_directory() / "18446744073709551614");
  expect_refused(alice(), Errc::kEpochExhausted);
}

TEST_F(CreateRegion, files_are_new_or_not_created_at_all) {
  TP_REQ("W141", "W142");
  const Directory base{
      .fd = UniqueFd(::open(base_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
      .path = base_.path()};
  auto files = create_next_epoch(system_calls(), base, Nanos{1}, 0700);
  ASSERT_TRUE(files.has_value());
  std::ofstream(base_ / "1/header.ring") << "precious";
  fs::create_symlink(base_ / "1/header.ring", base_ / "1/1.pool");
  for (const char* name : {"header.ring", "1.pool"}) {
    EXPECT_FALSE(files->create_file(name).has_value()) << name;
  }
  EXPECT_EQ(fs::file_size(base_ / "1/header.ring"), 8U);
}

TEST_F(CreateRegion, a_clean_end_removes_what_was_created_and_nothing_else) {
  TP_REQ("W152", "W422");
  auto created = std::make_unique<OwnedStream>(create(test::small_geometry()));
  const fs::path epoch =
      fs::path(core::region::parse_region_uri(created->plan().header_ring.uri)->path).parent_path();
  ASSERT_TRUE(fs::exists(epoch));
  created.reset();
  EXPECT_FALSE(fs::exists(epoch));
  EXPECT_TRUE(fs::exists(epoch.parent_path()));

  created = std::make_unique<OwnedStream>(create(test::small_geometry()));
  std::ofstream(epoch / "foreign").put('x');
  created.reset();
  EXPECT_TRUE(fs::exists(epoch / "foreign"));
  EXPECT_FALSE(fs::exists(epoch / "header.ring"));
}

TEST_F(CreateRegion, files_stay_when_asked_to) {
  TP_REQ("W152");
  OwnerOptions keep = alice();
  keep.remove_on_close = false;
  ASSERT_TRUE(create_with(keep).has_value());
  EXPECT_TRUE(fs::exists(stream_directory() / "1763718000000000" / "header.ring"));
}

TEST_F(CreateRegion, a_directory_that_somebody_else_could_change_is_refused) {
  TP_REQ("W151");
  const fs::path level = base_ / "tensorpool-alice";
  const test::TemporaryDirectory elsewhere;
  fs::create_directory_symlink(elsewhere.path(), level);
  expect_refused(alice(), Errc::kPathRejected);
  fs::remove(level);

  std::ofstream(level).put('x');
  expect_refused(alice(), Errc::kPathRejected);
  fs::remove(level);

  fs::create_directories(level / "default");
  fs::permissions(level / "default", fs::perms(0702));
  expect_refused(alice(), Errc::kPathRejected);
  fs::permissions(level / "default", fs::perms(0770));
  EXPECT_TRUE(create_with(alice()).has_value());

  if (::geteuid() == 0) {  // only root can give files away
    ASSERT_EQ(::chown((level / "default").c_str(), 12345, 12345), 0);
    expect_refused(alice(), Errc::kPathRejected);
  }
}

TEST_F(CreateRegion, bad_configurations_are_refused_before_anything_is_created) {
  TP_REQ("W117", "W140");
  OwnerOptions options = alice();
  options.name_space = "..";
  expect_refused(options, Errc::kInvalidArgument);
  options = alice();
  options.base_dir = base_ / "absent";
  expect_refused(options, Errc::kInvalidArgument);

  StreamGeometry geometry = test::small_geometry();
  geometry.nslots = 0;
  const test::Footprint before = footprint();
  const auto created = OwnedStream::create(system_calls(), alice(), geometry, test::kNow);
  ASSERT_FALSE(created.has_value());
  EXPECT_EQ(created.error().field, Field::kNslots);
  EXPECT_EQ(footprint(), before);
}

TEST_F(CreateRegion, hugepages_are_not_silently_replaced) {
  TP_REQ("W112");
  ASSERT_TRUE(create_with(alice()).has_value());  // makes the levels, which stay
  OwnerOptions options = alice();
  options.require_hugepages = true;
  expect_refused(options, Errc::kHugepagesRequired);
}

TEST_F(CreateRegion, a_path_that_no_uri_can_hold_is_refused) {
  TP_REQ("W108", "W115");
  OwnerOptions options = owner();
  options.base_dir = base_ / "with space";
  fs::create_directory(options.base_dir);
  const auto created = create_with(options);
  ASSERT_FALSE(created.has_value());
  EXPECT_EQ(created.error().code, Errc::kUriInvalid);
}

TEST_F(CreateRegion, more_than_the_free_space_is_refused_with_both_numbers) {
  StreamGeometry geometry = test::small_geometry();
  geometry.nslots = 1U << 31U;
  geometry.pools.assign(256, {});
  for (std::uint16_t i = 0; i < 256; ++i) {  // beyond 2^64 bytes in all
    geometry.pools[i] = {.pool_id = i, .stride_bytes = 1U << 31U};
  }
  const auto created = OwnedStream::create(system_calls(), owner(), geometry, test::kNow);
  ASSERT_FALSE(created.has_value());
  EXPECT_EQ(created.error().code, Errc::kNoSpace);
  EXPECT_GT(created.error().value, created.error().limit);
  EXPECT_GT(created.error().limit, 0U);
}

}  // namespace
}  // namespace tensorpool::os
