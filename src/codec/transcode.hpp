// How codec.hpp is done: written once over the field lists, instantiated by codec_900.cpp … with
// the generated classes. Not for other layers.
//
// Decode: header, shape (shape.hpp), then the generated getters on bytes that are known to be
// there. Encode: the size and all values are checked first, so the generated setters never throw.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "codec/codec.hpp"
#include "codec/enum_names.hpp"
#include "codec/fields.hpp"

namespace tensorpool::inline v0::codec {

/// The generated class of M; specialised by TP_CODEC.
template <class M>
struct Generated;

// -- Decoding ------------------------------------------------------------------------------------

template <class T, class Raw>
[[nodiscard]] Status assign(T& to, Raw raw, std::string_view name, UnknownValue unknown) noexcept {
  if constexpr (kIsNamed<T>) {
    const auto value = enum_from_raw<T>(raw);
    if (!value && unknown == UnknownValue::kKept) {
      to = static_cast<T>(raw);
      return {};
    }
    if (!value) {
      return fail(Errc::kMalformedMessage, name, static_cast<std::uint64_t>(raw));
    }
    to = *value;
  } else {
    static_assert(std::is_same_v<T, Raw>, "the member has the type of the schema");
    to = raw;
  }
  return {};
}

template <class T, class Raw>
[[nodiscard]] Status assign_optional(std::optional<T>& to, Raw raw, Raw null, std::string_view name,
                                     UnknownValue unknown) noexcept {
  T value{};
  Status status = raw == null ? Status{} : assign(value, raw, name, unknown);
  to = raw == null || !status ? std::nullopt : std::optional<T>(value);
  return unknown == UnknownValue::kAbsent ? Status{} : status;
}

/// Reads one message, or one entry of a group, from a generated class.
template <class M, class Sbe>
class Reader {
 public:
  Reader(Sbe& sbe, Scratch& scratch, std::size_t size) noexcept
      : sbe_(sbe), scratch_(scratch), size_(size) {}

  [[nodiscard]] Status read(M& to) {
    return try_each_field<M>(
        [&](const auto& field) { return read_field(field, to.*field.member); });
  }

 private:
  template <class F, class T>
  [[nodiscard]] Status read_field(const F& field, T& to) {
    if constexpr (kIsGroup<F>) {
      return read_group<typename F::Entry>(field, to);
    } else if constexpr (kIsData<F>) {
      if (field.rule == TailRule::kMayBeMissing && sbe_.sbePosition() == size_) {
        return {};
      }
      const std::size_t length = field.size(sbe_);
      const char* data = field.get(sbe_);
      to = T(reinterpret_cast<const typename T::value_type*>(data), length);
      return {};
    } else if constexpr (kIsArray<T>) {
      for (std::size_t i = 0; i < to.size(); ++i) {
        to[i] = field.get(sbe_, i);
      }
      return {};
    } else if constexpr (kIsOptional<T>) {
      return assign_optional(to, field.get(sbe_), field.null(sbe_), field.name, field.unknown);
    } else {
      return assign(to, field.get(sbe_), field.name, field.unknown);
    }
  }

  template <class E, class F>
  [[nodiscard]] Status read_group(const F& field, layout::ListView<E>& to) {
    auto& group = field.get(sbe_);
    using Group = std::remove_reference_t<decltype(group)>;
    static_assert(Group::sbeBlockLength() == E::kBlockLength, "struct and schema disagree");
    const std::span<E> entries = scratch_.take<E>(group.count());
    for (E& entry : entries) {
      const std::uint64_t start = group.sbePosition();
      group.next();
      if (field.rule == TailRule::kBareEntries) {
        group.sbePosition(start);  // a block length of 4 announces no block (S23)
      }
      if (Status status = Reader<E, Group>(group, scratch_, size_).read(entry); !status) {
        return status;
      }
    }
    to = layout::ListView<E>(entries.data(), entries.size());
    return {};
  }

