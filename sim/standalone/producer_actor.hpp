// A producer that owns its regions: makes an epoch, announces it, publishes frames.
#pragma once

#include <memory>
#include <optional>

#include "core/producer/announcer.hpp"
#include "parts/actor.hpp"
#include "parts/publish_side.hpp"
#include "standalone/environment.hpp"

namespace tensorpool::inline v0::sim::standalone {

class ProducerActor final : public Actor {
 public:
  explicit ProducerActor(Environment& environment);

  void start() override;
  void bury() override;
  void run() override;
  void run_between() override;
  [[nodiscard]] Nanos interval() override;
  /// Among others in the middle of a frame.
  [[nodiscard]] std::uint64_t dies_within() const override { return 80; }
  void stopped_inside() override { TP_MARK("a producer is stopped in the middle of an operation"); }
  /// Only a higher epoch helps (W238).
  [[nodiscard]] bool wants_to_die() const override { return scribbled_; }

  /// A message that no owner of these regions would send, from somebody else's mouth.
  void talk_nonsense();
  /// Somebody else writes another process id into the superblock of the ring.
  void scribble_pid();
  [[nodiscard]] std::uint64_t nslots() const { return frames_.nslots(); }

  /// A planted bug: only the first process announces its regions.
  bool mutes_after_restart = false;

 private:
  void open_epoch();
  [[nodiscard]] Announce nonsensical_announce();
  [[nodiscard]] Descriptor nonsensical_descriptor();
  void say_signs_of_life();
  [[nodiscard]] bool dead() const noexcept { return process.dead; }
  void note(const char* what, std::uint64_t a = 0, std::uint64_t b = 0);

  Environment* world_;
  base::Random random_;
  std::shared_ptr<SimMapping> mapping_;
  std::shared_ptr<const AnnouncedRegions> regions_;
  std::shared_ptr<const AnnouncedRegions> former_regions_;
  PublishSide frames_;
  std::optional<core::producer::Announcer> announcer_;
  std::uint64_t epoch_ = 0;
  bool scribbled_ = false;
};

}  // namespace tensorpool::inline v0::sim::standalone
