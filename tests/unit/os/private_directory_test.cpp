// Directories that somebody planted where a private one should be.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "os/directory.hpp"
#include "support/requirement.hpp"
#include "unit/os/fixture.hpp"

namespace tensorpool::os {
namespace {

namespace fs = std::filesystem;

class PrivateDirectory : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return base_ / "aeron-admin"; }
  [[nodiscard]] mode_t mode() const {
    struct stat found {};
    EXPECT_EQ(::lstat(path().c_str(), &found), 0);
    return found.st_mode & 07777;
  }
  void expect_refused() const {
    const Status made = ensure_private_directory(path());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::kPathRejected);
  }

  test::TemporaryDirectory base_;
};

TEST_F(PrivateDirectory, is_made_for_this_user_alone_and_found_again) {
  const mode_t before = ::umask(0);
  EXPECT_TRUE(ensure_private_directory(path()));
  ::umask(before);
  EXPECT_EQ(mode(), 0700U);
  EXPECT_TRUE(ensure_private_directory(path()));
}

TEST_F(PrivateDirectory, lets_a_group_through_but_neither_look_nor_write) {
  if (::geteuid() != 0) {
    TP_SKIP_WITHOUT("root");
  }
  EXPECT_TRUE(ensure_private_directory(path()));
  EXPECT_TRUE(ensure_private_directory(path(), 4242));
  EXPECT_EQ(mode(), 0710U);
  struct stat found {};
  ASSERT_EQ(::stat(path().c_str(), &found), 0);
  EXPECT_EQ(found.st_gid, 4242U);
}

TEST_F(PrivateDirectory, of_another_user_or_writable_by_others_is_refused) {
  fs::create_directory(path());
  for (const auto bits : {0777, 01777, 0720, 0702}) {
    fs::permissions(path(), fs::perms(bits));
    expect_refused();
  }
  fs::permissions(path(), fs::perms(0700));
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(path().c_str(), 12345, 12345), 0);
    expect_refused();
  }
}

TEST_F(PrivateDirectory, that_is_none_is_refused_and_not_followed) {
  const test::TemporaryDirectory elsewhere;
  fs::create_directory_symlink(elsewhere.path(), path());
  expect_refused();
  fs::remove(path());
  fs::create_symlink(elsewhere / "absent", path());
  expect_refused();
  EXPECT_TRUE(fs::is_empty(elsewhere.path()));
  fs::remove(path());
  std::ofstream(path()).put('x');
  expect_refused();
}

TEST_F(PrivateDirectory, in_a_directory_where_others_can_exchange_it_is_refused) {
  fs::permissions(base_.path(), fs::perms(0777));
  expect_refused();
  EXPECT_FALSE(fs::exists(path()));
  fs::permissions(base_.path(), fs::perms(01777));
  EXPECT_TRUE(ensure_private_directory(path()));
}

}  // namespace
}  // namespace tensorpool::os
