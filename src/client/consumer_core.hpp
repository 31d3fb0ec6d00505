// hot-path: an idle poll is 1 Aeron poll, 7 loads and 4 stores; a frame adds the receiver's budget
// and the callback. A clock is read once in kIdlePollsPerClock idle polls, and at each poll where a
// rate is to be kept here. No allocation, no system call.
//
// The inside of a Consumer: polls descriptors or the ring, and hands frames to the application.
// Control work is the MappingAgent's. Spec: §1.12; design §4.
//
// Thread contract: the polling thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "agents/mapped_epoch.hpp"
#include "agents/mapping_agent.hpp"
#include "base/atomics.hpp"
#include "client/client_core.hpp"
#include "client/event_bell.hpp"
#include "client/parking.hpp"
#include "client/progress_reader.hpp"
#include "core/consumer/descriptor_message.hpp"
#include "core/consumer/descriptor_silence.hpp"
#include "core/consumer/frame_receiver.hpp"
#include "core/consumer/look_interval.hpp"
#include "core/wake/wait_plan.hpp"
#include "tensorpool/consumer.hpp"

namespace tensorpool::inline v0 {

/// The one place that makes views of what the core received.
struct FrameViewFactory {
  using Frame = core::consumer::Frame<base::DefaultAtom>;
  [[nodiscard]] static detail::FrameRecord record(const Frame& frame,
                                                  detail::MappedEpoch* mapping) noexcept {
    return {.seq = frame.seq,
            .epoch = frame.epoch,
            .timestamp_ns = frame.timestamp_ns,
            .descriptor_timestamp_ns = frame.descriptor_timestamp_ns,
            .trace_id = frame.trace_id,
            .extent_bytes = frame.tensor->extent_bytes,
            .data = frame.payload.data(),
            .commit = frame.commit,
            .mapping = mapping,
            .bytes = static_cast<std::uint32_t>(frame.payload.size()),
            .meta_version = frame.meta_version,
            .contiguous = frame.tensor->contiguous};
  }
  [[nodiscard]] static FrameView view(const detail::FrameRecord& record, const TensorInfo* info,
                                      bool* kept) noexcept {
    return {record, info, kept};
  }
};

namespace detail {

class ConsumerCore {
 public:
  using Receiver = core::consumer::FrameReceiver<base::DefaultAtom>;
  using Frame = core::consumer::Frame<base::DefaultAtom>;

  [[nodiscard]] static Result<std::unique_ptr<ConsumerCore>> create(
      std::shared_ptr<ClientCore> client, const ConsumerOptions& options);
  ConsumerCore(const ConsumerCore&) = delete;
  ConsumerCore& operator=(const ConsumerCore&) = delete;
  ~ConsumerCore();

  /// `sink(FrameView&&, bool& kept)` for each frame; `changed(seq)` for those overwritten in use.
  template <class Sink, class Changed>
  PollResult poll(Sink&& sink, Changed&& changed, int limit) noexcept;
  [[nodiscard]] std::optional<FrameView> next() noexcept;
  [[nodiscard]] std::optional<FrameView> latest() noexcept;
  /// `sink(const PrefixView&)` for each report of progress.
  template <class Sink, class Changed>
  ProgressResult poll_progress(Sink&& sink, Changed&& changed, int limit) noexcept;

  [[nodiscard]] bool wait(Nanos timeout) noexcept;
  [[nodiscard]] bool can_park() const noexcept { return parking_.found(); }
  [[nodiscard]] Result<int> event_descriptor();

  [[nodiscard]] const agents::ConsumerShared& shared() const noexcept { return shared_; }
  [[nodiscard]] std::shared_ptr<const MetadataSet> metadata() const {
    return client_->is_forked() ? nullptr : agent_->metadata().history()->latest();
  }
  [[nodiscard]] Status set_delivery(DeliveryMode mode, std::uint32_t max_rate_hz);
  [[nodiscard]] bool has_own_descriptors() const noexcept { return on_own_stream_; }
  [[nodiscard]] bool has_own_control() noexcept {
    bus::Subscription* const in = progress_in();
    return in != nullptr && is_own_control(*in);
  }
  [[nodiscard]] const Receiver& receiver() const noexcept { return receiver_; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return receiver_.epoch(); }
  [[nodiscard]] ConsumerCounters counters() const noexcept;

