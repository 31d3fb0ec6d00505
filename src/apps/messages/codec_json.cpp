#include "apps/messages/codec_json.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "codec/codec.hpp"
#include "codec/enum_names.hpp"
#include "codec/fields_900.hpp"
#include "codec/fields_901.hpp"
#include "codec/fields_902.hpp"
#include "codec/fields_903.hpp"
#include "codec/fields_904.hpp"
#include "codec/fields_910.hpp"

namespace tensorpool::inline v0::apps {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
constexpr bool kIsList = false;
template <class E>
constexpr bool kIsList<layout::ListView<E>> = true;

// -- Hex -----------------------------------------------------------------------------------------

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// -- To JSON -------------------------------------------------------------------------------------

Json to_json(std::string_view text) {
  const Json json = text;
  const std::string dumped = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (Json::parse(dumped) == json) {
    return json;
  }
  return {{"hex", to_hex(std::as_bytes(std::span(text)))}};
}
Json to_json(const layout::Bytes& bytes) {
  return {{"hex", to_hex(bytes)}};
}

template <class M>
Json fields_to_json(const M& message);

template <class T>
Json to_json(const T& value) {
  if constexpr (codec::kIsOptional<T>) {
    return value ? to_json(*value) : Json(nullptr);
  } else if constexpr (codec::kIsNamed<T>) {
    const std::string_view name = codec::enum_name(value);
    return name.empty() ? Json(codec::enum_raw(value)) : Json(name);
  } else if constexpr (kIsList<T>) {
    Json list = Json::array();
    for (const auto& entry : value) {
      list.push_back(fields_to_json(entry));
    }
    return list;
  } else {
    return value;
  }
}

template <class M>
Json fields_to_json(const M& message) {
  Json fields = Json::object();
  codec::for_each_field<M>(
      [&](const auto& field) { fields[std::string(field.name)] = to_json(message.*field.member); });
  return fields;
}

// -- From JSON -----------------------------------------------------------------------------------

/// Fills structs whose texts point into the JSON, and whose groups and bytes into `memory_`.
class Builder {
 public:
  template <class M>
  [[nodiscard]] Status build(const Json& json, M& to) {
    if (!json.is_object()) {
      return fail(Errc::kInvalidArgument, "fields: an object is needed");
    }
    for (const auto& item : json.items()) {
      const std::string& key = item.key();
      bool known = false;
      codec::for_each_field<M>([&](const auto& field) { known = known || field.name == key; });
      if (!known) {
        return fail(Errc::kInvalidArgument, key);
      }
    }
    return codec::try_each_field<M>([&](const auto& field) {
      const auto found = json.find(std::string(field.name));
      const bool given = found != json.end() && !found->is_null();
      auto& member = to.*field.member;
      using T = std::remove_cvref_t<decltype(member)>;
      if (given) {
        return read(*found, field.name, member);
      }
      member = T{};
      constexpr bool kMayBeAbsent =
          codec::kIsOptional<T> || kIsList<T> || std::is_same_v<T, layout::Text>;
      return kMayBeAbsent ? Status{} : Status(fail(Errc::kInvalidArgument, field.name));
    });
  }

 private:
  template <class T>
  [[nodiscard]] Status read(const Json& json, std::string_view name, T& to) {
    if constexpr (codec::kIsOptional<T>) {
      return read(json, name, to.emplace());
    } else if constexpr (codec::kIsNamed<T>) {
      const auto* text = json.template get_ptr<const std::string*>();
      if constexpr (std::is_enum_v<T>) {
        if (json.is_number()) {  // a value without a name
          std::underlying_type_t<T> raw{};
          Status status = read_integer(json, name, raw);
          to = static_cast<T>(raw);
          return status;
        }
      }
      const auto value = text != nullptr ? codec::enum_from_name<T>(*text) : std::nullopt;
      to = value.value_or(T{});
      return value ? Status{} : fail(Errc::kInvalidArgument, name);
    } else if constexpr (std::is_integral_v<T>) {
      return read_integer(json, name, to);
    } else if constexpr (std::is_same_v<T, layout::Text>) {
      return read_text(json, name, to);
    } else if constexpr (std::is_same_v<T, layout::Bytes>) {
      return read_bytes(json, name, to);
    } else {
      return read_list(json, name, to);
    }
  }

  template <class T>
  [[nodiscard]] Status read_integer(const Json& json, std::string_view name, T& to) {
    const auto take = [&](auto value) -> Status {
      if (!std::in_range<T>(value)) {
        return fail(Errc::kInvalidArgument, name, static_cast<std::uint64_t>(value),
                    std::numeric_limits<T>::max());
      }
      to = static_cast<T>(value);
      return {};
    };
    if (json.is_number_unsigned()) {
      return take(json.template get<std::uint64_t>());
    }
    if (json.is_number_integer()) {
      return take(json.template get<std::int64_t>());
    }
    return fail(Errc::kInvalidArgument, name);
  }

  [[nodiscard]] Status read_text(const Json& json, std::string_view name, layout::Text& to) {
    if (const auto* text = json.get_ptr<const std::string*>(); text != nullptr) {
      to = *text;
      return {};
    }
    layout::Bytes bytes;
    Status status = read_bytes(json, name, bytes);
    to = layout::Text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return status;
  }

