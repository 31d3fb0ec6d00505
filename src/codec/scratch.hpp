// Memory for the groups of one decoded message.
//
// A receiver owns one Scratch per thread and hands it to every decode. It grows to the largest
// message seen and is then reused, so that decoding allocates nothing in the long run; the entries
// of the previous message go with the next decode.
//
// Thread contract: one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>

#include "base/assert.hpp"

namespace tensorpool::inline v0::codec {

class Scratch {
 public:
  Scratch() = default;
  /// Allocates: `bytes`, so that messages whose groups fit need no growth.
  explicit Scratch(std::size_t bytes) { reset(bytes); }

  /// Drops all entries and provides for `bytes` of new ones. Allocates: when `bytes` is more than
  /// ever before.
  void reset(std::size_t bytes) {
    if (bytes > capacity_) {
      memory_ = std::make_unique_for_overwrite<std::byte[]>(bytes);
      capacity_ = bytes;
    }
    used_ = 0;
  }

  /// The bytes that `count` entries of `entry_bytes` take up.
  [[nodiscard]] static constexpr std::size_t bytes_for(std::size_t entry_bytes,
                                                       std::size_t count) noexcept {
    return (entry_bytes * count + kAlignment - 1) / kAlignment * kAlignment;
  }

  /// Precondition: reset() was told of these entries.
  template <class T>
  [[nodiscard]] std::span<T> take(std::size_t count) noexcept {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= kAlignment);
    const std::size_t bytes = bytes_for(sizeof(T), count);
    TP_ASSERT(bytes <= capacity_ - used_);
    auto* first = reinterpret_cast<T*>(memory_.get() + used_);
    used_ += bytes;
    std::uninitialized_value_construct_n(first, count);
    return {first, count};
  }

  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

 private:
  static constexpr std::size_t kAlignment = alignof(std::max_align_t);

  std::unique_ptr<std::byte[]> memory_;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
};

}  // namespace tensorpool::inline v0::codec
