// Runs one case over one transport: a producer process (this one), consumer processes (forked),
// pacing, counting.
//
// A transport is two types, each built in the process that uses it, after the fork:
//
//   Producer { bool ready(); void publish(const Stamp&); }
//   Consumer { int poll(F&& on_stamp); }        on_stamp(const Stamp&) for each frame that arrived
//   whole
//
// Every stretch is bounded in time: a run that is stuck ends by itself.
#pragma once

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "apps/bench/case.hpp"
#include "base/relax.hpp"
#include "os/clock.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::apps::bench {

inline constexpr int kConsumersMax = 16;
inline constexpr std::uint64_t kWarmUpNs = 300'000'000;
inline constexpr std::uint64_t kNoSequence = std::numeric_limits<std::uint64_t>::max();

[[nodiscard]] inline std::uint64_t now_ns() noexcept {
  return static_cast<std::uint64_t>(os::SystemClock{}.mono().count());
}

inline void spin_until(std::uint64_t due) noexcept {
  while (now_ns() < due) {
    base::relax();
  }
}

/// Pins the calling thread only: helper threads of the libraries float.
inline void pin_thread(int cpu) noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu) % static_cast<std::size_t>(::sysconf(_SC_NPROCESSORS_ONLN)),
          &set);
  ::sched_setaffinity(0, sizeof(set), &set);
}

/// What parent and children share.
struct Board {
  struct alignas(64) Seat {
    std::atomic<std::uint32_t> ready{0};
    std::uint64_t received = 0;
    std::uint64_t first_ns = 0;
    std::uint64_t last_ns = 0;
    std::uint64_t samples = 0;
  };
  alignas(64) std::atomic<std::uint64_t> measure_from{kNoSequence};
  alignas(64) std::atomic<std::uint32_t> done{0};
  Seat seats[kConsumersMax];
};

/// The board and the samples of each consumer, in one shared mapping.
class SharedBoard {
 public:
  [[nodiscard]] static Result<SharedBoard> create(std::size_t samples, int consumers) {
    const std::size_t bytes =
        sizeof(Board) + samples * sizeof(std::uint64_t) * static_cast<std::size_t>(consumers);
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
      return fail(make_os_error(Errc::kOsFailure, "mmap", errno));
    }
    return SharedBoard(memory, bytes, samples);
  }
  SharedBoard(SharedBoard&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)),
        bytes_(other.bytes_),
        samples_(other.samples_) {}
  SharedBoard& operator=(SharedBoard&&) = delete;
  ~SharedBoard() {
    if (memory_ != nullptr) {
      ::munmap(memory_, bytes_);
    }
  }
  [[nodiscard]] Board& board() const noexcept { return *static_cast<Board*>(memory_); }
  [[nodiscard]] std::size_t samples_max() const noexcept { return samples_; }
  [[nodiscard]] std::uint64_t* samples(int consumer) const noexcept {
    return reinterpret_cast<std::uint64_t*>(static_cast<std::byte*>(memory_) + sizeof(Board)) +
           samples_ * static_cast<std::size_t>(consumer);
  }

 private:
  SharedBoard(void* memory, std::size_t bytes, std::size_t samples)
      : memory_(new (memory) Board), bytes_(bytes), samples_(samples) {}
  void* memory_;
  std::size_t bytes_;
  std::size_t samples_;
};

