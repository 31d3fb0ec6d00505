// How the members of a message struct and the fields of the wire belong together.
//
// Fields<M>::list() is a tuple with one element per field, in the order of the wire. Everything
// that has to go over all fields (bounds, decode, encode, JSON, random messages of tests) is
// written once over these lists. An element carries the wire name, the member and small functions
// that call the accessors of the generated class; they are generic, so that this header needs no
// generated code. The macros exist because an accessor's name cannot be a template argument.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "codec/shape.hpp"
#include "layout/message.hpp"

namespace tensorpool::inline v0::codec {

/// Specialised for every message and every group entry by fields_900.hpp … fields_910.hpp.
template <class M>
struct Fields;

/// What a value that is not of an enumeration's table does to the message it stands in.
enum class UnknownValue : std::uint8_t {
  kMalformed,  ///< W88
  kAbsent,     ///< reads as absent (W401)
  kKept,       ///< reads as it is: the receiver answers it (schema 901: D44, D48, D49, D108; W446)
};

/// A field of the block: integer, bool, enum, an optional of these, or an array.
template <class M, class T, class Get, class Put, class Null>
struct BlockField {
  std::string_view name;
  T M::*member;
  Get get;    ///< the raw value, not checked
  Put put;    ///< takes the raw value
  Null null;  ///< the null value of the schema
  UnknownValue unknown = UnknownValue::kMalformed;
};
template <class M, class T, class Get, class Put, class Null>
BlockField(std::string_view, T M::*, Get, Put, Null, UnknownValue = UnknownValue::kMalformed)
    -> BlockField<M, T, Get, Put, Null>;

/// A text or binary data.
template <class M, class T, class Get, class Put, class Size>
struct DataField {
  std::string_view name;
  T M::*member;
  Get get;
  Put put;
  Size size;
  TailRule rule = TailRule::kPlain;
};
template <class M, class T, class Get, class Put, class Size>
DataField(std::string_view, T M::*, Get, Put, Size, TailRule = TailRule::kPlain)
    -> DataField<M, T, Get, Put, Size>;

/// A group.
template <class M, class E, class Get, class Put>
struct GroupField {
  using Entry = E;

  std::string_view name;
  layout::ListView<E> M::*member;
  Get get;
  Put put;  ///< takes the number of entries
  TailRule rule = TailRule::kPlain;
};
template <class M, class E, class Get, class Put>
GroupField(std::string_view, layout::ListView<E> M::*, Get, Put, TailRule = TailRule::kPlain)
    -> GroupField<M, E, Get, Put>;

template <class>
inline constexpr bool kIsGroup = false;
template <class M, class E, class Get, class Put>
inline constexpr bool kIsGroup<GroupField<M, E, Get, Put>> = true;
template <class>
inline constexpr bool kIsData = false;
template <class M, class T, class Get, class Put, class Size>
inline constexpr bool kIsData<DataField<M, T, Get, Put, Size>> = true;

template <class>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class>
inline constexpr bool kIsArray = false;
template <class T, std::size_t N>
inline constexpr bool kIsArray<std::array<T, N>> = true;

/// Calls `visit(field)` for each field of M in the order of the wire.
template <class M, class Visit>
constexpr void for_each_field(Visit&& visit) {
  std::apply([&](const auto&... field) { (visit(field), ...); }, Fields<M>::list());
}

/// Stops at the first failure.
template <class M, class Visit>
[[nodiscard]] Status try_each_field(Visit&& visit) {
  Status status;
  std::apply(
      [&](const auto&... field) {
        static_cast<void>(((status = visit(field)).has_value() && ...));
      },
      Fields<M>::list());
  return status;
}

template <class M>
[[nodiscard]] constexpr std::uint16_t block_length_of() noexcept {
  if constexpr (requires { M::kType; }) {
    return M::kType.block_length;
  } else {
    return M::kBlockLength;
  }
}

template <class M>
[[nodiscard]] constexpr std::size_t count_tails() noexcept {
  std::size_t count = 0;
  for_each_field<M>([&](const auto& field) {
    using F = std::remove_cvref_t<decltype(field)>;
    count += kIsGroup<F> || kIsData<F> ? 1 : 0;
  });
  return count;
}

template <class M>
[[nodiscard]] constexpr auto make_tails() noexcept;

template <class M>
inline constexpr auto kTailsOf = make_tails<M>();

/// The outline of M, from its field list.
template <class M>
inline constexpr Shape kShapeOf{block_length_of<M>(), kTailsOf<M>};

template <class M>
constexpr auto make_tails() noexcept {
  std::array<Tail, count_tails<M>()> tails{};
  [[maybe_unused]] std::size_t next = 0;
  for_each_field<M>([&](const auto& field) {
    using F = std::remove_cvref_t<decltype(field)>;
    if constexpr (kIsGroup<F>) {
      using Entry = typename F::Entry;
      tails[next++] = {field.name, field.rule, &kShapeOf<Entry>, sizeof(Entry)};
    } else if constexpr (kIsData<F>) {
      tails[next++] = {.name = field.name, .rule = field.rule};
    }
  });
  return tails;
}

}  // namespace tensorpool::inline v0::codec

// Inside Fields<M>, where `Message` is M.
// clang-format off

/// A field of the block.
#define TP_FIELD(member, wire, ...)                                                     \
  ::tensorpool::codec::BlockField {                                                     \
    #wire, &Message::member,                                                            \
    [](const auto& sbe) {                                                               \
      if constexpr (std::is_enum_v<decltype(sbe.wire())>) {                             \
        return sbe.wire##Raw();                                                         \
      } else {                                                                          \
        return sbe.wire();                                                              \
      }                                                                                 \
    },                                                                                  \
    [](auto& sbe, auto raw) { sbe.wire(static_cast<decltype(sbe.wire())>(raw)); },      \
    [](const auto& sbe) {                                                               \
      if constexpr (std::is_enum_v<decltype(sbe.wire())>) {                             \
        return static_cast<decltype(sbe.wire##Raw())>(decltype(sbe.wire())::NULL_VALUE); \
      } else {                                                                          \
        return std::remove_cvref_t<decltype(sbe)>::wire##NullValue();                   \
      }                                                                                 \
    } __VA_OPT__(,) __VA_ARGS__                                                         \
  }

/// An array in the block: its accessors take an index.
#define TP_ARRAY(member, wire)                                                   \
  ::tensorpool::codec::BlockField {                                              \
    #wire, &Message::member,                                                     \
    [](const auto& sbe, std::size_t index) { return sbe.wire(index); },          \
    [](auto& sbe, std::size_t index, auto value) { sbe.wire(index, value); },    \
    nullptr                                                                      \
  }

/// A text or binary data; `Wire` is the wire name with a capital letter.
#define TP_DATA(member, wire, Wire, ...)                                                \
  ::tensorpool::codec::DataField {                                                      \
    #wire, &Message::member,                                                            \
    [](auto& sbe) { return sbe.wire(); },                                               \
    [](auto& sbe, const char* data, std::uint32_t size) { sbe.put##Wire(data, size); }, \
    [](auto& sbe) { return sbe.wire##Length(); } __VA_OPT__(,) __VA_ARGS__              \
  }

/// A group.
#define TP_GROUP(member, wire, ...)                                                \
  ::tensorpool::codec::GroupField {                                                \
    #wire, &Message::member,                                                       \
    [](auto& sbe) -> auto& { return sbe.wire(); },                                 \
    [](auto& sbe, std::uint16_t count) -> auto& { return sbe.wire##Count(count); } \
    __VA_OPT__(,) __VA_ARGS__                                                      \
  }

// clang-format on
