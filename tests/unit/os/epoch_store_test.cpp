// The directories of a driver: created, verified, locked; and what others may have planted there.
#include "os/epoch_store.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <functional>

#include "support/requirement.hpp"
#include "unit/os/driver_fixture.hpp"

namespace tensorpool::os {
namespace {

namespace fs = std::filesystem;
using Absent = ManagedStream::Absent;
using core::driver::provision_detail;
using test::kStream;
using test::provision;
using test::ShmSettings;

class EpochStoreTest : public test::DriverFilesTest {
 protected:
  [[nodiscard]] static Errc refusal(const ShmSettings& settings) {
    const auto store = EpochStore::create(system_calls(), settings);
    EXPECT_FALSE(store.has_value());
    return store ? Errc::kClosed : store.error().code;
  }
};

TEST_F(EpochStoreTest, the_base_directory_is_created_when_only_it_is_missing) {
  TP_REQ("D196");
  const ShmSettings settings{.base_dir = base_ / "new"};
  const auto store = store_of(settings);
  EXPECT_TRUE(fs::is_directory(base_ / "new"));
  EXPECT_TRUE(provision(store->stream(kStream)).epoch.has_value());

  EXPECT_EQ(refusal({.base_dir = base_ / "not/there"}), Errc::kInvalidArgument);
  EXPECT_FALSE(fs::exists(base_ / "not"));
}

TEST_F(EpochStoreTest, unusable_settings_are_refused) {
  TP_REQ("W117", "W140");
  std::ofstream(base_ / "file").put('x');
  fs::create_symlink(base_ / "nowhere", base_ / "dangling");
  for (const std::string& base : {std::string("relative"), std::string("/"), base_ / "file",
                                  base_ / "file/below", base_ / "dangling"}) {
    EXPECT_EQ(refusal({.base_dir = base}), Errc::kInvalidArgument) << base;
  }
  EXPECT_FALSE(fs::exists(base_ / "nowhere"));
  EXPECT_EQ(refusal({.base_dir = base_.path(), .name_space = "../x"}), Errc::kInvalidArgument);
  EXPECT_EQ(refusal({.base_dir = base_.path(), .allowed_base_dirs = {base_ / "absent"}}),
            Errc::kInvalidArgument);
}

TEST_F(EpochStoreTest, a_base_directory_behind_a_link_is_resolved_once) {
  TP_REQ("D76", "W116");
  fs::create_directory(base_ / "real");
  fs::create_directory_symlink(base_ / "real", base_ / "link");
  const auto store = store_of({.base_dir = base_ / "link"});
  fs::remove(base_ / "link");
  const auto made = provision(store->stream(kStream));
  ASSERT_TRUE(made.epoch.has_value());
  EXPECT_TRUE(made.outcome.regions->header_ring.uri.starts_with("shm:file?path=" + base_ / "real"));
}

TEST_F(EpochStoreTest, nothing_is_provisioned_outside_the_allowed_directories) {
  TP_REQ("D198");
  fs::create_directory(base_ / "allowed");
  for (const char* name : {"allowed2", "else"}) {
    const auto store =
        store_of({.base_dir = base_ / name, .allowed_base_dirs = {base_ / "allowed"}});
    ManagedStream& stream = store->stream(kStream);
    const auto made = provision(stream);
    ASSERT_FALSE(made.outcome.regions.has_value());
    EXPECT_EQ(made.outcome.regions.error().code, Errc::kPathRejected);
    EXPECT_TRUE(fs::is_empty(stream.directory().path));
  }
  fs::create_directory(base_ / "allowed/deep");
  const auto store = store_of({.base_dir = base_ / "allowed/deep",
                               .allowed_base_dirs = {base_ / "else", base_ / "allowed"}});
  EXPECT_TRUE(provision(store->stream(kStream)).epoch.has_value());
}

TEST_F(EpochStoreTest, a_path_that_no_uri_can_hold_is_refused) {
  TP_REQ("D76");
  const auto store = store_of({.base_dir = base_ / "with space"});
  ManagedStream& stream = store->stream(kStream);
  const auto made = provision(stream);
  ASSERT_FALSE(made.outcome.regions.has_value());
  EXPECT_EQ(made.outcome.regions.error().code, Errc::kUriInvalid);
  EXPECT_TRUE(fs::is_empty(stream.directory().path));
}

TEST_F(EpochStoreTest, what_somebody_planted_at_any_level_is_refused_and_untouched) {
  TP_REQ("D197", "W151");
  const test::TemporaryDirectory elsewhere;
  const std::pair<const char*, std::function<void(const fs::path&)>> plants[] = {
      {"link", [&](const fs::path& at) { fs::create_directory_symlink(elsewhere.path(), at); }},
      {"dangling link", [&](const fs::path& at) { fs::create_symlink(elsewhere / "absent", at); }},
      {"file", [](const fs::path& at) { std::ofstream(at).put('x'); }},
      {"fifo", [](const fs::path& at) { ASSERT_EQ(::mkfifo(at.c_str(), 0600), 0); }},
      {"writable by others",
       [](const fs::path& at) {
         fs::create_directory(at);
         fs::permissions(at, fs::perms(0772));
       }},
      {"of another user",
       [](const fs::path& at) {
         fs::create_directory(at);
         ASSERT_EQ(::chown(at.c_str(), 12345, 12345), 0);
       }},
  };
  const auto store = store_of(shm());
  for (const fs::path& level :
       {user_directory(), stream_directory().parent_path(), stream_directory()}) {
    for (const auto& [name, plant] : plants) {
      if (std::string_view(name) == "of another user" && ::geteuid() != 0) {
        continue;  // only root can give files away
      }
      fs::create_directories(level.parent_path());
      plant(level);
      EXPECT_EQ(expect_refused(*store).code, Errc::kPathRejected) << name << " at " << level;
      EXPECT_TRUE(fs::is_empty(elsewhere.path())) << name;
      fs::remove(level);
    }
  }
  EXPECT_TRUE(provision(store->stream(kStream)).epoch.has_value());
}

TEST_F(EpochStoreTest, what_was_verified_once_is_verified_again) {
  TP_REQ("D197");
  const auto store = store_of(shm());
  ASSERT_TRUE(provision(store->stream(kStream)).epoch.has_value());
  fs::permissions(user_directory(), fs::perms(0777));
  EXPECT_EQ(expect_refused(*store).code, Errc::kPathRejected);
}

TEST_F(EpochStoreTest, what_lies_where_the_epoch_should_is_never_used) {
  TP_REQ("D195", "D199");
  const auto store = store_of(shm());
  ASSERT_TRUE(store->stream(kStream).open(Absent::kCreate).has_value());
  const test::TemporaryDirectory elsewhere;
  fs::create_directory_symlink(elsewhere.path(), stream_directory() / "5000000000");
  std::ofstream(stream_directory() / "5000000001").put('x');
  const auto made = provision(store->stream(kStream));
  ASSERT_TRUE(made.epoch.has_value());
  EXPECT_EQ(made.epoch->epoch(), 5'000'000'002U);
  EXPECT_TRUE(fs::is_empty(elsewhere.path()));
}

TEST_F(EpochStoreTest, files_that_appear_in_a_new_epoch_are_not_taken_over) {
  TP_REQ("D195", "D203");
  test::FaultySyscalls calls;
  const auto store = store_of(shm(), calls);
  const fs::path epoch = stream_directory() / "5000000000";
  std::ofstream(base_ / "precious") << "precious";
  calls.before = [&](std::string_view call) {
    if (call == "fallocate" || !fs::exists(epoch) ||
        fs::exists(fs::symlink_status(epoch / "1.pool"))) {
      return 0;
    }
    fs::create_symlink(base_ / "precious", epoch / "1.pool");
    return 0;
  };
  const auto made = provision(store->stream(kStream));
  ASSERT_FALSE(made.outcome.regions.has_value());
  EXPECT_EQ(made.outcome.regions.error().os_errno, EEXIST);
  EXPECT_EQ(fs::file_size(base_ / "precious"), 8U);
  EXPECT_TRUE(fs::is_symlink(epoch / "1.pool")) << "it is not ours to remove";
  EXPECT_FALSE(fs::exists(epoch / "header.ring"));
}

TEST_F(EpochStoreTest, a_stream_belongs_to_one_driver_at_a_time) {
  TP_REQ("D214");
  auto first = store_of(shm());
  ASSERT_TRUE(provision(first->stream(kStream)).epoch.has_value());
  const auto second = store_of(shm());
  const Error error = expect_refused(*second);
  EXPECT_EQ(provision_detail(error), "stream locked by another driver");
  core::region::StreamGeometry other = test::small_geometry();
  other.stream_id = 10001;
  EXPECT_TRUE(provision(second->stream(10001), {}, {.geometry = other}).epoch.has_value());

  const pid_t child = ::fork();  // and to none of its children
  if (child == 0) {
    const auto third = EpochStore::create(system_calls(), shm());
    const Status opened =
        third ? (*third)->stream(kStream).open(Absent::kCreate) : Status(fail(third.error()));
    ::_exit(!opened && opened.error().code == Errc::kAlreadyExists ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);

  first->release(kStream);
  EXPECT_TRUE(provision(second->stream(kStream)).epoch.has_value());
}

TEST_F(EpochStoreTest, a_lock_that_cannot_be_had_for_other_reasons_is_said) {
  test::FaultySyscalls calls;
  calls.before = [](std::string_view call) { return call == "flock" ? ENOLCK : 0; };
  const auto store = store_of(shm(), calls);
  const Error error = expect_refused(*store);
  EXPECT_EQ(error.code, Errc::kOsFailure);
  EXPECT_EQ(error.os_errno, ENOLCK);
}

TEST_F(EpochStoreTest, a_directory_that_somebody_removed_is_made_anew_and_locked) {
  TP_REQ("D214");
  const auto store = store_of(shm());
  const auto first = provision(store->stream(kStream));
  fs::remove_all(user_directory());
  const auto next =
      provision(store->stream(kStream), {},
                {.geometry = test::small_geometry(), .known_epoch = first.outcome.known_epoch});
  ASSERT_TRUE(next.epoch.has_value()) << describe(next.outcome.regions.error());
  EXPECT_EQ(next.epoch->epoch(), first.outcome.known_epoch + 1);
  EXPECT_TRUE(next.epoch->check_files(system_calls()).has_value());
  const auto other = store_of(shm());
  EXPECT_EQ(other->stream(kStream).open(Absent::kCreate).error().code, Errc::kAlreadyExists);
}

/// `2770 0:12345`.
[[nodiscard]] std::string access_of(const fs::path& path) {
  struct stat found {};
  EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path;
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%o %u:%u", found.st_mode & 07777, found.st_uid,
                found.st_gid);
  return text.data();
}

class SharedEpochStore : public EpochStoreTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) {
      TP_SKIP_WITHOUT("root");
    }
  }
  [[nodiscard]] std::unique_ptr<EpochStore> shared_store(StoreAccess access) const {
    auto store = EpochStore::create(system_calls(), shm(), std::move(access));
    EXPECT_TRUE(store.has_value());
    return *std::move(store);
  }
};

