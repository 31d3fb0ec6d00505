// A client's lease: the attach machine, driven as agents/AttachAgent drives it, and the ear of the
// process on what the driver says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/attach/attach_machine.hpp"
#include "driver/environment.hpp"
#include "parts/announce_checker.hpp"

namespace tensorpool::inline v0::sim::driver {

class AttachSide {
 public:
  using Machine = core::attach::AttachMachine;

  /// Who uses the regions of the lease.
  class User {
   public:
    User() = default;
    User(const User&) = delete;
    User& operator=(const User&) = delete;
    virtual Status map(const core::region::MappingPlan& plan, Nanos now) = 0;
    virtual void unmap(UnmapReason reason, Nanos now) = 0;
    virtual void report(const core::attach::AttachReport& report) = 0;
    virtual void on_announce(const layout::ShmPoolAnnounce& announce, Nanos joined_at,
                             const base::Now& now) = 0;
    virtual void on_revoked(const layout::ShmLeaseRevoked& notice, Nanos now) = 0;

   protected:
    ~User() = default;
  };

  /// The references outlive the side.
  AttachSide(Environment& environment, std::uint32_t index, User& user);

  /// A new process, which wants a lease.
  void start();
  void bury();
  /// One duty cycle.
  void run(const base::Now& now);
  /// The application gives its lease back; some time later it wants another.
  void leave();
  /// It will not get along with these regions (D316).
  void give_up() { gives_up_ = true; }

  [[nodiscard]] const Machine& machine() const noexcept { return *machine_; }
  /// Mapped, and still before its deadline (D142).
  [[nodiscard]] bool holds_lease(Nanos now) const noexcept {
    return machine_->state() == AttachState::kAttached && now < machine_->lease_deadline();
  }

 private:
  [[nodiscard]] const ClientPlan& plan() const { return world_->scenario.clients[index_]; }
  void hear(SimTopic<ControlMessage>& topic, const base::Now& now);
  void handle(const ControlMessage& message, Nanos joined_at, const base::Now& now);
  void carry_out_all(Nanos now);
  void carry_out(const core::attach::MapRegions& action, Nanos now);
  void carry_out(const core::attach::UnmapRegions& action, Nanos now);
  void carry_out(const core::attach::AttachReport& report, Nanos now);
  template <class Message>
  void carry_out(const Message& message, Nanos now);
  void note(const char* what, std::uint64_t a = 0, std::uint64_t b = 0) {
    world_->verdict.note(world_->clock.mono(), "client", index_, what, a, b);
  }

  Environment* world_;
  std::uint32_t index_;
  User* user_;
  base::Random random_;
  std::optional<core::attach::CorrelationIds> ids_;
  std::optional<Machine> machine_;
  bool gives_up_ = false;
  Nanos wants_again_at_ = Nanos::max();
};

}  // namespace tensorpool::inline v0::sim::driver
