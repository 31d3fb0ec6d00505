#include "agents/counter_board.hpp"

namespace tensorpool::inline v0::agents {

void CounterBoard::do_work(std::span<const std::uint64_t> values) {
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
      shown.counter->set(static_cast<std::int64_t>(values[k]));
    }
  }
}

void CounterBoard::add_all() {
  for (std::size_t k = 0; k < shown_.size(); ++k) {
    const std::string label = std::string(options_.names[k]) + ": instance=" + options_.instance_id;
    shown_[k] = {};
    Result<bus::Pending<bus::Counter>> pending = client_.begin_add_counter(
        options_.type_id_base + static_cast<std::int32_t>(k) + 1, options_.instance_id, label);
    if (pending) {
      shown_[k].pending.emplace(std::move(*pending));
    }
  }
}

}  // namespace tensorpool::inline v0::agents
