// The driver's process: the machine that ships, fed and obeyed as driver/DriverAgent does it, over
// the simulated bus and disk. A new life finds what a real one would: directories.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "core/driver/driver_machine.hpp"
#include "core/driver/send_queue.hpp"
#include "driver/environment.hpp"
#include "driver/epoch_works.hpp"
#include "parts/actor.hpp"

namespace tensorpool::inline v0::sim::driver {

class DriverActor final : public Actor {
 public:
  explicit DriverActor(Environment& environment);

  void start() override;
  void bury() override;
  /// A duty cycle, and a piece of a job.
  void run() override;
  void run_between() override { run(); }
  /// The jobs' thread in the middle of a duty cycle, or the other way round.
  void run_beside() override;
  [[nodiscard]] std::uint64_t dies_within() const override { return 100; }
  void stopped_inside() override { TP_MARK("the driver is stopped in the middle of an operation"); }
  [[nodiscard]] Nanos interval() override { return around(random_, mean_interval()); }

  // What people do.
  void stop();
  void shut_down_by_message();
  void revoke_some_lease();
  void revoke_producer(std::uint32_t stream_id);
  void reshape_some_stream();
  void collect_all();

  [[nodiscard]] const core::driver::DriverMachine& machine() const { return *machine_; }
  /// Stopped, and has said so.
  [[nodiscard]] bool has_ended() const;

  PlantedBug bug = PlantedBug::kNone;

 private:
  using Machine = core::driver::DriverMachine;
  using Queue = core::driver::SendQueue<ControlMessage>;
  using EpochId = std::pair<std::uint32_t, std::uint64_t>;
  struct Verified {
    std::uint32_t stream_id = 0;
    std::uint64_t epoch = 0;
    Status files;
  };

  void work_duty();
  void work_jobs();
  void hear_requests(Nanos now);
  void handle(const ControlMessage& message, Nanos now);
  void take_results(Nanos now);
  void take(Provisioned result, Nanos now);
  void take(const core::driver::CollectOutcome& outcome, Nanos now);
  void take(const SpaceWanted& wanted, Nanos now);

  void carry_out_all(Nanos now);
  void carry_out(core::driver::AttachAnswer action, Nanos now);
  void carry_out(const core::driver::DetachAnswer& action, Nanos now);
  void carry_out(const core::driver::LeaseNotice& action, Nanos now);
  void carry_out(const core::driver::Announce& action, Nanos now);
  void carry_out(const core::driver::ShutdownNotice& action, Nanos now);
  void carry_out(const core::driver::Provision& action, Nanos now);
  void carry_out(const core::driver::CancelProvisioning& action, Nanos now);
  void carry_out(const core::driver::VerifyEpoch& action, Nanos now);
  void carry_out(const core::driver::RefreshActivity& action, Nanos now);
  void carry_out(const core::driver::RetireEpoch& action, Nanos now);
  void carry_out(const core::driver::Collect& action, Nanos now);
  void carry_out(const core::driver::CollectAtStart& action, Nanos now);
  void carry_out(const core::driver::ForgetStream&, Nanos) {}  // no directory is held here
  void carry_out(const core::driver::RemoveOwnEpochs& action, Nanos now);

  [[nodiscard]] Status check_files(const EpochId& id);
  [[nodiscard]] layout::ShmAttachResponse grant_of_nobody(const layout::ShmAttachRequest& request);
  void send(ControlMessage message, Nanos now);
  void flush(Nanos now);
  [[nodiscard]] core::driver::Offer offer(SimTopic<ControlMessage>& topic,
                                          const ControlMessage& message);
  void ended(const ControlMessage& message, core::driver::Ending ending);
  [[nodiscard]] Queue& announce_queue() {
    return world_->scenario.announces_apart ? *announces_ : *answers_;
  }
  [[nodiscard]] bool holds_notice(std::uint32_t stream_id) const;
  [[nodiscard]] Nanos mean_interval() const;
  [[nodiscard]] bool dead() const noexcept { return process.dead; }
  void note(const char* what, std::uint64_t a = 0, std::uint64_t b = 0) {
    world_->verdict.note(world_->clock.mono(), "driver", life, what, a, b);
  }

  Environment* world_;
  base::Random random_;
  EpochWorks works_;
  std::optional<Machine> machine_;
  std::optional<Queue> answers_;
  std::optional<Queue> announces_;
  std::map<EpochId, std::shared_ptr<SimMapping>> epochs_;
  std::deque<Verified> replies_;
  bool notice_sent_ = false;
  bool in_duty_ = false;
  bool in_jobs_ = false;
};

}  // namespace tensorpool::inline v0::sim::driver
