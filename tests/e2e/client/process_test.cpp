// What the library promises about fork, exec, signals and threads of the application. Design §9.
#include <fcntl.h>
#include <pthread.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "client_fixture.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

constexpr std::uint64_t kFrames = 20;

[[nodiscard]] int exit_code_of(pid_t child) {
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// A stream within this process, with two readers.
class Processes : public ClientTest {
 protected:
  void SetUp() override {
    client_.emplace(connect());
    producer_.emplace(produce(*client_, stream()));
    by_descriptor_.emplace(consume(*client_, reader()));
    direct_.emplace(consume(*client_, reader(FollowMode::kDirect)));
    ASSERT_TRUE(joined(*producer_, *by_descriptor_));
    ASSERT_TRUE(joined(*producer_, *direct_, FollowMode::kDirect));
    publish(*producer_);
    ASSERT_TRUE(wait_next(*by_descriptor_) && wait_next(*direct_));
  }
  /// Frames still go by both routes, none lost since SetUp.
  void expect_streaming() {
    for (std::uint64_t k = 0; k < kFrames; ++k) {
      publish(*producer_);
      const std::uint64_t seq = producer_->next_seq() - 1;
      for (Consumer* reader : {&*by_descriptor_, &*direct_}) {
        const auto view = wait_next(*reader);
        ASSERT_TRUE(view.has_value());
        EXPECT_EQ(view->seq(), seq);
        EXPECT_TRUE(view->still_valid());
        EXPECT_EQ(reader->counters().drops_gap + reader->counters().drops_late, 0U);
      }
    }
  }

  std::optional<Client> client_;
  std::optional<Producer> producer_;
  std::optional<Consumer> by_descriptor_;
  std::optional<Consumer> direct_;
};

TEST_F(Processes, a_forked_child_is_answered_forked_and_its_destructors_touch_nothing) {
  auto open_claim = producer_->claim(1000);
  ASSERT_TRUE(open_claim);
  std::optional<FrameView> view;
  ASSERT_EQ(open_claim->commit(info()), CommitStatus::kCommitted);
  view = wait_next(*direct_);
  ASSERT_TRUE(view && wait_next(*by_descriptor_));
  std::optional<FrameLease> lease(view->keep());
  auto second_claim = producer_->claim(1000);
  ASSERT_TRUE(second_claim);
  const ConsumerOptions consumer_options = reader();
  const StreamOptions stream_options = stream("cam2");

  const pid_t child = ::fork();
  if (child == 0) {
    // One bit for each promise that is broken.
    int broken = 0;
    auto demand = [&broken, bit = 1](bool kept) mutable {
      broken |= kept ? 0 : bit;
      bit <<= 1;
    };
    demand(producer_->publish(info(), payload_of(0)) == PublishStatus::kForked &&
           !producer_->claim(10) && producer_->claim(10).error() == PublishStatus::kForked &&
           !producer_->has_subscribers());
    demand(second_claim->commit(info()) == CommitStatus::kForked);
    demand(!by_descriptor_->next() && !direct_->latest() &&
           by_descriptor_->poll([](const FrameView&) {}).frames == 0);
    demand(!lease->still_valid() && lease->bytes().size() == 1000);
    demand(client_->create_producer(stream_options).error().code == Errc::kForked &&
           client_->create_consumer(consumer_options).error().code == Errc::kForked);
    demand(client_->streams().empty() && client_->do_work() == 0);
    lease.reset();
    { Claim dropped = std::move(*second_claim); }
    by_descriptor_.reset();
    direct_.reset();
    producer_.reset();
    client_.reset();
    demand(region_files().size() == 2);
    ::_exit(broken);
  }
  EXPECT_EQ(exit_code_of(child), 0);
  EXPECT_TRUE(lease->still_valid());
  EXPECT_EQ(second_claim->commit(info()), CommitStatus::kCommitted);
  EXPECT_TRUE(wait_next(*by_descriptor_) && wait_next(*direct_));
  EXPECT_EQ(producer_->counters().claims_dropped, 0U);
  expect_streaming();
}

TEST_F(Processes, vfork_and_exec_disturb_nothing_and_inherit_no_descriptor) {
  const pid_t child = ::vfork();
  if (child == 0) {
    ::execl("/bin/true", "true", static_cast<char*>(nullptr));
    ::_exit(127);
  }
  EXPECT_EQ(exit_code_of(child), 0);
  expect_streaming();

  int listing[2];
  ASSERT_EQ(::pipe(listing), 0);
  const pid_t forked = ::fork();
  if (forked == 0) {
    ::dup2(listing[1], STDOUT_FILENO);
    ::execl("/bin/ls", "ls", "-l", "/proc/self/fd", static_cast<char*>(nullptr));
    ::_exit(127);
  }
  ::close(listing[1]);
  std::string open_files;
  char part[512];
  for (ssize_t got = 0; (got = ::read(listing[0], part, sizeof(part))) > 0;) {
    open_files.append(part, static_cast<std::size_t>(got));
  }
  ::close(listing[0]);
  EXPECT_EQ(exit_code_of(forked), 0);
  EXPECT_NE(open_files.find("pipe:"), std::string::npos) << open_files;
  EXPECT_EQ(open_files.find(scratch_.path()), std::string::npos) << open_files;
  expect_streaming();
}

std::atomic<int> alarms{0};
std::atomic<int> alarms_elsewhere{0};
std::atomic<int> invalid_in_handler{0};
pthread_t application_thread;
const FrameLease* lease_for_handler = nullptr;

void on_alarm(int) {
  ++alarms;
  alarms_elsewhere += ::pthread_equal(::pthread_self(), application_thread) != 0 ? 0 : 1;
  invalid_in_handler += lease_for_handler != nullptr && !lease_for_handler->still_valid() ? 1 : 0;
}

/// Rings every millisecond; system calls that it interrupts are not restarted.
class Alarm {
 public:
  Alarm() {
    struct sigaction wanted {};
    wanted.sa_handler = on_alarm;
    ::sigaction(SIGALRM, &wanted, &before_);
    set(1000);
  }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  ~Alarm() {
    set(0);
    ::sigaction(SIGALRM, &before_, nullptr);
  }

 private:
  static void set(suseconds_t period_us) {
    const itimerval every{.it_interval = {0, period_us}, .it_value = {0, period_us}};
    ::setitimer(ITIMER_REAL, &every, nullptr);
  }
  struct sigaction before_ {};
};

TEST_F(Processes, signals_reach_only_the_applications_threads_and_interrupt_nothing) {
  publish(*producer_);
  const auto view = wait_next(*direct_);
  ASSERT_TRUE(view && wait_next(*by_descriptor_));
  const FrameLease lease = view->keep();
  application_thread = ::pthread_self();
  lease_for_handler = &lease;
  {
    const Alarm alarm;
    // Everything again from the start, its system calls interrupted.
    ASSERT_TRUE(eventually([] { return alarms >= 20; }));
    Client other = connect();
    Producer second = produce(other, stream("cam2"));
    ConsumerOptions wanted = reader();
    wanted.name = "cam2";
    Consumer sut = consume(other, wanted);
    ASSERT_TRUE(joined(second, sut));
    const int before = alarms;
    ASSERT_TRUE(eventually([&] {
      publish(second);
      return wait_next(sut) && alarms >= before + 100;
    }));
    EXPECT_EQ(sut.counters().drops_gap, 0U);
    lease_for_handler = nullptr;
  }
  EXPECT_EQ(alarms_elsewhere, 0);
  EXPECT_EQ(invalid_in_handler, 0);
  expect_streaming();
}

TEST(Signals, have_the_handlers_and_the_mask_that_the_application_gave_them) {
  const auto dispositions = [] {
    std::map<int, std::pair<void (*)(int), int>> found;
    for (int number = 1; number < NSIG; ++number) {
      struct sigaction present {};
      if (::sigaction(number, nullptr, &present) == 0) {
        found[number] = {present.sa_handler, present.sa_flags};
      }
    }
    return found;
  };
  const auto mask = [] {
    sigset_t present;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &present);
    std::string bits;
    for (int number = 1; number < NSIG; ++number) {
      bits += ::sigismember(&present, number) == 1 ? '1' : '0';
    }
    return bits;
  };
  const auto handlers_before = dispositions();
  const std::string mask_before = mask();
  const ScratchDirectory place("/dev/shm");
  {
    Result<Client> client = Client::create({.aeron_dir = place.path() + "/aeron",
                                            .media_driver = MediaDriverPolicy::kEmbedded,
                                            .allowed_base_dirs = {place.path()}});
    ASSERT_TRUE(client);
    const auto producer =
        client->create_producer({.name = "cam1", .nslots = 8, .shm_base_dir = place.path()});
    ASSERT_TRUE(producer);
    EXPECT_EQ(dispositions(), handlers_before);
    EXPECT_EQ(mask(), mask_before);
  }
  EXPECT_EQ(dispositions(), handlers_before);
  EXPECT_EQ(mask(), mask_before);
}

