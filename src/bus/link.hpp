// A publication or subscription that comes back after the media driver was lost.
//
// For agents and the client, which write
//
//   PublicationLink descriptors(client, {.channel = channel, .stream_id = 1100});
//   descriptors.do_work(now);                                    // control thread, after the
//   client if (auto* out = descriptors.current()) { ... out->try_claim_and_copy(...) }   // data
//   thread
//
// Thread contract: current() belongs to one data thread, everything else to the control thread.
// Precondition of destruction: the data thread calls no more, and the client still lives.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "bus/client.hpp"
#include "bus/handoff.hpp"

namespace tensorpool::inline v0::bus {

template <class T>
class Link {
  static_assert(std::is_same_v<T, ExclusivePublication> || std::is_same_v<T, Subscription>);

 public:
  struct Options {
    Channel channel;
    std::int32_t stream_id;
    Nanos retry_pause = std::chrono::seconds(1);  ///< After the media driver refused.
  };

  /// `client` outlives the link, at the same address.
  Link(Client& client, Options options) : client_(client), options_(std::move(options)) {}

  /// Adds when the client has come up (again), takes the answer, destroys what was replaced.
  int do_work(Nanos now) {
    handoff_.collect();
    if (made_under_ != client_.generation() || !client_.is_up()) {
      drop();
      made_under_ = client_.generation();
      wanted_ = true;
    }
    if (pending_) {
      return take_answer(now);
    }
    if (arrived_ && (is_joined(*arrived_) || now >= use_at_)) {
      adopt(std::move(arrived_));
      return 1;
    }
    renew_when_exhausted();
    if (!wanted_ || !client_.is_up() || now < retry_at_) {
      return 0;
    }
    Result<Pending<T>> begun = begin();
    if (begun) {
      pending_.emplace(std::move(*begun));
      wanted_ = false;
    } else {
      refused(begun.error(), now);
    }
    return 1;
  }

  /// Makes a new one at the next do_work and swaps it in; the present one serves until then.
  void renew() noexcept {
    pending_.reset();
    arrived_.reset();
    wanted_ = true;
    retry_at_ = Nanos{};
  }

  /// Goes over to another stream: the present object serves until one of that stream is there, a
  /// subscription until it has joined a publication, or waited for one for `retry_pause`. When the
  /// media driver refuses it stays; last_error() tells. A move that is under way is given up.
  void move_to(const Channel& channel, std::int32_t stream_id) {
    if (!left_) {
      left_.emplace(options_);
    }
    options_.channel = channel;
    options_.stream_id = stream_id;
    last_error_.reset();
    renew();
  }
  /// Gives up a move that is under way.
  void stay() {
    if (left_) {
      options_ = std::move(*left_);
      left_.reset();
      pending_.reset();
      arrived_.reset();
      wanted_ = !is_up();
    }
  }
  [[nodiscard]] bool is_moving() const noexcept { return left_.has_value(); }

  /// The one that is or will be current(); null while there is none.
  [[nodiscard]] T* newest() const noexcept { return handoff_.newest(); }
  [[nodiscard]] bool is_up() const noexcept { return handoff_.newest() != nullptr; }
  /// Counts the objects that were made.
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
  /// Why the last attempt failed; empty after a success.
  [[nodiscard]] const std::optional<Error>& last_error() const noexcept { return last_error_; }
  [[nodiscard]] const Channel& channel() const noexcept { return options_.channel; }
  [[nodiscard]] std::int32_t stream_id() const noexcept { return options_.stream_id; }

  /// Data thread. What to use until the next call; null while there is none.
  [[nodiscard]] T* current() noexcept { return handoff_.current(); }

 private:
  [[nodiscard]] Result<Pending<T>> begin() {
    if constexpr (std::is_same_v<T, Subscription>) {
      return client_.begin_add_subscription(options_.channel, options_.stream_id);
    } else {
      return client_.begin_add_publication(options_.channel, options_.stream_id);
    }
  }

  int take_answer(Nanos now) {
    Result<std::unique_ptr<T>> answer = pending_->poll();
    if (answer && *answer == nullptr) {
      return 0;
    }
    pending_.reset();
    if (!answer) {
      refused(answer.error(), now);
    } else if (left_ && is_up()) {
      arrived_ = std::move(*answer);
      use_at_ = now + options_.retry_pause;
    } else {
      adopt(std::move(*answer));
    }
    return 1;
  }

  void adopt(std::unique_ptr<T> object) {
    handoff_.offer(std::move(object));
    ++generation_;
    last_error_.reset();
    left_.reset();
  }

  [[nodiscard]] static bool is_joined(const T& object) noexcept {
    if constexpr (std::is_same_v<T, Subscription>) {
      return object.image_count() != 0;
    }
    return true;
  }

  void renew_when_exhausted() noexcept {
    if constexpr (std::is_same_v<T, ExclusivePublication>) {
      if (newest() != nullptr && newest()->is_exhausted()) {
        wanted_ = true;
      }
    }
  }

  void refused(const Error& why, Nanos now) {
    last_error_ = why;
    wanted_ = true;
    stay();
    retry_at_ = now + options_.retry_pause;
  }

  /// The connection is gone: let the data thread give back what belongs to it.
  void drop() {
    pending_.reset();
    arrived_.reset();
    if (newest() != nullptr) {
      handoff_.offer(nullptr);
    }
    retry_at_ = Nanos{};
  }

  Client& client_;
  Options options_;
  std::optional<Options> left_;  // during a move: what it began from
  std::unique_ptr<T> arrived_;   // likewise: what it leads to, not in use yet
  Nanos use_at_{};
  std::optional<Pending<T>> pending_;
  Handoff<T> handoff_;
  bool wanted_ = true;
  std::uint64_t made_under_ = 0;
  std::uint64_t generation_ = 0;
  Nanos retry_at_{};
  std::optional<Error> last_error_;
};

using PublicationLink = Link<ExclusivePublication>;
using SubscriptionLink = Link<Subscription>;

}  // namespace tensorpool::inline v0::bus
