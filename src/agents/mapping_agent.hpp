// The control work of one consumer: finds its stream, maps and gives up its regions. Spec: §1.11,
// §1.15.3 (useShm). The machine that decides is core/consumer/mapping_machine; this carries its
// actions out. What it says of itself and where it hears descriptors is RegistrationAgent's. Under
// a driver it holds a lease as well, which decides whether anything may be mapped (2-driver.md
// §2.20).
//
// Thread contract: the control thread, except `epochs().current()`, `descriptors()`, `progress()`
// and the atomics of ConsumerShared, which the polling thread reads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "agents/ask_number.hpp"
#include "agents/attach_group.hpp"
#include "agents/consumer_report.hpp"
#include "agents/control_bus.hpp"
#include "agents/mapped_epoch.hpp"
#include "agents/metadata_receiver.hpp"
#include "agents/registration_agent.hpp"
#include "agents/stream_directory.hpp"
#include "bus/handoff.hpp"
#include "core/consumer/mapping_machine.hpp"
#include "os/open_region.hpp"
#include "tensorpool/consumer.hpp"

namespace tensorpool::inline v0::agents {

/// How frames are to be had otherwise. Thread contract: any thread; one lock, never taken by the
/// data path.
class FallbackShared {
 public:
  void store(std::optional<Fallback> fallback) {
    const std::lock_guard lock(mutex_);
    fallback_ = std::move(fallback);
  }
  [[nodiscard]] std::optional<Fallback> load() const {
    const std::lock_guard lock(mutex_);
    return fallback_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<Fallback> fallback_;
};

/// What the control thread and the polling thread tell each other besides epochs.
struct ConsumerShared {
  std::atomic<MappingState> state{MappingState::kUnmapped};  // stands alone: no order needed
  /// 0 while the name is being looked up. sync(stream-found): the subscription is there before it.
  std::atomic<std::uint32_t> stream_id{0};
  // What control, announce and metadata brought since this consumer was made; stand alone.
  std::atomic<std::uint64_t> malformed_control{0};
  std::atomic<std::uint64_t> unsupported_control{0};
  AttachTally attach;  ///< under a driver
  DeliveryShared delivery;
  FallbackShared fallback;  ///< for the application
  Readout<ConsumerTold> readout;
};

class MappingAgent final : public ControlListener {
 public:
  struct Options {
    std::uint32_t stream_id = 0;
    std::string name = {};
    std::uint32_t consumer_id = 0;  ///< under a driver that of the lease (D84)
    /// Of the consumer under a driver, stream and client left open; none: standalone.
    std::optional<core::attach::AttachMachine::Options> lease = {};
    /// Under a driver: asked for the number of `name`, once a second until there is one.
    AskNumber ask_number = {};
    bool direct = false;          ///< no descriptor subscription
    bool self_picked_id = false;  ///< another one may be drawn after a collision (W286)
    core::registration::ConsumerWish wish = {};  ///< mode and rate are those of the shared part
    OwnStreamWish own = {};
    bool use_shm = true;
    bool remap_same_epoch_on_pid_change = false;
    core::Timing timing = {};
    std::uint32_t max_pools = layout::kPoolsMax;
    bus::Channel descriptor_channel = {};
    std::int32_t descriptor_stream_id = 0;  ///< 0: by the number of the stream (core/naming)
    bus::Channel control_channel = {};      ///< which progress comes by, where that is wished
    std::int32_t control_stream_id = 0;
    MetadataReceiver::Options metadata = {};  ///< the stream left open
    std::function<void(const ConsumerEvent&)> on_event = {};
    CounterBudget* counters = nullptr;  ///< null: nothing is shown outside
  };

  /// The references outlive the agent.
  MappingAgent(bus::Client& client, AttachGroup& leases, const StreamDirectory& directory,
               const os::RegionPolicy& policy, ConsumerShared& shared, Options options, Nanos now);
  ~MappingAgent() override;

  int do_work(ControlBus& control, const base::Now& now);
  void on_announce(const layout::ShmPoolAnnounce& announce, Nanos joined_at,
                   const base::Now& now) override;
  void on_config(const layout::ConsumerConfig& config, const base::Now& now) override;
  [[nodiscard]] MetadataReceiver& metadata() noexcept { return metadata_; }
  void on_lease_revoked(const layout::ShmLeaseRevoked& notice, const base::Now& now) override;
  void on_foreign_consumer(std::uint32_t stream_id, std::uint32_t consumer_id,
                           const base::Now& now) override;

  /// Begins to give the lease back, if there is one, and leaves it to the caller to see to the end
  /// of that. Nothing is mapped any more.
  [[nodiscard]] std::unique_ptr<AttachAgent> close(Nanos now);

  /// The polling thread takes epochs and the subscription from here.
  [[nodiscard]] bus::Handoff<detail::EpochRef>& epochs() noexcept { return epochs_; }
  [[nodiscard]] bus::SubscriptionLink* descriptors() noexcept {
    return registration_ ? registration_->descriptors() : nullptr;
  }
  [[nodiscard]] bus::SubscriptionLink* progress() noexcept {
    return registration_ ? registration_->progress() : nullptr;
  }

 private:
  static constexpr Nanos kAskPeriod = std::chrono::seconds(1);

  struct Ended {
    detail::EpochRef epoch;
    UnmapReason reason;
  };

  [[nodiscard]] std::optional<std::uint32_t> find_stream(Nanos now);
  void begin(std::uint32_t stream_id, Nanos now);
  void begin_lease(std::uint32_t stream_id, Nanos now);
  void on_lease(const core::attach::AttachReport& report, std::string_view text);
  [[nodiscard]] Status on_granted(const core::region::MappingPlan& plan, Nanos now);
  [[nodiscard]] std::uint32_t consumer_id() const noexcept;
  void watch_bus();
  void count_messages(const ControlBus::Counters& all);
  void renew_lost_image(Nanos now);
  void show_outside(Nanos now);
  void carry_out_actions(Nanos now);
  void show_state();
  [[nodiscard]] Result<core::consumer::MappingMachine::Observation> map();
  [[nodiscard]] Result<core::consumer::MappingMachine::Observation> recheck() const;
  void unmap(UnmapReason reason);
  void report_ended();
  void emit(ConsumerEvent event) const;

  bus::Client& client_;
  AttachGroup& leases_;
  const StreamDirectory& directory_;
  const os::RegionPolicy& policy_;
  ConsumerShared& shared_;
  Options options_;
  MetadataReceiver metadata_;
  std::optional<core::consumer::MappingMachine> machine_;  // once the stream is known
  std::optional<RegistrationAgent> registration_;          // likewise
  bus::Handoff<detail::EpochRef> epochs_;
  std::optional<os::MappedStream> candidate_;  // mapped, not yet accepted by the machine
  std::optional<detail::EpochRef> present_;    // what the data thread is offered
  std::vector<Ended> ended_;
  std::optional<ControlBus::Counters> counted_before_;  // this consumer was made
  bool bus_lost_ = false;
  bool had_image_ = false;
  bool collision_told_ = false;
  std::optional<ConsumerReport> report_;
  // Under a driver.
  std::unique_ptr<AttachAgent> lease_;  // once the stream is known
  Nanos ask_at_{};
  std::optional<Error> refusal_;  // of regions that were to be mapped
  bool give_up_ = false;          // the machine cannot go on with the lease (D316)
};

}  // namespace tensorpool::inline v0::agents