TEST_F(Processes, a_worker_keeps_its_frame_over_a_remap_and_learns_that_it_has_ended) {
  TP_REQ("W175", "W176", "W244");
  publish(*producer_);
  const auto view = wait_next(*by_descriptor_);
  ASSERT_TRUE(view.has_value());
  const std::uint64_t first_epoch = view->epoch();
  const auto expected = payload_of(view->seq());
  std::atomic<bool> mapped_anew{false};
  std::atomic<std::uint64_t> reads_while_valid{0};
  bool ended = false;
  bool intact = true;
  std::thread worker([&, lease = view->keep()] {
    const auto is_whole = [&] {
      return std::equal(lease.bytes().begin(), lease.bytes().end(), expected.begin(),
                        expected.end());
    };
    ended = eventually([&] {
      intact = intact && is_whole();  // nobody overwrites it, and the memory stays
      reads_while_valid += lease.still_valid() ? 1U : 0U;
      return mapped_anew && !lease.still_valid();
    });
    intact = intact && is_whole();
  });
  EXPECT_TRUE(eventually([&] { return reads_while_valid > 100; }));
  producer_.reset();
  producer_.emplace(produce(*client_, stream()));
  EXPECT_TRUE(joined(*producer_, *by_descriptor_));
  EXPECT_GT(by_descriptor_->epoch(), first_epoch);
  publish(*producer_);
  EXPECT_TRUE(wait_next(*by_descriptor_));
  mapped_anew = true;
  worker.join();
  EXPECT_TRUE(ended);
  EXPECT_TRUE(intact);
}

TEST_F(Processes, producers_and_consumers_may_outlive_their_client) {
  client_.reset();
  for (std::uint64_t k = 0; k < kFrames; ++k) {
    publish(*producer_);
    const auto view = wait_next(*direct_);
    ASSERT_TRUE(view.has_value());
    EXPECT_EQ(view->seq(), producer_->next_seq() - 1);
  }
  EXPECT_EQ(region_files().size(), 2U);
  producer_.reset();
  EXPECT_TRUE(region_files().empty());
}

}  // namespace
}  // namespace tensorpool::test
