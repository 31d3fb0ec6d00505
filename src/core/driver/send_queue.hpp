// Messages that could not be sent yet: kept in order, tried again in later duty cycles, given up
// when they are too old.
//
// One queue per publication. The driver keeps the orders that the spec demands between messages of
// one publication simply by handing them over in that order. Between two publications there is one
// rule, D152: the announce of a stream must not overtake the ShmLeaseRevoked of its producer. The
// announce queue's `offer` asks `holds` of the control queue and answers kLater; what waits for a
// notice longer than its lifetime is given up with it.
//
//   offer(const Tag&, std::span<const std::byte>) -> Offer   tries to publish
//   ended(const Tag&, Ending)                                hears of every message exactly once
//
// Pure: the queue offers to whatever it is given. Allocates: only what has to wait, at most
// `capacity` messages. Thread contract: one thread at a time. Spec: §2.3 (D21..D24), D152, D266.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::driver {

/// What a publication says to an offer.
enum class Offer : std::uint8_t {
  kPublished,
  kLater,   ///< back pressure, or an administrative action: try again (D21)
  kNobody,  ///< not connected (D23)
  kFailed,  ///< closed, or no position left: no later attempt can succeed
};

/// What became of a message.
enum class Ending : std::uint8_t {
  kPublished,
  kUnheard,  ///< nobody is subscribed
  kGivenUp,  ///< too old, no room, or the publication has failed
};

struct SendQueueOptions {
  Nanos lifetime = std::chrono::milliseconds(1000);
  std::size_t capacity = 1024;
};

/// `Tag`: what the owner wants to know of a message when it has ended.
template <class Tag>
class SendQueue {
 public:
  explicit SendQueue(const SendQueueOptions& options = {}) : options_(options) {}

  /// Offers a message if nothing waits before it; keeps a copy if it has to wait.
  template <class OfferFn, class EndedFn>
  void send(Tag tag, std::span<const std::byte> bytes, Nanos now, OfferFn&& offer,
            EndedFn&& ended) {
    const Offer answer = waiting_.empty() ? offer(std::as_const(tag), bytes) : Offer::kLater;
    if (answer != Offer::kLater) {
      ended(std::as_const(tag), ending_of(answer));
    } else if (waiting_.size() < options_.capacity) {
      waiting_.push_back({std::move(tag), {bytes.begin(), bytes.end()}, now});
    } else {
      ended(std::as_const(tag), Ending::kGivenUp);
    }
  }

  /// Once per duty cycle: gives up what is too old, then offers in order until one has to wait.
  template <class OfferFn, class EndedFn>
  void flush(Nanos now, OfferFn&& offer, EndedFn&& ended) {
    while (!waiting_.empty()) {
      Waiting& first = waiting_.front();
      const bool too_old = now - first.since > options_.lifetime;
      const Offer answer =
          too_old ? Offer::kFailed
                  : offer(std::as_const(first.tag), std::span<const std::byte>(first.bytes));
      if (answer == Offer::kLater) {
        return;
      }
      const Tag tag = std::move(first.tag);
      waiting_.pop_front();
      ended(tag, ending_of(answer));
    }
  }

  /// Whether a message waits whose tag fulfils `predicate` (D152).
  template <class Predicate>
  [[nodiscard]] bool holds(Predicate&& predicate) const {
    return std::any_of(waiting_.begin(), waiting_.end(),
                       [&](const Waiting& message) { return predicate(message.tag); });
  }

  [[nodiscard]] std::size_t size() const noexcept { return waiting_.size(); }
  [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }

 private:
  struct Waiting {
    Tag tag;
    std::vector<std::byte> bytes;
    Nanos since{};
  };

  [[nodiscard]] static constexpr Ending ending_of(Offer answer) noexcept {
    switch (answer) {
      case Offer::kPublished:
        return Ending::kPublished;
      case Offer::kNobody:
        return Ending::kUnheard;
      default:
        return Ending::kGivenUp;
    }
  }

  SendQueueOptions options_;
  std::deque<Waiting> waiting_;
};

}  // namespace tensorpool::inline v0::core::driver
