#include "agents/counter_export.hpp"

#include <utility>

#include "os/process_stat.hpp"

namespace tensorpool::inline v0::agents {

core::telemetry::Identity identity_of(layout::CounterRole role, std::string stream_name) {
  static std::atomic<std::uint32_t> last_instance{0};  // stands alone
  const os::OwnProcess own = os::own_process();
  return {.role = role,
          .instance = last_instance.fetch_add(1, std::memory_order_relaxed) + 1,
          .pid = own.pid,
          .process_start = own.start_ticks,
          .name = std::move(stream_name)};
}

void CounterBudget::on_refused(std::string_view why, Nanos now) {
  ask_at_ = now + kPause;
  if (refused_.fetch_add(1, std::memory_order_relaxed) == 0 && log_) {
    log_(LogLevel::kWarning,
         "tp top does not see all of this process, for want of counters: " + std::string(why));
  }
}

void CounterExport::settle(Nanos now) {
  if (pending_ == 0) {
    return;
  }
  for (Shown& shown : shown_) {
    if (!shown.pending) {
      continue;
    }
    Result<std::unique_ptr<bus::Counter>> answer = shown.pending->poll();
    if (answer && *answer == nullptr) {
      continue;
    }
    shown.pending.reset();
    --pending_;
    budget_.on_answered();
    if (!answer) {
      budget_.on_refused(describe(answer.error()), now);
    } else if (!CounterBudget::may_keep((*answer)->id(), client_.counter_places())) {
      budget_.on_refused("three quarters of those of the media driver are in use", now);
    } else {
      shown.counter = std::move(*answer);
    }
  }
}

void CounterExport::show_values(const core::telemetry::Identity& who, std::string_view ring,
                                std::span<const Value> values, Nanos now) {
  if (!client_.is_up()) {
    return;
  }
  if (generation_ != client_.generation() || who != who_ || ring != ring_) {
    withdraw();
    generation_ = client_.generation();
    who_ = who;
    ring_ = ring;
  }
  shown_.resize(values.size());
  for (std::size_t k = 0; k < values.size(); ++k) {
    Shown& shown = shown_[k];
    if (shown.counter != nullptr) {
      shown.counter->set(static_cast<std::int64_t>(values[k].value));
    } else if (!shown.pending && (values[k].at_once || values[k].value != 0) &&
               budget_.may_ask(now)) {
      begin(shown, values[k], now);
    }
  }
}

void CounterExport::begin(Shown& shown, const Value& value, Nanos now) {
  constexpr std::string_view kBearsRing = "epoch";
  Result<bus::Pending<bus::Counter>> pending = client_.begin_add_counter(
      value.type_id, core::telemetry::to_key(who_),
      core::telemetry::to_label(value.name, who_, value.name == kBearsRing ? ring_ : ""));
  if (!pending) {
    budget_.on_refused(describe(pending.error()), now);
    return;
  }
  shown.pending.emplace(std::move(*pending));
  ++pending_;
  budget_.on_asked();
}

void CounterExport::withdraw() noexcept {
  for (; pending_ > 0; --pending_) {
    budget_.on_answered();
  }
  shown_.clear();
}

}  // namespace tensorpool::inline v0::agents
