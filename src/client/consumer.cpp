#include "tensorpool/consumer.hpp"

#include "client/consumer_core.hpp"

namespace tensorpool::inline v0 {

Consumer::Consumer(std::unique_ptr<detail::ConsumerCore> core) noexcept : core_(std::move(core)) {}
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&&) noexcept = default;
Consumer::~Consumer() = default;

PollResult Consumer::poll_raw(const Sinks& sinks, int limit) {
  return core_->poll(
      [&sinks](const FrameView& view) noexcept { sinks.on_frame(sinks.frame_context, view); },
      [&sinks](std::uint64_t seq) noexcept { sinks.on_changed(sinks.changed_context, seq); },
      limit);
}

ProgressResult Consumer::poll_progress_raw(const ProgressSinks& sinks, int limit) {
  return core_->poll_progress(
      [&sinks](const PrefixView& view) noexcept { sinks.on_prefix(sinks.prefix_context, view); },
      [&sinks](std::uint64_t seq) noexcept { sinks.on_changed(sinks.changed_context, seq); },
      limit);
}

std::optional<FrameView> Consumer::next() noexcept {
  return core_->next();
}
std::optional<FrameView> Consumer::latest() noexcept {
  return core_->latest();
}

bool Consumer::wait(Nanos timeout) noexcept {
  return core_->wait(timeout);
}
bool Consumer::can_park() const noexcept {
  return core_->can_park();
}
Result<int> Consumer::event_descriptor() {
  return core_->event_descriptor();
}

std::shared_ptr<const MetadataSet> Consumer::metadata() const {
  return core_->metadata();
}
Status Consumer::set_delivery(DeliveryMode mode, std::uint32_t max_rate_hz) {
  return core_->set_delivery(mode, max_rate_hz);
}
bool Consumer::has_own_descriptors() const noexcept {
  return core_->has_own_descriptors();
}

bool Consumer::has_own_control() const noexcept {
  return core_->has_own_control();
}

MappingState Consumer::state() const noexcept {
  return core_->shared().state.load(std::memory_order_relaxed);
}
std::optional<Fallback> Consumer::fallback() const {
  return core_->shared().fallback.load();
}
std::uint64_t Consumer::epoch() const noexcept {
  return core_->epoch();
}
std::uint32_t Consumer::stream_id() const noexcept {
  return core_->shared().stream_id.load(std::memory_order_relaxed);
}
std::uint64_t Consumer::last_seq() const noexcept {
  return core_->receiver().last_seq();
}
ConsumerCounters Consumer::counters() const noexcept {
  return core_->counters();
}
AttachCounters Consumer::attach_counters() const noexcept {
  return core_->shared().attach.read();
}

}  // namespace tensorpool::inline v0
