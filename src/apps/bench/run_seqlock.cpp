#include <cstring>

#include "apps/bench/harness.hpp"
#include "apps/bench/source.hpp"
#include "apps/bench/transports.hpp"

namespace tensorpool::inline v0::apps::bench {
namespace {

constexpr std::size_t kSlotAlignment = 64;

/// Slots of one version word and a payload, in memory that parent and children share.
class SeqlockRing {
 public:
  SeqlockRing(std::size_t payload, std::uint32_t nslots)
      : stride_((payload + kSlotAlignment - 1) / kSlotAlignment * kSlotAlignment + kSlotAlignment),
        nslots_(nslots),
        bytes_(stride_ * nslots),
        base_(static_cast<std::byte*>(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                                             MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0))) {}
  ~SeqlockRing() {
    if (mapped()) {
      ::munmap(base_, bytes_);
    }
  }
  SeqlockRing(const SeqlockRing&) = delete;
  SeqlockRing& operator=(const SeqlockRing&) = delete;
  [[nodiscard]] bool mapped() const noexcept { return base_ != MAP_FAILED; }
  [[nodiscard]] std::atomic<std::uint64_t>& version(std::uint64_t seq) const noexcept {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(base_ + seq % nslots_ * stride_);
  }
  [[nodiscard]] std::byte* payload(std::uint64_t seq) const noexcept {
    return base_ + seq % nslots_ * stride_ + kSlotAlignment;
  }
  [[nodiscard]] std::uint32_t nslots() const noexcept { return nslots_; }

 private:
  std::size_t stride_;
  std::uint32_t nslots_;
  std::size_t bytes_;
  std::byte* base_;
};

class SeqlockProducer {
 public:
  SeqlockProducer(const SeqlockRing& ring, const Case& wanted)
      : ring_(ring), source_(wanted.payload), touch_(wanted.touch) {}
  [[nodiscard]] bool ready() { return true; }
  void publish(const Stamp& stamp) noexcept {
    std::atomic<std::uint64_t>& version = ring_.version(stamp.sequence);
    version.store(2 * stamp.sequence + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    const auto bytes = source_.stamped(stamp);
    std::memcpy(ring_.payload(stamp.sequence), bytes.data(), touch_ ? bytes.size() : sizeof(stamp));
    version.store(2 * stamp.sequence + 2, std::memory_order_release);
  }

 private:
  const SeqlockRing& ring_;
  Source source_;
  bool touch_;
};

class SeqlockConsumer {
 public:
  explicit SeqlockConsumer(const SeqlockRing& ring) : ring_(ring) {}
  template <class OnStamp>
  int poll(OnStamp&& on_stamp) {
    int frames = 0;
    for (; frames < 256; ++frames) {
      const std::uint64_t wanted = 2 * next_ + 2;
      const std::uint64_t before = ring_.version(next_).load(std::memory_order_acquire);
      if (before < wanted) {
        break;
      }
      if (before > wanted) {
        next_ = before / 2;  // overtaken: everything between is lost
        continue;
      }
      Stamp stamp;
      std::memcpy(&stamp, ring_.payload(next_), sizeof(stamp));
      std::atomic_thread_fence(std::memory_order_acquire);
      if (ring_.version(next_).load(std::memory_order_relaxed) == before) {
        on_stamp(stamp);
      }
      ++next_;
    }
    return frames;
  }

 private:
  const SeqlockRing& ring_;
  std::uint64_t next_ = 0;
};

}  // namespace

Result<Outcome> run_seqlock(const Case& wanted) {
  const SeqlockRing ring(wanted.payload, wanted.nslots);
  if (!ring.mapped()) {
    return fail(make_os_error(Errc::kOsFailure, "mmap", errno));
  }
  if (wanted.test == Test::kPollCost) {
    SeqlockConsumer consumer(ring);
    return measure_polls(wanted, [&] { return consumer.poll([](const Stamp&) {}); });
  }
  return run_case(
      wanted,
      [&]() -> Result<std::unique_ptr<SeqlockProducer>> {
        return std::make_unique<SeqlockProducer>(ring, wanted);
      },
      [&](int) -> Result<std::unique_ptr<SeqlockConsumer>> {
        return std::make_unique<SeqlockConsumer>(ring);
      });
}

}  // namespace tensorpool::inline v0::apps::bench
