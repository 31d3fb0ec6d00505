#include "standalone/consumer_actor.hpp"

#include <algorithm>

namespace tensorpool::inline v0::sim::standalone {

ConsumerActor::ConsumerActor(Environment& environment, std::uint32_t index)
    : world_(&environment),
      index_(index),
      random_(random_for(environment.scenario.seed, 300 + index)),
      control_(environment, index),
      data_(environment, environment.descriptors, plan(),
            {.index = index, .stream_id = kStreamId, .seed = environment.scenario.seed}) {}

void ConsumerActor::start() {
  process = {};
  alive = true;
  ++life;
  control_.start(world_->healed || !random_.chance(plan().without_shm_permille, 1000));
  data_.start();
}

void ConsumerActor::bury() {
  alive = false;
  data_.bury();
  control_.bury();
}

void ConsumerActor::run() {
  const bool both = !plan().control_thread || world_->healed;
  const std::uint64_t which = both ? 0 : random_.below(3);
  if (which != 1) {
    control_.run();
  }
  if (which != 2) {
    polling_ = true;
    data_.poll(control_.offered(), control_.state(), {});
    polling_ = false;
  }
}

void ConsumerActor::run_beside() {
  if (polling_ && plan().control_thread) {
    polling_ = false;
    TP_MARK("control work in the middle of a poll");
    control_.run();
    polling_ = true;
  }
}

Nanos ConsumerActor::interval() {
  Nanos mean = plan().poll_interval;
  if (world_->healed) {
    mean = std::min(mean, Nanos(std::chrono::milliseconds(2)));
  }
  return around(random_, mean);
}

void ConsumerActor::reconfigure() {
  const char* const any = random_.chance(1, 2) ? "bridge://elsewhere" : "";
  control_.configure(world_->healed || random_.chance(1, 2),
                     world_->healed ? "bridge://healed" : any);  // the same again changes nothing
}

bool ConsumerActor::mapped_to(std::uint64_t epoch) const noexcept {
  return alive && control_.offered() != nullptr && control_.offered()->epoch == epoch &&
         data_.receiver().epoch() == epoch;
}

std::string ConsumerActor::describe() const {
  constexpr const char* kModes[] = {"descriptor", "recovering", "direct"};
  std::string text = kModes[static_cast<std::size_t>(plan().mode)];
  if (alive) {
    const SimReceiver& receiver = data_.receiver();
    text += ", " + std::string(to_string(control_.state())) + ", last frame " +
            std::to_string(receiver.last_seq()) + (receiver.draining() ? ", draining" : "") +
            (receiver.filling_gap() ? ", filling a gap" : "");
  }
  return text;
}

}  // namespace tensorpool::inline v0::sim::standalone
