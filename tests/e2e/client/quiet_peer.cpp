#include "quiet_peer.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "client_peer.hpp"
#include "support/allocations.hpp"

namespace tensorpool::test {
namespace {

constexpr int kQuietRounds = 5;
constexpr std::uint64_t kFirstLap = 150'000;  // of the ring, and of the three terms of the log

// Written by the handler on the one thread that traps.
volatile std::uint64_t trapped = 0;
volatile std::int64_t last_trapped = -1;

void on_trap(int, siginfo_t* info, void*) {
  trapped = trapped + 1;
  last_trapped = info->si_syscall;
}

/// From here on each system call of this thread is counted instead of made, except reading clock
/// and usage, writing to standard output, and the end.
[[nodiscard]] bool trap_system_calls() {
  struct sigaction action {};
  action.sa_sigaction = on_trap;
  action.sa_flags = SA_SIGINFO;
  constexpr std::uint32_t kNumber = offsetof(seccomp_data, nr);
  constexpr std::uint32_t kFirstArgument = offsetof(seccomp_data, args);  // its low half
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_rt_sigreturn, 7, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clock_gettime, 6, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getrusage, 5, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_write, 0, 2),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kFirstArgument),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, STDOUT_FILENO, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = std::size(rules), .filter = rules};
  return ::sigaction(SIGSYS, &action, nullptr) == 0 &&
         ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

[[nodiscard]] std::uint64_t page_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return static_cast<std::uint64_t>(usage.ru_minflt + usage.ru_majflt);
}

/// One producer, and a reader for each way of reading.
class DataPath {
 public:
  DataPath(Client& client, const StreamOptions& stream, ConsumerOptions options, bool watched)
      : producer_(client.create_producer(stream).value()),
        polled_(client.create_consumer(options).value()),
        next_(client.create_consumer(options).value()),
        latest_(client.create_consumer(options).value()),
        direct_(client.create_consumer(direct(options)).value()) {
    if (watched) {
      options.progress = {.wanted = true};
      options.own_control = {.wanted = true};
      watching_.emplace(client.create_consumer(options).value());
    }
  }

  [[nodiscard]] bool is_attached() {
    return producer_.wait_attached(std::chrono::seconds(30)).has_value();
  }
  /// The producer has the words to wake sleepers by, too.
  [[nodiscard]] bool is_joined(const std::string& aeron_dir) {
    read();
    return producer_.has_subscribers() &&
           std::filesystem::exists(aeron_dir + "/tensorpool-wake-" +
                                   std::to_string(producer_.stream_id()) + "-" +
                                   std::to_string(producer_.epoch())) &&
           (!watching_ ||
            (watching_->epoch() == producer_.epoch() && watching_->has_own_control())) &&
           std::ranges::all_of(std::array{&polled_, &next_, &latest_, &direct_},
                               [&](const Consumer* c) { return c->epoch() == producer_.epoch(); });
  }

  void handle_frames(std::uint64_t count) {
    for (std::uint64_t k = 0; k < count; ++k) {
      if (k % 2 == 0) {
        publish_numbered(producer_);
      } else if (k % 4 == 1) {
        PeerPayload payload{};
        static_cast<void>(producer_.publish(peer_info(), std::as_bytes(std::span(payload)), k + 1));
      } else if (auto claim = producer_.claim(sizeof(PeerPayload)); claim) {
        static_cast<void>(claim->begin_filling(peer_info()));
        claim->filled(sizeof(PeerPayload) / 2);
        static_cast<void>(claim->commit(peer_info()));
      }
      read();
    }
  }

  /// Totals since the start.
  void count(QuietReport& report) const {
    report.published = producer_.counters().frames_published;
    report.by_descriptor = polled_.counters().frames_ok - polled_.counters().recovered;
    report.by_ring = direct_.counters().frames_ok;
    report.by_next = next_.counters().frames_ok;
    report.by_latest = latest_.counters().frames_ok;
    report.by_progress = watching_ ? watching_->counters().progress_reports : 0;
    report.told = producer_.counters().progress_sent;
  }