  Sbe& sbe_;
  Scratch& scratch_;
  std::size_t size_;
};

/// Precondition: schema, template and version of `header` are those of M.
template <class M>
[[nodiscard]] Result<M> decode_body(const MessageHeader& header, std::span<const std::byte> bytes,
                                    Scratch& scratch) {
  const auto scratch_bytes = check_shape(kShapeOf<M>, header.block_length, bytes);
  if (!scratch_bytes) {
    return fail(scratch_bytes.error());
  }
  scratch.reset(*scratch_bytes);
  typename Generated<M>::type sbe;
  // The generated class takes a mutable buffer also where it only reads.
  sbe.wrapForDecode(const_cast<char*>(reinterpret_cast<const char*>(bytes.data())),
                    layout::kMessageHeaderBytes, header.block_length, header.version, bytes.size());
  M message;
  Status status = Reader<M, typename Generated<M>::type>(sbe, scratch, bytes.size()).read(message);
  if (!status) {
    return fail(status.error());
  }
  return message;
}

template <class Variant>
[[nodiscard]] Result<Variant> decode_variant(std::span<const std::byte> bytes, Scratch& scratch) {
  const auto header = peek_header(bytes);
  if (!header) {
    return fail(header.error());
  }
  if (header->schema_id != kSchemaOf<Variant>) {
    return fail(Errc::kWrongSchema, "schemaId", header->schema_id, kSchemaOf<Variant>);
  }
  Result<Variant> result = fail(Errc::kUnknownTemplate, "templateId", header->template_id);
  visit_types<Variant>([&]<class M>(std::type_identity<M>) {
    if (header->template_id != M::kType.template_id) {
      return false;
    }
    if (header->version > layout::kSchemaVersionMax) {
      result =
          fail(Errc::kUnsupportedVersion, "version", header->version, layout::kSchemaVersionMax);
    } else {
      result = decode_body<M>(*header, bytes, scratch);
    }
    return true;
  });
  return result;
}

template <class M>
Result<M> decode(std::span<const std::byte> bytes, Scratch& scratch) {
  if constexpr (kIsVariant<M>) {
    return decode_variant<M>(bytes, scratch);
  } else {
    auto only = decode_variant<std::variant<M>>(bytes, scratch);
    return only ? Result<M>(std::get<M>(*only)) : Result<M>(fail(only.error()));
  }
}

// -- Encoding ------------------------------------------------------------------------------------

/// The bytes of one message or entry without the message header.
template <class M>
[[nodiscard]] std::uint64_t body_size(const M& message) noexcept {
  std::uint64_t size = kShapeOf<M>.block_length;
  for_each_field<M>([&](const auto& field) {
    using F = std::remove_cvref_t<decltype(field)>;
    const auto& value = message.*field.member;
    if constexpr (kIsGroup<F>) {
      size += layout::kGroupHeaderBytes;
      for (const auto& entry : value) {
        size += body_size(entry);
      }
    } else if constexpr (kIsData<F>) {
      size += layout::kVarLengthBytes + value.size();
    }
  });
  return size;
}

template <class M>
[[nodiscard]] Status check_values(const M& message) noexcept;

/// Whether a receiver would take the values of one field.
template <class F, class T>
[[nodiscard]] Status check_value(const F& field, const T& value) noexcept {
  if constexpr (kIsGroup<F>) {
    if (value.size() > layout::kGroupEntriesMax) {
      return fail(Errc::kMessageTooLong, field.name, value.size(), layout::kGroupEntriesMax);
    }
    if (value.empty() && field.rule == TailRule::kNotEmpty) {
      return fail(Errc::kInvalidArgument, field.name, value.size());
    }
    for (const auto& entry : value) {
      if (Status status = check_values(entry); !status) {
        return status;
      }
    }
  } else if constexpr (kIsData<F>) {
    if (value.size() > layout::kVarBytesMax) {
      return fail(Errc::kMessageTooLong, field.name, value.size(), layout::kVarBytesMax);
    }
  } else if constexpr (kIsOptional<T>) {
    return value ? check_value(field, *value) : Status{};
  } else if constexpr (kIsNamed<T>) {
    if (field.unknown != UnknownValue::kKept && enum_name(value).empty()) {
      return fail(Errc::kInvalidArgument, field.name, static_cast<std::uint64_t>(enum_raw(value)));
    }
  }
  return {};
}

template <class M>
[[nodiscard]] Status check_values(const M& message) noexcept {
  return try_each_field<M>(
      [&](const auto& field) { return check_value(field, message.*field.member); });
}

/// Writes one message or entry into a generated class.
/// Precondition: check_values() and enough room.
template <class M, class Sbe>
void write_fields(const M& message, Sbe& sbe) {
  for_each_field<M>([&](const auto& field) {
    using F = std::remove_cvref_t<decltype(field)>;
    const auto& value = message.*field.member;
    using T = std::remove_cvref_t<decltype(value)>;
    const auto raw = [](const auto& plain) {
      if constexpr (kIsNamed<std::remove_cvref_t<decltype(plain)>>) {
        return enum_raw(plain);
      } else {
        return plain;
      }
    };
    if constexpr (kIsGroup<F>) {
      auto& group = field.put(sbe, static_cast<std::uint16_t>(value.size()));
      for (const auto& entry : value) {
        write_fields(entry, group.next());
      }
    } else if constexpr (kIsData<F>) {
      field.put(sbe, reinterpret_cast<const char*>(value.data()),
                static_cast<std::uint32_t>(value.size()));
    } else if constexpr (kIsArray<T>) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        field.put(sbe, i, value[i]);
      }
    } else if constexpr (kIsOptional<T>) {
      field.put(sbe, value ? raw(*value) : field.null(sbe));
    } else {
      field.put(sbe, raw(value));
    }
  });
}

