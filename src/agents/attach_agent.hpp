// One lease from a driver, as a part of a client's control work: core/attach decides, this sends,
// and has regions mapped and given up by whoever uses them. What comes from the driver, and the
// time, come through the group of all leases of the client.
//
// Thread contract: the control thread. Spec: §2.7 to §2.10, §2.20.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "agents/attach_tally.hpp"
#include "agents/duty_cycle.hpp"
#include "core/attach/attach_machine.hpp"

namespace tensorpool::inline v0::agents {

class AttachGroup;

/// The counter of this process (D86). Thread contract: any thread.
[[nodiscard]] core::attach::CorrelationIds& correlation_ids();

class AttachAgent {
 public:
  /// What the lease is for. All of them are called on the control thread. None of them calls an
  /// agent of the group, or ends one.
  struct User {
    /// Map all of the plan or nothing.
    std::function<Status(const core::region::MappingPlan& plan, Nanos now)> map;
    std::function<void(UnmapReason reason, Nanos now)> unmap;
    /// `text`: what the driver said about it, valid during the call.
    std::function<void(const core::attach::AttachReport& report, std::string_view text)> report;
    AttachTally* tally = nullptr;  ///< kept up to date; may be null, else outlives the agent
  };

  /// Precondition: AttachMachine::check(options). `group` outlives the agent.
  AttachAgent(AttachGroup& group, const core::attach::AttachMachine::Options& options, User user);
  AttachAgent(const AttachAgent&) = delete;
  AttachAgent& operator=(const AttachAgent&) = delete;
  ~AttachAgent();

  void want_attach(Nanos now);
  /// Gives the lease back; `machine().state()` tells when that is done.
  void close(Nanos now);
  /// The user of the lease cannot go on with it (D316).
  void give_up(Nanos now);
  /// Nobody is called any more. Precondition: nothing is mapped.
  void forget_user();

  [[nodiscard]] const core::attach::AttachMachine& machine() const noexcept { return machine_; }

 private:
  friend class AttachGroup;

  /// What the group has it under.
  struct Place {
    std::uint64_t lease_id = 0;
    std::uint32_t stream_id = 0;
    Nanos wakes_at = kNoDeadline;
    std::vector<std::int64_t> correlation_ids;
  };

  /// Tells the machine something, and carries out what it decides.
  template <class Input>
  void tell(Nanos now, Input&& input) {
    input(machine_);
    carry_out_all(now);
  }
  void carry_out_all(Nanos now);
  void carry_out(const core::attach::MapRegions& action, Nanos now);
  void carry_out(const core::attach::UnmapRegions& action, Nanos now);
  void carry_out(const core::attach::AttachReport& action, Nanos now);
  template <class Message>
  void carry_out(const Message& message, Nanos now);

  AttachGroup& group_;
  core::attach::AttachMachine machine_;
  User user_;
  Place place_;
};

}  // namespace tensorpool::inline v0::agents
