// A consumer under a driver: its lease, what it has mapped under it, and the frames that it reads.
// Two threads, as in the world without a driver.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "driver/client_actor.hpp"
#include "parts/announce_checker.hpp"
#include "parts/data_side.hpp"
#include "parts/mapping_side.hpp"

namespace tensorpool::inline v0::sim::driver {

class ConsumerActor final : public ClientActor,
                            private AttachSide::User,
                            private MappingSide::Observer {
 public:
  ConsumerActor(Environment& environment, std::uint32_t index);

  void start() override;
  void bury() override;
  void run() override;
  void run_between() override { run(); }
  /// In the middle of a poll: control work, where that has a thread of its own.
  void run_beside() override;
  [[nodiscard]] std::uint64_t dies_within() const override { return 4; }
  void stopped_inside() override {
    TP_MARK("a consumer with a lease is stopped in the middle of an operation");
  }
  [[nodiscard]] Nanos interval() override;

  void leave() override { lease_.leave(); }
  void reconfigure() override;
  [[nodiscard]] const AttachSide& lease() const override { return lease_; }
  [[nodiscard]] std::string describe() const override;

  [[nodiscard]] std::uint32_t stream_id() const noexcept { return client().stream_id; }
  [[nodiscard]] bool mapped_to(std::uint64_t epoch) const noexcept;
  [[nodiscard]] DataSide& data() noexcept { return data_; }
  [[nodiscard]] const DataSide& data() const noexcept { return data_; }

 private:
  Status map(const core::region::MappingPlan& plan, Nanos now) override;
  void unmap(UnmapReason reason, Nanos now) override;
  void report(const core::attach::AttachReport&) override {}
  void on_announce(const layout::ShmPoolAnnounce& announce, Nanos joined_at,
                   const base::Now& now) override;
  void on_revoked(const layout::ShmLeaseRevoked& notice, Nanos now) override;
  void gives_lease_back() override;

  void work_control();
  void poll();
  void fail(const char* what) { world_->verdict.fail(Failure::kSafety, what); }
  [[nodiscard]] const ClientPlan& client() const { return world_->scenario.clients[index_]; }
  [[nodiscard]] const ConsumerPlan& plan() const { return client().consumer; }

  Environment* world_;
  std::uint32_t index_;
  base::Random random_;
  AttachSide lease_;
  MappingSide mapping_;
  DataSide data_;
  std::optional<AnnounceChecker> announces_checked_;
  std::uint64_t lowest_epoch_ = 0;  ///< announced and handled, or granted
  bool polling_ = false;
  std::shared_ptr<SimEpoch> kept_;  ///< of a planted bug
};

}  // namespace tensorpool::inline v0::sim::driver
