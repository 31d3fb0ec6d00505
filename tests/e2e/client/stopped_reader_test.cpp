// One reader is stopped for seconds; it may cost the others nothing. Design §9.
#include <atomic>
#include <map>
#include <string>
#include <thread>

#include "client_fixture.hpp"
#include "client_peer.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

constexpr auto kStopped = std::chrono::seconds(8);
constexpr std::int64_t kResumedWithinNs = 5'000'000'000;  // 0.5 s are meant, on an idle machine

struct Load {
  double rate_hz;
  std::uint32_t nslots;  ///< several seconds' worth
  std::string name;
};

class StoppedReader : public ClientTest, public ::testing::WithParamInterface<Load> {
 protected:
  [[nodiscard]] ChildProcess read(const char* mode) const {
    return {TP_CLIENT_PEER, {"consume", options().aeron_dir, scratch_.path(), mode}};
  }
};

/// Publishes from a thread of its own.
class Publisher {
 public:
  Publisher(Producer& producer, double rate_hz)
      : thread_([this, &producer, rate_hz] {
          Pacer pacer(producer, rate_hz);
          while (!stopping_.load()) {
            pacer.publish_due();
            std::this_thread::sleep_for(std::chrono::microseconds(50));
          }
        }) {}
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;
  ~Publisher() {
    stopping_.store(true);
    thread_.join();
  }

 private:
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

/// The report of a reader that has come to `last`.
[[nodiscard]] ConsumerReport report_at(ChildProcess& reader, std::uint64_t last) {
  ConsumerReport report;
  EXPECT_TRUE(eventually([&] {
    report = reader.ask<ConsumerReport>();
    return report.last_seq == last;
  })) << "came to "
      << report.last_seq << " of " << last;
  return report;
}

TEST_P(StoppedReader, costs_the_others_nothing_and_goes_on) {
  TP_REQ("W186", "W199", "W260");
  const Load& load = GetParam();
  Client client = connect();
  StreamOptions wide = stream();
  wide.nslots = load.nslots;
  wide.pools = {{.stride_bytes = 64}};
  Producer producer = produce(client, wide);
  std::map<std::string, ChildProcess> readers;
  for (const char* mode : {"recover", "direct", "no-recover"}) {
    readers.emplace(mode, read(mode));
  }
  ChildProcess stopped = read("recover");
  {
    const Publisher slowly(producer, 100);
    for (auto& [mode, reader] : readers) {
      ASSERT_EQ(reader.read_line(), "ready") << mode;
    }
    ASSERT_EQ(stopped.read_line(), "ready");
  }
  std::int64_t continued_at_ns = 0;
  {
    const Publisher busily(producer, load.rate_hz);
    const std::uint64_t began = producer.next_seq();
    stopped.signal(SIGSTOP);
    const auto end = std::chrono::steady_clock::now() + kStopped;
    ASSERT_TRUE(eventually([&] { return std::chrono::steady_clock::now() > end; }));
    EXPECT_GT(producer.next_seq(), began);
    continued_at_ns = std::chrono::steady_clock::now().time_since_epoch().count();
    stopped.signal(SIGCONT);
    ASSERT_TRUE(eventually([&] { return stopped.ask<ConsumerReport>().resumed_at_ns != 0; }));
  }
  ASSERT_TRUE(eventually([&] {  // until a descriptor gets through, which tells of those lost
    const std::uint64_t lost = producer.counters().descriptor_backpressured;
    publish_numbered(producer);
    return producer.counters().descriptor_backpressured == lost;
  }));
  const ProducerCounters sent = producer.counters();
  const std::uint64_t last = producer.next_seq() - 1;
  const std::uint64_t unannounced = sent.descriptor_backpressured + sent.descriptor_admin_action;
  RecordProperty("frames", std::to_string(sent.frames_published));
  RecordProperty("descriptors_lost", std::to_string(unannounced));
  EXPECT_EQ(sent.descriptor_closed + sent.descriptor_error, 0U);

  for (auto& [mode, reader] : readers) {
    SCOPED_TRACE(mode);
    const ConsumerReport report = report_at(reader, last);
    EXPECT_EQ(report.wrong, 0U);
    EXPECT_EQ(report.counters.drops_late, 0U);
    EXPECT_EQ(report.counters.discontinuities, 0U);
    EXPECT_EQ(report.tracked, report.accounted);
    EXPECT_EQ(report.counters.drops_gap, mode == "no-recover" ? unannounced : 0);
  }
  if (load.rate_hz <= 10'000) {  // under 1 % are meant, on an idle machine; 64 % without tuning
    EXPECT_LT(unannounced * 10, sent.frames_published);
  }
  const ConsumerReport report = report_at(stopped, last);
  EXPECT_EQ(report.wrong, 0U);
  EXPECT_EQ(report.counters.discontinuities, 0U);
  EXPECT_EQ(report.tracked, report.accounted);
  const std::int64_t resumed_after_ns = report.resumed_at_ns - continued_at_ns;
  RecordProperty("resumed_after_us", std::to_string(resumed_after_ns / 1000));
  std::printf("%llu frames, %llu without descriptor, stopped reader resumed after %.1f ms\n",
              static_cast<unsigned long long>(sent.frames_published),
              static_cast<unsigned long long>(unannounced),
              static_cast<double>(resumed_after_ns) / 1e6);
  EXPECT_LT(resumed_after_ns, kResumedWithinNs);
  for (auto& [mode, reader] : readers) {
    EXPECT_EQ(reader.finish(), 0);
  }
  EXPECT_EQ(stopped.finish(), 0);
}

INSTANTIATE_TEST_SUITE_P(Rates, StoppedReader,
                         ::testing::Values(Load{10'000, 65536, "at_10_kHz"},
                                           Load{100'000, 262144, "at_100_kHz"}),
                         [](const auto& load) { return load.param.name; });

}  // namespace
}  // namespace tensorpool::test
