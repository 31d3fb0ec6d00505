// Shows numbers of one producer or consumer among the counters of the media driver, where every
// Aeron tool, and `tp top`, can read them without asking. Spec: §1.14 (W281); decision:
// docs/adr/0034.
//
// The media driver has room for a few thousand counters and needs some for each publication, so
// numbers are shown once they are other than 0, few are asked for at a time, and what lies in the
// last quarter of the room is given back. Nothing depends on getting any.
//
// Thread contract: the control thread, except CounterBudget::refused.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bus/client.hpp"
#include "core/telemetry/identity.hpp"
#include "core/telemetry/readings.hpp"
#include "tensorpool/log.hpp"

namespace tensorpool::inline v0::agents {

/// Whose counters they are, the stream and the client left open. Allocates.
[[nodiscard]] core::telemetry::Identity identity_of(layout::CounterRole role,
                                                    std::string stream_name);

/// How a client uses the room for counters.
class CounterBudget {
 public:
  static constexpr int kPendingMax = 16;
  static constexpr Nanos kPause = std::chrono::seconds(10);  ///< after a refusal

  /// `log` may be empty.
  explicit CounterBudget(LogSink log) : log_(std::move(log)) {}

  [[nodiscard]] bool may_ask(Nanos now) const noexcept {
    return now >= ask_at_ && pending_ < kPendingMax;
  }
  void on_asked() noexcept { ++pending_; }
  void on_answered() noexcept { --pending_; }
  /// False when a counter with this id has to be given back; `places` is the number of all ids.
  [[nodiscard]] static bool may_keep(std::int32_t id, std::int32_t places) noexcept {
    return id < places - places / 4;
  }
  /// Said once, and counted.
  void on_refused(std::string_view why, Nanos now);
  /// Counters that were wanted and not given, each time that it happened. Any thread.
  [[nodiscard]] std::uint64_t refused() const noexcept {
    return refused_.load(std::memory_order_relaxed);
  }

 private:
  LogSink log_;
  int pending_ = 0;
  Nanos ask_at_{};
  std::atomic<std::uint64_t> refused_{0};  // stands alone
};

class CounterExport {
 public:
  /// The references outlive the object.
  CounterExport(bus::Client& client, CounterBudget& budget) : client_(client), budget_(budget) {}
  CounterExport(const CounterExport&) = delete;
  CounterExport& operator=(const CounterExport&) = delete;
  ~CounterExport() { withdraw(); }

  /// Takes what the media driver has given; cheap, for each duty cycle.
  void settle(Nanos now);

  /// Shows the values of a reading. When `who` or `ring`, the path of a header ring, is another one
  /// than before, everything is shown anew.
  template <class Reading, std::size_t kCount>
  void show(const core::telemetry::Identity& who, std::string_view ring,
            const std::array<core::telemetry::Row<Reading>, kCount>& rows, std::int32_t base,
            const Reading& reading, Nanos now) {
    std::array<Value, kCount> values;
    for (std::size_t k = 0; k < kCount; ++k) {
      values[k] = {.type_id = base + rows[k].number,
                   .name = rows[k].name,
                   .value = reading.*rows[k].value,
                   .at_once = rows[k].at_once};
    }
    show_values(who, ring, values, now);
  }

 private:
  struct Value {
    std::int32_t type_id = 0;
    std::string_view name = {};
    std::uint64_t value = 0;
    bool at_once = false;
  };
  struct Shown {
    std::optional<bus::Pending<bus::Counter>> pending;
    std::unique_ptr<bus::Counter> counter;
  };

  void show_values(const core::telemetry::Identity& who, std::string_view ring,
                   std::span<const Value> values, Nanos now);
  void begin(Shown& shown, const Value& value, Nanos now);
  void withdraw() noexcept;

  bus::Client& client_;
  CounterBudget& budget_;
  core::telemetry::Identity who_ = {};
  std::string ring_;
  std::uint64_t generation_ = 0;  ///< of the connection that the counters were added under
  std::vector<Shown> shown_;      ///< by row
  int pending_ = 0;
};

}  // namespace tensorpool::inline v0::agents
