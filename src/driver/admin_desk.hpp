// What a driver answers on its admin socket.
//
// Thread contract: the driver's thread. Design §9 (admin plane), docs/adr/0020.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/server.hpp"
#include "agents/supervisor_agent.hpp"
#include "core/driver/driver_machine.hpp"
#include "driver/access.hpp"
#include "driver/audit.hpp"
#include "driver/epoch_keeper.hpp"
#include "driver/stream_book.hpp"
#include "driver/telemetry.hpp"
#include "tensorpool/log.hpp"

namespace tensorpool::inline v0::driver {

class AdminDesk final : public admin::Handler {
 public:
  struct Options {
    std::string socket;                    ///< where to listen
    std::string book;                      ///< file of the names
    std::string aeron_dir;                 ///< to be told to callers
    std::string toml = {};                 ///< the configuration in effect, to be told to callers
    const Telemetry* telemetry = nullptr;  ///< histograms, to be told to callers
    const agents::SupervisorAgent* supervisor = nullptr;  ///< what it knows, likewise
    Access access = {};  ///< who may attach to what; its group may open the socket
    LogSink log = {};
  };

  /// Has what the machine decided carried out: called after each input to it.
  using CarryOut = std::function<void(Nanos now)>;

  /// The references outlive the desk.
  [[nodiscard]] static Result<std::unique_ptr<AdminDesk>> open(
      Options options, const core::driver::Settings& settings, core::driver::DriverMachine& machine,
      EpochKeeper& keeper, AuditLog& audit, CarryOut carry_out);

  /// Takes requests, some times a second. `now` is the time of all that they cause.
  int do_work(Nanos now);
  /// A collection that a request waits for has ended.
  void on_collected(admin::Ticket ticket, const Result<core::driver::CollectOutcome>& outcome);

  [[nodiscard]] std::optional<std::string> answer(const admin::Request& request,
                                                  const os::PeerCredentials& peer,
                                                  admin::Ticket ticket) override;

 private:
  /// A collection of several streams that somebody waits for.
  struct Collection {
    std::size_t open = 0;              ///< streams that are still being looked at
    std::vector<std::string> streams;  ///< JSON of the others
  };

  AdminDesk(Options options, StreamBook book, const core::driver::Settings& settings,
            core::driver::DriverMachine& machine, EpochKeeper& keeper, AuditLog& audit,
            CarryOut carry_out);
  [[nodiscard]] std::string status() const;
  [[nodiscard]] std::string streams() const;
  [[nodiscard]] std::string leases() const;
  [[nodiscard]] std::string counters() const;
  [[nodiscard]] std::string revoke(const admin::Request& request);
  [[nodiscard]] std::string ensure(const admin::Request& request);
  [[nodiscard]] std::string resolve(const admin::Request& request) const;
  [[nodiscard]] Result<std::string> pass(const admin::Request& request,
                                         const os::PeerCredentials& peer);
  [[nodiscard]] std::optional<std::string> collect(const admin::Request& request,
                                                   admin::Ticket ticket);
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view name) const;
  [[nodiscard]] const core::driver::Profile& usual_profile() const;
  [[nodiscard]] core::driver::Profile shape_for(const admin::Request& request,
                                                std::uint32_t known) const;
  [[nodiscard]] Result<std::uint32_t> find_or_make(const admin::Request& request);

  Options options_;
  StreamBook book_;
  const core::driver::Settings& settings_;
  core::driver::DriverMachine& machine_;
  EpochKeeper& keeper_;
  AuditLog& audit_;
  CarryOut carry_out_;
  std::optional<admin::Server> server_;
  std::map<admin::Ticket, Collection> collections_;
  Nanos now_{};
  Nanos look_at_{};
};

}  // namespace tensorpool::inline v0::driver
