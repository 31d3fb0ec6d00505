// The counters of a media driver, read by somebody who is no client of it.
#include <gmock/gmock.h>

#include "bus/counters_file.hpp"
#include "bus_fixture.hpp"
#include "support/requirement.hpp"

namespace tensorpool::bus::testing {
namespace {

using ::testing::SizeIs;

using CountersFile = BusTest;

TEST_F(CountersFile, shows_what_a_client_counts) {
  auto first = wait_for(*client_, client_->begin_add_counter(54001, "driver-01", "first"));
  auto second = wait_for(*client_, client_->begin_add_counter(54002, "driver-01", "second"));
  auto other = wait_for(*client_, client_->begin_add_counter(99, "driver-01", "other"));
  ASSERT_TRUE(first && second && other);
  (*second)->set(42);
  const auto sut = read_counters(dir_.aeron(), 54001, 54024);
  ASSERT_TRUE(sut) << describe(sut.error());
  ASSERT_THAT(*sut, SizeIs(2));
  EXPECT_EQ((*sut)[0].type_id, 54001);
  EXPECT_EQ((*sut)[1].type_id, 54002);
  EXPECT_EQ((*sut)[1].key, "driver-01");
  EXPECT_EQ((*sut)[1].label, "second");
  EXPECT_EQ((*sut)[1].value, 42);
}

TEST_F(CountersFile, lists_the_older_counter_first) {
  auto first = wait_for(*client_, client_->begin_add_counter(54001, "a", "1"));
  auto second = wait_for(*client_, client_->begin_add_counter(54001, "a", "2"));
  ASSERT_TRUE(first && second);
  first->reset();  // its place becomes free, some time later
  std::string youngest;
  ASSERT_TRUE(until([&] {
    auto third = wait_for(*client_, client_->begin_add_counter(54001, "a", "3"));
    if (!third || (*third)->id() > (*second)->id()) {
      return false;
    }
    const auto sut = read_counters(dir_.aeron(), 54001, 54001);
    youngest = sut && !sut->empty() ? sut->back().label : "none";
    return true;
  }));
  EXPECT_EQ(youngest, "3");
}

TEST_F(CountersFile, needs_a_media_driver) {
  EXPECT_EQ(read_counters(dir_.path() + "/nobody", 0, 1).error().code,
            Errc::kMediaDriverUnavailable);
}

}  // namespace
}  // namespace tensorpool::bus::testing
