// Rate-limited delivery over a real media driver. Judged by which frames arrive and when they were
// published, not by the time that the test takes.
#include <poll.h>

#include <chrono>
#include <vector>

#include "registration_fixture.hpp"

namespace tensorpool::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// A frame as it was received.
struct Seen {
  std::uint64_t seq = 0;
  std::uint64_t published_ns = 0;
};

class Rate : public RegistrationTest {
 protected:
  /// Publishes at about 1,000 Hz for `span`, and reads meanwhile.
  static std::vector<Seen> run(Producer& producer, Consumer& consumer, Nanos span) {
    std::vector<Seen> seen;
    const auto read = [&] {
      consumer.poll([&](const FrameView& view) {
        seen.push_back({.seq = view.seq(), .published_ns = view.timestamp_ns().value_or(0)});
      });
    };
    const auto end = steady_clock::now() + span;
    for (auto next = steady_clock::now(); next < end; next += milliseconds(1)) {
      while (steady_clock::now() < next) {
        read();
      }
      publish_numbered(producer);
    }
    EXPECT_TRUE(eventually([&] {  // what has been sent arrives
      read();
      return steady_clock::now() > end + milliseconds(100);
    }));
    return seen;
  }
  /// Numbers from the first to the last that was seen, and how many a second of them were.
  struct Share {
    double per_second;
    double of_thousand;
  };
  [[nodiscard]] static Share share(const std::vector<Seen>& seen) {
    const auto steps = static_cast<double>(seen.size() - 1);
    const auto ns = static_cast<double>(seen.back().published_ns - seen.front().published_ns);
    const auto numbers = static_cast<double>(seen.back().seq - seen.front().seq);
    return {.per_second = steps / (ns / 1e9), .of_thousand = steps / numbers * 1000};
  }
};

TEST_F(Rate, of_10_is_10_of_1000_where_the_producer_thins) {
  TP_REQ("W335", "W336", "W340", "W341");
  Client client = connect();
  Producer producer = produce(client, wide_stream());
  ConsumerOptions wanted = asking();
  wanted.delivery = DeliveryMode::kRateLimited;
  wanted.max_rate_hz = 10;
  Consumer sut = consume(client, wanted);
  Consumer all = consume(client, asking(0));  // the shared stream is never thinned
  ASSERT_TRUE(joined(producer, sut));
  ASSERT_TRUE(joined(producer, all));
  ASSERT_TRUE(on_own_stream(sut));
  drop_frames(sut);
  const ConsumerCounters before = sut.counters();
  const std::vector<Seen> seen = run(producer, sut, std::chrono::seconds(3));
  ASSERT_GE(seen.size(), 2U);
  EXPECT_LE(share(seen).per_second, 11.0);
  EXPECT_NEAR(share(seen).of_thousand, 10, 1);
  const ConsumerCounters after = sut.counters();
  EXPECT_EQ(after.drops_gap, before.drops_gap);
  EXPECT_EQ(after.resyncs, 0U);
  EXPECT_EQ(after.recovered, before.recovered);
  EXPECT_EQ(after.drops_rate_limited, before.drops_rate_limited);  // nothing for the gate to do
  EXPECT_EQ(sut.last_seq(), seen.back().seq);
  EXPECT_GT(after.rate_skips - before.rate_skips, 80 * (seen.size() - 1));
  ASSERT_TRUE(eventually([&] {
    drop_frames(all);
    return all.last_seq() == producer.next_seq() - 1;
  }));
  EXPECT_EQ(all.counters().rate_skips, 0U);
  EXPECT_EQ(all.counters().drops_gap, 0U);
}

TEST_F(Rate, of_10_is_10_of_1000_where_the_consumer_drops) {
  TP_REQ("W338", "W267");
  Client client = connect();
  Producer producer = produce(client, wide_stream());
  ConsumerOptions wanted = asking(0);
  wanted.delivery = DeliveryMode::kRateLimited;
  wanted.max_rate_hz = 10;
  Consumer sut = consume(client, wanted);
  ASSERT_TRUE(joined(producer, sut));
  const std::vector<Seen> seen = run(producer, sut, std::chrono::seconds(2));
  ASSERT_GE(seen.size(), 2U);
  for (std::size_t k = 1; k < seen.size(); ++k) {
    EXPECT_GE(seen[k].published_ns - seen[k - 1].published_ns, 100'000'000U);
  }
  EXPECT_NEAR(share(seen).of_thousand, 10, 1);
  EXPECT_EQ(sut.counters().rate_skips, 0U);
  EXPECT_EQ(sut.counters().drops_gap, 0U);
  EXPECT_GE(sut.counters().drops_rate_limited, 80 * (seen.size() - 1));
}

