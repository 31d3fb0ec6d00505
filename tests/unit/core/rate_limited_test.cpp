// Rate-limited delivery as a receiver sees it: thinned by the producer, or by its own gate.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/consumer/frame_receiver.hpp"
#include "support/link_fixture.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::consumer {
namespace {

using test::Changes;
using Sut = test::Link<>;
using Numbers = std::vector<std::uint64_t>;

constexpr Nanos kInterval{100};

TEST(RateLimited, takes_jumps_of_a_thinned_stream_for_what_they_are) {
  TP_REQ("W341", "W340");
  for (const bool recover_gaps : {false, true}) {
    Sut sut({.nslots = 1024, .recover_gaps = recover_gaps, .max_outstanding_seq_gap = 4});
    sut.reader.limit_rate({}, true);
    sut.hear(sut.publish());
    sut.hear(sut.publish_many(100));
    sut.hear(sut.publish());
    EXPECT_EQ(sut.seqs(), (Numbers{0, 100, 101}));
    EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 3}, {"rate_skips", 99}}));
    EXPECT_FALSE(sut.reader.draining());
    EXPECT_TRUE(sut.reader.check_invariants());
  }
}

TEST(RateLimited, counts_jumps_as_such_also_where_only_the_newest_is_wanted) {
  TP_REQ("W341");
  Sut sut({.nslots = 1024, .recover_gaps = true});
  sut.reader.limit_rate({}, true);
  sut.hear(sut.publish());
  sut.reader.begin_latest();
  sut.hear(sut.publish_many(10));
  sut.hear(sut.publish_many(10));
  sut.drained();
  sut.reader.end_latest();
  EXPECT_EQ(sut.seqs(), (Numbers{0, 20}));
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 2}, {"rate_skips", 18}, {"skipped_by_reader", 1}}));
  EXPECT_TRUE(sut.reader.check_invariants());
}

TEST(RateLimited, loses_frames_again_once_the_stream_is_thinned_no_more) {
  TP_REQ("W341");
  Sut sut({.nslots = 1024, .recover_gaps = false});
  sut.reader.limit_rate({}, true);
  sut.hear(sut.publish());
  sut.reader.limit_rate({}, false);
  sut.hear(sut.publish_many(10));
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 2}, {"drops_gap", 9}}));
}

TEST(RateLimited, drops_at_its_gate_by_the_time_of_the_descriptor) {
  TP_REQ("W267", "W338", "W339");
  Sut sut({.nslots = 16});
  sut.reader.limit_rate(kInterval, false);
  for (const std::uint64_t at : {5000U, 5099U, 5100U, 5199U, 5000U, 5001U}) {
    Descriptor descriptor = sut.publish();
    descriptor.timestamp_ns = at;
    sut.hear(descriptor);
  }
  EXPECT_EQ(sut.seqs(), (Numbers{0, 2, 4}));
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 3}, {"drops_rate_limited", 3}}));
  EXPECT_EQ(sut.reader.last_seq(), 5U);
  EXPECT_TRUE(sut.reader.check_invariants());
}

TEST(RateLimited, has_the_gate_before_the_slot_where_the_descriptor_bears_a_time) {
  TP_REQ("W267");
  Sut sut({.nslots = 4});
  sut.reader.limit_rate(kInterval, false);
  Descriptor first = sut.publish();
  first.timestamp_ns = 5000;
  sut.hear(first);
  Descriptor second = sut.publish();
  second.timestamp_ns = 5001;
  sut.publish_many(4);  // its slot is gone: nobody looks
  sut.hear(second);
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 1}, {"drops_rate_limited", 1}}));
}

TEST(RateLimited, takes_the_time_of_the_slot_where_the_descriptor_has_none) {
  TP_REQ("W267", "W339");
  Sut sut({.nslots = 16});  // slot times: 1000, 1001, ...
  sut.reader.limit_rate(Nanos{3}, false);
  for (int frame = 0; frame < 7; ++frame) {
    sut.hear(sut.publish());
  }
  EXPECT_EQ(sut.seqs(), (Numbers{0, 3, 6}));
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 3}, {"drops_rate_limited", 4}}));
  EXPECT_TRUE(sut.reader.check_invariants());
}

TEST(RateLimited, takes_the_time_of_arrival_where_there_is_no_other) {
  TP_REQ("W339");
  Sut sut({.nslots = 16});
  sut.reader.limit_rate(kInterval, false);
  for (const int at : {7000, 7050, 7100}) {
    const auto payload = test::pattern(8, Sut::kEpoch, sut.writer.next_seq());
    ASSERT_EQ(sut.writer.publish(test::bytes_tensor(8), payload, 0), PublishStatus::kPublished);
    sut.reader.set_arrival_time(Nanos{at});
    sut.hear(test::received(sut.writer.descriptor()));
  }
  EXPECT_EQ(sut.seqs(), (Numbers{0, 2}));
}

TEST(RateLimited, drops_at_its_gate_what_it_reads_from_the_ring) {
  TP_REQ("W338");
  Sut sut({.nslots = 64, .recover_gaps = true, .max_outstanding_seq_gap = 4});
  sut.reader.limit_rate(Nanos{10}, false);
  sut.hear(sut.publish());
  sut.hear(sut.publish_many(30));  // 29 of them by the ring: no reason to resync
  EXPECT_EQ(sut.seqs(), (Numbers{0, 10, 20, 30}));
  sut.publish_many(30);
  sut.follow();
  EXPECT_EQ(sut.seqs(), (Numbers{0, 10, 20, 30, 40, 50, 60}));
  EXPECT_EQ(sut.reader.counters().resyncs, 0U);
  EXPECT_EQ(sut.reader.counters().drops_rate_limited, 54U);
  EXPECT_TRUE(sut.reader.check_invariants());
}

TEST(RateLimited, is_off_unless_it_is_asked_for) {
  TP_REQ("W334");
  Sut sut({.nslots = 16});
  EXPECT_FALSE(sut.reader.is_gated());
  EXPECT_FALSE(sut.reader.expects_jumps());
  for (int frame = 0; frame < 5; ++frame) {
    Descriptor descriptor = sut.publish();
    descriptor.timestamp_ns = 5000;
    sut.hear(descriptor);
  }
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 5}}));
}

}  // namespace
}  // namespace tensorpool::core::consumer
