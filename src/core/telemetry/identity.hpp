// Whose a counter is, as its key and its label say it. Decision: docs/adr/0034.
//
// A key is input to whoever reads it: everybody with access to the media driver can write one.
//
// Thread contract: free functions and plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "layout/counter_key.hpp"

namespace tensorpool::inline v0::core::telemetry {

struct Identity {
  layout::CounterRole role = layout::CounterRole::kConsumer;
  std::uint32_t stream_id = 0;
  std::uint32_t client_id = 0;
  std::uint32_t instance = 0;
  std::uint64_t pid = 0;
  std::uint64_t process_start = 0;
  std::string name = {};  ///< of the stream, where it is known

  friend auto operator<=>(const Identity&, const Identity&) = default;
};

/// All bytes of the key.
[[nodiscard]] std::string to_key(const Identity& who);
/// Of a key that may lack zeros at its end. Nothing where it is no key of ours, or one of a later
/// version.
[[nodiscard]] std::optional<Identity> from_key(std::string_view key);

/// `frames_ok: consumer=77 stream=10042 pid=4242`, and ` ring=PATH` with the path of a header ring,
/// where that fits.
[[nodiscard]] std::string to_label(std::string_view counter, const Identity& who,
                                   std::string_view ring = {});
/// The path in a label; "" where there is none.
[[nodiscard]] std::string_view ring_of(std::string_view label) noexcept;

}  // namespace tensorpool::inline v0::core::telemetry
