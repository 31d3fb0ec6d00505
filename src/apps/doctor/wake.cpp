#include "apps/doctor/wake.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <ctime>
#include <optional>
#include <thread>

#include "agents/histogram.hpp"
#include "apps/demo/workspace.hpp"
#include "apps/options.hpp"
#include "apps/text.hpp"
#include "apps/wait_text.hpp"
#include "os/clock.hpp"
#include "os/futex.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::inline v0::apps::doctor {
namespace {

constexpr Nanos kWarmUp = std::chrono::milliseconds(100);
constexpr Nanos kJoin = std::chrono::seconds(10);
constexpr Nanos kAnnouncePeriod = std::chrono::milliseconds(100);

[[nodiscard]] Nanos thread_cpu() noexcept {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds{used.tv_sec} + Nanos{used.tv_nsec};
}

[[nodiscard]] Nanos now() noexcept {
  return os::SystemClock().mono();
}

/// Of the waiting thread: begins anew once the warm-up is over.
class Stopwatch {
 public:
  explicit Stopwatch(agents::Histogram& delays) noexcept : delays_(delays) {}

  void on_frame(Nanos sent) noexcept {
    const Nanos at = now();
    if (begun_ == Nanos{0} && at - made_ >= kWarmUp) {
      delays_.reset();
      begun_ = at;
      cpu_ = thread_cpu();
    }
    delays_.record(at - sent);
  }
  [[nodiscard]] double cpu() const noexcept {
    return to_seconds(thread_cpu() - cpu_) / to_seconds(std::max(now() - begun_, Nanos(1)));
  }

