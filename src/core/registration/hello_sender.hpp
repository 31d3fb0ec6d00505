// What a consumer says of itself, and when. Spec: §1.15.1 (W282..W291).
//
// Pure: the caller asks `is_due(now)`, sends `hello()`, and says that it did. A failed send stays
// due (W211).
//
// Thread contract: one thread at a time. Allocates: the channels, in set_wish.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/random.hpp"
#include "core/registration/own_stream.hpp"
#include "layout/messages_900.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::registration {

/// A consumer id that nobody has assigned (W284).
[[nodiscard]] constexpr std::uint32_t random_consumer_id(base::Random& random) noexcept {
  return static_cast<std::uint32_t>(random.between(1, 0x7FFF'FFFF));
}

/// How a consumer wants to be served.
struct ConsumerWish {
  bool supports_shm = true;
  bool supports_progress = false;
  layout::Mode mode = layout::Mode::kStream;
  std::uint32_t max_rate_hz = 0;
  std::optional<std::uint32_t> progress_interval_us = {};
  std::optional<std::uint32_t> progress_bytes_delta = {};
  std::optional<std::uint32_t> progress_major_delta_units = {};
  OwnStream descriptors = {};  ///< asked for; absent: the shared stream will do
  OwnStream control = {};      ///< likewise

  friend bool operator==(const ConsumerWish&, const ConsumerWish&) = default;
};

/// Refuses what no consumer says (W287, W288, W291).
[[nodiscard]] inline Status check_wish(const ConsumerWish& wish) noexcept {
  constexpr std::uint32_t kRateMax = 65535;
  if (wish.max_rate_hz > kRateMax) {
    return fail(Errc::kInvalidArgument, "max_rate_hz", wish.max_rate_hz, kRateMax);
  }
  for (const OwnStream* const own : {&wish.descriptors, &wish.control}) {
    if (own->is_half()) {
      return fail(Errc::kInvalidArgument, "own stream: channel and stream id go together",
                  own->stream_id);
    }
    if (own->stream_id > 0x7FFF'FFFF) {
      return fail(Errc::kInvalidArgument, "own stream id", own->stream_id, 0x7FFF'FFFF);
    }
  }
  return {};
}

class HelloSender {
 public:
  /// Precondition: check_wish(wish).
  HelloSender(std::uint32_t stream_id, Nanos interval, ConsumerWish wish, Nanos now)
      : stream_id_(stream_id), interval_(interval), wish_(std::move(wish)), due_at_(now) {}

  /// Another wish is said at once (W283). Precondition: check_wish(wish).
  void set_wish(ConsumerWish wish) {
    if (!(wish == wish_)) {
      wish_ = std::move(wish);
      due_at_ = Nanos::min();
    }
  }
  /// 0: there is none yet, and nothing is said.
  void set_consumer_id(std::uint32_t consumer_id) noexcept {
    if (consumer_id != consumer_id_) {
      consumer_id_ = consumer_id;
      due_at_ = Nanos::min();
    }
  }

  [[nodiscard]] bool is_due(Nanos now) const noexcept {
    return consumer_id_ != 0 && now >= due_at_;
  }
  void sent(Nanos now) noexcept { due_at_ = now + interval_; }  // W282

  /// Borrows the channels of the wish.
  [[nodiscard]] layout::ConsumerHello hello() const noexcept {
    layout::ConsumerHello hello;
    hello.stream_id = stream_id_;
    hello.consumer_id = consumer_id_;
    hello.supports_shm = wish_.supports_shm;
    hello.supports_progress = wish_.supports_progress;
    hello.mode = wish_.mode;
    hello.max_rate_hz = wish_.max_rate_hz;
    hello.expected_layout_version = layout::kLayoutVersion;
    if (wish_.supports_progress) {  // W290
      hello.progress_interval_us = wish_.progress_interval_us;
      hello.progress_bytes_delta = wish_.progress_bytes_delta;
      hello.progress_major_delta_units = wish_.progress_major_delta_units;
    }
    hello.descriptor_stream_id = wish_.descriptors.stream_id;  // W289: as long as it is wished
    hello.descriptor_channel = wish_.descriptors.channel;
    hello.control_stream_id = wish_.control.stream_id;
    hello.control_channel = wish_.control.channel;
    return hello;
  }

  [[nodiscard]] const ConsumerWish& wish() const noexcept { return wish_; }
  [[nodiscard]] std::uint32_t consumer_id() const noexcept { return consumer_id_; }
  [[nodiscard]] Nanos next_deadline() const noexcept {
    return consumer_id_ == 0 ? Nanos::max() : due_at_;
  }

 private:
  std::uint32_t stream_id_;
  std::uint32_t consumer_id_ = 0;
  Nanos interval_;
  ConsumerWish wish_;
  Nanos due_at_;
};

}  // namespace tensorpool::inline v0::core::registration
