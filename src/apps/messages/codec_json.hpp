// Messages as JSON and back, for `tp codec` and for tests: the form of tests/golden/README.md.
//
//   {"v":1,"schema_id":900,"template_id":6,"message":"QosProducer","block_length":28,"version":1,
//    "fields":{"streamId":10000,…}}
//
// Integers are exact, enumerations are given by name, an absent optional field is null, binary
// data is {"hex": "…"}. A text that is not UTF-8 is written like binary data, so nothing is lost.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::apps {

/// Decodes one message.
[[nodiscard]] Result<nlohmann::ordered_json> message_to_json(std::span<const std::byte> bytes);

/// Lower case digits, and back: spaces are not skipped.
[[nodiscard]] std::string to_hex(std::span<const std::byte> bytes);
[[nodiscard]] Result<std::vector<std::byte>> bytes_of_hex(std::string_view hex);

/// Decodes one message, given as hex digits, to one line of JSON.
[[nodiscard]] Result<std::string> message_hex_to_json(std::string_view hex);

/// Encodes one message to hex digits. `json` names it by "schema_id" and "template_id", or by
/// "message", and has "fields"; other keys are ignored. An optional field, a text or a group may be
/// left out; a field that the message does not have is an error.
[[nodiscard]] Result<std::string> message_json_to_hex(std::string_view json);

/// `{"v":1,"error":"malformed_message",…}`.
[[nodiscard]] std::string error_to_json(const Error& error);

}  // namespace tensorpool::inline v0::apps
