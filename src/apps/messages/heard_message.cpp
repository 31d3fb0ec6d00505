#include "apps/messages/heard_message.hpp"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "apps/messages/codec_json.hpp"
#include "base/printable.hpp"

namespace tensorpool::inline v0::apps {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kSourceColumn = 11;
constexpr std::size_t kMessageColumn = 20;

[[nodiscard]] std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size() + 1), ' ');
  return text;
}

/// `14:03:27.123456`, of the local day.
[[nodiscard]] std::string time_text(std::uint64_t at_ns) {
  const auto seconds = static_cast<std::time_t>(at_ns / 1'000'000'000U);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  char text[16];
  std::strftime(text, sizeof(text), "%H:%M:%S", &local);
  std::string micros = std::to_string(at_ns % 1'000'000'000U / 1000U);
  micros.insert(0, 6 - micros.size(), '0');
  return std::string(text) + "." + micros;
}

[[nodiscard]] std::string value_text(const Json& value) {
  if (value.is_string()) {
    return value.get<std::string>();
  }
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <class T>
[[nodiscard]] bool take(const Json& json, const char* key, T& into) {
  const auto found = json.find(key);
  if (found == json.end()) {
    return false;
  }
  if constexpr (std::is_same_v<T, std::string>) {
    if (!found->is_string()) {
      return false;
    }
  } else if (!found->is_number_integer()) {
    return false;
  }
  into = found->template get<T>();
  return true;
}

}  // namespace

std::string to_capture_line(const HeardMessage& message) {
  return Json{{"v", 1},
              {"at_ns", message.at_ns},
              {"source", message.source},
              {"aeron_stream_id", message.aeron_stream_id},
              {"session_id", message.session_id},
              {"hex", to_hex(message.bytes)}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<HeardMessage> from_capture_line(std::string_view line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  HeardMessage message;
  std::string hex;
  if (!json.is_object() || !take(json, "at_ns", message.at_ns) ||
      !take(json, "source", message.source) ||
      !take(json, "aeron_stream_id", message.aeron_stream_id) ||
      !take(json, "session_id", message.session_id) || !take(json, "hex", hex)) {
    return fail(Errc::kInvalidArgument, "line of a capture: at_ns, source, …, hex");
  }
  Result<std::vector<std::byte>> bytes = bytes_of_hex(hex);
  if (!bytes) {
    return fail(bytes.error());
  }
  message.bytes = std::move(*bytes);
  return message;
}

Json to_json(const HeardMessage& message) {
  Json json = {{"v", 1},
               {"at_ns", message.at_ns},
               {"source", message.source},
               {"aeron_stream_id", message.aeron_stream_id},
               {"session_id", message.session_id}};
  if (const Result<Json> body = message_to_json(message.bytes)) {
    json.update(*body);
  } else {
    json.update(Json::parse(error_to_json(body.error())));
    json["hex"] = to_hex(message.bytes);
  }
  return json;
}

std::string to_text(const Json& json) {
  std::string text = time_text(json.value("at_ns", std::uint64_t{0})) + "  " +
                     padded(json.value("source", ""), kSourceColumn);
  if (json.contains("error")) {
    text += padded(json.value("error", ""), kMessageColumn) + json.value("hex", "");
    return base::printable(text);
  }
  text += padded(json.value("message", ""), kMessageColumn);
  for (const auto& [name, value] : json["fields"].items()) {
    if (!value.is_null() && value != "") {
      text += name + "=" + value_text(value) + " ";
    }
  }
  text.pop_back();
  return base::printable(text);  // W94
}

std::optional<std::uint32_t> stream_of(const Json& json) {
  const auto fields = json.find("fields");
  if (fields == json.end()) {
    return std::nullopt;
  }
  const auto found = fields->find("streamId");
  return found == fields->end() || !found->is_number_unsigned()
             ? std::nullopt
             : std::optional(found->get<std::uint32_t>());
}

}  // namespace tensorpool::inline v0::apps
