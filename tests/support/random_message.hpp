// Random messages of any type, for property tests: every field gets a value that a sender may give
// it and that survives the wire (an optional never holds its own null value).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <memory_resource>
#include <span>
#include <type_traits>
#include <vector>

#include "base/random.hpp"
#include "codec/codec.hpp"
#include "codec/enum_names.hpp"
#include "codec/fields_900.hpp"
#include "codec/fields_901.hpp"
#include "codec/fields_902.hpp"
#include "codec/fields_903.hpp"
#include "codec/fields_904.hpp"
#include "codec/fields_910.hpp"

namespace tensorpool::test {

/// Owns what the messages it made point to.
class RandomMessages {
 public:
  explicit RandomMessages(std::uint64_t seed) : random_(seed) {}

  template <class M>
  [[nodiscard]] M make() {
    M message;
    codec::for_each_field<M>([&](const auto& field) {
      using F = std::remove_cvref_t<decltype(field)>;
      if constexpr (codec::kIsGroup<F>) {
        message.*field.member = list<typename F::Entry>(field.rule);
      } else {
        fill(message.*field.member);
      }
    });
    return message;
  }

 private:
  template <class E>
  [[nodiscard]] layout::ListView<E> list(codec::TailRule rule) {
    const auto entries = allocate<E>(random_.below(4) + (rule == codec::TailRule::kNotEmpty));
    for (E& entry : entries) {
      entry = make<E>();
    }
    return {entries.data(), entries.size()};
  }

  template <class T>
  void fill(T& value) {
    if constexpr (codec::kIsOptional<T>) {
      value.reset();
      if (random_.chance(2, 3)) {
        fill(value.emplace());
      }
    } else if constexpr (codec::kIsArray<T>) {
      for (auto& element : value) {
        fill(element);
      }
    } else if constexpr (codec::kIsNamed<T>) {
      value = codec::kEnumNames<T>[random_.below(codec::kEnumNames<T>.size())].value;
    } else if constexpr (std::is_integral_v<T>) {
      fill_integer(value);
    } else {
      const auto bytes = allocate<std::byte>(random_.chance(1, 4) ? 0 : random_.below(40));
      for (std::byte& byte : bytes) {
        byte = static_cast<std::byte>(random_.next());
      }
      value = T(reinterpret_cast<const typename T::value_type*>(bytes.data()), bytes.size());
    }
  }

  /// Small, large or anything; never a null value, which is 0 or the lowest or the highest.
  template <class T>
  void fill_integer(T& value) {
    constexpr T kHighest = std::numeric_limits<T>::max();
    do {
      const auto any = static_cast<T>(random_.next());
      value = random_.chance(1, 3) ? static_cast<T>(any & 3) : any;
      value = random_.chance(1, 6) ? static_cast<T>(kHighest - 1) : value;
    } while (value == 0 || value == kHighest || value == std::numeric_limits<T>::min());
  }

  template <class T>
  [[nodiscard]] std::span<T> allocate(std::size_t count) {
    T* first = std::pmr::polymorphic_allocator<T>(&memory_).allocate(count);
    std::uninitialized_value_construct_n(first, count);
    return {first, count};
  }

  base::Random random_;
  std::pmr::monotonic_buffer_resource memory_;
};

/// The message in a buffer of exactly its size, so that AddressSanitizer sees every byte read too
/// far.
template <class M>
[[nodiscard]] std::vector<std::byte> encoded(const M& message) {
  std::vector<std::byte> bytes(codec::encoded_size(message));
  const auto size = codec::encode(message, std::span(bytes));
  bytes.resize(size ? *size : 0);
  return bytes;
}

}  // namespace tensorpool::test
