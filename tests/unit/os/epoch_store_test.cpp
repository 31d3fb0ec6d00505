// The directories of a driver: created, verified, locked; and what others may have planted there.
#include "os/epoch_store.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

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
  TP_REQ("D210");
  EXPECT_FALSE(store_of(shm())->hugepages_available());
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
    EXPECT_EQ(store_of(settings, calls)->hugepages_available(), available) << block;
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
