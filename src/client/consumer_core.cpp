#include "client/consumer_core.hpp"

namespace tensorpool::inline v0::detail {
namespace {

[[nodiscard]] agents::Delivery delivery_of(DeliveryMode mode, std::uint32_t max_rate_hz) {
  return {.mode = mode == DeliveryMode::kRateLimited ? layout::Mode::kRateLimited
                                                     : layout::Mode::kStream,
          .max_rate_hz = max_rate_hz};
}

}  // namespace

ConsumerCore::ConsumerCore(std::shared_ptr<ClientCore> client, const ConsumerOptions& options)
    : client_(std::move(client)),
      direct_(options.mode == FollowMode::kDirect),
      recover_gaps_(options.recover_gaps),
      receiver_({.stream_id = options.stream_id,
                 .recover_gaps = options.recover_gaps,
                 .max_outstanding_seq_gap = options.max_outstanding_seq_gap}),
      progress_(options.progress.wanted
                    ? std::make_unique<ProgressReader>(options.progress.early_header)
                    : nullptr),
      silence_(options.probe_after),
      wait_(options.wait),
      parking_(client_->aeron_dir()) {
  const std::uint64_t wished = delivery_of(options.delivery, options.max_rate_hz).packed();
  shared_.delivery.wished.store(wished, std::memory_order_relaxed);
  shared_.delivery.in_force.store(wished, std::memory_order_relaxed);
}

ConsumerCore::~ConsumerCore() {
  if (client_->is_forked()) {
    static_cast<void>(agent_.release());  // the parent's
    static_cast<void>(bell_.release());
    return;
  }
  let_go();
  client_->remove(std::move(agent_));
}

ConsumerCounters ConsumerCore::counters() const noexcept {
  ConsumerCounters counters = receiver_.counters();
  counters.malformed_messages += shared_.malformed_control.load(std::memory_order_relaxed);
  counters.unsupported_version += shared_.unsupported_control.load(std::memory_order_relaxed);
  return counters;
}

bool ConsumerCore::begin_poll() noexcept {
  if (client_->is_forked()) [[unlikely]] {
    return false;
  }
  settle_borrowed();
  const std::uint64_t delivery = shared_.delivery.in_force.load(std::memory_order_relaxed);
  if (delivery != delivery_) [[unlikely]] {
    follow_delivery(delivery);
  }
  if (receiver_.is_gated()) [[unlikely]] {
    receiver_.set_arrival_time(client_->clock().mono());
  }
  EpochRef* const offered = agent_->epochs().current();
  const MappedEpoch* const present = attached_ ? attached_->get() : nullptr;
  if ((offered == nullptr ? nullptr : offered->get()) != present) [[unlikely]] {
    switch_epoch(offered);
  }
  return true;
}

void ConsumerCore::switch_epoch(EpochRef* offered) noexcept {
  let_go();
  if (offered != nullptr) {
    attached_.emplace(*offered);
    receiver_.set_stream((*attached_)->regions.stream_id());
    receiver_.attach((*attached_)->memory, (*attached_)->epoch());
    if (progress_ != nullptr) {
      progress_->attach(**attached_);
    }
    silence_.on_progress();
  }
}

void ConsumerCore::let_go() noexcept {
  if (!attached_) {
    return;
  }
  settle_borrowed();
  MappedEpoch& epoch = **attached_;
  receiver_.report_changed_after_use(
      epoch.changed_in_leases.exchange(0, std::memory_order_relaxed));
  epoch.last_seq = receiver_.last_seq();
  epoch.any_frame = receiver_.tracking();
  receiver_.detach();
  if (progress_ != nullptr) {
    progress_->detach();
  }
  epoch.let_go.store(true, std::memory_order_release);  // sync(let-go): publish
  attached_.reset();
}

void ConsumerCore::settle_borrowed() noexcept {
  if (lent_ && !lent_kept_ &&
      !core::ring::unchanged_after_use<base::DefaultAtom>(*lent_->commit, lent_->seq)) {
    receiver_.report_changed_after_use();
  }
  lent_.reset();
}

bus::Subscription* ConsumerCore::descriptors() noexcept {
  if (shared_.stream_id.load(std::memory_order_acquire) == 0)
      [[unlikely]] {  // sync(stream-found): observe
    return nullptr;
  }
  bus::Subscription* const in = agent_->descriptors()->current();
  if (in != heard_on_) [[unlikely]] {
    heard_on_ = in;
    receiver_.subscription_changed();  // W263
    const std::uint32_t own = shared_.delivery.own_stream_id.load(std::memory_order_relaxed);
    on_own_stream_ =
        in != nullptr && own != 0 && static_cast<std::uint32_t>(in->stream_id()) == own;
    follow_delivery(delivery_);
  }
  return in;
}

/// Where progress comes by; null while there is no such stream.
bus::Subscription* ConsumerCore::progress_in() noexcept {
  const bool found = progress_ != nullptr && shared_.stream_id.load(std::memory_order_acquire) !=
                                                 0;  // sync(stream-found): observe
  return found ? agent_->progress()->current() : nullptr;
}

bool ConsumerCore::is_own_control(const bus::Subscription& in) const noexcept {
  const std::uint32_t own = shared_.delivery.own_control_id.load(std::memory_order_relaxed);
  return own != 0 && static_cast<std::uint32_t>(in.stream_id()) == own;
}

/// Who thins the stream: the producer one of our own, else the gate here (W334, W340, W341).
void ConsumerCore::follow_delivery(std::uint64_t delivery) noexcept {
  delivery_ = delivery;
  const agents::Delivery now = agents::Delivery::unpack(delivery);
  const bool thinned = now.is_limited() && on_own_stream_;
  receiver_.limit_rate(
      now.is_limited() && !thinned ? core::registration::interval_of(now.max_rate_hz) : Nanos{0},
      thinned);
}

/// For the QosConsumer that the control thread sends (W396, W398).
void ConsumerCore::tell_qos() noexcept {
  agents::DeliveryShared& told = shared_.delivery;
  told.drops_gap.store(receiver_.counters().drops_gap, std::memory_order_relaxed);
  told.drops_late.store(receiver_.counters().drops_late, std::memory_order_relaxed);
  told.sequence.tell(receiver_.epoch(), receiver_.last_seq());
}

Status ConsumerCore::set_delivery(DeliveryMode mode, std::uint32_t max_rate_hz) {
  core::registration::ConsumerWish wish;
  wish.max_rate_hz = max_rate_hz;
  if (Status sane = core::registration::check_wish(wish); !sane) {
    return sane;
  }
  shared_.delivery.wished.store(delivery_of(mode, max_rate_hz).packed(), std::memory_order_relaxed);
  return {};
}

/// For those who look on (docs/adr/0034).
[[gnu::cold, gnu::noinline]] void ConsumerCore::tell_outside() noexcept {
  shared_.readout.answer({.counters = receiver_.counters(),
                          .tracked_epoch = receiver_.tracking() ? receiver_.epoch() : 0,
                          .waits = bell_ != nullptr ? core::telemetry::Waits::kEvent : waits_});
}

void ConsumerCore::end_poll(int frames) noexcept {
  tell_qos();
  if (shared_.readout.is_asked()) [[unlikely]] {
    tell_outside();
  }
  if (bell_ != nullptr && frames == 0) [[unlikely]] {
    ask_for_event();
  }
  if (!attached_) {
    return;
  }
  MappedEpoch& epoch = **attached_;
  if (epoch.changed_in_leases.load(std::memory_order_relaxed) != 0) [[unlikely]] {
    receiver_.report_changed_after_use(
        epoch.changed_in_leases.exchange(0, std::memory_order_relaxed));
  }
  if (const auto cause = receiver_.unmap_wanted()) [[unlikely]] {
    const UnmapReason reason = *cause == core::consumer::UnmapCause::kHigherEpochSeen
                                   ? UnmapReason::kHigherEpochDescribed
                                   : UnmapReason::kSequenceRegression;
    // sync(unmap-wanted): publish.
    epoch.unmap_wanted.store(static_cast<std::uint8_t>(reason), std::memory_order_release);
  }
}

auto ConsumerCore::borrow() noexcept {
  return [this](const Frame& frame) noexcept {
    lent_ = FrameViewFactory::record(frame, attached_->get());
    lent_info_ = &frame.tensor->info;
    lent_kept_ = false;
    return core::consumer::Use::kKept;
  };
}

std::optional<FrameView> ConsumerCore::next() noexcept {
  if (!begin_poll()) {
    return std::nullopt;
  }
  const auto sink = borrow();
  int frames = 0;
  if (direct_) {
    frames = receiver_.follow_ring(1, false, sink);
  } else {
    frames = receiver_.fill_gap(1, sink);
    bus::Subscription* const in = descriptors();
    for (int taken = 0; in != nullptr && frames == 0 && taken < kDescriptorsPerDrain; ++taken) {
      if (take_descriptors(*in, sink, 1, 1, frames) == 0) {
        frames += receiver_.on_drained(sink);
        break;
      }
    }
    if (frames == 0) {
      frames = look_at_ring(1, false, sink);
    }
  }
  end_poll(frames);
  return frames == 0 ? std::nullopt
                     : std::optional(FrameViewFactory::view(*lent_, lent_info_, &lent_kept_));
}

std::optional<FrameView> ConsumerCore::latest() noexcept {
  if (!begin_poll()) {
    return std::nullopt;
  }
  const auto sink = borrow();
  int frames = 0;
  if (direct_) {
    frames = receiver_.follow_ring(1, true, sink);
  } else {
    receiver_.begin_latest();
    bus::Subscription* const in = descriptors();
    for (int taken = 0; in != nullptr && taken < kDescriptorsPerDrain;) {
      const int more = take_descriptors(*in, sink, 256, 1, frames);
      if (more == 0) {
        break;
      }
      taken += more;
    }
    receiver_.end_latest();
    frames += receiver_.on_drained(sink);
    if (frames == 0) {
      frames = look_at_ring(1, true, sink);
    }
  }
  end_poll(frames);
  return frames == 0 ? std::nullopt
                     : std::optional(FrameViewFactory::view(*lent_, lent_info_, &lent_kept_));
}

}  // namespace tensorpool::inline v0::detail
