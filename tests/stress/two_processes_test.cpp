// Two processes, real files, real mappings: a writer at full speed and a reader that it laps. No
// read that was accepted may be of two frames; and without the check after use there have to be
// such reads, or the test would not see them.
//
// TENSORPOOL_SOAK=N asks for N overlapped reads instead of what the table says, and reports every
// ten seconds (make soak).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <ostream>
#include <string>
#include <utility>

#include "os/create_region.hpp"
#include "os/open_region.hpp"
#include "stress/lapped_ring.hpp"
#include "support/requirement.hpp"
#include "support/scratch_directory.hpp"

namespace tensorpool::stress {
namespace {

using base::DefaultAtom;
using base::Edge;
using Clock = std::chrono::steady_clock;

/// The product without its closing check (W170, W174).
struct WithoutClosingCheck : DefaultAtom {
  template <Edge kEdge>
  [[nodiscard]] static constexpr bool passes(bool condition) noexcept {
    return kEdge == Edge::kAfterUseCheck || condition;
  }
};

template <class Atom>
[[nodiscard]] core::ring::StreamMemory<Atom> memory_of(const os::MappedStream& mapped) {
  const auto behind_superblock = [](const os::MappedRegion& region) {
    return const_cast<std::byte*>(region.bytes().data()) + layout::kSuperblockBytes;
  };
  core::ring::StreamMemory<Atom> memory;
  memory.words = reinterpret_cast<typename Atom::Word*>(behind_superblock(mapped.header_ring));
  memory.nslots = mapped.header_ring.expected().nslots;
  for (const os::MappedRegion& pool : mapped.pools) {
    memory.pools.push_back({.pool_id = pool.expected().pool_id,
                            .stride_bytes = pool.expected().stride_bytes,
                            .slots = behind_superblock(pool)});
  }
  return memory;
}

/// Which of the processors a process keeps to: left to itself, a loaded machine may run both on one
/// for many seconds, where they never overlap.
enum class Place : std::uint8_t { kFirst, kLast };

/// Keeps this thread on one of the processors it may use, until it goes.
class Pinned {
 public:
  explicit Pinned(Place place) {
    ::sched_getaffinity(0, sizeof(before_), &before_);
    std::size_t chosen = CPU_SETSIZE;
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &before_) && (place == Place::kLast || chosen == CPU_SETSIZE)) {
        chosen = cpu;
      }
    }
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(chosen, &only);
    ::sched_setaffinity(0, sizeof(only), &only);
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  ~Pinned() { ::sched_setaffinity(0, sizeof(before_), &before_); }

 private:
  cpu_set_t before_{};
};

/// The other process: maps the regions read-only, reads, and says how far it is about a hundred
/// times a second, until nobody listens any more.
template <class ReaderAtom>
[[noreturn]] void be_the_reader(const Traffic& traffic, const core::region::MappingPlan& plan,
                                const std::string& base_dir, int report) {
  const Pinned pinned(Place::kLast);
  const auto policy =
      os::RegionPolicy::create(os::system_calls(), {.allowed_base_dirs = {base_dir}});
  if (!policy) {
    _exit(2);
  }
  const auto mapped = os::open_stream(os::system_calls(), *policy, plan, os::Access::kReadOnly);
  if (!mapped) {
    _exit(3);
  }
  const auto memory = memory_of<ReaderAtom>(*mapped);
  LappedReader<ReaderAtom> reader(memory, plan.epoch(), traffic, Reading::kBoth);
  for (auto due = Clock::now();;) {
    for (int k = 0; k < 256; ++k) {
      reader.step();
    }
    if (const auto now = Clock::now(); now >= due) {
      if (::write(report, &reader.tally(), sizeof(Tally)) != ssize_t{sizeof(Tally)}) {
        _exit(0);
      }
      due = now + std::chrono::milliseconds(10);
    }
  }
}

