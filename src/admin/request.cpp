#include "admin/request.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace tensorpool::inline v0::admin {
namespace {

using Json = nlohmann::ordered_json;

struct OperationName {
  Operation operation;
  std::string_view name;
};

constexpr OperationName kNames[] = {
    {Operation::kStatus, "status"},
    {Operation::kStreams, "streams"},
    {Operation::kLeases, "leases"},
    {Operation::kCounters, "counters"},
    {Operation::kConfig, "config"},
    {Operation::kCollect, "gc"},
    {Operation::kRevoke, "revoke"},
    {Operation::kEnsureStream, "stream.ensure"},
    {Operation::kResolveStream, "stream.resolve"},
    {Operation::kPass, "attach.pass"},
    {Operation::kShutdown, "shutdown"},
    {Operation::kSetMetadata, "metadata.set"},
};

constexpr std::uint64_t kFrameBytesMax = 1ULL << 31U;
constexpr std::uint64_t kSlotsMax = 1ULL << 31U;
constexpr double kRateMax = 1e9;
constexpr double kSlackSecondsMax = 3600;

/// Takes the fields of one request out of its JSON, and remembers the first that is wrong.
class Fields {
 public:
  explicit Fields(const Json& json) noexcept : json_(json) {}

  void text(const char* key, std::string& to, std::size_t bytes_max) {
    if (const Json* found = find(key)) {
      if (!found->is_string()) {
        return refuse(key);
      }
      const auto& value = found->get_ref<const std::string&>();
      if (value.size() > bytes_max) {
        return refuse(key, value.size(), bytes_max);
      }
      to = value;
    }
  }
  void texts(const char* key, std::vector<std::string>& to) {
    const Json* const found = find(key);
    if (found == nullptr) {
      return;
    }
    if (!found->is_array() || found->size() > kListMax) {
      return refuse(key, found->size(), kListMax);
    }
    for (const Json& one : *found) {
      if (!one.is_string() || one.get_ref<const std::string&>().size() > kTextBytesMax) {
        return refuse(key, one.is_string() ? one.get_ref<const std::string&>().size() : 0,
                      kTextBytesMax);
      }
      to.push_back(one.get<std::string>());
    }
  }
  void flag(const char* key, bool& to) {
    if (const Json* found = find(key)) {
      if (!found->is_boolean()) {
        return refuse(key);
      }
      to = found->get<bool>();
    }
  }
  [[nodiscard]] std::optional<std::uint64_t> whole(const char* key, std::uint64_t max) {
    const Json* const found = find(key);
    if (found == nullptr) {
      return std::nullopt;
    }
    if (!found->is_number_unsigned()) {
      refuse(key);
      return std::nullopt;
    }
    const auto value = found->get<std::uint64_t>();
    if (value > max) {
      refuse(key, value, max);
      return std::nullopt;
    }
    return value;
  }
  [[nodiscard]] double real(const char* key, double max) {
    const Json* const found = find(key);
    if (found == nullptr) {
      return 0;
    }
    const double value = found->is_number() ? found->get<double>() : -1;
    if (!(value >= 0 && value <= max)) {
      refuse(key, value > 0 ? static_cast<std::uint64_t>(std::min(value, 1e18)) : 0,
             static_cast<std::uint64_t>(max));
      return 0;
    }
    return value;
  }
  void require(bool fine, const char* key) {
    if (!fine) {
      refuse(key);
    }
  }
  [[nodiscard]] const Status& status() const noexcept { return status_; }

 private:
  [[nodiscard]] const Json* find(const char* key) const {
    const auto found = json_.find(key);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }
  void refuse(const char* key, std::uint64_t value = 0, std::uint64_t limit = 0) {
    if (status_) {
      status_ = fail(Errc::kInvalidArgument, key, value, limit);
    }
  }