/// The life of one consumer process.
template <class Consumer>
void consume(const Case& wanted, const SharedBoard& shared, int index, Consumer& consumer) {
  Board& board = shared.board();
  Board::Seat& seat = board.seats[index];
  std::uint64_t* const samples = shared.samples(index);
  pin_thread(wanted.consumer_cpu);
  seat.ready.store(1, std::memory_order_release);

  const bool latency = wanted.test == Test::kLatency;
  const bool crowded = wanted.consumers > 1;  // several on one processor: give it away when idle
  const std::uint64_t idle_max_ns = crowded ? 400'000'000 : 150'000'000;
  std::uint64_t idle_since = 0;
  std::uint64_t idle_polls = 0;
  const auto on_stamp = [&](const Stamp& stamp) noexcept {
    if (stamp.sequence < board.measure_from.load(std::memory_order_relaxed)) {
      return;
    }
    ++seat.received;
    if (latency) {
      seat.last_ns = now_ns();
      seat.first_ns = seat.first_ns == 0 ? seat.last_ns : seat.first_ns;
      if (seat.samples < shared.samples_max()) {
        samples[seat.samples++] = seat.last_ns - stamp.sent_ns;
      }
    }
  };
  for (;;) {
    const std::uint64_t before = seat.received;
    if (consumer.poll(on_stamp) > 0) {
      idle_since = 0;
      if (!latency && seat.received != before) {
        seat.last_ns = now_ns();
        seat.first_ns = seat.first_ns == 0 ? seat.last_ns : seat.first_ns;
      }
      continue;
    }
    if (crowded) {
      ::sched_yield();
    }
    if ((++idle_polls & 63U) == 0 && board.done.load(std::memory_order_acquire) != 0) {
      const std::uint64_t now = now_ns();
      if (idle_since == 0) {
        idle_since = now;
      } else if (now - idle_since > idle_max_ns) {
        return;
      }
    }
  }
}

/// Sends for the length of the case. Returns the first sequence that counted; fills sent_per_s and,
/// for publish_cost, the samples.
template <class Producer>
std::uint64_t produce(const Case& wanted, Board& board, Producer& producer, Outcome& outcome,
                      std::uint64_t& sequence) {
  const auto run_ns = static_cast<std::uint64_t>(wanted.seconds * 1e9);
  const std::uint64_t start = now_ns();
  std::uint64_t from = 0;
  std::uint64_t from_ns = 0;
  std::uint64_t now = start;
  const auto goes_on = [&] {
    if (from_ns == 0 && now >= start + kWarmUpNs) {
      from = sequence;
      from_ns = now;
      board.measure_from.store(sequence, std::memory_order_relaxed);
    }
    return from_ns == 0 || now < from_ns + run_ns;
  };
  if (wanted.test == Test::kLatency) {
    const double interval = 1e9 / wanted.rate;
    for (double slot = 1; goes_on(); slot += 1) {
      now = now_ns();
      const double late = (static_cast<double>(now - start)) / interval;
      slot = std::max(slot, std::ceil(late));  // missed slots are skipped, never caught up
      spin_until(start + static_cast<std::uint64_t>(slot * interval));
      now = now_ns();
      producer.publish({.sent_ns = now, .sequence = sequence++});
    }
  } else if (wanted.test == Test::kPublishCost) {
    for (std::uint64_t due = start; goes_on();) {
      due = std::max(due + 1'000'000, now);
      spin_until(due);
      const std::uint64_t begin = now_ns();
      for (int k = 0; k < wanted.burst; ++k) {
        producer.publish({.sent_ns = begin, .sequence = sequence++});
      }
      now = now_ns();
      if (from_ns != 0) {
        outcome.ns.push_back(static_cast<double>(now - begin) / wanted.burst);
      }
    }
  } else {
    const std::uint64_t stride = std::clamp<std::uint64_t>(65536 / wanted.payload, 1, 32);
    while (goes_on()) {
      for (std::uint64_t k = 0; k < stride; ++k) {
        producer.publish({.sent_ns = now, .sequence = sequence++});
      }
      now = now_ns();
    }
  }
  outcome.sent_per_s =
      static_cast<double>(sequence - from) * 1e9 / static_cast<double>(now - from_ns);
  return from;
}

