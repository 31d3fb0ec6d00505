#include "driver/counter_board.hpp"

namespace tensorpool::inline v0::driver {

void CounterBoard::do_work(const core::driver::Counters& counters, Nanos) {
  if (!client_.is_up()) {
    return;
  }
  if (added_under_ != client_.generation()) {
    added_under_ = client_.generation();
    add_all();
  }
  for (std::size_t k = 0; k < shown_.size(); ++k) {
    Shown& shown = shown_[k];
    if (shown.pending) {
      Result<std::unique_ptr<bus::Counter>> answer = shown.pending->poll();
      if (answer && *answer == nullptr) {
        continue;
      }
      shown.pending.reset();
      shown.counter = answer ? std::move(*answer) : nullptr;
    }
    if (shown.counter != nullptr) {
      shown.counter->set(
          static_cast<std::int64_t>(counters.*core::driver::kCounterFields[k].value));
    }
  }
}

void CounterBoard::add_all() {
  for (std::size_t k = 0; k < shown_.size(); ++k) {
    const std::string label =
        std::string(core::driver::kCounterFields[k].name) + ": instance=" + instance_id_;
    shown_[k] = {};
    Result<bus::Pending<bus::Counter>> pending = client_.begin_add_counter(
        core::driver::kCounterTypeIdBase + static_cast<std::int32_t>(k) + 1, instance_id_, label);
    if (pending) {
      shown_[k].pending.emplace(std::move(*pending));
    }
  }
}

}  // namespace tensorpool::inline v0::driver
