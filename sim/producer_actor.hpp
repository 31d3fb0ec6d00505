// A producer that owns its regions: makes an epoch, announces it, publishes frames.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "actor.hpp"
#include "core/producer/announcer.hpp"
#include "core/producer/frame_writer.hpp"
#include "environment.hpp"
#include "frame_content.hpp"

namespace tensorpool::inline v0::sim {

class ProducerActor final : public Actor {
 public:
  explicit ProducerActor(Environment& environment);

  void start() override;
  void bury() override;
  void run() override;
  void run_between() override;
  [[nodiscard]] Nanos interval() override;

  /// A message that no owner of these regions would send, from somebody else's mouth.
  void talk_nonsense();
  /// Somebody else writes another process id into the superblock of the ring.
  void scribble_pid();
  [[nodiscard]] bool scribbled() const noexcept { return scribbled_; }
  [[nodiscard]] std::uint64_t nslots() const {
    return mapping_ == nullptr ? 1 : mapping_->memory().nslots;
  }

  /// A planted bug: only the first process announces its regions.
  bool mutes_after_restart = false;

 private:
  using Writer = core::producer::FrameWriter<SimAtom, SimCopier>;

  void open_epoch();
  [[nodiscard]] Announce nonsensical_announce();
  [[nodiscard]] Descriptor nonsensical_descriptor();
  void say_signs_of_life();
  void publish_frames(std::uint64_t count);
  void publish();
  void take_claim();
  void settle_oldest_claim();
  void try_invalid_things();
  void abort_all_claims();
  /// `seq` is committed, unless the process died on the way.
  void committed(std::uint64_t seq);
  void send_descriptor();
  [[nodiscard]] FrameContent content_of(std::uint64_t seq) const;
  [[nodiscard]] bool dead() const noexcept { return process.dead; }
  void note(const char* what, std::uint64_t a = 0, std::uint64_t b = 0);

  Environment* world_;
  base::Random random_;
  std::shared_ptr<SimMapping> mapping_;
  std::shared_ptr<const AnnouncedRegions> regions_;
  std::shared_ptr<const AnnouncedRegions> former_regions_;
  Truth::Epoch* truth_ = nullptr;
  std::optional<Writer> writer_;
  std::optional<core::producer::Announcer> announcer_;
  std::deque<core::producer::OpenClaim> claims_;
  std::uint64_t epoch_ = 0;
  bool scribbled_ = false;
  std::array<std::uint64_t, FrameContent::kWordsMax> words_{};
};

}  // namespace tensorpool::inline v0::sim