/// Times polls that find nothing, 1000 together.
template <class Poll>
[[nodiscard]] Outcome measure_polls(const Case& wanted, Poll&& poll) {
  constexpr int kTogether = 1000;
  pin_thread(wanted.consumer_cpu);
  Outcome outcome;
  outcome.nslots = wanted.nslots;
  const std::uint64_t start = now_ns();
  for (std::uint64_t now = start; now < start + static_cast<std::uint64_t>(wanted.seconds * 1e9);) {
    const std::uint64_t begin = now_ns();
    for (int k = 0; k < kTogether; ++k) {
      static_cast<void>(poll());
    }
    now = now_ns();
    outcome.ns.push_back(static_cast<double>(now - begin) / kTogether);
  }
  std::sort(outcome.ns.begin(), outcome.ns.end());
  return outcome;
}

/// Forks the consumers, is the producer, collects. `make_producer()` and `make_consumer(index)`
/// answer Result<std::unique_ptr<…>>.
template <class MakeProducer, class MakeConsumer>
[[nodiscard]] Result<Outcome> run_case(const Case& wanted, MakeProducer make_producer,
                                       MakeConsumer make_consumer) {
  const bool latency = wanted.test == Test::kLatency;
  const std::size_t samples =
      latency ? static_cast<std::size_t>(wanted.rate * (wanted.seconds + 1) * 1.2) + 1024 : 1;
  Result<SharedBoard> shared = SharedBoard::create(samples, wanted.consumers);
  if (!shared) {
    return fail(shared.error());
  }
  Board& board = shared->board();
  std::vector<pid_t> children;
  for (int index = 0; index < wanted.consumers; ++index) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::alarm(static_cast<unsigned>(wanted.seconds) + 60);
      bool fine = false;
      {
        auto consumer = make_consumer(index);
        if (consumer) {
          consume(wanted, *shared, index, **consumer);
          fine = true;
        }
      }
      ::_exit(fine ? 0 : 1);
    }
    children.push_back(child);
  }
  const auto end_children = [&](int signal) {
    bool fine = true;
    for (const pid_t child : children) {
      if (signal != 0) {
        ::kill(child, signal);
      }
      int status = 0;
      ::waitpid(child, &status, 0);
      fine = fine && status == 0;
    }
    return fine;
  };

  Outcome outcome;
  outcome.nslots = wanted.nslots;
  std::uint64_t sequence = 0;
  auto producer = make_producer();
  if (!producer) {
    end_children(SIGKILL);
    return fail(producer.error());
  }
  const std::uint64_t patience = now_ns() + 20'000'000'000;
  const auto all_ready = [&] {
    for (int index = 0; index < wanted.consumers; ++index) {
      if (board.seats[index].ready.load(std::memory_order_acquire) == 0) {
        return false;
      }
    }
    return (*producer)->ready();
  };
  while (!all_ready()) {
    if (now_ns() > patience) {
      end_children(SIGKILL);
      return fail(Errc::kTimeout, "the consumers of the benchmark did not connect");
    }
    ::sched_yield();
  }
  pin_thread(wanted.producer_cpu);
  const std::uint64_t from = produce(wanted, board, **producer, outcome, sequence);
  board.done.store(1, std::memory_order_release);
  if (!end_children(0)) {
    return fail(Errc::kTimeout, "a consumer of the benchmark failed");
  }

  double slowest = std::numeric_limits<double>::infinity();
  std::int64_t lost = 0;
  for (int index = 0; index < wanted.consumers; ++index) {
    const Board::Seat& seat = board.seats[index];
    lost += static_cast<std::int64_t>(sequence - from) - static_cast<std::int64_t>(seat.received);
    const double span = static_cast<double>(seat.last_ns - seat.first_ns) / 1e9;
    slowest = std::min(slowest, span > 0 ? static_cast<double>(seat.received) / span : 0.0);
    if (latency) {
      outcome.ns.insert(outcome.ns.end(), shared->samples(index),
                        shared->samples(index) + seat.samples);
    }
  }
  outcome.lost = lost;
  if (wanted.test != Test::kPublishCost) {
    outcome.frames_per_s = slowest;
  }
  std::sort(outcome.ns.begin(), outcome.ns.end());
  return outcome;
}

}  // namespace tensorpool::inline v0::apps::bench
