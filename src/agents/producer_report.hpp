// What other processes see of one producer: its counters, its epoch, and where the header ring of
// that lies. Ten times a second. Spec: §1.14; decision: docs/adr/0034.
//
// Thread contract: the control thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agents/counter_export.hpp"
#include "core/telemetry/readings.hpp"

namespace tensorpool::inline v0::agents {

class ProducerReport {
 public:
  static constexpr Nanos kPeriod = std::chrono::milliseconds(100);

  /// The references outlive the report. `name`: of the stream, or "".
  ProducerReport(bus::Client& client, CounterBudget& budget, std::string name);

  /// What is the case now.
  struct Now {
    std::uint32_t stream_id = 0;
    std::uint32_t client_id = 0;
    std::string_view ring_uri = {};  ///< "": there is no epoch
    core::telemetry::ProducerReading reading = {};
  };
  void settle(Nanos now) { export_.settle(now); }
  [[nodiscard]] bool is_due(Nanos now) const noexcept { return now >= due_; }
  void show(const Now& known, Nanos now);

 private:
  CounterExport export_;
  core::telemetry::Identity who_;
  Nanos due_{};
};

}  // namespace tensorpool::inline v0::agents
