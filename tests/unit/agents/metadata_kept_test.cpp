// The sets that a consumer keeps for the frames that refer to them.
#include <gtest/gtest.h>

#include "agents/metadata_history.hpp"
#include "support/requirement.hpp"

namespace tensorpool::inline v0::detail {
namespace {

[[nodiscard]] std::shared_ptr<const MetadataSet> set(std::uint64_t epoch, std::uint32_t version,
                                                     std::uint64_t timestamp_ns = 1) {
  MetadataSet made;
  made.stream_id = 10000;
  made.epoch = epoch;
  made.version = version;
  made.timestamp_ns = timestamp_ns;
  return std::make_shared<const MetadataSet>(std::move(made));
}

TEST(MetadataHistory, one_of_the_same_version_takes_the_place_of_the_older) {
  TP_REQ("W382");
  MetadataHistory sut;
  sut.put(set(7, 1));
  for (std::uint64_t repeat = 2; repeat < 100; ++repeat) {  // a peer that dates each repeat anew
    sut.put(set(7, 2, repeat));
  }
  ASSERT_NE(sut.find(7, 1), nullptr);
  EXPECT_EQ(sut.find(7, 2)->timestamp_ns, 99U);
  EXPECT_EQ(sut.latest(), sut.find(7, 2));
}

TEST(MetadataHistory, keeps_the_last_versions) {
  MetadataHistory sut;
  for (std::uint32_t version = 1; version <= 17; ++version) {
    sut.put(set(7, version));
  }
  EXPECT_EQ(sut.find(7, 1), nullptr);
  EXPECT_NE(sut.find(7, 2), nullptr);
}

TEST(MetadataHistory, a_set_of_an_unknown_epoch_is_not_taken_for_the_next_producer_s) {
  TP_REQ("W377");
  MetadataHistory sut;
  sut.put(set(0, 1));
  EXPECT_NE(sut.find(7, 1), nullptr) << "as long as there is but one";
  sut.clear();
  EXPECT_EQ(sut.find(8, 1), nullptr);
  sut.put(set(7, 1));
  sut.clear();
  EXPECT_NE(sut.find(7, 1), nullptr) << "frames still find theirs";
}

}  // namespace
}  // namespace tensorpool::inline v0::detail
