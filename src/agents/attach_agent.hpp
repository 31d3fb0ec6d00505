// One lease from a driver, as a part of a client's control work: core/attach decides, this sends,
// and has regions mapped and given up by whoever uses them.
//
// Thread contract: the control thread. Spec: §2.7 to §2.10, §2.20.
#pragma once

#include <functional>
#include <string_view>

#include "agents/control_bus.hpp"
#include "core/attach/attach_machine.hpp"

namespace tensorpool::inline v0::agents {

/// The counter of this process (D86). Thread contract: any thread.
[[nodiscard]] core::attach::CorrelationIds& correlation_ids();

class AttachAgent final : public ControlListener {
 public:
  /// What the lease is for. All of them are called on the control thread.
  struct User {
    /// Map all of the plan or nothing.
    std::function<Status(const core::region::MappingPlan& plan)> map;
    std::function<void(UnmapReason reason)> unmap;
    /// `text`: what the driver said about it, valid during the call.
    std::function<void(const core::attach::AttachReport& report, std::string_view text)> report;
  };

  /// Precondition: AttachMachine::check(options).
  AttachAgent(const core::attach::AttachMachine::Options& options, User user);

  void want_attach(Nanos now);
  /// Gives the lease back; `machine().state()` tells when that is done.
  void close(Nanos now);
  /// Sends and maps what is due. Returns the amount of work done.
  int do_work(ControlBus& control, Nanos now);

  [[nodiscard]] const core::attach::AttachMachine& machine() const noexcept { return machine_; }

  [[nodiscard]] bool attaches() const override { return true; }
  [[nodiscard]] bool expects(std::int64_t correlation_id) const override {
    return machine_.expects(correlation_id);
  }
  void on_attach_response(const layout::ShmAttachResponse& response, const base::Now& now) override;
  void on_bad_attach_response(std::int64_t correlation_id, std::optional<std::int32_t> code,
                              const Error& error, const base::Now& now) override;
  void on_detach_response(const layout::ShmDetachResponse& response, const base::Now& now) override;
  void on_lease_revoked(const layout::ShmLeaseRevoked& notice, const base::Now& now) override;
  void on_driver_shutdown(const layout::ShmDriverShutdown& notice, const base::Now& now) override;
  void on_bad_driver_message() override { machine_.on_malformed_event(); }
  void on_announce(const layout::ShmPoolAnnounce& announce, Nanos joined_at,
                   const base::Now& now) override;

 private:
  int carry_out(Nanos now);
  void carry_out(const core::attach::MapRegions& action, Nanos now);
  void carry_out(const core::attach::UnmapRegions& action, Nanos now);
  void carry_out(const core::attach::AttachReport& action, Nanos now);
  template <class Message>
  void carry_out(const Message& message, Nanos now);

  core::attach::AttachMachine machine_;
  User user_;
  ControlBus* control_ = nullptr;  ///< known from the first do_work on
};

}  // namespace tensorpool::inline v0::agents