 private:
  [[nodiscard]] static ConsumerOptions direct(ConsumerOptions options) {
    options.mode = FollowMode::kDirect;
    return options;
  }
  void read() {
    PeerPayload copy;
    static_cast<void>(polled_.wait(Nanos(0)) && direct_.wait(Nanos(0)));
    const auto use = [&](const FrameView& view) {
      static_cast<void>(view.copy_to(std::as_writable_bytes(std::span(copy))));
    };
    polled_.poll(use);
    direct_.poll(use);
    while (const auto view = next_.next()) {
      const FrameLease lease = view->keep();
      static_cast<void>(lease.still_valid());
    }
    if (const auto view = latest_.latest()) {
      use(*view);
    }
    if (watching_) {
      watching_->poll_progress(
          [](const PrefixView& view) { static_cast<void>(view.still_valid()); });
      watching_->poll(use);
    }
  }

  Producer producer_;
  Consumer polled_;
  Consumer next_;
  Consumer latest_;
  Consumer direct_;
  std::optional<Consumer> watching_;
};

QuietReport difference(QuietReport after, const QuietReport& before) {
  after.published -= before.published;
  after.by_descriptor -= before.by_descriptor;
  after.by_ring -= before.by_ring;
  after.by_next -= before.by_next;
  after.by_latest -= before.by_latest;
  after.by_progress -= before.by_progress;
  after.told -= before.told;
  return after;
}

/// Shows that each of the three would have been noticed.
void cause_one_of_each(QuietReport& report, volatile char* untouched_page) {
  const std::uint64_t calls = trapped;
  const std::size_t allocations = testing::allocations();
  const std::uint64_t faults = page_faults();
  static_cast<void>(::syscall(SYS_getppid));
  std::free(std::malloc(100));  // NOLINT(cppcoreguidelines-no-malloc)
  *untouched_page = 'x';
  report.control_system_calls = trapped - calls;
  report.control_allocations = testing::allocations() - allocations;
  report.control_page_faults = page_faults() - faults;
}

int run(const ClientOptions& options, const char* base_dir, bool watched) {
  Result<Client> client = Client::create(options);
  if (!client) {
    return 1;
  }
  DataPath path(*client,
                {.name = "cam1",
                 .nslots = 1024,
                 .pools = {{.stride_bytes = 64}},
                 .shm_base_dir = base_dir,
                 .announce_period = kAnnouncePeriod},
                {.name = "cam1", .announce_period = kAnnouncePeriod}, watched);
  if (!path.is_attached()) {
    return 1;
  }
  while (!path.is_joined(options.aeron_dir)) {
    std::this_thread::yield();
  }
  path.handle_frames(kFirstLap);
  auto* const page = static_cast<char*>(
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  static_cast<void>(page_faults());
  if (page == MAP_FAILED || !trap_system_calls()) {
    return 1;
  }
  QuietReport before;
  path.count(before);
  QuietReport report;
  report.page_faults = ~std::uint64_t{0};
  const std::size_t allocations = testing::allocations();
  for (int round = 0; round < kQuietRounds && report.page_faults != 0; ++round) {
    const std::uint64_t faults = page_faults();
    path.handle_frames(kQuietFrames);
    report.page_faults = std::min(report.page_faults, page_faults() - faults);
  }
  report.allocations = testing::allocations() - allocations;
  report.allocations_counted = testing::kCounted;
  report.system_calls = trapped;
  report.last_system_call = last_trapped;
  path.count(report);
  report = difference(report, before);
  cause_one_of_each(report, page);
  ::_exit(::write(STDOUT_FILENO, &report, sizeof(report)) == sizeof(report) ? 0 : 1);
}

}  // namespace
}  // namespace tensorpool::test

int main(int argc, char** argv) {
  if (argc != 4) {
    return 2;
  }
  using tensorpool::DeploymentMode;
  const std::string_view way = argv[3];
  const tensorpool::ClientOptions options{
      .mode = way == "driver" ? DeploymentMode::kDriver : DeploymentMode::kStandalone,
      .aeron_dir = argv[1],
      .allowed_base_dirs = {argv[2]}};
  return tensorpool::test::run(options, argv[2], way == "watched");
}
