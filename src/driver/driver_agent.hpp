// The driver as a duty cycle: gives its machine what the control endpoint, the jobs and people
// bring, and carries out what the machine decides.
//
//   request -> DriverBus -> DriverMachine -> actions -> DriverBus (answers, announces)
//                                                    -> EpochKeeper (epochs) -> DriverMachine
//
// The clock, the thread and the connection to the media driver belong to Driver (driver.hpp).
// Thread contract: one thread at a time. Spec: §2.3 to §2.17, §2.22.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "agents/counter_board.hpp"
#include "agents/supervisor_agent.hpp"
#include "bus/client.hpp"
#include "core/driver/driver_machine.hpp"
#include "driver/access.hpp"
#include "driver/admin_desk.hpp"
#include "driver/audit.hpp"
#include "driver/consumer_streams.hpp"
#include "driver/driver_bus.hpp"
#include "driver/epoch_keeper.hpp"
#include "driver/telemetry.hpp"
#include "tensorpool/log.hpp"

namespace tensorpool::inline v0::driver {

class DriverAgent final : private DriverBus::Observer {
 public:
  struct Options {
    core::driver::Settings settings;
    EpochKeeper::Jobs jobs = EpochKeeper::Jobs::kOwnThread;
    std::uint64_t first_lease_id = 1;  ///< random (D130)
    Access access = {};                ///< what the settings say of users and groups
    /// Where people and tools may ask; none: nowhere.
    std::optional<AdminDesk::Options> admin = {};
    LogSink log = {};  ///< may be empty
  };

  /// `calls`, `client` and `clock` outlive the agent.
  [[nodiscard]] static Result<std::unique_ptr<DriverAgent>> create(os::Syscalls& calls,
                                                                   bus::Client& client,
                                                                   const base::Clock& clock,
                                                                   Options options);
  ~DriverAgent() override = default;

  /// Returns the amount of work after which more may follow at once. Keepalives and announces are
  /// not counted: they come all the time, and may be taken in batches (docs/adr/0024).
  int do_work(Nanos now);
  [[nodiscard]] Nanos next_deadline() noexcept { return machine_->next_deadline(); }
  void on_close() noexcept {}
  [[nodiscard]] std::string_view role() const noexcept { return "driver"; }

  /// The control endpoint is there: clients find it.
  [[nodiscard]] bool is_ready() noexcept {
    return bus_->is_up() && (supervisor_ == nullptr || supervisor_->is_ready());
  }
  /// Goes to Draining; the second time to Stopped.
  void stop(Nanos now);
  /// Stopped, and the notice is out, or was given up (D266).
  [[nodiscard]] bool has_ended() const noexcept;

  [[nodiscard]] Status revoke(std::uint64_t lease_id, std::string_view text, Nanos now);
  [[nodiscard]] core::driver::Snapshot snapshot() const { return machine_->snapshot(); }
  [[nodiscard]] const core::driver::Counters& counters() const noexcept {
    return machine_->counters();
  }
  [[nodiscard]] const core::driver::Settings& settings() const noexcept { return settings_; }

 private:
  /// Results of actions, which may only be given to the machine when all of them are carried out.
  struct Verified {
    std::uint32_t stream_id = 0;
    std::uint64_t epoch = 0;
    Status files;
  };

  DriverAgent(bus::Client& client, const base::Clock& clock, Telemetry telemetry, Options options);

  [[nodiscard]] Status begin_supervisor();
  void handle(const Request& request, Nanos now);
  int take_results(Nanos now);
  void take(Provisioned result, Nanos now);
  void take(const Collected& result, Nanos now);
  void take(const SpaceWanted& wanted, Nanos now);
  void take(const Removed& result, Nanos now);
  void take(const Released&, Nanos) {}  // the keeper's own

  void carry_out_all(Nanos now);
  void carry_out(const core::driver::AttachAnswer& action, Nanos now);
  void carry_out(const core::driver::DetachAnswer& action, Nanos now);
  void carry_out(const core::driver::LeaseNotice& action, Nanos now);
  void carry_out(const core::driver::Announce& action, Nanos now);
  void carry_out(const core::driver::ShutdownNotice& action, Nanos now);
  void carry_out(const core::driver::VerifyEpoch& action, Nanos now);
  void carry_out(const core::driver::RefreshActivity& action, Nanos now);
  template <class KeeperAction>
  void carry_out(const KeeperAction& action, Nanos now);

  void on_ended(const Outgoing& message, core::driver::Ending ending) override;
  /// The time, where somebody measures.
  [[nodiscard]] Nanos tick() const noexcept {
    return telemetry_.enabled() ? clock_.mono() : Nanos{};
  }
  void measure(const Outgoing& published);
  int export_telemetry(Nanos now);
  void warn_at_start() const;
  void warn_of(const core::driver::CollectOutcome& outcome);
  void log(LogLevel level, std::string_view line) const;

  core::driver::Settings settings_;
  LogSink log_;
  AuditLog audit_;
  bus::Client& client_;
  const base::Clock& clock_;
  Telemetry telemetry_;
  std::unique_ptr<EpochKeeper> keeper_;
  std::unique_ptr<core::driver::DriverMachine> machine_;
  std::unique_ptr<DriverBus> bus_;
  std::unique_ptr<AdminDesk> desk_;                      ///< null: nobody may ask
  std::optional<ConsumerStreams> consumer_streams_;      ///< none: somebody else answers hellos
  std::unique_ptr<agents::SupervisorAgent> supervisor_;  ///< null: none is configured
  agents::CounterBoard counter_board_;
  std::deque<Verified> answers_;
  WarnedOf warned_of_;
  int pressing_ = 0;          ///< requests of this cycle that somebody waits for
  bool notice_sent_ = false;  ///< the ShmDriverShutdown has ended
};

}  // namespace tensorpool::inline v0::driver
