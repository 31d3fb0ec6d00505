// Where publishers take changes of their attributes from others of their user.
#include "apps/verbs/pub/metadata_desk.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "admin/ask.hpp"
#include "support/scratch_directory.hpp"

namespace tensorpool::inline v0::apps::pub {
namespace {

TEST(MetadataDesk, publishers_that_end_take_nothing_from_those_that_begin) {
  const test::ScratchDirectory scratch;
  const std::string aeron_dir = scratch.path() + "/aeron";
  const auto come_and_go = [&aeron_dir](std::uint32_t stream_id, Error& refused) {
    for (int round = 0; round < 300 && refused.subject_view().empty(); ++round) {
      if (const auto desk = MetadataDesk::open(aeron_dir, stream_id, {}); !desk) {
        refused = desk.error();
      }
    }
  };
  Error refused[2];
  {
    const std::jthread other([&] { come_and_go(10001, refused[1]); });
    come_and_go(10000, refused[0]);
  }
  for (const Error& error : refused) {
    EXPECT_EQ(error.subject_view(), "") << describe(error);
  }
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path())) << "the last one removes the directory";
}

TEST(MetadataDesk, one_stream_has_one_desk) {
  const test::ScratchDirectory scratch;
  const auto first = MetadataDesk::open(scratch.path() + "/aeron", 10000, {});
  ASSERT_TRUE(first) << describe(first.error());
  const auto second = MetadataDesk::open(scratch.path() + "/aeron", 10000, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kAlreadyExists) << describe(second.error());
}

}  // namespace
}  // namespace tensorpool::inline v0::apps::pub
