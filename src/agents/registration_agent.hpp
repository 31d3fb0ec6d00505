// How one consumer is served: says hello and QoS, follows the configs that answer it, keeps its
// subscriptions for descriptors and progress, shared or its own. Machines: core/registration. Spec:
// §1.15.1, §1.15.3, §1.16, §1.19.
//
// Thread contract: the control thread, except `descriptors()->current()`, `progress()->current()`
// and DeliveryShared.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "agents/assigned_stream.hpp"
#include "agents/control_bus.hpp"
#include "agents/told_sequence.hpp"
#include "core/registration/hello_sender.hpp"
#include "core/registration/qos.hpp"
#include "core/timing.hpp"

namespace tensorpool::inline v0::agents {

/// How frames are to come.
struct Delivery {
  layout::Mode mode = layout::Mode::kStream;
  std::uint32_t max_rate_hz = 0;

  [[nodiscard]] bool is_limited() const noexcept {
    return mode == layout::Mode::kRateLimited && max_rate_hz != 0;
  }
  [[nodiscard]] std::uint64_t packed() const noexcept {
    return std::uint64_t{max_rate_hz} << 8U | static_cast<std::uint64_t>(mode);
  }
  [[nodiscard]] static Delivery unpack(std::uint64_t bits) noexcept {
    return {.mode = static_cast<layout::Mode>(bits & 0xFFU),
            .max_rate_hz = static_cast<std::uint32_t>(bits >> 8U)};
  }
};

/// What control thread, polling thread and application tell each other about it. Each stands alone.
struct DeliveryShared {
  std::atomic<std::uint64_t> wished{Delivery{}.packed()};    ///< by the application, on any thread
  std::atomic<std::uint64_t> in_force{Delivery{}.packed()};  ///< by the control thread
  /// The Aeron streams of this consumer's own, once there are some; by the control thread.
  std::atomic<std::uint32_t> own_stream_id{0};
  std::atomic<std::uint32_t> own_control_id{0};

  ToldSequence<> sequence;  ///< the highest that was tracked; by the polling thread, as these:
  std::atomic<std::uint64_t> drops_gap{0};
  std::atomic<std::uint64_t> drops_late{0};
};

/// Which streams of its own a consumer asks for; stream id 0 stands for the usual one (§1.23).
struct OwnStreamWish {
  core::registration::OwnStream descriptors = {};
  core::registration::OwnStream control = {};
};

class RegistrationAgent {
 public:
  struct Options {
    std::uint32_t stream_id = 0;
    core::Timing timing = {};
    core::registration::ConsumerWish wish = {};  ///< mode, rate and own streams are filled in
    OwnStreamWish own = {};
    bool direct = false;  ///< no descriptor subscription
    bus::Channel descriptor_channel = {};
    std::int32_t descriptor_stream_id = 0;
    bus::Channel control_channel = {};  ///< which progress comes by, where that is wished
    std::int32_t control_stream_id = 0;
  };

  /// The references outlive the agent.
  RegistrationAgent(bus::Client& client, DeliveryShared& shared, Options options, Nanos now);

  /// `consumer_id` 0: there is none yet. `epoch`: the mapped one, or 0.
  int do_work(ControlBus& control, std::uint32_t consumer_id, std::uint64_t epoch, Nanos now);

  /// A config that is addressed to this consumer. kStreamAssignmentInvalid when half of an
  /// assignment is missing; nothing of it counts then (W324).
  [[nodiscard]] Status on_config(const layout::ConsumerConfig& config);

  /// Why the consumer could not go over to an assigned stream, once (W326).
  [[nodiscard]] std::optional<Error> take_refusal() { return std::exchange(refusal_, {}); }

  [[nodiscard]] bus::SubscriptionLink* descriptors() noexcept {
    return descriptors_ ? &descriptors_->link() : nullptr;
  }
  /// Where FrameProgress is to be taken from: the shared control stream, or one of the consumer's
  /// own (W328, W330). Null unless progress is wished.
  [[nodiscard]] bus::SubscriptionLink* progress() noexcept {
    return progress_ ? &progress_->link() : nullptr;
  }

 private:
  void follow_wish(std::uint32_t consumer_id);
  void say_hello(ControlBus& control, Nanos now);
  void say_qos(ControlBus& control, std::uint32_t consumer_id, std::uint64_t epoch, Nanos now);
  int keep(std::optional<AssignedStream>& stream, Nanos now);

  DeliveryShared& shared_;
  Options options_;
  core::registration::HelloSender hello_;
  core::registration::Periodic qos_;
  std::optional<AssignedStream> descriptors_;  // unless direct
  std::optional<AssignedStream> progress_;     // if it is wished
  std::uint64_t wished_ = 0;
  std::optional<Error> refusal_;
};

}  // namespace tensorpool::inline v0::agents