/// A reader in a process of its own. Ends it when it goes.
class ReaderProcess {
 public:
  template <class ReaderAtom>
  [[nodiscard]] static ReaderProcess start(const Traffic& traffic,
                                           const core::region::MappingPlan& plan,
                                           const std::string& base_dir) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(ends[0]);
      be_the_reader<ReaderAtom>(traffic, plan, base_dir, ends[1]);
    }
    ::close(ends[1]);
    return {pid, ends[0]};
  }
  ReaderProcess(ReaderProcess&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), reports_(std::exchange(other.reports_, -1)) {}
  ReaderProcess& operator=(ReaderProcess&&) = delete;
  ~ReaderProcess() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    if (reports_ >= 0) {
      ::close(reports_);
    }
  }

  /// Takes what has been reported since; false when the process has ended.
  [[nodiscard]] bool poll(Tally& tally) const {
    for (;;) {
      const ssize_t got = ::read(reports_, &tally, sizeof(tally));
      if (got != ssize_t{sizeof(tally)}) {
        return got < 0 && errno == EAGAIN;
      }
    }
  }

 private:
  ReaderProcess(pid_t pid, int reports) : pid_(pid), reports_(reports) {}
  pid_t pid_;
  int reports_;
};

/// Laps a reader of `ReaderAtom` until `enough`.
template <class ReaderAtom>
[[nodiscard]] Tally lap(const Traffic& traffic,
                        const std::function<bool(const Tally&, Clock::duration)>& enough) {
  const test::ScratchDirectory base("/dev/shm");
  const auto owned =
      os::OwnedStream::create(os::system_calls(), {.base_dir = base.path()},
                              {.stream_id = kStreamId,
                               .nslots = traffic.nslots,
                               .pools = {{.pool_id = 1, .stride_bytes = traffic.strides[0]},
                                         {.pool_id = 2, .stride_bytes = traffic.strides[1]}}},
                              {.mono = Nanos{1}, .real = Nanos{1'763'718'000'000'000}});
  if (!owned) {
    ADD_FAILURE() << describe(owned.error());
    return {};
  }
  const auto memory = memory_of<DefaultAtom>(owned->regions());
  LappingWriter<DefaultAtom> writer(memory, owned->epoch(), traffic);
  const ReaderProcess reader =
      ReaderProcess::start<ReaderAtom>(traffic, owned->plan(), base.path());
  const Pinned pinned(Place::kFirst);  // after the fork: the child chooses for itself
  const auto start = Clock::now();
  Tally tally;
  bool alive = true;
  while (alive && !enough(tally, Clock::now() - start)) {
    for (int k = 0; k < 512; ++k) {
      writer.write();
    }
    alive = reader.poll(tally);
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  EXPECT_TRUE(alive) << "the reader has ended";
  EXPECT_TRUE(writer.good());
  std::printf("%-32s%12llu written%12llu read%12llu accepted%12llu overlapped%8llu mixed%8.1f s\n",
              traffic.name, static_cast<unsigned long long>(writer.frames()),
              static_cast<unsigned long long>(tally.tried),
              static_cast<unsigned long long>(tally.accepted),
              static_cast<unsigned long long>(tally.overlapped),
              static_cast<unsigned long long>(tally.mixed), seconds);
  return tally;
}

/// Prints how far a long run is, every ten seconds.
class Progress {
 public:
  Progress(const char* name, std::uint64_t target) : name_(name), target_(target) {}
  void show(const Tally& tally, Clock::duration elapsed) {
    if (elapsed < due_) {
      return;
    }
    due_ = elapsed + std::chrono::seconds(10);
    const double seconds = std::chrono::duration<double>(elapsed).count();
    const auto done = static_cast<double>(tally.overlapped);
    std::printf("%s: %.3g of %.3g overlapped (%.3g/s), %llu accepted, %llu mixed\n", name_, done,
                static_cast<double>(target_), done / seconds,
                static_cast<unsigned long long>(tally.accepted),
                static_cast<unsigned long long>(tally.mixed));
    std::fflush(stdout);
  }

 private:
  const char* name_;
  std::uint64_t target_;
  Clock::duration due_ = std::chrono::seconds(10);
};

struct Case {
  Traffic traffic;
  std::uint64_t overlapped = 0;  ///< to reach in a test
  /// Share of a soak in thousandths, if more: most where most reads a second overlap, so that ten
  /// thousand million of them take an hour and the large frames a tenth of it.
  unsigned soak_per_mille = 0;

  friend std::ostream& operator<<(std::ostream& out, const Case& tested) {
    return out << tested.traffic.name;
  }
};

const Case kCases[] = {
    {{.name = "64 B, cached"}, 10'000'000, 50},
    {{.name = "64 B, direct mode", .nslots = 4, .route = Route::kRing}, 2'000, 0},
    {{.name = "one slot, to 64 B, cached",
      .nslots = 1,
      .strides = {64, 256},
      .bytes_min = 8,
      .bytes_max = 64},
     500'000,
     800},
    {{.name = "one slot, to 1 KiB, cached",
      .nslots = 1,
      .strides = {256, 1024},
      .bytes_min = 8,
      .bytes_max = 1024},
     500'000,
     100},
    {{.name = "two pools, to 32 KiB, cached",
      .nslots = 4,
      .strides = {2048, 32768},
      .bytes_min = 1024,
      .bytes_max = 32768},
     20'000,
     1},
    {{.name = "16 to 32 KiB, streaming copies",
      .strides = {65536, 32768},
      .bytes_min = core::kSelfStreamingBytes,
      .bytes_max = 32768,
      .copies = core::CopyKind::kStreaming},
     50'000,
     1},
    {{.name = "claims, filled by streaming",
      .strides = {65536, 32768},
      .bytes_min = core::kSelfStreamingBytes,
      .bytes_max = 24576,
      .copies = core::CopyKind::kStreaming,
      .claims = true},
     50'000,
     1},
    {{.name = "claims, filled by small copies",
      .strides = {64, 512},
      .bytes_min = 8,
      .bytes_max = 512,
      .claims = true},
     500'000,
     47},
};

[[nodiscard]] std::uint64_t target_of(const Case& tested) {
  const char* const soak = std::getenv("TENSORPOOL_SOAK");
  const std::uint64_t all = soak == nullptr ? 0 : std::strtoull(soak, nullptr, 10);
  return std::max(tested.overlapped, all / 1000 * tested.soak_per_mille);
}

class LappedRing : public ::testing::TestWithParam<Case> {};

TEST_P(LappedRing, accepts_no_mixed_frame_from_another_process) {
  TP_REQ("W154", "W156", "W157", "W158", "W166", "W167", "W170", "W172", "W174", "W186", "W450");
  const Traffic& traffic = GetParam().traffic;
  const std::uint64_t target = target_of(GetParam());
  Progress progress(traffic.name, target);
  const Tally tally = lap<DefaultAtom>(traffic, [&](const Tally& so_far, Clock::duration elapsed) {
    progress.show(so_far, elapsed);
    return so_far.overlapped >= target || so_far.mixed != 0;
  });
  EXPECT_EQ(tally.mixed, 0U);
  EXPECT_EQ(tally.unbalanced, 0U);
  EXPECT_GE(tally.overlapped, target);
  EXPECT_GT(tally.accepted, 0U);
}

INSTANTIATE_TEST_SUITE_P(All, LappedRing, ::testing::ValuesIn(kCases));

/// The time in which a missing check has to show.
constexpr auto kNoticed = std::chrono::seconds(10);

TEST(LappedRingMutant, reports_mixed_frames_without_the_closing_check) {
  for (const Case& tested : kCases) {
    const Tally tally =
        lap<WithoutClosingCheck>(tested.traffic, [](const Tally& so_far, Clock::duration elapsed) {
          return so_far.mixed != 0 || elapsed > kNoticed;
        });
    EXPECT_NE(tally.mixed, 0U) << tested.traffic.name;
  }
}

}  // namespace
}  // namespace tensorpool::stress