 private:
  static constexpr int kDescriptorsPerDrain = 65536;
  static constexpr int kFarBehindFrames = 32;

  ConsumerCore(std::shared_ptr<ClientCore> client, const ConsumerOptions& options);

  [[nodiscard]] bool begin_poll() noexcept;
  void switch_epoch(EpochRef* offered) noexcept;
  void let_go() noexcept;
  void settle_borrowed() noexcept;
  [[nodiscard]] bus::Subscription* descriptors() noexcept;
  [[nodiscard]] bus::Subscription* progress_in() noexcept;
  [[nodiscard]] bool is_own_control(const bus::Subscription& in) const noexcept;
  template <class Sink>
  int take_descriptors(bus::Subscription& in, Sink&& sink, int fragments, int limit,
                       int& frames) noexcept;
  template <class Sink>
  void on_message(std::span<const std::byte> bytes, Sink&& sink, int limit, int& frames) noexcept;
  template <class Sink>
  int look_at_ring(int limit, bool latest, Sink&& sink) noexcept;
  void end_poll(int frames) noexcept;
  /// Where has_input() looks besides the descriptors.
  enum class LookAt : std::uint8_t { kDescriptors, kRing };
  [[nodiscard]] bool has_input(LookAt where) noexcept;
  [[nodiscard]] const std::shared_ptr<os::WakeFile>& wake_file(Nanos now) noexcept;
  [[nodiscard]] bool rest(const core::wake::WaitPlan::Step& step, Nanos patience) noexcept;
  [[nodiscard]] bool park(Nanos at_most) noexcept;
  void ask_for_event() noexcept;
  void tell_qos() noexcept;
  void tell_outside() noexcept;
  void follow_delivery(std::uint64_t delivery) noexcept;
  [[nodiscard]] auto borrow() noexcept;

  std::shared_ptr<ClientCore> client_;
  bool direct_;
  bool recover_gaps_;
  agents::ConsumerShared shared_;
  std::unique_ptr<agents::MappingAgent> agent_;
  Receiver receiver_;
  std::unique_ptr<ProgressReader> progress_;  // if it is wanted
  core::consumer::DescriptorSilence silence_;
  core::consumer::LookInterval look_;
  WaitStrategy wait_;
  std::uint32_t spins_ = 0;
  core::telemetry::Waits waits_ = core::telemetry::Waits::kNot;  // the last wait
  Parking parking_;
  std::unique_ptr<EventBell> bell_;  // once it was asked for
  std::optional<EpochRef> attached_;
  bus::Subscription* heard_on_ = nullptr;  // compared, never used
  bool on_own_stream_ = false;             // that one is of this consumer alone
  std::uint64_t delivery_ = agents::Delivery{}.packed();

