#include "apps/top/exported.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace tensorpool::inline v0::apps::top {

namespace telemetry = core::telemetry;
using layout::CounterRole;

namespace {

/// True when `type_id` is a number of these rows; its value is then in the reading.
template <class Reading, std::size_t kCount>
bool take(const std::array<telemetry::Row<Reading>, kCount>& rows, std::int32_t base,
          const bus::CounterReading& counter, Reading& reading) {
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const telemetry::Row<Reading>& one) {
    return base + one.number == counter.type_id;
  });
  if (row == rows.end()) {
    return false;
  }
  reading.*(row->value) = static_cast<std::uint64_t>(counter.value);
  return true;
}

template <class Seen>
void move_out(std::map<telemetry::Identity, Seen>& by_identity, std::vector<Seen>& to) {
  for (auto& [who, seen] : by_identity) {
    seen.who = who;
    to.push_back(std::move(seen));
  }
}

}  // namespace

void add_exported(const std::vector<bus::CounterReading>& readings, Sample& sample) {
  std::map<telemetry::Identity, ProducerSeen> producers;
  std::map<telemetry::Identity, ConsumerSeen> consumers;
  for (const bus::CounterReading& counter : readings) {
    const std::optional<telemetry::Identity> who = telemetry::from_key(counter.key);
    if (!who) {
      continue;
    }
    if (who->role == CounterRole::kProducer) {
      telemetry::ProducerReading reading;
      if (take(telemetry::kProducerRows, telemetry::kProducerTypeIdBase, counter, reading)) {
        ProducerSeen& seen = producers[*who];
        take(telemetry::kProducerRows, telemetry::kProducerTypeIdBase, counter, seen.reading);
        const std::string_view ring = telemetry::ring_of(counter.label);
        seen.ring = ring.empty() ? seen.ring : std::string(ring);
      }
    } else {
      telemetry::ConsumerReading reading;
      if (take(telemetry::kConsumerRows, telemetry::kConsumerTypeIdBase, counter, reading)) {
        take(telemetry::kConsumerRows, telemetry::kConsumerTypeIdBase, counter,
             consumers[*who].reading);
      }
    }
  }
  move_out(producers, sample.producers);
  move_out(consumers, sample.consumers);
}

}  // namespace tensorpool::inline v0::apps::top
