#include "core/registration/qos.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "support/requirement.hpp"

namespace tensorpool::core::registration {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Role = QosObserver::Role;
using Verdict = QosObserver::Verdict;

constexpr Nanos kStart = seconds(1000);

TEST(Periodic, is_due_at_once_and_then_once_per_interval_and_until_it_was_sent) {
  TP_REQ("W393", "W394", "W211");
  Periodic sut(seconds(1), kStart);
  ASSERT_TRUE(sut.is_due(kStart));
  EXPECT_TRUE(sut.is_due(kStart + milliseconds(1)));
  sut.sent(kStart);
  EXPECT_FALSE(sut.is_due(kStart + milliseconds(999)));
  EXPECT_TRUE(sut.is_due(kStart + milliseconds(1000)));
}

TEST(QosObserver, knows_parties_by_stream_and_number) {
  TP_REQ("W399");
  QosObserver sut;
  using layout::QosConsumer;
  using layout::QosProducer;
  EXPECT_EQ(sut.on_qos(QosConsumer{.stream_id = 1, .consumer_id = 7, .drops_gap = 5}, kStart),
            Verdict::kNew);
  EXPECT_EQ(sut.on_qos(QosConsumer{.stream_id = 2, .consumer_id = 7, .drops_gap = 1}, kStart),
            Verdict::kNew);
  EXPECT_EQ(sut.on_qos(QosProducer{.stream_id = 1, .producer_id = 7, .current_seq = 9}, kStart),
            Verdict::kNew);
  ASSERT_NE(sut.find(Role::kConsumer, 1, 7), nullptr);
  EXPECT_EQ(sut.find(Role::kConsumer, 1, 7)->drops_gap, 5U);
  EXPECT_EQ(sut.find(Role::kConsumer, 2, 7)->drops_gap, 1U);
  EXPECT_EQ(sut.find(Role::kProducer, 1, 7)->seq, 9U);
  EXPECT_EQ(sut.find(Role::kProducer, 2, 7), nullptr);
}

TEST(QosObserver, takes_numbers_that_go_back_for_a_restart) {
  TP_REQ("W400");
  QosObserver sut;
  layout::QosConsumer said{.stream_id = 1,
                           .consumer_id = 7,
                           .epoch = 3,
                           .last_seq_seen = 100,
                           .drops_gap = 10,
                           .drops_late = 10};
  EXPECT_EQ(sut.on_qos(said, kStart), Verdict::kNew);
  said.last_seq_seen = 200;
  EXPECT_EQ(sut.on_qos(said, kStart), Verdict::kUpdate);
  for (auto member : {&layout::QosConsumer::last_seq_seen, &layout::QosConsumer::drops_gap,
                      &layout::QosConsumer::drops_late}) {
    said.*member -= 1;
    EXPECT_EQ(sut.on_qos(said, kStart), Verdict::kRestart);
    EXPECT_EQ(sut.on_qos(said, kStart), Verdict::kUpdate);
  }
  said.epoch = 4;
  EXPECT_EQ(sut.on_qos(said, kStart), Verdict::kRestart);
  EXPECT_EQ(sut.find(Role::kConsumer, 1, 7)->restarts, 4U);
}

TEST(QosObserver, takes_an_invalid_mode_for_a_sign_of_life_and_keeps_the_last_valid_one) {
  TP_REQ("W401");
  QosObserver sut;
  layout::QosConsumer said{.stream_id = 1, .consumer_id = 7, .mode = layout::Mode::kRateLimited};
  static_cast<void>(sut.on_qos(said, kStart));
  said.mode.reset();
  EXPECT_EQ(sut.on_qos(said, kStart + seconds(4)), Verdict::kUpdate);
  EXPECT_EQ(sut.find(Role::kConsumer, 1, 7)->mode, layout::Mode::kRateLimited);
  sut.remove_silent(kStart + seconds(8), seconds(5));
  EXPECT_NE(sut.find(Role::kConsumer, 1, 7), nullptr);
  sut.remove_silent(kStart + seconds(9), seconds(5));
  EXPECT_EQ(sut.find(Role::kConsumer, 1, 7), nullptr);
}

TEST(QosObserver, does_not_grow_without_bound) {
  QosObserver sut(2);
  for (std::uint32_t id = 1; id <= 2; ++id) {
    EXPECT_EQ(sut.on_qos(layout::QosConsumer{.stream_id = 1, .consumer_id = id}, kStart),
              Verdict::kNew);
  }
  EXPECT_EQ(sut.on_qos(layout::QosConsumer{.stream_id = 1, .consumer_id = 3}, kStart),
            Verdict::kNoRoom);
  EXPECT_EQ(sut.parties().size(), 2U);
}

}  // namespace
}  // namespace tensorpool::core::registration
