// An Aeron stream that belongs to one consumer: as it is asked for in ConsumerHello and assigned in
// ConsumerConfig. Spec: §1.5.6, §1.5.7, §1.15.
//
// Thread contract: a value type. Allocates: the channel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "layout/message.hpp"

namespace tensorpool::inline v0::core::registration {

struct OwnStream {
  std::string channel = {};     ///< "": absent
  std::uint32_t stream_id = 0;  ///< of Aeron; 0: absent

  /// As a message has it, where 2^32-1 stands for absence as well (W98, W99).
  [[nodiscard]] static OwnStream of(layout::Text channel, std::uint32_t stream_id) {
    return {.channel = std::string(channel),
            .stream_id = layout::assigned_stream_id(stream_id).value_or(0)};
  }

  [[nodiscard]] bool is_absent() const noexcept { return channel.empty() && stream_id == 0; }
  [[nodiscard]] bool is_complete() const noexcept { return !channel.empty() && stream_id != 0; }
  /// One without the other, which means nothing (W300, W301, W324).
  [[nodiscard]] bool is_half() const noexcept { return channel.empty() != (stream_id == 0); }

  friend bool operator==(const OwnStream&, const OwnStream&) = default;
};

/// The two streams that a consumer may have for itself.
enum class OwnKind : std::uint8_t { kDescriptor, kControl };

/// The place of a kind in an array of both.
[[nodiscard]] constexpr std::size_t at(OwnKind which) noexcept {
  return static_cast<std::size_t>(which);
}

/// Where consumers look for streams of their own when nobody tells them otherwise (§1.23): a
/// preference, which the responder may overrule (W303).
[[nodiscard]] constexpr std::uint32_t preferred_stream_id(OwnKind kind,
                                                          std::uint32_t consumer_id) noexcept {
  constexpr std::uint32_t kDescriptors = 31'000;
  constexpr std::uint32_t kControls = 32'000;
  return (kind == OwnKind::kDescriptor ? kDescriptors : kControls) + consumer_id % 1000;
}

}  // namespace tensorpool::inline v0::core::registration
