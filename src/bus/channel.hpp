// Aeron channel strings: parsed, checked and put together without Aeron.
//
// For everybody who takes a channel from a person, a file or a peer. A channel is
//
//   channel = [ "aeron-spy:" ] "aeron:" media [ "?" param *( "|" param ) ]
//   media   = "ipc" / "udp"
//   param   = key "=" value          ; each key once
//
// Thread contract: a value type. Allocates: in proportion to the text. Spec: §1.5 (W91, W92), W304.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::bus {

enum class Media : std::uint8_t { kIpc, kUdp };

/// Longest channel that is accepted (W92).
inline constexpr std::size_t kChannelBytesMax = 4096;

/// Stream ids of Aeron that may be configured (W432).
[[nodiscard]] constexpr bool is_valid_stream_id(std::int64_t stream_id) noexcept {
  return stream_id >= 1 && stream_id <= 0x7FFF'FFFF;
}

class Channel {
 public:
  /// `aeron:ipc` without parameters.
  Channel() = default;

  /// Answers kInvalidArgument with the part that is wrong as the subject.
  [[nodiscard]] static Result<Channel> parse(std::string_view text);

  [[nodiscard]] Media media() const noexcept { return media_; }
  [[nodiscard]] bool is_ipc() const noexcept { return media_ == Media::kIpc; }
  [[nodiscard]] bool is_spy() const noexcept { return spy_; }
  [[nodiscard]] std::optional<std::string_view> get(std::string_view key) const noexcept;

  /// Sets or replaces one parameter. Precondition: key and value come from this program and contain
  /// neither '|' nor '='.
  Channel& set(std::string_view key, std::string_view value);

  /// The same channel for a subscriber that must not hold up others when it is stopped.
  [[nodiscard]] Channel untethered() const;

  /// Value of `term-length` in bytes, or 0 when the media driver's default holds.
  [[nodiscard]] std::size_t term_bytes() const noexcept;

  [[nodiscard]] std::string text() const;

  /// What tells Aeron streams apart besides the stream id: the parameters of `aeron:ipc` do not
  /// (W306), of `aeron:udp` the addresses do.
  [[nodiscard]] std::string transport_key() const;

 private:
  [[nodiscard]] Status add_param(std::string_view param);
  [[nodiscard]] Status check() const;

  Media media_ = Media::kIpc;
  bool spy_ = false;
  std::vector<std::pair<std::string, std::string>> params_;
};

/// Reads a length as Aeron writes it: digits and one of k, m, g. 0 when it is none.
[[nodiscard]] std::uint64_t parse_length(std::string_view text) noexcept;

}  // namespace tensorpool::inline v0::bus