TEST_F(SharedEpochStore, gives_everything_to_the_group_of_the_driver) {
  const auto store = shared_store({.group = 4242});
  EXPECT_TRUE(provision(store->stream(kStream)).epoch.has_value());
  for (const fs::path& level : {user_directory(), stream_directory().parent_path(),
                                stream_directory(), stream_directory() / "5000000000"}) {
    EXPECT_EQ(access_of(level), "2770 0:4242") << level;
  }
  EXPECT_EQ(access_of(stream_directory() / "5000000000/header.ring"), "660 0:4242");
  EXPECT_EQ(access_of(stream_directory() / "5000000000/1.pool"), "660 0:4242");
}

TEST_F(SharedEpochStore, gives_a_stream_to_its_owner_and_shows_others_nothing_but_the_way) {
  TP_REQ("D196", "D197");
  const auto store = shared_store(
      {.group = 4242, .streams = {{kStream, {.mode = 0640, .owner = 1001, .group = 500}}}});
  EXPECT_TRUE(provision(store->stream(kStream)).epoch.has_value());
  core::region::StreamGeometry other = test::small_geometry();
  other.stream_id = 10001;
  EXPECT_TRUE(provision(store->stream(10001), {}, {.geometry = other}).epoch.has_value());
  EXPECT_EQ(access_of(user_directory()), "2771 0:4242");
  EXPECT_EQ(access_of(stream_directory()), "2751 0:500");
  EXPECT_EQ(access_of(stream_directory() / "5000000000"), "2751 0:500");
  EXPECT_EQ(access_of(stream_directory() / "5000000000/header.ring"), "640 1001:500");
  EXPECT_EQ(access_of(stream_directory() / "5000000000/1.pool"), "640 1001:500");
  EXPECT_EQ(access_of(stream_directory(10001)), "2770 0:4242");
  EXPECT_EQ(access_of(stream_directory(10001) / "5000000000/1.pool"), "660 0:4242");
}

