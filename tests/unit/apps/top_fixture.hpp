// Samples of `tp top`, made by hand.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "apps/top/model.hpp"

namespace tensorpool::test {

using namespace std::chrono_literals;

inline constexpr std::uint64_t kEpoch = 7;
inline constexpr std::uint64_t kProducerPid = 100;
inline constexpr std::uint64_t kProcessStart = 5;

/// A world of streams at 1 kHz with frames of 1000 bytes in rings of 100 slots, seen once a second;
/// tests change what a sample says before they add it.
class TopWorld {
 public:
  static constexpr std::uint64_t kFramesPerSample = 1000;
  static constexpr std::uint32_t kSlots = 100;

  explicit TopWorld(std::uint32_t streams = 1, std::uint32_t consumers_each = 1)
      : streams_(streams), consumers_(consumers_each) {}

  [[nodiscard]] static core::telemetry::Identity producer(std::uint32_t stream) {
    return {.role = layout::CounterRole::kProducer,
            .stream_id = 10'000 + stream,
            .client_id = 1 + stream,
            .instance = 1 + stream,
            .pid = kProducerPid + stream,
            .process_start = kProcessStart,
            .name = "cam" + std::to_string(stream)};
  }
  [[nodiscard]] static core::telemetry::Identity consumer(std::uint32_t stream, std::uint32_t k) {
    return {.role = layout::CounterRole::kConsumer,
            .stream_id = 10'000 + stream,
            .client_id = 700 + k,
            .instance = 1 + k,
            .pid = 1000 + 10 * stream + k,
            .process_start = kProcessStart,
            .name = {}};
  }

  /// The next second: every producer is at the same number, and every consumer has read all.
  [[nodiscard]] apps::top::Sample next() {
    ++seconds_;
    now_ += 1s;
    apps::top::Sample sample{.at = now_};
    for (std::uint32_t stream = 0; stream < streams_; ++stream) {
      const core::telemetry::Identity who = producer(stream);
      apps::top::ProducerSeen& seen = sample.producers.emplace_back();
      seen.who = who;
      seen.ring = ring_path(stream);
      seen.reading.frames_published = newest() + 1;
      seen.reading.epoch = kEpoch;
      sample.rings.push_back(ring(stream));
      sample.processes[who.pid] = process("camera");
      for (std::uint32_t k = 0; k < consumers_; ++k) {
        sample.consumers.push_back(reader(stream, k));
        sample.processes[consumer(stream, k).pid] = process("viewer");
      }
    }
    return sample;
  }
  [[nodiscard]] std::uint64_t newest() const { return seconds_ * kFramesPerSample - 1; }
  [[nodiscard]] static std::string ring_path(std::uint32_t stream) {
    return "/dev/shm/" + std::to_string(stream) + "/7/header.ring";
  }

 private:
  [[nodiscard]] apps::top::RingSeen ring(std::uint32_t stream) const {
    apps::top::RingSeen seen{.path = ring_path(stream),
                             .stream_id = 10'000 + stream,
                             .epoch = kEpoch,
                             .nslots = kSlots,
                             .pid = kProducerPid + stream,
                             .at = now_,
                             .newest_seq = newest()};
    for (std::uint64_t k = kSlots; k-- > 0;) {
      seen.frames.push_back(
          {.seq = newest() - k, .captured_at = now_ - 1ms * static_cast<int>(k), .bytes = 1000});
    }
    return seen;
  }
  [[nodiscard]] apps::top::ConsumerSeen reader(std::uint32_t stream, std::uint32_t k) const {
    apps::top::ConsumerSeen seen{.who = consumer(stream, k)};
    seen.reading.frames_ok = newest() + 1;
    seen.reading.epoch = kEpoch;
    seen.reading.last_seq = newest();
    seen.reading.polled_at_ns = static_cast<std::uint64_t>(now_.count());
    seen.reading.frame_age_ns = 500'000;
    seen.reading.ways = core::telemetry::ConsumerWays{.state = MappingState::kMapped,
                                                      .waits = core::telemetry::Waits::kPark}
                            .packed();
    return seen;
  }
  [[nodiscard]] os::ProcessStat process(const char* name) const {
    return {.name = name, .start_ticks = kProcessStart, .cpu = 250ms * seconds_};
  }

  std::uint32_t streams_;
  std::uint32_t consumers_;
  Nanos now_ = 1000s;
  std::uint64_t seconds_ = 0;
};

/// A model that has seen `samples` of them.
[[nodiscard]] inline apps::top::Model seen(TopWorld& world, int samples = 3) {
  apps::top::Model model;
  for (int k = 0; k < samples; ++k) {
    model.add(world.next());
  }
  return model;
}

}  // namespace tensorpool::test
