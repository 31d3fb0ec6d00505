#include "core/producer/announcer.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "support/requirement.hpp"

namespace tensorpool::core::producer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kStart = seconds(1000);

/// Sends everything that is due, as an owner does.
void send_all(Announcer& sut, Nanos now) {
  const Announcer::Due due = sut.poll(now);
  if (due.announce) {
    sut.announced(now);
  }
  if (due.data_source) {
    sut.data_source_sent(now);
  }
  if (due.refresh_activity) {
    sut.activity_refreshed(now);
  }
}

TEST(Announcer, everything_is_due_at_once_and_then_once_per_period) {
  TP_REQ("W203", "W204");
  Announcer sut({}, kStart);
  EXPECT_TRUE(sut.poll(kStart).announce);
  EXPECT_TRUE(sut.poll(kStart).data_source);
  send_all(sut, kStart);
  EXPECT_FALSE(sut.poll(kStart + milliseconds(999)).announce);
  EXPECT_TRUE(sut.poll(kStart + milliseconds(1000)).announce);
}

TEST(Announcer, what_could_not_be_sent_stays_due) {
  TP_REQ("W211");
  Announcer sut({}, kStart);
  EXPECT_TRUE(sut.poll(kStart).announce);
  EXPECT_TRUE(sut.poll(kStart + milliseconds(1)).announce);
}

TEST(Announcer, refreshes_activity_at_least_once_per_period) {
  TP_REQ("W212");
  Announcer sut({}, kStart);
  Nanos last = kStart;
  send_all(sut, kStart);
  for (Nanos now = kStart; now < kStart + seconds(10); now += milliseconds(7)) {
    if (sut.poll(now).refresh_activity) {
      EXPECT_LE(now - last, milliseconds(1000));
      last = now;
    }
    send_all(sut, now);
  }
  EXPECT_GE(last, kStart + seconds(9));
}

TEST(Announcer, a_newcomer_brings_the_announce_forward_by_at_most_one_per_100_ms) {
  TP_REQ("W210");
  Announcer sut({}, kStart);
  send_all(sut, kStart);
  sut.on_hello(1, kStart + milliseconds(10));
  EXPECT_FALSE(sut.poll(kStart + milliseconds(99)).announce);
  EXPECT_TRUE(sut.poll(kStart + milliseconds(100)).announce);
  send_all(sut, kStart + milliseconds(100));
  sut.on_hello(1, kStart + milliseconds(500));  // known by now
  EXPECT_FALSE(sut.poll(kStart + milliseconds(999)).announce);
  sut.on_hello(2, kStart + milliseconds(500));
  EXPECT_TRUE(sut.poll(kStart + milliseconds(500)).announce);
}

TEST(Announcer, what_changed_is_told_at_once_and_then_every_period) {
  TP_REQ("W370", "W371");
  Announcer sut({.has_name = false}, kStart);
  EXPECT_FALSE(sut.poll(kStart + seconds(10)).data_source);
  sut.data_source_changed();
  EXPECT_TRUE(sut.poll(kStart).data_source);
  EXPECT_LE(sut.next_deadline(), kStart);
  send_all(sut, kStart);
  EXPECT_FALSE(sut.poll(kStart + milliseconds(999)).data_source);
  EXPECT_TRUE(sut.poll(kStart + milliseconds(1000)).data_source);
}

TEST(Announcer, a_producer_under_a_driver_does_not_announce_regions) {
  TP_REQ("W205", "D37");
  const Announcer sut({.announces_regions = false}, kStart);
  EXPECT_FALSE(sut.poll(kStart).announce);
  EXPECT_TRUE(sut.poll(kStart).refresh_activity);
}

}  // namespace
}  // namespace tensorpool::core::producer
