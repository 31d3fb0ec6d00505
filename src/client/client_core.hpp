// What a Client consists of: the connection, the shared streams, and the control work of its
// producers and consumers.
//
// Threads. All control work, Aeron's conductor included, is done under `control_mutex`: by the
// background thread or by Client::do_work, and by create and destroy calls of the application. The
// data path never takes it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "admin/request.hpp"
#include "agents/control_bus.hpp"
#include "agents/counter_export.hpp"
#include "agents/mapping_agent.hpp"
#include "agents/owner_agent.hpp"
#include "agents/runner.hpp"
#include "agents/stream_directory.hpp"
#include "agents/tenant_agent.hpp"
#include "agents/wake_keeper.hpp"
#include "bus/rendezvous.hpp"
#include "client/driver_core.hpp"
#include "client/driver_desk.hpp"
#include "os/clock.hpp"
#include "os/process.hpp"
#include "os/region_policy.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::inline v0::detail {

class ClientCore;

/// The control work of a client as an agent, for the runners.
class ControlDuty {
 public:
  explicit ControlDuty(ClientCore& core) noexcept : core_(core) {}
  int do_work(Nanos now);
  [[nodiscard]] Nanos next_deadline() noexcept { return agents::kNoDeadline; }
  void on_close() noexcept {}
  [[nodiscard]] std::string_view role() const noexcept { return "control work of the client"; }

 private:
  ClientCore& core_;
};

/// Passes control responses to the application.
class ResponseListener final : public agents::ControlListener {
 public:
  explicit ResponseListener(const ClientOptions& options) noexcept : options_(options) {}
  void on_control_response(const layout::ControlResponse& response, const base::Now& now) override;

 private:
  const ClientOptions& options_;
};

class ClientCore {
 public:
  [[nodiscard]] static Result<std::shared_ptr<ClientCore>> create(ClientOptions options);
  ClientCore(const ClientCore&) = delete;
  ClientCore& operator=(const ClientCore&) = delete;
  ~ClientCore();

  /// Ends the control work; what is left of producers and consumers stays safe to call.
  void stop() noexcept;

  /// One duty cycle, under the mutex.
  int do_work(Nanos now);

  /// For Threading::kInvoked.
  int invoke();
  [[nodiscard]] bool is_invoked() const noexcept {
    return options_.threading == Threading::kInvoked;
  }
  [[nodiscard]] std::uint64_t late_calls() const noexcept;

  /// Makes an agent that do_work drives until it is removed.
  [[nodiscard]] std::unique_ptr<agents::OwnerAgent> add_owner(const os::OwnedStream& stream,
                                                              agents::OwnerAgent::Shared shared,
                                                              agents::OwnerAgent::Options options);
  [[nodiscard]] std::unique_ptr<agents::MappingAgent> add_consumer(
      agents::ConsumerShared& shared, agents::MappingAgent::Options options);
  [[nodiscard]] std::unique_ptr<agents::TenantAgent> add_tenant(
      agents::TenantShared& shared, agents::TenantAgent::Options options);
  [[nodiscard]] std::unique_ptr<agents::WakeKeeper> add_wake_keeper();
  [[nodiscard]] std::unique_ptr<agents::MetadataReceiver> add_metadata_reader(
      agents::MetadataReceiver::Options options);
  /// Does something with an agent that do_work drives: `f(ControlBus&, now)`.
  template <class F>
  auto with_control(F&& f) {
    const std::lock_guard lock(control_mutex_);
    return f(*control_, clock_.mono());
  }
  /// Stops driving the agent and destroys it; its last messages have been sent. A lease goes on
  /// until the driver has taken it back.
  void remove(std::unique_ptr<agents::OwnerAgent> agent);
  void remove(std::unique_ptr<agents::MappingAgent> agent);
  void remove(std::unique_ptr<agents::TenantAgent> agent);
  void remove(std::unique_ptr<agents::WakeKeeper> keeper);
  void remove(std::unique_ptr<agents::MetadataReceiver> agent);

  [[nodiscard]] const ClientOptions& options() const noexcept { return options_; }
  [[nodiscard]] bool has_driver() const noexcept {
    return options_.mode != DeploymentMode::kStandalone;
  }
  /// Asks the driver for the number of a stream.
  [[nodiscard]] agents::AskNumber ask_number(const admin::Request& request) const;
  /// Asks the driver whether it answers hellos itself.
  [[nodiscard]] agents::AskNumber ask_responder() const;
  /// What every lease of this client has in common.
  [[nodiscard]] core::attach::AttachMachine::Options lease_options(layout::Role role,
                                                                   Nanos announce_period) const;
  [[nodiscard]] const os::SystemClock& clock() const noexcept { return clock_; }
  [[nodiscard]] const os::RegionPolicy& policy() const noexcept { return policy_; }
  [[nodiscard]] const agents::StreamDirectory& directory() const noexcept { return directory_; }
  [[nodiscard]] const std::string& aeron_dir() const noexcept { return bus_.aeron_dir(); }
  [[nodiscard]] std::uint64_t counters_refused() const noexcept { return counters_.refused(); }
  [[nodiscard]] bool is_forked() const noexcept { return os::fork_generation() != generation_; }
  [[nodiscard]] ConnectionState connection() const noexcept {
    return connection_.load(std::memory_order_relaxed);
  }
  void log(LogLevel level, std::string_view line) const;

 private:
  ClientCore(ClientOptions options, os::RegionPolicy policy, std::unique_ptr<DriverCore> driver,
             bus::Client bus);
  [[nodiscard]] Status start();
  [[nodiscard]] Status join_media_driver(Nanos patience);
  void rejoin_media_driver(Nanos now);
  void watch_connection();
  void follow_announces(Nanos now);
  [[nodiscard]] agents::CounterBudget* counters() noexcept {
    return options_.show_counters ? &counters_ : nullptr;
  }
  template <class Give>
  void for_each_listener(Give&& give);
  void leave(std::unique_ptr<agents::AttachAgent> lease);

  ClientOptions options_;
  os::SystemClock clock_;
  os::RegionPolicy policy_;
  std::uint32_t generation_;
  std::unique_ptr<DriverCore> own_driver_;        // kEmbedded; outlives the connection to it
  std::optional<bus::MediaDriverHandle> driver_;  // outlives the connection to it
  bus::Client bus_;
  agents::CounterBudget counters_{options_.log};
  agents::StreamDirectory directory_;
  ResponseListener responses_{options_};
  std::unique_ptr<agents::ControlBus> control_;
  std::mutex control_mutex_;
  std::vector<agents::OwnerAgent*> owners_;
  std::vector<agents::MappingAgent*> consumers_;
  std::vector<agents::TenantAgent*> tenants_;
  std::vector<agents::WakeKeeper*> wake_keepers_;
  std::vector<agents::MetadataReceiver*> metadata_readers_;  // consumers have theirs inside
  std::optional<agents::AttachGroup> leases_;
  std::vector<std::unique_ptr<agents::AttachAgent>> leaving_;  // leases that are given back
  Nanos rejoin_at_{};
  std::optional<Inquiry> announces_asked_;  // while it is a guess where the driver announces
  Nanos ask_announces_at_{};
  std::atomic<ConnectionState> connection_{ConnectionState::kConnecting};
  ControlDuty duty_{*this};
  std::optional<agents::InvokedRunner<ControlDuty>> invoked_;
  std::unique_ptr<agents::ThreadRunner<ControlDuty>> background_;  // last: it uses everything above
};

}  // namespace tensorpool::inline v0::detail
