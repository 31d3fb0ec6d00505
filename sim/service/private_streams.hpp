// Aeron streams that belong to one consumer: publications and subscriptions come up after a while,
// publications now and then not at all; whoever listens to a stream hears everybody who sends on
// it. A subscription that is refused leaves its consumer where it is (W326), which is not
// simulated.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/random.hpp"
#include "core/registration/own_stream.hpp"
#include "parts/plans.hpp"
#include "parts/sim_bus.hpp"
#include "service/messages.hpp"

namespace tensorpool::inline v0::sim::service {

class PrivateStreams {
 public:
  using Place = core::registration::OwnStream;
  using Traffic = std::variant<Notice, layout::FrameProgress>;
  using Handle = std::uint32_t;  ///< 0: none
  enum class State : std::uint8_t { kComing, kUp, kFailed };

  struct Faults {
    BusFaults bus = {};
    Nanos slow_max{};                    ///< until a stream is up
    std::uint32_t failing_permille = 0;  ///< of publications
  };

  PrivateStreams(const Faults& faults, base::Random random) : faults_(faults), random_(random) {}

  [[nodiscard]] Handle publish(const Place& place, Nanos now) { return add(place, now, false); }
  [[nodiscard]] Handle subscribe(const Place& place, Nanos now) { return add(place, now, true); }
  void close(Handle handle) { ends_.erase(handle); }

  [[nodiscard]] State state(Handle handle, Nanos now) const {
    const End& end = ends_.at(handle);
    return now < end.settled_at ? State::kComing : end.fails ? State::kFailed : State::kUp;
  }
  [[nodiscard]] const Place& place(Handle handle) const { return ends_.at(handle).place; }

  /// Precondition: the publication is up.
  void send(Handle publication, const Traffic& traffic, Nanos now);
  /// Hands out everything that has arrived.
  template <class Handler>
  void take(Handle subscription, Nanos now, Handler&& handler) {
    auto& inbox = ends_.at(subscription).inbox;
    while (!inbox.empty() && inbox.front().first <= now) {
      const Traffic traffic = std::move(inbox.front().second);
      inbox.pop_front();
      ++counts_.taken;
      handler(traffic);
    }
  }

  void heal() { faults_ = {.slow_max = faults_.slow_max}; }
  [[nodiscard]] const BusCounts& counts() const noexcept { return counts_; }

 private:
  struct End {
    Place place;
    bool listens = false;
    bool fails = false;
    Nanos settled_at{};
    std::deque<std::pair<Nanos, Traffic>> inbox{};
  };

  [[nodiscard]] Handle add(const Place& place, Nanos now, bool listens);

  Faults faults_;
  base::Random random_;
  std::map<Handle, End> ends_;
  Handle last_ = 0;
  BusCounts counts_;
};

}  // namespace tensorpool::inline v0::sim::service