 private:
  agents::Histogram& delays_;
  Nanos made_ = now();
  Nanos begun_{};
  Nanos cpu_{};
};

/// Calls `send` at the rate of the plan, sleeping in between.
template <class Send>
void at_rate(const WakePlan& plan, const std::atomic<bool>& stop, Send&& send) {
  const auto interval = Nanos(static_cast<Nanos::rep>(1e9 / plan.rate_hz));
  const Nanos end = now() + kWarmUp + from_seconds(plan.seconds);
  for (Nanos due = now(); due < end && !stop.load(std::memory_order_relaxed); due += interval) {
    std::this_thread::sleep_for(due - now());
    send();
  }
}

[[nodiscard]] WakeFigures figures_of(const agents::Histogram& delays, double cpu) {
  return {.way = {},
          .frames = delays.count(),
          .p50 = delays.percentile(50),
          .p99 = delays.percentile(99),
          .cpu = cpu};
}

[[nodiscard]] WakeFigures measure_futex(const WakePlan& plan, const std::atomic<bool>& stop,
                                        agents::Histogram& delays) {
  std::uint64_t word = 0;
  std::atomic<Nanos::rep> sent{0};
  std::atomic<bool> done{false};
  double cpu = 0;
  std::thread waiter([&] {
    Stopwatch watch(delays);
    for (std::uint64_t seen = 0; !done.load(std::memory_order_relaxed);) {
      os::futex_wait(word, seen, std::chrono::milliseconds(10));
      if (const std::uint64_t found = __atomic_load_n(&word, __ATOMIC_ACQUIRE); found != seen) {
        seen = found;
        watch.on_frame(Nanos(sent.load(std::memory_order_relaxed)));
      }
    }
    cpu = watch.cpu();
  });
  at_rate(plan, stop, [&] {
    sent.store(now().count(), std::memory_order_relaxed);
    __atomic_fetch_add(&word, 1, __ATOMIC_RELEASE);
    os::futex_wake_all(word);
  });
  done = true;
  waiter.join();
  WakeFigures figures = figures_of(delays, cpu);
  figures.way = "futex";
  figures.is_baseline = true;
  return figures;
}

/// Until the consumer reads what the producer writes, by descriptor too.
[[nodiscard]] Status join(Producer& producer, Consumer& consumer, bool by_descriptor) {
  for (const Nanos end = now() + kJoin; now() < end;) {
    static_cast<void>(consumer.poll([](const FrameView&) {}));
    if (consumer.epoch() == producer.epoch() && (!by_descriptor || producer.has_subscribers())) {
      return {};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return fail(Errc::kTimeout, "consumer and producer have not met");
}

[[nodiscard]] Result<WakeFigures> measure_stream(const WakePlan& plan,
                                                 const std::atomic<bool>& stop,
                                                 agents::Histogram& delays, Client& client,
                                                 const std::string& path, WaitKind kind,
                                                 FollowMode mode) {
  Result<Producer> producer = client.create_producer({.name = "wake",
                                                      .nslots = 64,
                                                      .pools = {{.stride_bytes = 4096}},
                                                      .shm_base_dir = path,
                                                      .announce_period = kAnnouncePeriod});
  if (!producer) {
    return fail(producer.error());
  }
  Result<Consumer> consumer =
      client.create_consumer({.name = "wake",
                              .mode = mode,
                              .wait = {.kind = kind, .spin_for = plan.spin_for},
                              .announce_period = kAnnouncePeriod});
  if (!consumer) {
    return fail(consumer.error());
  }
  if (const Status met = join(*producer, *consumer, mode == FollowMode::kDescriptors); !met) {
    return fail(met.error());
  }
  std::atomic<bool> done{false};
  double cpu = 0;
  std::thread waiter([&] {
    Stopwatch watch(delays);
    while (!done.load(std::memory_order_relaxed)) {
      if (consumer->wait(std::chrono::milliseconds(10))) {
        while (const std::optional<FrameView> frame = consumer->next()) {
          watch.on_frame(Nanos(static_cast<Nanos::rep>(frame->timestamp_ns().value_or(0))));
        }
      }
    }
    cpu = watch.cpu();
  });
  const TensorInfo info = TensorInfo::packed(Dtype::kUint8, {1024});
  const std::array<std::byte, 1024> payload{};
  at_rate(plan, stop, [&] {
    static_cast<void>(producer->publish(info, payload, static_cast<std::uint64_t>(now().count())));
  });
  done = true;
  waiter.join();
  WakeFigures figures = figures_of(delays, cpu);
  figures.way = to_string(kind);
  figures.kind = kind;
  figures.mode = mode;
  return figures;
}

}  // namespace

Result<std::vector<WakeFigures>> measure_waking(const WakePlan& plan,
                                                const std::atomic<bool>& stop) {
  Result<agents::Histogram> delays = agents::Histogram::create();
  if (!delays) {
    return fail(delays.error());
  }
  Result<DemoWorkspace> place = DemoWorkspace::create();
  if (!place) {
    return fail(place.error());
  }
  Result<Client> client = Client::create({.aeron_dir = DemoWorkspace::aeron_dir(place->path()),
                                          .media_driver = MediaDriverPolicy::kEmbedded,
                                          .allowed_base_dirs = {place->path()}});
  if (!client) {
    return fail(client.error());
  }
  std::vector<WakeFigures> all;
  all.push_back(measure_futex(plan, stop, *delays));
  for (const FollowMode mode : {FollowMode::kDescriptors, FollowMode::kDirect}) {
    for (const WaitKind kind : kWaitKinds) {
      if (stop.load(std::memory_order_relaxed)) {
        return fail(Errc::kClosed, "stopped");
      }
      delays->reset();
      Result<WakeFigures> figures =
          measure_stream(plan, stop, *delays, *client, place->path(), kind, mode);
      if (!figures) {
        return fail(figures.error());
      }
      all.push_back(std::move(*figures));
    }
  }
  return all;
}

std::vector<std::string> recommend_waiting(const std::vector<WakeFigures>& figures,
                                           unsigned processors) {
  const auto find = [&](WaitKind kind) {
    return std::find_if(figures.begin(), figures.end(), [kind](const WakeFigures& f) {
      return !f.is_baseline && f.kind == kind && f.mode == FollowMode::kDescriptors;
    });
  };
  const auto spin = find(WaitKind::kSpin);
  const auto park = find(WaitKind::kPark);
  const auto hybrid = find(WaitKind::kHybrid);
  if (spin == figures.end() || park == figures.end() || hybrid == figures.end()) {
    return {};
  }
  std::vector<std::string> lines;
  lines.push_back(fmt::format(
      "For most: park. A frame is there {} after its publish (p50; p99 {}), for {:.1f} % of a "
      "processor.",
      duration_text(park->p50), duration_text(park->p99), park->cpu * 100));
  if (processors < 3) {
    lines.push_back(fmt::format(
        "Not spin: with {} processors it takes one from the producer or the media driver.",
        processors));
  } else {
    lines.push_back(fmt::format(
        "Where every microsecond counts and a processor can be spared: spin, {} (p99 {}).",
        duration_text(spin->p50), duration_text(spin->p99)));
  }
  lines.push_back(
      "For bursts, and for streams above some 20 kHz: hybrid, with a spin_for longer than the "
      "interval inside a burst; at lower rates it spins in vain before each sleep.");
  return lines;
}

}  // namespace tensorpool::inline v0::apps::doctor
