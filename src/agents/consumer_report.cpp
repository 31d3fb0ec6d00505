#include "agents/consumer_report.hpp"

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "agents/mapping_agent.hpp"
#include "base/atomics.hpp"
#include "core/consumer/place_in_ring.hpp"
#include "core/timing.hpp"

namespace tensorpool::inline v0::agents {

namespace telemetry = core::telemetry;

namespace {

constexpr Nanos kPeakHeld = std::chrono::seconds(1);

}  // namespace

ConsumerReport::ConsumerReport(bus::Client& client, CounterBudget& budget, ConsumerShared& shared,
                               Options options)
    : shared_(shared),
      options_(std::move(options)),
      export_(client, budget),
      who_(identity_of(layout::CounterRole::kConsumer, options_.name)) {}

void ConsumerReport::do_work(const Now& known, Nanos now) {
  export_.settle(now);
  const bool told = shared_.readout.collect(told_);
  if (told) {
    polled_at_ = now;
  } else if (now < due_) {
    return;
  }
  if (now >= due_) {
    due_ = now + kPeriod;
    shared_.readout.ask();
  }
  who_.stream_id = shared_.stream_id.load(std::memory_order_relaxed);
  who_.client_id = known.consumer_id;
  if (who_.client_id != 0) {
    export_.show(who_, {}, telemetry::kConsumerRows, telemetry::kConsumerTypeIdBase,
                 read(known, now), now);
  }
}

telemetry::ConsumerReading ConsumerReport::read(const Now& known, Nanos now) {
  telemetry::ConsumerReading reading;
  static_cast<ConsumerCounters&>(reading) = told_.counters;
  reading.malformed_messages += shared_.malformed_control.load(std::memory_order_relaxed);
  reading.unsupported_version += shared_.unsupported_control.load(std::memory_order_relaxed);
  if (known.epoch != nullptr) {
    look_at_ring(*known.epoch, reading, now);
  }
  reading.polled_at_ns = static_cast<std::uint64_t>(polled_at_.count());
  const Delivery delivery =
      Delivery::unpack(shared_.delivery.in_force.load(std::memory_order_relaxed));
  reading.ways =
      telemetry::ConsumerWays{.state = shared_.state.load(std::memory_order_relaxed),
                              .direct = options_.direct,
                              .mode = delivery.mode,
                              .waits = told_.waits,
                              .max_rate_hz = static_cast<std::uint16_t>(delivery.max_rate_hz)}
          .packed();
  reading.own_descriptor_stream = shared_.delivery.own_stream_id.load(std::memory_order_relaxed);
  reading.own_control_stream = shared_.delivery.own_control_id.load(std::memory_order_relaxed);
  return reading;
}

/// Where the polling thread has come to is what it tells for QoS at the end of each poll, so that
/// one that has stopped is seen to fall behind.
void ConsumerReport::look_at_ring(const detail::MappedEpoch& epoch,
                                  telemetry::ConsumerReading& reading, Nanos now) {
  reading.epoch = epoch.epoch();
  const std::optional<std::uint64_t> last_seq = shared_.delivery.sequence.of(epoch.epoch());
  if (told_.tracked_epoch != epoch.epoch() || !last_seq) {
    return;
  }
  const core::consumer::PlaceInRing place =
      core::consumer::place_in_ring<base::DefaultAtom>(epoch.memory, *last_seq);
  if (place.behind >= behind_ || now - behind_since_ > kPeakHeld || behind_of_ != epoch.epoch()) {
    behind_ = place.behind;
    behind_since_ = now;
    behind_of_ = epoch.epoch();
  }
  reading.last_seq = *last_seq;
  reading.behind = behind_;
  if (place.timestamp_ns) {
    reading.frame_age_ns =
        static_cast<std::uint64_t>(core::age_of(*place.timestamp_ns, now).count());
  }
}

}  // namespace tensorpool::inline v0::agents
