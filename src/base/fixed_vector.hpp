// A vector with its storage inside: fixed capacity, no allocation.
//
// For plain values only. Thread contract: as a plain array.
#pragma once

#include <array>
#include <cstddef>
#include <type_traits>

#include "base/assert.hpp"

namespace tensorpool::inline v0::base {

template <class T, std::size_t kCapacity>
class FixedVector {
  static_assert(std::is_trivially_destructible_v<T> && std::is_default_constructible_v<T>);

 public:
  using value_type = T;

  [[nodiscard]] static constexpr std::size_t capacity() noexcept { return kCapacity; }
  [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
  [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] constexpr bool full() const noexcept { return size_ == kCapacity; }

  /// Appends; false, and nothing changed, when full.
  [[nodiscard]] constexpr bool try_push_back(const T& value) noexcept {
    if (full()) {
      return false;
    }
    items_[size_++] = value;
    return true;
  }
  /// Precondition: not full.
  constexpr void push_back(const T& value) noexcept {
    TP_ASSERT(!full());
    items_[size_++] = value;
  }
  /// Precondition: not empty.
  constexpr void pop_back() noexcept {
    TP_ASSERT(!empty());
    --size_;
  }
  constexpr void clear() noexcept { size_ = 0; }

  [[nodiscard]] constexpr T& operator[](std::size_t index) noexcept {
    TP_DCHECK(index < size_);
    return items_[index];
  }
  [[nodiscard]] constexpr const T& operator[](std::size_t index) const noexcept {
    TP_DCHECK(index < size_);
    return items_[index];
  }
  [[nodiscard]] constexpr T& back() noexcept { return (*this)[size_ - 1]; }
  [[nodiscard]] constexpr const T& back() const noexcept { return (*this)[size_ - 1]; }
  [[nodiscard]] constexpr T* data() noexcept { return items_.data(); }
  [[nodiscard]] constexpr const T* data() const noexcept { return items_.data(); }
  [[nodiscard]] constexpr T* begin() noexcept { return items_.data(); }
  [[nodiscard]] constexpr T* end() noexcept { return items_.data() + size_; }
  [[nodiscard]] constexpr const T* begin() const noexcept { return items_.data(); }
  [[nodiscard]] constexpr const T* end() const noexcept { return items_.data() + size_; }

 private:
  std::array<T, kCapacity> items_{};
  std::size_t size_ = 0;
};

}  // namespace tensorpool::inline v0::base
