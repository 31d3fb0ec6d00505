// The producer of the simulated stream: its consumers, its metadata, its frames and what it tells
// of those that it is filling. Frames have no bytes here; the other worlds have those.
#pragma once

#include <deque>
#include <optional>

#include "core/metadata/producer_set.hpp"
#include "core/producer/announcer.hpp"
#include "core/progress/progress_sender.hpp"
#include "parts/actor.hpp"
#include "service/registry_side.hpp"

namespace tensorpool::inline v0::sim::service {

class ProducerActor final : public Actor {
 public:
  explicit ProducerActor(Environment& environment);

  void start() override;
  void bury() override;
  void run() override;
  void run_between() override { run(); }
  [[nodiscard]] Nanos interval() override;

  /// The application sets other attributes.
  void change_set();
  void send_blob();

  [[nodiscard]] const RegistrySide& registry() const noexcept { return registry_; }
  [[nodiscard]] std::size_t blobs_pending() const noexcept { return blobs_->pending(); }

 private:
  static constexpr std::uint32_t kProgressRateMax = 200;

  void hear();
  void say_metadata();
  void make_frames();
  void begin_frame();
  void fill();
  void commit();
  void follow_wishes();
  void tell(const core::progress::ProgressSender::Answer& report);
  [[nodiscard]] const ProducerPlan& plan() const { return world_->scenario.producer; }
  [[nodiscard]] Nanos now() const { return world_->clock.mono(); }

  Environment* world_;
  base::Random random_;
  RegistrySide registry_;
  std::optional<core::metadata::ProducerSet> set_;
  std::optional<core::metadata::BlobSender> blobs_;
  std::optional<core::producer::Announcer> announcer_;
  std::optional<core::progress::ProgressSender> progress_;
  std::uint64_t wishes_of_ = 0;  ///< generation of the registry
  std::uint64_t next_seq_ = 0;
  std::optional<std::uint64_t> filling_;  ///< an open claim
  Nanos next_frame_at_{};
  std::deque<Nanos> told_at_;  ///< the checker's: of PROGRESS, in the last second
};

}  // namespace tensorpool::inline v0::sim::service
