// What other processes see of one consumer: its counters, where it stands in the ring, when it last
// polled, how it waits. Ten times a second. Spec: §1.14 (W281); decision: docs/adr/0034.
//
// Thread contract: the control thread; ConsumerTold comes from the polling thread by a Readout.
#pragma once

#include <cstdint>
#include <string>

#include "agents/counter_export.hpp"
#include "agents/mapped_epoch.hpp"
#include "agents/readout.hpp"
#include "core/telemetry/readings.hpp"

namespace tensorpool::inline v0::agents {

struct ConsumerShared;

/// What only the polling thread knows.
struct ConsumerTold {
  ConsumerCounters counters = {};
  std::uint64_t tracked_epoch = 0;  ///< of which at least one frame was tracked; 0: none
  core::telemetry::Waits waits = core::telemetry::Waits::kNot;
};

class ConsumerReport {
 public:
  static constexpr Nanos kPeriod = std::chrono::milliseconds(100);

  /// What does not change. The references outlive the report.
  struct Options {
    std::string name = {};  ///< of the stream, where it was given
    bool direct = false;
  };
  ConsumerReport(bus::Client& client, CounterBudget& budget, ConsumerShared& shared,
                 Options options);

  /// What the control thread knows of it now.
  struct Now {
    std::uint32_t consumer_id = 0;               ///< 0: there is none yet, and nothing is shown
    const detail::MappedEpoch* epoch = nullptr;  ///< null: nothing is mapped
  };
  void do_work(const Now& known, Nanos now);

 private:
  [[nodiscard]] core::telemetry::ConsumerReading read(const Now& known, Nanos now);
  void look_at_ring(const detail::MappedEpoch& epoch, core::telemetry::ConsumerReading& reading,
                    Nanos now);

  ConsumerShared& shared_;
  Options options_;
  CounterExport export_;
  core::telemetry::Identity who_;
  ConsumerTold told_;
  Nanos due_{};
  Nanos polled_at_{};
  std::uint64_t behind_ = 0;  ///< the greatest of kPeakHeld
  Nanos behind_since_{};
  std::uint64_t behind_of_ = 0;  ///< epoch
};

}  // namespace tensorpool::inline v0::agents