  // The frame that next() or latest() has lent: its check after use is made at the next poll.
  std::optional<FrameRecord> lent_;
  const TensorInfo* lent_info_ = nullptr;
  bool lent_kept_ = false;
};

template <class Sink, class Changed>
PollResult ConsumerCore::poll(Sink&& sink, Changed&& changed, int limit) noexcept {
  PollResult result;
  if (!begin_poll()) [[unlikely]] {
    return result;
  }
  const auto hand_out = [&](const Frame& frame) noexcept {
    bool kept = false;
    const FrameRecord record = FrameViewFactory::record(frame, attached_->get());
    sink(FrameViewFactory::view(record, &frame.tensor->info, &kept));
    if (!kept && !core::ring::unchanged_after_use<base::DefaultAtom>(*frame.commit, frame.seq))
        [[unlikely]] {
      receiver_.report_changed_after_use();  // W172, W173
      ++result.changed_after_use;
      changed(frame.seq);
    }
    return core::consumer::Use::kKept;
  };
  if (direct_) {
    result.frames = receiver_.follow_ring(limit, false, hand_out);
  } else {
    result.frames = receiver_.fill_gap(std::numeric_limits<int>::max(), hand_out);
    if (bus::Subscription* const in = descriptors()) [[likely]] {
      take_descriptors(*in, hand_out, limit, std::numeric_limits<int>::max(), result.frames);
      for (int drained = 0; receiver_.draining() && drained < kDescriptorsPerDrain;) {
        const int more =
            take_descriptors(*in, hand_out, limit, std::numeric_limits<int>::max(), result.frames);
        if (more == 0) {
          break;
        }
        drained += more;
      }
      result.frames += receiver_.on_drained(hand_out);
    }
    if (result.frames == 0) {
      result.frames = look_at_ring(limit, false, hand_out);
    }
  }
  receiver_.set_far_behind(result.frames >= kFarBehindFrames);
  end_poll(result.frames);
  return result;
}

template <class Sink, class Changed>
ProgressResult ConsumerCore::poll_progress(Sink&& sink, Changed&& changed, int limit) noexcept {
  bus::Subscription* const in = begin_poll() ? progress_in() : nullptr;
  return in == nullptr ? ProgressResult{}
                       : progress_->poll(*in, is_own_control(*in), static_cast<std::size_t>(limit),
                                         receiver_.counters(), sink, changed);
}

template <class Sink>
int ConsumerCore::take_descriptors(bus::Subscription& in, Sink&& sink, int fragments, int limit,
                                   int& frames) noexcept {
  return in.poll(
      [&](const bus::Message& message) noexcept { on_message(message.bytes, sink, limit, frames); },
      static_cast<std::size_t>(fragments));
}

template <class Sink>
void ConsumerCore::on_message(std::span<const std::byte> bytes, Sink&& sink, int limit,
                              int& frames) noexcept {
  core::consumer::Descriptor descriptor;
  ConsumerCounters& counters = receiver_.counters();
  switch (core::consumer::parse_descriptor(bytes, descriptor)) {
    case core::consumer::DescriptorVerdict::kOk:
      break;
    case core::consumer::DescriptorVerdict::kMalformed:
      ++counters.malformed_messages;
      return;
    case core::consumer::DescriptorVerdict::kUnsupportedVersion:
      ++counters.unsupported_version;
      return;
    case core::consumer::DescriptorVerdict::kOther:
      return;
  }
  const bool in_fallback = !receiver_.attached() &&
                           shared_.state.load(std::memory_order_relaxed) == MappingState::kFallback;
  frames += receiver_.on_descriptor(descriptor, in_fallback, sink, limit);
  // Others may share the descriptor stream, and a blocked one delivers what was read from the ring
  // long ago: only a descriptor at the front shows that frames come by descriptor.
  if (descriptor.stream_id == receiver_.options().stream_id &&
      descriptor.epoch == receiver_.epoch() && descriptor.seq >= receiver_.last_seq()) {
    silence_.on_progress();
  }
}

/// Descriptors may be blocked by somebody else's stopped reader; frames go on arriving (design §4).
template <class Sink>
int ConsumerCore::look_at_ring(int limit, bool latest, Sink&& sink) noexcept {
  if (!recover_gaps_ || !receiver_.attached() || receiver_.filling_gap() ||
      receiver_.expects_jumps()) {
    return 0;  // of a thinned stream silence means nothing
  }
  if (!silence_.blocked()) [[likely]] {
    // Seldom: the word of the next slot is what the producer writes next, and a look takes its line
    // away.
    if (!look_.due()) [[likely]] {
      return 0;
    }
    const Nanos now = client_->clock().mono();
    look_.looked(now);
    receiver_.start_at_end();
    if (!silence_.on_idle(receiver_.frame_waits_in_ring(), now)) [[likely]] {
      return 0;
    }
  }
  const int frames = receiver_.follow_ring(limit, latest, sink);
  receiver_.counters().recovered += static_cast<std::uint64_t>(frames);
  return frames;
}

}  // namespace detail
}  // namespace tensorpool::inline v0
