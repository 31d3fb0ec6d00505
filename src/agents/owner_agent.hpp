// The control work of one standalone producer: announces, name, activity, QoS, its consumers, its
// descriptor publication. Spec: §1.10.3, §1.15.2, §1.19, §1.21. The machine that decides when is
// core/producer/announcer.
//
// Thread contract: the control thread, except `descriptors().current()` and the two counters, which
// are the producer's.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agents/control_bus.hpp"
#include "agents/epoch_cleaner.hpp"
#include "agents/metadata_source.hpp"
#include "agents/producer_report.hpp"
#include "agents/producer_tally.hpp"
#include "agents/registry_agent.hpp"
#include "agents/told_sequence.hpp"
#include "core/producer/announcer.hpp"
#include "core/registration/qos.hpp"
#include "os/create_region.hpp"
#include "tensorpool/producer.hpp"

namespace tensorpool::inline v0::agents {

class OwnerAgent final : public ControlListener {
 public:
  struct Options {
    std::uint32_t producer_id = 0;
    core::Timing timing = {};
    bus::Channel descriptor_channel = {};
    std::int32_t descriptor_stream_id = 0;
    RegistryAgent::Options registry = {};  ///< the descriptor stream is filled in
    EpochCleaner cleaner;
    CounterBudget* counters = nullptr;  ///< null: nothing is shown outside
    // Last: g++ 12 warns where the making of a later member can throw.
    MetadataSource::Options metadata = {};
  };

  /// What the producer's thread shares with the agent.
  struct Shared {
    OwnStreams& own_streams;
    const ToldSequence<>& next_seq;
    const ProducerTally& tally;
  };

  /// The references outlive the agent.
  OwnerAgent(const os::OwnedStream& stream, bus::Client& client, ControlBus& control, Shared shared,
             Options options, Nanos now);

  /// Keeps the descriptor publication up, sends and refreshes what is due.
  int do_work(ControlBus& control, const base::Now& now);
  /// Replaces the metadata set. Returns its version.
  [[nodiscard]] Result<std::uint32_t> set_metadata(std::vector<Attribute> attributes,
                                                   ControlBus& control, Nanos now);
  [[nodiscard]] MetadataSource& metadata() noexcept { return metadata_; }
  void on_hello(const layout::ConsumerHello& hello, const base::Now& now) override;
  void on_qos(const layout::QosConsumer& qos, const base::Now& now) override;
  using ControlListener::on_qos;
  void on_foreign_config(const layout::ConsumerConfig& config, const base::Now& now) override;

  [[nodiscard]] bus::PublicationLink& descriptors() noexcept { return descriptors_; }
  [[nodiscard]] std::uint64_t announces_sent() const noexcept {
    return announces_sent_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t announces_failed() const noexcept {
    return announces_failed_.load(std::memory_order_relaxed);
  }

 private:
  [[nodiscard]] bool announce(ControlBus& control, const base::Now& now);
  [[nodiscard]] bool tell_qos(ControlBus& control);
  void show_outside(Nanos now);
  [[nodiscard]] MetadataSource::Speaker speaker() const noexcept;

  const os::OwnedStream& stream_;
  Options options_;
  Shared shared_;
  MetadataSource metadata_;
  core::producer::Announcer announcer_;
  core::registration::Periodic qos_;
  std::vector<layout::PayloadPool> pools_;
  bus::PublicationLink descriptors_;
  RegistryAgent registry_;
  std::atomic<std::uint64_t> announces_sent_{0};  // read by the producer's thread, for its counters
  std::atomic<std::uint64_t> announces_failed_{0};
  std::optional<ProducerReport> report_;
};

}  // namespace tensorpool::inline v0::agents
