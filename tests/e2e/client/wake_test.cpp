// Consumers that sleep until their producer wakes them, end to end. Decision: docs/adr/0030.
#include <sys/epoll.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>

#include "client_fixture.hpp"
#include "driver_fixture.hpp"
#include "os/wake_file.hpp"
#include "support/child_process.hpp"

namespace tensorpool::test {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kLong = seconds(30);

[[nodiscard]] ConsumerOptions waiting(WaitKind kind, FollowMode mode = FollowMode::kDescriptors) {
  return {.name = "cam1",
          .mode = mode,
          .wait = {.kind = kind, .spin_for = microseconds(5)},
          .announce_period = kAnnouncePeriod};
}

/// Takes all there is.
std::uint64_t drain(Consumer& consumer) {
  std::uint64_t frames = 0;
  while (consumer.next()) {
    ++frames;
  }
  return frames;
}

/// A consumer on a thread of its own, which waits and polls until it has had `frames`.
class Sleeper {
 public:
  Sleeper(Consumer consumer, std::uint64_t frames)
      : consumer_(std::move(consumer)), thread_([this, frames] { run(frames); }) {}
  ~Sleeper() {
    stop_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  [[nodiscard]] ConsumerCounters join() {
    thread_.join();
    return consumer_.counters();
  }
  [[nodiscard]] std::uint64_t frames() const { return seen_; }
  [[nodiscard]] std::uint64_t sleeps() const { return sleeps_; }

 private:
  void run(std::uint64_t frames) {
    while (!stop_ && seen_ < frames) {
      static_cast<void>(consumer_.wait(milliseconds(5)));
      seen_ += drain(consumer_);
      sleeps_ = consumer_.counters().sleeps;
    }
  }

  Consumer consumer_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> seen_{0};
  std::atomic<std::uint64_t> sleeps_{0};
  std::thread thread_;
};

class Waking : public ClientTest {
 protected:
  [[nodiscard]] std::string words_of(const Producer& producer) const {
    return scratch_.path() + "/aeron/tensorpool-wake-" + std::to_string(producer.stream_id()) +
           "-" + std::to_string(producer.epoch());
  }
  [[nodiscard]] bool has_words(const Producer& producer) const {
    return eventually([&] { return std::filesystem::exists(words_of(producer)); });
  }
  [[nodiscard]] Result<os::WakeFile> open_words(const Producer& producer) const {
    return os::WakeFile::open(os::system_calls(), {.directory = scratch_.path() + "/aeron",
                                                   .stream_id = producer.stream_id(),
                                                   .epoch = producer.epoch()});
  }
};

class WakingBy : public Waking, public ::testing::WithParamInterface<FollowMode> {};
INSTANTIATE_TEST_SUITE_P(Both, WakingBy,
                         ::testing::Values(FollowMode::kDescriptors, FollowMode::kDirect));

TEST_P(WakingBy, a_sleeping_consumer_gets_each_frame) {
  Client client = connect();
  Producer producer = produce(client, stream());
  Consumer consumer = consume(client, waiting(WaitKind::kPark, GetParam()));
  ASSERT_TRUE(joined(producer, consumer, GetParam()));
  ASSERT_TRUE(has_words(producer));
  constexpr std::uint64_t kFrames = 200;
  Sleeper sleeper(std::move(consumer), kFrames);
  for (std::uint64_t k = 0; k < kFrames; ++k) {
    const std::uint64_t sleeps = sleeper.sleeps();
    publish(producer);
    ASSERT_TRUE(
        eventually([&] { return sleeper.frames() == k + 1 && sleeper.sleeps() > sleeps; }) ||
        k + 1 == kFrames);
  }
  const ConsumerCounters counters = sleeper.join();
  EXPECT_EQ(counters.frames_ok, kFrames);
  EXPECT_GT(counters.wakes, 0U);
  EXPECT_LE(producer.counters().wakes, kFrames) << "one for each frame at most";
  EXPECT_GT(producer.counters().wakes, 0U);
}

TEST_P(WakingBy, a_frame_behind_one_that_was_given_up_is_found) {
  Client client = connect();
  Producer producer = produce(client, stream());
  Consumer consumer = consume(client, waiting(WaitKind::kPark, GetParam()));
  ASSERT_TRUE(joined(producer, consumer, GetParam()));
  publish(producer);
  ASSERT_TRUE(wait_next(consumer));
  for (int k = 0; k < 3; ++k) {
    auto claim = producer.claim(100);
    ASSERT_TRUE(claim);
    claim->abort();
  }
  publish(producer, 4);
  std::uint64_t frames = 0;
  while (frames < 4) {
    ASSERT_TRUE(consumer.wait(kLong)) << "after " << frames;
    frames += drain(consumer);
  }
}

TEST_F(Waking, nobody_is_called_while_nobody_sleeps) {
  Client client = connect();
  Producer producer = produce(client, stream());
  Consumer consumer = consume(client, waiting(WaitKind::kSpin));
  ASSERT_TRUE(joined(producer, consumer));
  ASSERT_TRUE(has_words(producer));
  for (int k = 0; k < 100; ++k) {
    publish(producer);
    EXPECT_TRUE(consumer.wait(kLong));
    EXPECT_EQ(drain(consumer), 1U);
  }
  EXPECT_EQ(producer.counters().wakes, 0U);
  EXPECT_EQ(consumer.counters().sleeps, 0U);
}

TEST_F(Waking, a_wait_ends_when_its_patience_does) {
  Client client = connect();
  Producer producer = produce(client, stream());
  Consumer reader = consume(client, waiting(WaitKind::kPark));
  ASSERT_TRUE(joined(producer, reader));
  EXPECT_FALSE(reader.wait(Nanos(0)));
  EXPECT_FALSE(reader.wait(milliseconds(1)));
  for (const WaitKind kind :
       {WaitKind::kSpin, WaitKind::kYield, WaitKind::kBackoff, WaitKind::kHybrid}) {
    Consumer consumer = consume(client, waiting(kind));
    EXPECT_FALSE(consumer.wait(milliseconds(1)));
  }
}

TEST_F(Waking, a_consumer_of_a_producer_without_words_pauses) {
  Client client = connect();
  StreamOptions options = stream();
  options.wakes_consumers = false;
  Producer producer = produce(client, options);
  Consumer consumer = consume(client, waiting(WaitKind::kPark));
  ASSERT_TRUE(joined(producer, consumer));
  for (int k = 0; k < 10; ++k) {
    EXPECT_FALSE(consumer.wait(milliseconds(1)));
    publish(producer);
    EXPECT_TRUE(consumer.wait(kLong));
    EXPECT_EQ(drain(consumer), 1U);
  }
  EXPECT_FALSE(consumer.can_park());
  EXPECT_EQ(consumer.counters().sleeps, 0U);
  EXPECT_EQ(producer.counters().wakes, 0U);
  EXPECT_FALSE(std::filesystem::exists(words_of(producer)));
}

TEST_F(Waking, words_go_with_their_producer_and_come_with_the_next) {
  Client client = connect();
  Consumer consumer = consume(client, waiting(WaitKind::kPark));
  for (int round = 0; round < 3; ++round) {
    Producer producer = produce(client, stream());
    ASSERT_TRUE(joined(producer, consumer));
    ASSERT_TRUE(has_words(producer));
    ASSERT_TRUE(eventually([&] {
      static_cast<void>(consumer.wait(milliseconds(1)));
      return consumer.can_park();
    }));
    const std::string words = words_of(producer);
    Producer gone = std::move(producer);
    { Producer last = std::move(gone); }
    EXPECT_FALSE(std::filesystem::exists(words));
  }
}

TEST_F(Waking, words_that_went_with_a_directory_are_made_anew) {
  Client client = connect();
  Producer producer = produce(client, stream());
  Consumer consumer = consume(client, waiting(WaitKind::kPark));
  ASSERT_TRUE(joined(producer, consumer));
  ASSERT_TRUE(has_words(producer));
  std::filesystem::remove(words_of(producer));
  ASSERT_TRUE(has_words(producer));
  ASSERT_TRUE(eventually([&] {
    publish(producer);
    drain(consumer);
    static_cast<void>(consumer.wait(milliseconds(1)));
    return consumer.counters().sleeps > 0 && producer.counters().wakes > 0;
  }));
}

/// A writer of the words who arms whenever he can.
TEST_F(Waking, somebody_who_arms_all_the_time_costs_a_bounded_number_of_calls) {
  Client client = connect();
  Producer producer = produce(client, stream());
  publish(producer);
  ASSERT_TRUE(has_words(producer));
  Result<os::WakeFile> words = open_words(producer);
  ASSERT_TRUE(words) << describe(words.error());
  constexpr std::uint64_t kFrames = 50'000;
  const auto begun = std::chrono::steady_clock::now();
  for (std::uint64_t k = 0; k < kFrames; ++k) {
    __atomic_store_n(&words->words().armed, 1, __ATOMIC_SEQ_CST);
    publish(producer);
  }
  const auto took = std::chrono::steady_clock::now() - begun;
  const ProducerCounters counters = producer.counters();
  EXPECT_EQ(counters.wakes + counters.wakes_put_off, kFrames) << "all are counted";
  EXPECT_LE(counters.wakes, 256U + static_cast<std::uint64_t>(took / microseconds(50)) + 1);
}

TEST_F(Waking, rubbish_in_the_words_costs_no_frame) {
  Client client = connect();
  Producer producer = produce(client, stream());
  Consumer consumer = consume(client, waiting(WaitKind::kPark));
  ASSERT_TRUE(joined(producer, consumer));
  ASSERT_TRUE(has_words(producer));
  Result<os::WakeFile> words = open_words(producer);
  ASSERT_TRUE(words) << describe(words.error());
  std::uint64_t frames = 0;
  for (std::uint64_t k = 0; k < 100; ++k) {
    __atomic_store_n(&words->words().armed, k % 3 == 0 ? 0 : ~k, __ATOMIC_SEQ_CST);
    __atomic_store_n(&words->words().ticket, k * 0x1'0000'0001ULL, __ATOMIC_SEQ_CST);
    publish(producer);
    ASSERT_TRUE(consumer.wait(kLong));
    frames += drain(consumer);
  }
  EXPECT_TRUE(eventually([&] { return (frames += drain(consumer)) == 100; }));
}

TEST_F(Waking, a_killed_sleeper_costs_one_call) {
  Client client = connect();
  Producer producer = produce(client, stream());
  publish(producer);
  ASSERT_TRUE(has_words(producer));
  {
    ChildProcess sleeper(TP_CLIENT_PEER,
                         {"sleep", scratch_.path() + "/aeron", scratch_.path(), "direct"});
    Result<os::WakeFile> words = open_words(producer);
    ASSERT_TRUE(words) << describe(words.error());
    ASSERT_TRUE(
        eventually([&] { return __atomic_load_n(&words->words().armed, __ATOMIC_SEQ_CST) == 1; }));
    sleeper.kill();
  }
  const std::uint64_t before = producer.counters().wakes;
  publish(producer, 1000);
  EXPECT_LE(producer.counters().wakes - before, 1U);
  EXPECT_EQ(producer.counters().wakes_put_off, 0U);
}

class Poller {
 public:
  explicit Poller(int descriptor) : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event wanted{.events = EPOLLIN, .data = {.fd = descriptor}};
    EXPECT_EQ(::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &wanted), 0);
  }
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;
  ~Poller() { ::close(epoll_); }
  [[nodiscard]] bool is_readable(int timeout_ms) const {
    epoll_event found{};
    return ::epoll_wait(epoll_, &found, 1, timeout_ms) == 1;
  }

