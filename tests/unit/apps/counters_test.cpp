#include "apps/counters.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tensorpool::apps {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Counters, of_losses_are_those_of_frames_that_could_have_been_had) {
  EXPECT_EQ(frames_lost({.drops_gap = 5, .drops_late = 3, .implausible = 1}), 7U);
  EXPECT_EQ(frames_lost({.frames_ok = 9, .drops_unmapped = 4, .skipped_by_reader = 2}), 0U);
}

TEST(Counters, of_losses_begin_anew_and_those_of_frames_go_on) {
  const ConsumerCounters before = {
      .frames_ok = 2, .drops_gap = 5, .drops_late = 3, .implausible = 1};
  const ConsumerCounters now = {.frames_ok = 9, .drops_gap = 6, .drops_late = 5, .implausible = 2};
  const ConsumerCounters sut = without_losses_of(now, before);
  EXPECT_EQ(frames_lost(sut), 2U);
  EXPECT_EQ(sut.drops_gap, 1U);
  EXPECT_EQ(sut.frames_ok, 9U);
}

TEST(Counters, that_are_zero_are_no_trouble) {
  EXPECT_THAT(troubles(ConsumerCounters{.frames_ok = 100}), IsEmpty());
  EXPECT_THAT(troubles(ProducerCounters{.frames_published = 100}), IsEmpty());
  EXPECT_THAT(troubles(ConsumerCounters{.drops_gap = 1'234}),
              ElementsAre(HasSubstr("1,234  overwritten before this reader came")));
}

TEST(Counters, have_a_key_each_in_json) {
  // One eight-byte field for each key, so that a counter that is added later cannot be forgotten.
  EXPECT_EQ(counters_json(ConsumerCounters{}).size(), sizeof(ConsumerCounters) / 8);
  EXPECT_EQ(counters_json(ProducerCounters{}).size(), sizeof(ProducerCounters) / 8);
  EXPECT_EQ(counters_json(BufferQueueCounters{}).size(), sizeof(BufferQueueCounters) / 8);
  EXPECT_EQ(counters_json(ConsumerCounters{.drops_gap = 5})["drops_gap"], 5);
}

}  // namespace
}  // namespace tensorpool::apps
