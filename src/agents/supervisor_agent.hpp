// A supervisor on the bus: hears control, announces, QoS and metadata, and publishes ConsumerConfig
// on the control stream; inside a driver, or alone (`tp supervise`). The machine that decides is
// core/supervisor/supervisor. Spec: 2-driver.md §2.18, §2.22 (D337).
//
// Subscribes untethered: it holds nobody up, and hears again within a second what it has missed.
//
// Thread contract: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "agents/counter_board.hpp"
#include "base/clock.hpp"
#include "bus/link.hpp"
#include "codec/codec.hpp"
#include "core/supervisor/supervisor.hpp"
#include "tensorpool/log.hpp"

namespace tensorpool::inline v0::agents {

class SupervisorAgent {
 public:
  using Supervisor = core::supervisor::Supervisor;

  struct Options {
    core::driver::SupervisorSettings settings = {};
    core::Timing timing = {};      ///< of announces
    std::string instance_id = {};  ///< of its counters
    LogSink log = {};              ///< told who comes, falls silent, loses; may be empty
  };

  /// Checks settings and channels. `client` outlives the agent.
  [[nodiscard]] static Result<std::unique_ptr<SupervisorAgent>> create(bus::Client& client,
                                                                       Options options, Nanos now);

  /// Takes what has arrived, at most kMessagesPerCycle of each stream, and answers. Does not keep
  /// the client. Returns the amount of work after which more may follow at once; what others say
  /// comes all the time and is not counted (docs/adr/0024).
  int do_work(const base::Now& now);

  /// All streams are there.
  [[nodiscard]] bool is_ready() const noexcept;
  [[nodiscard]] const Supervisor& machine() const noexcept { return machine_; }
  /// Messages of schema 900 that were dropped (D285, D302).
  [[nodiscard]] std::uint64_t malformed() const noexcept { return malformed_; }

 private:
  static constexpr std::size_t kMessagesPerCycle = 256;

  struct Place {
    bus::Channel channel;
    std::int32_t stream_id = 0;
  };
  SupervisorAgent(bus::Client& client, Options options, const std::vector<Place>& places,
                  Supervisor machine);
  int hear(bus::SubscriptionLink& from, const base::Now& now);
  void take(const codec::Message900& message, Nanos image_joined_at, bool own,
            const base::Now& now);
  void carry_out();
  void carry_out(const layout::ConsumerConfig& config);
  void carry_out(const core::supervisor::Report& report) const;
  void warn_at_start() const;

  Options options_;
  std::vector<std::unique_ptr<bus::SubscriptionLink>> in_;  // each stream once
  bus::PublicationLink out_;
  Supervisor machine_;
  CounterBoard counters_;
  codec::Scratch scratch_;
  std::vector<std::byte> buffer_;
  std::uint64_t malformed_ = 0;
};

}  // namespace tensorpool::inline v0::agents
