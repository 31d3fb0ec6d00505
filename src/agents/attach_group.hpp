// All leases of one client. Each message of the driver, and each instant at which something is due,
// finds the lease that it concerns, so that a thousand leases cost a client what their own messages
// cost, and not what everybody's do.
//
// Thread contract: the control thread. Spec: §2.7 (D86, D92), §2.10 (D140 to D146), §2.20.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "agents/attach_agent.hpp"
#include "agents/control_bus.hpp"
#include "agents/request_sender.hpp"

namespace tensorpool::inline v0::agents {

class AttachGroup final : public ControlListener {
 public:
  /// Called when a driver has answered REJECTED, and the agent will try again under the same client
  /// id: the stream may be one that takes a pass (docs/adr/0022). On the control thread; does not
  /// wait.
  using OnRejected = std::function<void(const core::attach::AttachMachine& machine)>;

  /// `driver` outlives the group.
  explicit AttachGroup(RequestSender& driver, OnRejected on_rejected = {})
      : driver_(driver), on_rejected_(std::move(on_rejected)) {}

  /// Does what is due. Returns how many leases it did something for that waits for an answer:
  /// keepalives are not counted, as nobody answers them (docs/adr/0024).
  int do_work(Nanos now);
  /// When that will be something, if nothing is heard before; kNoDeadline for never.
  [[nodiscard]] Nanos next_deadline() const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return agents_.size(); }

  void on_attach_response(const layout::ShmAttachResponse& response, const base::Now& now) override;
  void on_bad_attach_response(std::int64_t correlation_id, std::optional<std::int32_t> code,
                              const Error& error, const base::Now& now) override;
  void on_detach_response(const layout::ShmDetachResponse& response, const base::Now& now) override;
  void on_lease_revoked(const layout::ShmLeaseRevoked& notice, const base::Now& now) override;
  void on_driver_shutdown(const layout::ShmDriverShutdown& notice, const base::Now& now) override;
  void on_bad_driver_message() override;
  void on_announce(const layout::ShmPoolAnnounce& announce, Nanos joined_at,
                   const base::Now& now) override;

 private:
  friend class AttachAgent;

  void join(AttachAgent& agent);
  void leave(AttachAgent& agent) noexcept;
  /// The agent's machine has been told something: it may have to be found under other numbers.
  void place(AttachAgent& agent);
  void place_timer(AttachAgent& agent, Nanos wakes_at);
  void place_requests(AttachAgent& agent, std::int64_t sent_now);
  /// Whoever waits for the response, else anybody, who counts it as unexpected; null without
  /// agents.
  [[nodiscard]] AttachAgent* receiver_of(std::int64_t correlation_id) const noexcept;
  void watch_connection(Nanos now);

  RequestSender& driver_;
  OnRejected on_rejected_;
  bool connected_ = false;
  std::uint64_t connection_ = 0;  // its number
  std::vector<AttachAgent*> agents_;
  // Ordered maps, because others on the bus choose these numbers and could make them collide in
  // hash tables.
  std::map<std::int64_t, AttachAgent*> by_request_;
  std::map<std::uint64_t, AttachAgent*> by_lease_;
  std::set<std::pair<std::uint32_t, AttachAgent*>> by_stream_;
  /// One for each agent that waits for an instant, which may be earlier than the agent's deadline:
  /// one that has moved further away is noticed when the timer goes off.
  std::set<std::pair<Nanos, AttachAgent*>> timers_;
  std::vector<AttachAgent*> due_;  ///< of the present cycle
};

}  // namespace tensorpool::inline v0::agents