TEST_F(Rate, leaves_an_event_descriptor_quiet_between_the_frames_that_are_wanted) {
  TP_REQ("W341");
  Client client = connect();
  Producer producer = produce(client, wide_stream());
  ConsumerOptions wanted = asking();
  wanted.delivery = DeliveryMode::kRateLimited;
  wanted.max_rate_hz = 10;
  Consumer sut = consume(client, wanted);
  ASSERT_TRUE(joined(producer, sut));
  ASSERT_TRUE(on_own_stream(sut));
  const Result<int> descriptor = sut.event_descriptor();
  ASSERT_TRUE(descriptor) << describe(descriptor.error());
  // Frames of which it is to have one in a hundred lie in the ring meanwhile.
  for (int k = 0; k < 50; ++k) {
    publish_numbered(producer);
  }
  drop_frames(sut);
  int rings = 0;
  const auto end = steady_clock::now() + milliseconds(1000);
  while (steady_clock::now() < end) {
    pollfd waited{.fd = *descriptor, .events = POLLIN, .revents = 0};
    if (::poll(&waited, 1, 100) > 0) {
      ++rings;
      drop_frames(sut);
    }
  }
  EXPECT_LT(rings, 100) << "ten a second are the helper's own";
}

TEST_F(Rate, changes_while_frames_flow) {
  TP_REQ("W337", "W283", "W334");
  Client client = connect();
  Producer producer = produce(client, wide_stream());
  ConsumerOptions wanted = asking();
  wanted.hello_interval = milliseconds(900);  // changes do not wait for it
  wanted.delivery = DeliveryMode::kRateLimited;
  wanted.max_rate_hz = 5;
  Consumer sut = consume(client, wanted);
  ASSERT_TRUE(joined(producer, sut));
  ASSERT_TRUE(on_own_stream(sut));
  const auto settled = [&](double of_thousand) {
    return eventually([&] {
      const std::vector<Seen> seen = run(producer, sut, milliseconds(300));
      return seen.size() >= 2 && share(seen).of_thousand > of_thousand * 0.8 &&
             share(seen).of_thousand < of_thousand * 1.2;
    });
  };
  ASSERT_TRUE(sut.set_delivery(DeliveryMode::kRateLimited, 50));
  EXPECT_TRUE(settled(50));
  ASSERT_TRUE(sut.set_delivery(DeliveryMode::kRateLimited, 200));
  EXPECT_TRUE(settled(200));
  ASSERT_TRUE(sut.set_delivery(DeliveryMode::kRateLimited, 0));  // no cap
  EXPECT_TRUE(settled(1000));
  ASSERT_TRUE(sut.set_delivery(DeliveryMode::kRateLimited, 50));
  EXPECT_TRUE(settled(50));
  ASSERT_TRUE(sut.set_delivery(DeliveryMode::kStream, 50));  // has no effect
  EXPECT_TRUE(settled(1000));
  EXPECT_TRUE(sut.has_own_descriptors());
  const Status refused = sut.set_delivery(DeliveryMode::kRateLimited, 65536);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
}

TEST_F(Rate, has_no_effect_on_who_wants_all_frames) {
  TP_REQ("W334");
  Client client = connect();
  Producer producer = produce(client, wide_stream());
  ConsumerOptions wanted = asking();
  wanted.max_rate_hz = 10;
  Consumer own = consume(client, wanted);
  wanted.own_descriptors.wanted = false;
  Consumer shared = consume(client, wanted);
  ASSERT_TRUE(joined(producer, own));
  ASSERT_TRUE(joined(producer, shared));
  ASSERT_TRUE(on_own_stream(own));
  for (Consumer* const sut : {&own, &shared}) {
    const auto read_one = [&] {
      publish_numbered(producer);
      ASSERT_TRUE(eventually([&] {
        drop_frames(*sut);
        return sut->last_seq() == producer.next_seq() - 1;
      }));
    };
    read_one();
    const std::uint64_t before = sut->counters().frames_ok;
    for (int frame = 0; frame < 200; ++frame) {
      read_one();
    }
    EXPECT_EQ(sut->counters().frames_ok - before, 200U);
    EXPECT_EQ(sut->counters().rate_skips + sut->counters().drops_rate_limited, 0U);
  }
}

}  // namespace
}  // namespace tensorpool::test
