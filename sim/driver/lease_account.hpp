// Leases and epochs, kept a second time and from outside: what the driver says and does is judged
// by the rules of chapter 2, read once more; and so is what clients do under their leases. Lives
// longer than any driver.
//
// Invariants that it checks
//  1. Epochs of a stream rise, over all lives of the driver; none is handed out twice, none that
//     this life has not provisioned (D178, D182, D183).
//  2. What is announced or granted is complete on the disk (D186).
//  3. A stream has one producer lease, a client one lease; no lease id is given twice (D131, D175).
//  4. No two leases have the same node id, and a released one rests (D97, D101).
//  5. A lease ends once, and one that expires was silent for its duration (D139, D150).
//  6. After the end of a producer's lease only higher epochs are announced, and the notice is out
//     first (D151, D152).
//  7. A collection removes nothing that is current, referenced, of rank, or too young (D225).
//  8. Nobody commits a frame but the holder of the producer's lease, and nobody for long after its
//     end: until its own deadline, or until it notices the driver's silence (D142, D275, D314).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/driver/actions.hpp"
#include "driver/disk.hpp"
#include "driver/scenario.hpp"
#include "parts/surroundings.hpp"

namespace tensorpool::inline v0::sim::driver {

class LeaseAccount {
 public:
  /// The references outlive the account.
  LeaseAccount(Surroundings& surroundings, const Scenario& scenario, const Disk& disk)
      : world_(&surroundings), scenario_(&scenario), disk_(&disk) {}

  // -- The driver; `now` is when its duty cycle began
  // -----------------------------------------------

  void driver_starts();
  /// It is dead, or has ended: all its leases are void.
  void driver_ends();
  void provisioned(const core::region::MappingPlan& plan);
  void heard(const layout::ShmLeaseKeepalive& keepalive, Nanos now);
  void on(const core::driver::AttachAnswer& answer, Nanos now);
  void on(const core::driver::LeaseNotice& notice, Nanos now);
  void on(const core::driver::Announce& announce, Nanos now);
  /// The expiry check was made.
  void expiry_checked(Nanos now);
  /// A message has left the send queue, published or not.
  void sent(const layout::ShmLeaseRevoked& notice);
  void sent(const layout::ShmPoolAnnounce& announce);
  /// A collection is about to remove an epoch. `waives_age`: for want of space.
  void removes(std::uint32_t stream_id, std::uint64_t epoch, bool waives_age);
  void refreshes(std::uint32_t stream_id, std::uint64_t epoch);
  /// It is not the present one any more, for whatever reason.
  void retires(std::uint32_t stream_id, std::uint64_t epoch);

  // -- Clients
  // -------------------------------------------------------------------------------------

  /// A call of the application begins that may commit frames.
  void publishes(std::uint32_t stream_id, std::uint64_t epoch, std::uint32_t client_id);

  // -- For the end of a run
  // ------------------------------------------------------------------------

  [[nodiscard]] std::uint64_t leases() const noexcept { return leases_issued_; }
  /// The client that holds the producer's lease; 0 for none.
  [[nodiscard]] std::uint32_t producer_of(std::uint32_t stream_id) const;
  /// What is in the stream's directory without a reason to be there.
  [[nodiscard]] std::vector<std::uint64_t> garbage(std::uint32_t stream_id) const;

 private:
  struct Held {
    std::uint32_t stream_id = 0;
    std::uint32_t client_id = 0;
    layout::Role role = layout::Role::kConsumer;
    std::optional<std::uint32_t> node_id{};
    std::uint64_t epoch = 0;
    Nanos expiry{};
  };
  struct Released {
    std::uint32_t client_id = 0;
    Nanos at{};
  };
  /// The lease of an epoch's producer.
  struct Production {
    std::uint32_t client_id = 0;
    std::optional<Nanos> ended{};
  };
  struct Book {
    std::uint64_t newest = 0;  ///< ever provisioned
    std::map<std::uint64_t, core::region::MappingPlan> of_this_life{};
    std::uint64_t announced = 0;  ///< newest in this life
    std::uint64_t over = 0;       ///< up to this one nothing may be announced
    std::vector<std::pair<std::uint64_t, Nanos>> first_announced{};
    std::map<std::uint64_t, Production> producers{};           ///< by epoch
    std::map<std::uint64_t, std::uint64_t> notices_waiting{};  ///< epoch that has ended, by lease
  };

  void issue(std::uint64_t lease_id, const layout::ShmAttachResponse& response,
             const layout::ShmAttachRequest& request, Nanos now);
  void demand_complete(std::uint32_t stream_id, std::uint64_t epoch, layout::Text ring_uri);
  void end_production(const Held& held);
  [[nodiscard]] bool refers(const Held& held, std::uint64_t epoch) const;
  [[nodiscard]] const char* reason_to_stay(std::uint32_t stream_id, std::uint64_t epoch,
                                           bool waives_age) const;
  [[nodiscard]] Nanos now() const { return world_->clock.mono(); }
  void fail(const std::string& what, std::uint32_t stream_id, std::uint64_t epoch = 0);

  Surroundings* world_;
  const Scenario* scenario_;
  const Disk* disk_;
  std::map<std::uint64_t, Held> leases_;
  std::set<std::uint64_t> issued_;  ///< in this life
  std::map<std::uint32_t, Released> released_;
  std::map<std::uint32_t, Book> books_;
  std::uint64_t leases_issued_ = 0;
};

}  // namespace tensorpool::inline v0::sim::driver