TEST_F(SharedEpochStore, takes_away_what_an_earlier_configuration_had_given) {
  {
    const auto store = shared_store({.group = 4242});
    EXPECT_TRUE(provision(store->stream(kStream)).epoch.has_value());
  }
  ASSERT_EQ(access_of(stream_directory()), "2770 0:4242");
  const auto store = shared_store({.streams = {{kStream, {.mode = 0600, .group = 500}}}});
  EXPECT_TRUE(provision(store->stream(kStream)).epoch.has_value());
  EXPECT_EQ(access_of(stream_directory()), "700 0:500") << "nobody can put files there any more";
  EXPECT_EQ(access_of(user_directory()), "2771 0:4242") << "shared with others: only widened";
}

TEST_F(SharedEpochStore, is_no_more_than_it_was_where_nobody_is_named) {
  const auto store = shared_store({});
  EXPECT_TRUE(provision(store->stream(kStream)).epoch.has_value());
  EXPECT_EQ(access_of(user_directory()), "2770 0:0");
  EXPECT_EQ(access_of(stream_directory() / "5000000000/1.pool"), "660 0:0");
}

TEST_F(EpochStoreTest, what_somebody_planted_where_the_base_directory_should_be_is_not_used) {
  TP_REQ("W117", "D197");
  const test::TemporaryDirectory elsewhere;
  fs::create_symlink(base_ / "nowhere", base_ / "link to nothing");
  EXPECT_EQ(refusal({.base_dir = base_ / "link to nothing"}), Errc::kInvalidArgument);
  EXPECT_FALSE(fs::exists(base_ / "nowhere"));
  ASSERT_EQ(::mkfifo((base_ / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(refusal({.base_dir = base_ / "fifo"}), Errc::kInvalidArgument);
}

TEST_F(EpochStoreTest,
       a_base_directory_that_everybody_may_write_to_is_safe_only_with_a_sticky_bit) {
  fs::permissions(base_.path(), fs::perms(01777));
  EXPECT_FALSE(store_of(shm())->is_exposed());
  fs::permissions(base_.path(), fs::perms(0777));
  const auto store = store_of(shm());
  EXPECT_TRUE(store->is_exposed());
  // Even there nothing of somebody else's is used: it was exchanged, and it is not ours.
  ASSERT_TRUE(provision(store->stream(kStream)).epoch.has_value());
  const fs::path ours = user_directory();
  fs::rename(ours, base_ / "away");
  fs::create_directory_symlink(base_ / "away", ours);
  EXPECT_EQ(expect_refused(*store).code, Errc::kPathRejected);
  fs::remove(ours);
  if (::geteuid() == 0) {
    fs::create_directories(ours);
    ASSERT_EQ(::chown(ours.c_str(), 12345, 12345), 0);
    EXPECT_EQ(expect_refused(*store).code, Errc::kPathRejected);
  }
}

TEST_F(EpochStoreTest, two_drivers_with_one_namespace_share_directories_but_no_stream) {
  TP_REQ("D27", "D214");
  const auto first = store_of(shm());
  const auto second = store_of(shm());
  ASSERT_TRUE(provision(first->stream(kStream)).epoch.has_value());
  core::region::StreamGeometry other = test::small_geometry();
  other.stream_id = 10001;
  EXPECT_TRUE(provision(second->stream(10001), {}, {.geometry = other}).epoch.has_value());
  EXPECT_EQ(expect_refused(*second).code, Errc::kAlreadyExists);
}

TEST_F(EpochStoreTest, the_streams_that_exist_are_those_with_a_directory) {
  TP_REQ("D230");
  const auto store = store_of(shm());
  EXPECT_EQ(store->existing_stream_ids(), std::vector<std::uint32_t>{});
  const fs::path streams = stream_directory().parent_path();
  for (const char* name : {"10002", "10000", "4294967294", "4294967295", "0", "007", "x", "-1"}) {
    fs::create_directories(streams / name);
  }
  std::ofstream(streams / "10003").put('x');
  fs::create_directory_symlink(base_.path(), streams / "10004");
  EXPECT_EQ(store->existing_stream_ids(),
            (std::vector<std::uint32_t>{10000, 10002, 4'294'967'294}));
}

TEST_F(EpochStoreTest, hugepages_are_available_on_hugetlbfs_of_the_configured_page_size) {
  TP_REQ("D210", "D62");
  EXPECT_FALSE(store_of(shm())->pages().base_on_hugetlbfs);
  EXPECT_FALSE(store_of(shm())->pages().hugepages_available);
  const struct {
    std::uint64_t block;
    std::optional<std::uint32_t> configured;
    bool available;
  } table[] = {{2U << 20U, std::nullopt, true},
               {2U << 20U, 2U << 20U, true},
               {2U << 20U, 4096, false},
               {1U << 30U, 2U << 20U, false},
               {0, std::nullopt, false}};
  for (const auto& [block, configured, available] : table) {
    test::PretendingSyscalls calls;
    calls.hugepage_bytes = block;
    ShmSettings settings = shm();
    settings.page_size_bytes = configured;
    const auto store = store_of(settings, calls);
    EXPECT_EQ(store->pages().hugepages_available, available) << block;
    EXPECT_TRUE(store->pages().base_on_hugetlbfs);
  }
}

TEST_F(EpochStoreTest, a_stream_that_made_something_stays_known_after_its_release) {
  const auto store = store_of(shm());
  store->stream(1).remember(5);
  static_cast<void>(store->stream(2));
  store->release(1);
  store->release(2);
  store->release(3);
  EXPECT_EQ(store->streams().size(), 1U);
  EXPECT_EQ(store->stream(1).provisioned(), std::vector<std::uint64_t>{5});
}

}  // namespace
}  // namespace tensorpool::os