  const Json& json_;
  Status status_;
};

[[nodiscard]] const OperationName* find_operation(const Json& json) {
  const auto found = json.find("op");
  if (found == json.end() || !found->is_string()) {
    return nullptr;
  }
  const auto& name = found->get_ref<const std::string&>();
  const auto* const entry = std::find_if(std::begin(kNames), std::end(kNames),
                                         [&](const auto& known) { return known.name == name; });
  return entry == std::end(kNames) ? nullptr : entry;
}

void check_needs(const Request& request, Fields& fields) {
  const bool named = is_stream_name(request.name);
  fields.require(request.name.empty() || named, "name");
  switch (request.operation) {
    case Operation::kRevoke:
      fields.require(request.lease_id != 0, "lease_id");
      break;
    case Operation::kEnsureStream:
      fields.require(named, "name");
      // Both or neither: without, the stream is as the driver's profile says.
      fields.require(request.frame_bytes != 0 || (request.rate_hz == 0 && request.nslots == 0),
                     "frame_bytes");
      fields.require(request.frame_bytes == 0 || request.rate_hz > 0 || request.nslots != 0,
                     "rate_hz or nslots");
      break;
    case Operation::kResolveStream:
      fields.require(named, "name");
      break;
    case Operation::kPass:
      fields.require(named || request.stream_id, "stream_id");
      fields.require(request.client_id != 0, "client_id");
      break;
    case Operation::kSetMetadata:
      fields.require(!request.set.empty() || !request.remove.empty(), "set");
      break;
    default:
      break;
  }
}

}  // namespace

std::string_view to_string(Operation operation) noexcept {
  for (const auto& [known, name] : kNames) {
    if (known == operation) {
      return name;
    }
  }
  return "unknown";
}

Result<Request> parse_request(std::string_view line) {
  if (line.size() > kRequestBytesMax) {
    return fail(Errc::kMessageTooLong, "request", line.size(), kRequestBytesMax);
  }
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) {
    return fail(Errc::kMalformedMessage, "request: one JSON object a line");
  }
  const OperationName* const operation = find_operation(json);
  if (operation == nullptr) {
    return fail(Errc::kInvalidArgument, "op");
  }
  Request request{.operation = operation->operation};
  Fields fields(json);
  fields.text("name", request.name, kNameBytesMax);
  fields.text("text", request.text, kTextBytesMax);
  fields.texts("set", request.set);
  fields.texts("remove", request.remove);
  fields.flag("dry_run", request.dry_run);
  if (const auto id = fields.whole("stream_id", UINT32_MAX - 1)) {
    request.stream_id = static_cast<std::uint32_t>(*id);
  }
  request.lease_id = fields.whole("lease_id", UINT64_MAX - 1).value_or(0);
  request.client_id = static_cast<std::uint32_t>(fields.whole("client_id", UINT32_MAX).value_or(0));
  std::string role = "consumer";
  fields.text("role", role, kNameBytesMax);
  fields.require(role == "consumer" || role == "producer", "role");
  request.produces = role == "producer";
  request.frame_bytes = fields.whole("frame_bytes", kFrameBytesMax).value_or(0);
  request.nslots = static_cast<std::uint32_t>(fields.whole("nslots", kSlotsMax).value_or(0));
  request.rate_hz = fields.real("rate_hz", kRateMax);
  request.slack = std::chrono::duration_cast<Nanos>(
      std::chrono::duration<double>(fields.real("slack_s", kSlackSecondsMax)));
  check_needs(request, fields);
  if (!fields.status()) {
    return fail(fields.status().error());
  }
  return request;
}

std::string format_request(const Request& request) {
  Json json = {{"op", to_string(request.operation)}};
  const auto put = [&json](const char* key, const auto& value) {
    if (value != std::decay_t<decltype(value)>{}) {
      json[key] = value;
    }
  };
  put("name", request.name);
  put("text", request.text);
  put("dry_run", request.dry_run);
  if (request.stream_id) {
    json["stream_id"] = *request.stream_id;
  }
  put("lease_id", request.lease_id);
  put("client_id", request.client_id);
  if (request.produces) {
    json["role"] = "producer";
  }
  put("frame_bytes", request.frame_bytes);
  put("nslots", request.nslots);
  put("rate_hz", request.rate_hz);
  put("set", request.set);
  put("remove", request.remove);
  put("slack_s", std::chrono::duration<double>(request.slack).count());
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_stream_name(std::string_view name) noexcept {
  const auto is_letter = [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
  };
  return !name.empty() && name.size() <= kNameBytesMax && is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char byte) {
           return is_letter(byte) || (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' ||
                  byte == '-';
         });
}

}  // namespace tensorpool::inline v0::admin
