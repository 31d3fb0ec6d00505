#include "agents/producer_report.hpp"

#include <utility>

#include "core/region/uri.hpp"

namespace tensorpool::inline v0::agents {

namespace telemetry = core::telemetry;

ProducerReport::ProducerReport(bus::Client& client, CounterBudget& budget, std::string name)
    : export_(client, budget), who_(identity_of(layout::CounterRole::kProducer, std::move(name))) {}

void ProducerReport::show(const Now& known, Nanos now) {
  due_ = now + kPeriod;
  who_.stream_id = known.stream_id;
  who_.client_id = known.client_id;
  const auto uri = core::region::parse_region_uri(known.ring_uri);
  export_.show(who_, uri ? uri->path : std::string_view(), telemetry::kProducerRows,
               telemetry::kProducerTypeIdBase, known.reading, now);
}

}  // namespace tensorpool::inline v0::agents
