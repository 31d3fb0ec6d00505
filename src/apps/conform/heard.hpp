// Messages as they were heard, and how judges look through them. Pure.
//
// Thread contract: plain values and free functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "apps/conform/finding.hpp"
#include "codec/codec.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps::conform {

/// The Aeron streams of a run (§1.23).
enum class Wire : std::uint8_t {
  kControl,
  kAnnounce,
  kDescriptor,
  kQos,
  kMetadata,
  kOwnDescriptor,  ///< of one consumer alone
};
inline constexpr std::size_t kWires = 6;

struct Heard {
  Nanos at{};  ///< now_mono
  Wire on = Wire::kControl;
  std::vector<std::byte> bytes;
};
using HeardList = std::vector<Heard>;

/// From `from` on and before `until`.
struct Window {
  Nanos from = Nanos::min();
  Nanos until = Nanos::max();
  [[nodiscard]] bool holds(Nanos at) const noexcept { return at >= from && at < until; }
};

/// Calls `see(const M&, const Heard&)` for each message of kind M in `window`, in order; its texts
/// are valid as long as `heard`, its groups inside `see` only.
template <class M, class See>
void each(std::span<const Heard> heard, See&& see, Window window = {}) {
  codec::Scratch scratch;
  for (const Heard& one : heard) {
    if (!window.holds(one.at)) {
      continue;
    }
    if (const auto message = codec::decode<M>(one.bytes, scratch)) {
      see(*message, one);
    }
  }
}

/// When messages of kind M came that `is_wanted(const M&)` takes.
template <class M, class IsWanted>
[[nodiscard]] std::vector<Nanos> times_of(std::span<const Heard> heard, IsWanted&& is_wanted,
                                          Window window = {}) {
  std::vector<Nanos> times;
  each<M>(
      heard,
      [&](const M& message, const Heard& one) {
        if (is_wanted(message)) {
          times.push_back(one.at);
        }
      },
      window);
  return times;
}

/// The greatest distance of two neighbours.
[[nodiscard]] Nanos longest_gap(std::span<const Nanos> times) noexcept;

/// Something that is sent every `period`: it came at least twice, never more than two periods
/// apart, and still within the last two before `end`. `what` names it.
[[nodiscard]] Finding judge_period(std::span<const Nanos> times, Nanos period, Nanos end,
                                   const std::string& what);

/// Every message of the listed schemas: header as listed, and whole (W72, D1). Of templates that
/// are in `templates`, or all where that is empty.
[[nodiscard]] Finding judge_framing(std::span<const Heard> heard, std::uint16_t schema_id,
                                    std::span<const std::uint16_t> templates);

}  // namespace tensorpool::inline v0::apps::conform
