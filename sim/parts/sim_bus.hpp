// One stream of a simulated bus: a publication that one process at a time writes, and a
// subscription for each consumer. Messages are lost, doubled, overtaken and delayed; a subscriber
// that does not read blocks everybody for a while and is then cut off, as Aeron does it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "base/mark.hpp"
#include "base/random.hpp"
#include "parts/plans.hpp"

namespace tensorpool::inline v0::sim {

enum class Offer : std::uint8_t { kSent, kNotConnected, kBackPressured };

/// What was done to messages.
struct BusCounts {
  std::uint64_t offered = 0;
  std::uint64_t taken = 0;
  std::uint64_t lost = 0;
  std::uint64_t doubled = 0;
  std::uint64_t reordered = 0;
  std::uint64_t delayed = 0;
};

template <class Message>
class SimTopic {
 public:
  SimTopic(std::size_t subscribers, std::uint32_t window, const BusFaults& faults,
           base::Random random)
      : links_(subscribers), window_(window), faults_(faults), random_(random) {}

  Offer offer(const Message& message, Nanos now) {
    if (now < blocked_until_) {
      return Offer::kBackPressured;
    }
    bool connected = false;
    for (Link& link : links_) {
      cut_off_when_stuck(link, now);
      connected = connected || link.connected;
      if (link.connected && link.inbox.size() >= window_) {
        return Offer::kBackPressured;
      }
    }
    if (!connected) {
      return Offer::kNotConnected;
    }
    ++counts_.offered;
    for (Link& link : links_) {
      if (link.connected) {
        send(link, message, now);
      }
    }
    history_[history_end_++ % history_.size()] = message;
    return Offer::kSent;
  }

  /// Hands out up to `limit` messages that have arrived: `handler(message, image_joined_at)`.
  template <class Handler>
  int poll(std::uint32_t subscriber, Nanos now, int limit, Handler&& handler) {
    Link& link = links_[subscriber];
    int count = 0;
    while (count < limit && !link.inbox.empty() && link.inbox.front().at <= now) {
      const InFlight next = link.inbox.front();
      link.inbox.pop_front();
      ++counts_.taken;
      ++count;
      handler(next.message, next.image_joined_at);
    }
    return count;
  }

  [[nodiscard]] bool connected(std::uint32_t subscriber) const {
    return links_[subscriber].connected;
  }
  /// Subscribes, or subscribes anew: what was waiting is gone, and the last `replayed` messages are
  /// heard again, as when two subscriptions overlap.
  void subscribe(std::uint32_t subscriber, Nanos now, std::size_t replayed) {
    Link& link = links_[subscriber];
    link = {.connected = true, .joined_at = now, .fifo_at = now};
    const std::size_t known = std::min({replayed, history_end_, history_.size()});
    for (std::size_t k = history_end_ - known; k < history_end_; ++k) {
      put(link, {.at = now, .image_joined_at = now, .message = history_[k % history_.size()]});
    }
  }
  void unsubscribe(std::uint32_t subscriber) { links_[subscriber] = {}; }

  /// Another process publishes from now on: every subscriber gets a new image.
  void new_image(Nanos now) {
    for (Link& link : links_) {
      link.joined_at = now;
    }
  }
  /// Back pressure that no subscriber of ours causes.
  void block_until(Nanos until) { blocked_until_ = until; }
  /// From now on nothing is lost.
  void heal() {
    faults_ = {};
    blocked_until_ = {};
    window_ = std::numeric_limits<std::size_t>::max();
  }
  [[nodiscard]] const BusCounts& counts() const { return counts_; }

 private:
  static constexpr Nanos kLatency = std::chrono::microseconds(1);
  static constexpr Nanos kStuckMax = std::chrono::milliseconds(200);

  struct InFlight {
    Nanos at{};
    Nanos image_joined_at{};
    Message message{};
  };
  struct Link {
    bool connected = false;
    Nanos joined_at{};
    Nanos fifo_at{};     ///< messages that are not overtaken arrive no earlier
    Nanos full_since{};  ///< 0: not full
    std::deque<InFlight> inbox{};
  };

  void cut_off_when_stuck(Link& link, Nanos now) {
    if (link.inbox.size() < window_) {
      link.full_since = {};
    } else if (link.full_since == Nanos{}) {
      link.full_since = now;
    } else if (now - link.full_since > kStuckMax) {
      TP_MARK("a subscriber that does not read is cut off");
      link = {};
    }
  }

  [[nodiscard]] bool happens(std::uint32_t ppm) { return random_.chance(ppm, 1'000'000); }
  [[nodiscard]] Nanos delay() {
    return Nanos(static_cast<std::int64_t>(
        random_.below(static_cast<std::uint64_t>(faults_.delay_max.count()) + 1)));
  }

  void send(Link& link, const Message& message, Nanos now) {
    if (happens(faults_.lost_ppm)) {
      ++counts_.lost;
      return;
    }
    InFlight flight{.at = now + kLatency, .image_joined_at = link.joined_at, .message = message};
    if (happens(faults_.reordered_ppm)) {  // later messages overtake this one
      ++counts_.reordered;
      flight.at = std::max(flight.at, link.fifo_at) + delay();
      put(link, flight);
      return;
    }
    if (happens(faults_.delayed_ppm)) {  // everything behind it waits too
      ++counts_.delayed;
      flight.at += delay();
    }
    flight.at = link.fifo_at = std::max(flight.at, link.fifo_at);
    put(link, flight);
    if (happens(faults_.doubled_ppm)) {
      ++counts_.doubled;
      put(link, flight);
    }
  }

  static void put(Link& link, const InFlight& flight) {
    auto& inbox = link.inbox;
    auto place = inbox.end();
    while (place != inbox.begin() && std::prev(place)->at > flight.at) {
      --place;
    }
    inbox.insert(place, flight);
  }

  std::vector<Link> links_;
  std::size_t window_;
  BusFaults faults_;
  base::Random random_;
  Nanos blocked_until_{};
  BusCounts counts_;
  std::array<Message, 16> history_{};
  std::size_t history_end_ = 0;
};

}  // namespace tensorpool::inline v0::sim
