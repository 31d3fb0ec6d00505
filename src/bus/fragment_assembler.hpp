// Fragments of one subscription put together into messages (W73).
//
// A message longer than one fragment arrives as a first, some middle and a last fragment of one
// image, next to each other in its log. A fragment that does not follow its predecessor (we joined
// in the middle, or a loss) drops what was gathered, never a wrong message.
//
// Thread contract: the thread that polls. Allocates: only for messages of several fragments, at
// most the longest message for each of kSessionsMax images; the least recently used one goes first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tensorpool::inline v0::bus {

class FragmentAssembler {
 public:
  static constexpr std::size_t kSessionsMax = 64;
  static constexpr std::size_t kMessageBytesMax = 16 * 1024 * 1024;  // Aeron's own limit
  static constexpr std::uint8_t kBegin = 0x80;
  static constexpr std::uint8_t kEnd = 0x40;

  struct Fragment {
    std::int32_t session_id;
    std::int32_t term_id;
    std::int32_t term_offset;  ///< Of the frame, which is a 32-byte header and the bytes.
    std::uint8_t flags;
    std::span<const std::byte> bytes;
  };

  /// The whole message when this fragment completes one, else an empty span with data() == nullptr.
  /// Valid until the next call.
  [[nodiscard]] std::span<const std::byte> add(const Fragment& fragment);

 private:
  struct Builder {
    std::int32_t session_id = 0;
    std::int32_t term_id = 0;
    std::int32_t next_offset = -1;  ///< -1: nothing gathered.
    std::uint64_t used_at = 0;
    std::vector<std::byte> bytes;
  };
  [[nodiscard]] Builder* find(std::int32_t session_id) noexcept;
  [[nodiscard]] Builder& find_or_make(std::int32_t session_id);

  std::vector<Builder> builders_;
  std::uint64_t uses_ = 0;
};

}  // namespace tensorpool::inline v0::bus
