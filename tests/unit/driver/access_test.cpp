// Users and groups of a configuration, in numbers.
#include "driver/access.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "support/requirement.hpp"

namespace tensorpool::driver {
namespace {

using core::driver::Settings;
using layout::Role;
using ::testing::HasSubstr;

[[nodiscard]] Settings with_stream(core::driver::StaticStream stream) {
  Settings settings;
  stream.name = "cam";
  stream.stream_id = 10000;
  settings.streams = {std::move(stream)};
  return settings;
}

[[nodiscard]] Error refusal(const Settings& settings) {
  const Result<Access> access = Access::resolve(settings);
  EXPECT_FALSE(access);
  return access ? Error{} : access.error();
}

TEST(Access, of_a_configuration_without_users_changes_nothing) {
  const Result<Access> sut = Access::resolve(with_stream({}));
  ASSERT_TRUE(sut);
  EXPECT_FALSE(sut->files.group);
  EXPECT_TRUE(sut->files.streams.empty());
  EXPECT_TRUE(sut->may_attach({.pid = 1, .uid = 12345, .gid = 12345}, 10000, Role::kProducer));
}

TEST(Access, takes_names_and_numbers) {
  if (::geteuid() != 0) {
    TP_SKIP_WITHOUT("root");
  }
  Settings settings = with_stream({.owner = "12345", .group = "root", .mode = 0640});
  settings.group = "4242";
  const Result<Access> sut = Access::resolve(settings);
  ASSERT_TRUE(sut) << describe(sut.error());
  EXPECT_EQ(sut->files.group, 4242U);
  const os::FileAccess& files = sut->files.streams.at(10000);
  EXPECT_EQ(files.owner, 12345U);
  EXPECT_EQ(files.group, 0U);
  EXPECT_EQ(files.mode, 0640U);
}

TEST(Access, of_a_stream_that_names_its_mode_alone_has_the_group_of_the_driver) {
  Settings settings = with_stream({.mode = 0600});
  settings.group = std::to_string(::getegid());
  const Result<Access> sut = Access::resolve(settings);
  ASSERT_TRUE(sut) << describe(sut.error());
  EXPECT_EQ(sut->files.streams.at(10000).group, ::getegid());
  EXPECT_FALSE(sut->files.streams.at(10000).owner);
}

TEST(Access, names_the_key_of_an_account_that_is_not_there) {
  Settings settings;
  settings.group = "no-such-group";
  EXPECT_THAT(describe(refusal(settings)), HasSubstr("driver.group: group no-such-group"));
  for (const auto& [stream, key] :
       {std::pair(core::driver::StaticStream{.owner = "nobody-here"}, "streams.cam.owner: user "),
        std::pair(core::driver::StaticStream{.group = "nobody-here"}, "streams.cam.group: group "),
        std::pair(core::driver::StaticStream{.producers = {"0", "nobody-here"}},
                  "streams.cam.producers: user "),
        std::pair(core::driver::StaticStream{.consumers = {"@nobody-here"}},
                  "streams.cam.consumers: group ")}) {
    const Error error = refusal(with_stream(stream));
    EXPECT_EQ(error.code, Errc::kInvalidArgument);
    EXPECT_THAT(describe(error), HasSubstr(std::string(key) + "nobody-here does not exist here"));
  }
}

TEST(Access, admits_users_and_members_of_groups_each_to_their_role) {
  const Result<Access> sut =
      Access::resolve(with_stream({.producers = {"1001"}, .consumers = {"@500", "1001"}}));
  ASSERT_TRUE(sut);
  const os::PeerCredentials alice{.pid = 1, .uid = 1001, .gid = 1001};
  const os::PeerCredentials bob{.pid = 1, .uid = 1002, .gid = 500};
  const os::PeerCredentials carol{.pid = 1, .uid = 1003, .gid = 1003, .groups = {7, 500}};
  const os::PeerCredentials dave{.pid = 1, .uid = 1004, .gid = 1004, .groups = {1001}};
  EXPECT_TRUE(sut->may_attach(alice, 10000, Role::kProducer));
  EXPECT_TRUE(sut->may_attach(alice, 10000, Role::kConsumer));
  for (const auto* const reader : {&bob, &carol}) {
    EXPECT_FALSE(sut->may_attach(*reader, 10000, Role::kProducer));
    EXPECT_TRUE(sut->may_attach(*reader, 10000, Role::kConsumer));
  }
  EXPECT_FALSE(sut->may_attach(dave, 10000, Role::kProducer));
  EXPECT_FALSE(sut->may_attach(dave, 10000, Role::kConsumer)) << "a group is no user";
  EXPECT_TRUE(sut->may_attach(dave, 10001, Role::kProducer)) << "another stream";
  const os::PeerCredentials root{.pid = 1, .uid = 0, .gid = 0};
  EXPECT_TRUE(sut->may_attach(root, 10000, Role::kProducer));
  EXPECT_TRUE(sut->is_closed(10000, Role::kProducer));
  EXPECT_FALSE(sut->is_closed(10001, Role::kProducer));
}

TEST(Access, of_the_whole_driver_is_for_root_and_its_own_user) {
  EXPECT_TRUE(may_administer({.pid = 1, .uid = 0, .gid = 5}));
  EXPECT_TRUE(may_administer({.pid = 1, .uid = ::geteuid(), .gid = 5}));
  EXPECT_FALSE(may_administer({.pid = 1, .uid = 12345, .gid = 0, .groups = {0}}));
}

}  // namespace
}  // namespace tensorpool::driver
