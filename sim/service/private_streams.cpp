#include "service/private_streams.hpp"

#include <algorithm>

namespace tensorpool::inline v0::sim::service {

PrivateStreams::Handle PrivateStreams::add(const Place& place, Nanos now, bool listens) {
  ends_.emplace(++last_, End{.place = place,
                             .listens = listens,
                             .fails = !listens && random_.chance(faults_.failing_permille, 1000),
                             .settled_at = now + up_to(random_, faults_.slow_max)});
  return last_;
}

void PrivateStreams::send(Handle publication, const Traffic& traffic, Nanos now) {
  constexpr Nanos kLatency = std::chrono::microseconds(1);
  ++counts_.offered;
  for (auto& [handle, end] : ends_) {
    if (!end.listens || end.place != place(publication) || state(handle, now) != State::kUp) {
      continue;
    }
    if (random_.chance(faults_.bus.lost_ppm, 1'000'000)) {
      ++counts_.lost;
      continue;
    }
    Nanos at = now + kLatency;
    if (random_.chance(faults_.bus.delayed_ppm, 1'000'000)) {
      ++counts_.delayed;
      at += up_to(random_, faults_.bus.delay_max);
    }
    if (!end.inbox.empty()) {
      at = std::max(at, end.inbox.back().first);
    }
    end.inbox.emplace_back(at, traffic);
    if (random_.chance(faults_.bus.doubled_ppm, 1'000'000)) {
      ++counts_.doubled;
      end.inbox.emplace_back(at, traffic);
    }
  }
}

}  // namespace tensorpool::inline v0::sim::service
