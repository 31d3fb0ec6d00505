// The control work of one producer under a driver: finds the number of its stream, gets and keeps
// a lease, hands each epoch to the producer's thread and takes it back, tells its name, refreshes
// activity, keeps the descriptor publication and those of single consumers. Spec: §2.20 (producer),
// §1.10.3, §1.15.2, §1.19. What decides is core/attach/attach_machine. The counterpart of
// OwnerAgent.
//
// Thread contract: the control thread, except what TenantShared says.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "agents/ask_number.hpp"
#include "agents/attach_group.hpp"
#include "agents/control_bus.hpp"
#include "agents/metadata_source.hpp"
#include "agents/producer_report.hpp"
#include "agents/producer_tally.hpp"
#include "agents/registry_agent.hpp"
#include "agents/told_sequence.hpp"
#include "agents/written_epoch.hpp"
#include "bus/handoff.hpp"
#include "core/producer/announcer.hpp"
#include "core/registration/qos.hpp"
#include "os/region_policy.hpp"
#include "tensorpool/producer.hpp"

namespace tensorpool::inline v0::agents {

/// Where a producer stands, for threads that wait for it. Thread contract: any thread.
class Standing {
 public:
  struct Now {
    AttachState state = AttachState::kAttaching;
    Error error = {};    ///< of the last attempt that failed
    bool final = false;  ///< nothing more happens by itself

    [[nodiscard]] bool is_settled() const noexcept {
      return final || state == AttachState::kAttached;
    }
  };

  void set(AttachState state);
  void set_failed(const Error& error, bool final);
  [[nodiscard]] Now now() const;
  /// Waits until attached or final, at most for `patience`.
  [[nodiscard]] Now wait(Nanos patience) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  Now now_;
};

/// What the control thread and the others tell each other.
struct TenantShared {
  bus::Handoff<detail::WrittenRef> epochs;  ///< current(): the producer's thread
  std::atomic<std::uint32_t> stream_id{0};  ///< 0 while it is being asked for; stands alone
  /// A lease was lost, perhaps before the producer's thread ever saw its epoch; stands alone.
  std::atomic<bool> lost_one{false};
  AttachTally attach;
  Standing standing;
  OwnStreams own_streams;  ///< of single consumers
  ProducerTally tally;
  ToldSequence<> next_seq;  ///< that the next frame gets, for QoS; by the producer's thread
};

class TenantAgent final : public ControlListener {
 public:
  struct Options {
    core::attach::AttachMachine::Options lease = {};
    /// Asked for the number of the stream, once a second until there is one, and again after each
    /// loss of the lease: a driver that was started anew has to be told what the stream is for.
    /// Empty: the number is that of `lease`.
    AskNumber ask_number = {};
    /// The largest pool that was asked for. What has less is not mapped: a driver that was started
    /// anew may not have been told yet. 0: any.
    std::uint32_t stride_bytes_min = 0;
    MetadataSource::Options metadata = {};
    core::Timing timing = {};
    bool stamp_descriptors = false;
    bus::Channel descriptor_channel = {};
    std::int32_t descriptor_stream_id = 0;  ///< 0: by the number of the stream (core/naming)
    RegistryAgent::Options registry = {};   ///< the descriptor stream is filled in
    /// Asked after each attach, once a second until it is known: whether the driver answers hellos
    /// itself (1) or leaves that to its producers (0).
    AskNumber ask_responder = {};
    std::function<void(const ProducerEvent&)> on_event = {};
    CounterBudget* counters = nullptr;  ///< null: nothing is shown outside
  };

  /// The references outlive the agent. Precondition: AttachMachine::check(options.lease).
  TenantAgent(bus::Client& client, ControlBus& control, AttachGroup& leases,
              const os::RegionPolicy& policy, TenantShared& shared, Options options, Nanos now);

  int do_work(ControlBus& control, const base::Now& now);
  /// Replaces the metadata set. Returns the epoch, 0 without a lease, and the set's version in it.
  struct EpochVersion {
    std::uint64_t epoch = 0;
    std::uint32_t version = 0;
  };
  [[nodiscard]] Result<EpochVersion> set_metadata(std::vector<Attribute> attributes,
                                                  ControlBus& control, Nanos now);
  [[nodiscard]] MetadataSource& metadata() noexcept { return metadata_; }
  void on_hello(const layout::ConsumerHello& hello, const base::Now& now) override;
  void on_qos(const layout::QosConsumer& qos, const base::Now& now) override;
  using ControlListener::on_qos;
  void on_foreign_config(const layout::ConsumerConfig& config, const base::Now& now) override;
  void on_lease_revoked(const layout::ShmLeaseRevoked& notice, const base::Now& now) override;

  /// Begins to give the lease back, and leaves it to the caller to see to the end of that. Nothing
  /// is written any more; the agent is of no more use.
  [[nodiscard]] std::unique_ptr<AttachAgent> close(Nanos now);

 private:
  static constexpr Nanos kAskPeriod = std::chrono::seconds(1);

  void ask_number(Nanos now);
  void ask_responder(Nanos now);
  void show_outside(Nanos now);
  void no_number(const Error& why, Nanos now);
  void begin(std::uint32_t stream_id, Nanos now);
  int keep_up(ControlBus& control, const base::Now& now);
  [[nodiscard]] Nanos deadline() const noexcept;
  [[nodiscard]] Status map(const core::region::MappingPlan& plan);
  void unmap();
  void report(const core::attach::AttachReport& report, std::string_view text);
  void emit(const ProducerEvent& event) const;
  [[nodiscard]] bool tell_qos(ControlBus& control) const;
  [[nodiscard]] MetadataSource::Speaker speaker() const noexcept;

  bus::Client& client_;
  ControlBus& control_;
  AttachGroup& leases_;
  const os::RegionPolicy& policy_;
  TenantShared& shared_;
  Options options_;
  bool number_wanted_;
  Nanos ask_at_;
  std::unique_ptr<AttachAgent> lease_;               // once the number is known
  std::optional<bus::PublicationLink> descriptors_;  // once the stream is known for certain
  std::optional<detail::WrittenRef> candidate_;      // mapped, the lease not yet ours
  std::optional<detail::WrittenRef> present_;        // what the producer's thread is offered
  std::string ring_uri_;                             // of the one that was mapped last
  MetadataSource metadata_;
  core::producer::Announcer announcer_;
  core::registration::Periodic qos_;
  std::optional<RegistryAgent> registry_;  // as the descriptors
  bool responder_wanted_ = false;          // it is not known who answers hellos
  Nanos ask_responder_at_{};
  std::optional<ProducerReport> report_;
};

}  // namespace tensorpool::inline v0::agents
