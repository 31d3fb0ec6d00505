// The file of the two words: who may write it, what is refused, and what is left behind.
#include "os/wake_file.hpp"

#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <fstream>
#include <set>
#include <string>

#include "os/futex.hpp"
#include "unit/os/faulty_syscalls.hpp"
#include "unit/os/fixture.hpp"

namespace tensorpool::os {
namespace {

class WakeFiles : public ::testing::Test {
 protected:
  void SetUp() override { make("cnc.dat", 0640); }

  void make(const std::string& name, mode_t mode, std::size_t bytes = 1) const {
    std::ofstream(directory_ / name) << std::string(bytes, 'x');
    ASSERT_EQ(::chmod((directory_ / name).c_str(), mode), 0);
  }
  [[nodiscard]] mode_t mode_of(const std::string& name) const {
    struct stat found {};
    EXPECT_EQ(::stat((directory_ / name).c_str(), &found), 0);
    return found.st_mode & 07777U;
  }
  [[nodiscard]] WakeFile::Name name(std::uint64_t epoch = 7) const {
    return {.directory = directory_.path(), .stream_id = 10000, .epoch = epoch};
  }
  [[nodiscard]] test::Footprint footprint() const {
    return test::Footprint::take(directory_.path());
  }

  test::TemporaryDirectory directory_;
};

TEST_F(WakeFiles, show_both_sides_the_same_words) {
  const Result<WakeFile> made = WakeFile::create(system_calls(), name());
  ASSERT_TRUE(made) << describe(made.error());
  const Result<WakeFile> opened = WakeFile::open(system_calls(), name());
  ASSERT_TRUE(opened) << describe(opened.error());
  EXPECT_NE(&made->words(), &opened->words());
  opened->words().armed = 1;
  EXPECT_EQ(made->words().armed, 1U);
}

TEST_F(WakeFiles, may_be_written_by_those_who_may_write_the_media_drivers_file) {
  const Result<WakeFile> made = WakeFile::create(system_calls(), name());
  ASSERT_TRUE(made) << describe(made.error());
  EXPECT_EQ(mode_of("tensorpool-wake-10000-7"), 0640U);
}

TEST_F(WakeFiles, go_with_their_maker) {
  const test::Footprint before = footprint();
  {
    const Result<WakeFile> made = WakeFile::create(system_calls(), name());
    ASSERT_TRUE(made) << describe(made.error());
    const Result<WakeFile> opened = WakeFile::open(system_calls(), name());
    ASSERT_TRUE(opened) << describe(opened.error());
    EXPECT_TRUE(opened->is_linked(system_calls()));
    test::fs::remove(directory_ / "tensorpool-wake-10000-7");
    EXPECT_FALSE(opened->is_linked(system_calls()));
  }
  EXPECT_EQ(footprint(), before);
}

TEST_F(WakeFiles, of_killed_makers_are_swept_and_those_of_living_ones_stay) {
  make("tensorpool-wake-10001-3", 0600, 4096);  // nobody keeps it locked
  make("tensorpool-other", 0600);
  const Result<WakeFile> living = WakeFile::create(system_calls(), name(1));
  const Result<WakeFile> made = WakeFile::create(system_calls(), name(2));
  ASSERT_TRUE(living && made);
  EXPECT_FALSE(test::fs::exists(directory_ / "tensorpool-wake-10001-3"));
  EXPECT_TRUE(test::fs::exists(directory_ / "tensorpool-other"));
  EXPECT_TRUE(living->is_linked(system_calls()));
}

TEST_F(WakeFiles, are_made_only_where_a_media_driver_is) {
  test::fs::remove(directory_ / "cnc.dat");
  const Result<WakeFile> made = WakeFile::create(system_calls(), name());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kNotFound);
  WakeFile::Name nowhere = name();
  nowhere.directory += "/none";
  const Result<WakeFile> none = WakeFile::create(system_calls(), nowhere);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::kNotFound);
}

TEST_F(WakeFiles, of_somebody_else_are_not_taken_over) {
  const Result<WakeFile> first = WakeFile::create(system_calls(), name());
  const Result<WakeFile> second = WakeFile::create(system_calls(), name());
  ASSERT_TRUE(first);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kAlreadyExists);
  EXPECT_TRUE(first->is_linked(system_calls()));
}

TEST_F(WakeFiles, that_are_none_are_refused) {
  const auto code = [&](std::uint64_t epoch) {
    const Result<WakeFile> opened = WakeFile::open(system_calls(), name(epoch));
    return opened ? Errc{} : opened.error().code;
  };
  EXPECT_EQ(code(1), Errc::kNotFound);
  make("tensorpool-wake-10000-2", 0600, 100);
  EXPECT_EQ(code(2), Errc::kPathRejected) << "too short: a load could raise SIGBUS";
  make("tensorpool-wake-10000-3", 0600, 4096);
  EXPECT_EQ(code(3), Errc::kPathRejected) << "without the magic number";
  test::fs::create_symlink(directory_ / "cnc.dat", directory_ / "tensorpool-wake-10000-4");
  EXPECT_EQ(code(4), Errc::kPathRejected);
  test::fs::create_directory(directory_ / "tensorpool-wake-10000-5");
  EXPECT_EQ(code(5), Errc::kPathRejected);
  const Result<WakeFile> made = WakeFile::create(system_calls(), name(6));
  ASSERT_TRUE(made);
  made->words().epoch = 5;
  EXPECT_EQ(code(6), Errc::kPathRejected) << "of another epoch";
}

TEST_F(WakeFiles, leave_nothing_behind_when_a_system_call_fails) {
  const test::Footprint before = footprint();
  std::set<std::string> failed;
  for (int nth = 0;; ++nth) {
    test::FaultySyscalls calls;
    const test::NthFailure failure(calls, nth, EIO);
    {
      const Result<WakeFile> made = WakeFile::create(calls, name());
      if (failure.failed().empty()) {
        ASSERT_TRUE(made) << describe(made.error());
        break;
      }
      failed.insert(failure.failed());
      if (failure.failed() == "list_directory") {
        EXPECT_TRUE(made) << "sweeping is a courtesy";
      } else if (failure.failed() == "fchown") {
        ASSERT_TRUE(made) << describe(made.error());
        EXPECT_EQ(mode_of("tensorpool-wake-10000-7"), 0600U) << "the group would be another one";
      } else if (failure.failed() != "flock" && failure.failed() != "fstat") {
        EXPECT_FALSE(made) << failure.failed();
      }
    }
    ASSERT_EQ(footprint(), before) << failure.failed() << ", call " << nth;
  }
  EXPECT_EQ(failed, (std::set<std::string>{"openat", "lstatat", "list_directory", "flock", "fstat",
                                           "fchown", "fchmod", "fallocate", "mmap", "madvise"}));
}

TEST(Futex, does_not_sleep_on_a_word_that_has_changed) {
  const std::uint64_t word = 2;
  futex_wait(word, 1, std::chrono::hours(1));
  EXPECT_EQ(futex_wake_all(word), 0);
}

TEST(Futex, sleeps_no_longer_than_it_may) {
  const std::uint64_t word = 2;
  futex_wait(word, 2, std::chrono::microseconds(1));
  futex_wait(word, 2, Nanos(-1));
}

}  // namespace
}  // namespace tensorpool::os