template <class M>
std::uint64_t encoded_size(const M& message) noexcept {
  return layout::kMessageHeaderBytes + body_size(message);
}

template <class M>
Result<std::size_t> encode(const M& message, std::span<std::byte> out) {
  using Sbe = typename Generated<M>::type;
  static_assert(Sbe::sbeSchemaId() == M::kType.schema_id &&
                    Sbe::sbeTemplateId() == M::kType.template_id &&
                    Sbe::sbeBlockLength() == M::kType.block_length,
                "struct and schema disagree");
  if (Status status = check_values(message); !status) {
    return fail(status.error());
  }
  const std::uint64_t size = encoded_size(message);
  if (size > out.size()) {
    return fail(Errc::kMessageTooLong, "message", size, out.size());
  }
  auto* buffer = reinterpret_cast<char*>(out.data());
  std::memset(buffer, 0, layout::kMessageHeaderBytes + M::kType.block_length);  // pads
  Sbe sbe;
  sbe.wrapAndApplyHeader(buffer, 0, size);
  write_fields(message, sbe);
  return size;
}

}  // namespace tensorpool::inline v0::codec

/// Names the generated class of layout::M and makes the functions of codec.hpp for it.
#define TP_CODEC(package, M)                                                              \
  template <>                                                                             \
  struct Generated<layout::M> {                                                           \
    using type = package::M;                                                              \
  };                                                                                      \
  template Result<layout::M> decode<layout::M>(std::span<const std::byte>, Scratch&);     \
  template Result<std::size_t> encode<layout::M>(const layout::M&, std::span<std::byte>); \
  template std::uint64_t encoded_size<layout::M>(const layout::M&) noexcept

/// Makes decode() for any message of a schema. After TP_CODEC of all its messages.
#define TP_CODEC_VARIANT(Variant) \
  template Result<Variant> decode<Variant>(std::span<const std::byte>, Scratch&)