 private:
  int epoll_;
};

class Events : public WakingBy {};
INSTANTIATE_TEST_SUITE_P(Both, Events,
                         ::testing::Values(FollowMode::kDescriptors, FollowMode::kDirect));

TEST_P(Events, are_readable_for_each_frame_and_quiet_between) {
  for (const bool wakes : {true, false}) {
    Client client = connect();
    StreamOptions options = stream();
    options.wakes_consumers = wakes;
    Producer producer = produce(client, options);
    Consumer consumer = consume(client, waiting(WaitKind::kPark, GetParam()));
    ASSERT_TRUE(joined(producer, consumer, GetParam()));
    ASSERT_TRUE(!wakes || has_words(producer));
    const Result<int> descriptor = consumer.event_descriptor();
    ASSERT_TRUE(descriptor) << describe(descriptor.error());
    EXPECT_EQ(consumer.event_descriptor(), *descriptor) << "there is one";
    const Poller poller(*descriptor);
    std::uint64_t frames = 0;
    bool was_quiet = false;
    for (std::uint64_t k = 1; k <= 50; ++k) {
      frames += drain(consumer);
      was_quiet |= !poller.is_readable(0);
      publish(producer);
      ASSERT_TRUE(eventually([&] {
        EXPECT_TRUE(poller.is_readable(30'000));
        return (frames += drain(consumer)) == k;
      }));
    }
    EXPECT_TRUE(was_quiet);
  }
}

class WakingUnderADriver : public DriverTest {};

TEST_F(WakingUnderADriver, a_sleeping_consumer_gets_each_frame) {
  const Driver host = start_driver();
  Client client = attach_client();
  Producer producer = tenant(client);
  Consumer consumer = consume(client, waiting(WaitKind::kPark));
  ASSERT_TRUE(eventually([&] {
    drain(consumer);
    return consumer.epoch() == producer.epoch() && producer.has_subscribers();
  }));
  ASSERT_TRUE(eventually([&] {
    static_cast<void>(consumer.wait(milliseconds(1)));
    return consumer.can_park();
  }));
  constexpr std::uint64_t kFrames = 50;
  Sleeper sleeper(std::move(consumer), kFrames);
  for (std::uint64_t k = 0; k < kFrames; ++k) {
    ASSERT_TRUE(eventually([&] { return sleeper.frames() == k; }));
    publish_numbered(producer);
  }
  EXPECT_EQ(sleeper.join().frames_ok, kFrames);
}

}  // namespace
}  // namespace tensorpool::test
