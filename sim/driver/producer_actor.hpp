// A producer under a driver: its lease, and frames while it holds it. It has two threads, as the
// client has: one for control work, one that publishes; they meet in the regions that the one
// offers to the other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/attach/producer_role.hpp"
#include "driver/client_actor.hpp"
#include "parts/publish_side.hpp"

namespace tensorpool::inline v0::sim::driver {

class ProducerActor final : public ClientActor, private AttachSide::User {
 public:
  ProducerActor(Environment& environment, std::uint32_t index);

  void start() override;
  void bury() override;
  void run() override;
  void run_between() override;
  void run_beside() override;
  [[nodiscard]] std::uint64_t dies_within() const override { return 80; }
  void stopped_inside() override {
    TP_MARK("a producer with a lease is stopped in the middle of an operation");
  }
  [[nodiscard]] Nanos interval() override {
    return around(random_, plan().producer.frame_interval);
  }

  void leave() override { lease_.leave(); }
  [[nodiscard]] const AttachSide& lease() const override { return lease_; }
  [[nodiscard]] std::string describe() const override;

  [[nodiscard]] bool active() const noexcept { return alive && role_.may_publish(); }
  /// That it publishes in, or would; 0 for none.
  [[nodiscard]] std::uint64_t epoch() const noexcept {
    return offered_ == nullptr ? 0 : offered_->epoch;
  }
  [[nodiscard]] std::uint64_t nslots() const { return frames_.nslots(); }

 private:
  /// Regions to write into.
  struct Writable {
    std::uint64_t epoch = 0;
    std::uint32_t stream_id = 0;
    std::uint32_t client_id = 0;
    std::shared_ptr<SimMapping> mapping;
  };

  Status map(const core::region::MappingPlan& plan, Nanos now) override;
  void unmap(UnmapReason reason, Nanos now) override;
  void report(const core::attach::AttachReport& report) override;
  void on_announce(const layout::ShmPoolAnnounce&, Nanos, const base::Now&) override {}
  void on_revoked(const layout::ShmLeaseRevoked&, Nanos) override {}

  void work_control();
  /// A call of the application. True when it may go on: regions are there, and the lease holds.
  [[nodiscard]] bool begin_call();
  void publish(bool burst);
  [[nodiscard]] const ClientPlan& plan() const { return world_->scenario.clients[index_]; }

  Environment* world_;
  std::uint32_t index_;
  base::Random random_;
  AttachSide lease_;
  core::attach::ProducerRole role_;
  PublishSide frames_;
  std::shared_ptr<Writable> offered_;
  std::shared_ptr<Writable> writing_;
  Nanos control_at_{};
  Nanos activity_at_{};
  bool publishing_ = false;
};

}  // namespace tensorpool::inline v0::sim::driver
