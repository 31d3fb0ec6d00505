// A message as somebody heard it on the bus: the line of JSON that `tp listen --capture` keeps of
// it, and the line that a person reads.
//
//   {"v":1,"at_ns":1795324800123456789,"source":"control","aeron_stream_id":1000,"session_id":7,
//    "hex":"1c0006…"}
//
// Thread contract: free functions and plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::apps {

struct HeardMessage {
  std::uint64_t at_ns = 0;  ///< wall clock, ns since 1970
  std::string source;       ///< `control`, `qos` and so on
  std::int32_t aeron_stream_id = 0;
  std::int32_t session_id = 0;  ///< of the publication
  std::vector<std::byte> bytes;
};

[[nodiscard]] std::string to_capture_line(const HeardMessage& message);
[[nodiscard]] Result<HeardMessage> from_capture_line(std::string_view line);

/// What the message says, by message_to_json, with where and when it was heard: without `v` of its
/// own. A message that cannot be decoded has `error` and `hex` instead.
[[nodiscard]] nlohmann::ordered_json to_json(const HeardMessage& message);

/// One line for people; `json` is that of to_json. Absent fields are left out.
[[nodiscard]] std::string to_text(const nlohmann::ordered_json& json);

/// The `streamId` of a message, where it has one.
[[nodiscard]] std::optional<std::uint32_t> stream_of(const nlohmann::ordered_json& json);

}  // namespace tensorpool::inline v0::apps