  [[nodiscard]] Status read_bytes(const Json& json, std::string_view name, layout::Bytes& to) {
    const auto found = json.find("hex");  // end() unless an object
    const auto* hex = found != json.end() ? found->get_ptr<const std::string*>() : nullptr;
    if (hex == nullptr) {
      return fail(Errc::kInvalidArgument, name);
    }
    const Result<std::vector<std::byte>> read = bytes_of_hex(*hex);
    if (!read) {
      return fail(read.error());
    }
    const std::span<std::byte> bytes = allocate<std::byte>(read->size());
    std::copy(read->begin(), read->end(), bytes.begin());
    to = layout::Bytes(bytes.data(), bytes.size());
    return {};
  }

  template <class T, std::size_t N>
  [[nodiscard]] Status read_list(const Json& json, std::string_view name, std::array<T, N>& to) {
    if (!json.is_array() || json.size() != N) {
      return fail(Errc::kInvalidArgument, name, json.size(), N);
    }
    for (std::size_t i = 0; i < N; ++i) {
      if (Status status = read(json[i], name, to[i]); !status) {
        return status;
      }
    }
    return {};
  }

  template <class E>
  [[nodiscard]] Status read_list(const Json& json, std::string_view name, layout::ListView<E>& to) {
    if (!json.is_array()) {
      return fail(Errc::kInvalidArgument, name);
    }
    const std::span<E> entries = allocate<E>(json.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (Status status = build(json[i], entries[i]); !status) {
        return status;
      }
    }
    to = layout::ListView<E>(entries.data(), entries.size());
    return {};
  }

  template <class T>
  [[nodiscard]] std::span<T> allocate(std::size_t count) {
    T* first = std::pmr::polymorphic_allocator<T>(&memory_).allocate(count);
    std::uninitialized_value_construct_n(first, count);
    return {first, count};
  }

  std::pmr::monotonic_buffer_resource memory_;
};

/// Whether `json` speaks of this message.
bool names(const Json& json, const layout::MessageType& type) {
  const auto is = [&](const char* key, const auto& expected) {
    const auto found = json.find(key);
    return found == json.end() || *found == expected;
  };
  return is("message", type.name) && is("schema_id", type.schema_id) &&
         is("template_id", type.template_id);
}

template <class M>
[[nodiscard]] Result<std::string> encode_as(const Json& fields) {
  Builder builder;
  M message;
  if (Status status = builder.build(fields, message); !status) {
    return fail(status.error());
  }
  std::vector<std::byte> bytes(codec::encoded_size(message));
  const auto size = codec::encode(message, std::span(bytes));
  return size ? Result<std::string>(to_hex(bytes)) : fail(size.error());
}

}  // namespace

std::string to_hex(std::span<const std::byte> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const std::byte byte : bytes) {
    hex += kDigits[std::to_integer<unsigned>(byte) >> 4U];
    hex += kDigits[std::to_integer<unsigned>(byte) & 15U];
  }
  return hex;
}

Result<std::vector<std::byte>> bytes_of_hex(std::string_view hex) {
  std::vector<std::byte> bytes(hex.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = hex_digit(hex[2 * i]);
    const int low = hex_digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) {
      return fail(Errc::kInvalidArgument, "hex digit at", 2 * i);
    }
    bytes[i] = static_cast<std::byte>(high * 16 + low);
  }
  if (hex.size() % 2 != 0) {
    return fail(Errc::kInvalidArgument, "hex digits", hex.size());
  }
  return bytes;
}

Result<Json> message_to_json(std::span<const std::byte> bytes) {
  const auto header = codec::peek_header(bytes);
  if (!header) {
    return fail(header.error());
  }
  Result<Json> result =
      fail(Errc::kUnknownTemplate, "schemaId, templateId", header->schema_id, header->template_id);
  codec::Scratch scratch;
  codec::visit_all_types([&]<class M>(std::type_identity<M>) {
    if (header->schema_id != M::kType.schema_id || header->template_id != M::kType.template_id) {
      return false;
    }
    if (const auto message = codec::decode<M>(bytes, scratch); message) {
      result = Json{{"v", 1},
                    {"schema_id", header->schema_id},
                    {"template_id", header->template_id},
                    {"message", M::kType.name},
                    {"block_length", header->block_length},
                    {"version", header->version},
                    {"fields", fields_to_json(*message)}};
    } else {
      result = fail(message.error());
    }
    return true;
  });
  return result;
}

Result<std::string> message_hex_to_json(std::string_view hex) {
  const Result<std::vector<std::byte>> bytes = bytes_of_hex(hex);
  if (!bytes) {
    return fail(bytes.error());
  }
  const Result<Json> json = message_to_json(*bytes);
  return json ? Result<std::string>(json->dump()) : fail(json.error());
}

Result<std::string> message_json_to_hex(std::string_view json) {
  const Json parsed = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object() || (!parsed.contains("message") && !parsed.contains("template_id"))) {
    return fail(Errc::kInvalidArgument, "JSON object with message and fields");
  }
  const auto fields = parsed.find("fields");
  Result<std::string> result = fail(Errc::kUnknownTemplate, "message, schema_id, template_id");
  codec::visit_all_types([&]<class M>(std::type_identity<M>) {
    if (!names(parsed, M::kType)) {
      return false;
    }
    result = encode_as<M>(fields != parsed.end() ? *fields : Json());
    return true;
  });
  return result;
}

std::string error_to_json(const Error& error) {
  Json json = {{"v", 1}, {"error", to_string(error.code)}};
  json["subject"] = error.subject_view();
  json["value"] = error.value;
  json["limit"] = error.limit;
  json["fix"] = how_to_fix(error.code);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tensorpool::inline v0::apps
