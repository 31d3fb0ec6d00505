// hot-path: tell() is one relaxed store.
//
// What a producer has counted, for other threads, at any time and also when no frame follows.
//
// Thread contract: tell and tell_all: the producer's thread. read: any. Each number stands alone:
// two of them need not be of the same moment.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "tensorpool/types/counters.hpp"

namespace tensorpool::inline v0::agents {

class ProducerTally {
 public:
  /// `kCounter` has changed.
  template <std::uint64_t ProducerCounters::*kCounter>
  void tell(const ProducerCounters& counters) noexcept {
    constexpr std::size_t kPlace = place_of(kCounter);
    numbers_[kPlace].store(counters.*kCounter, std::memory_order_relaxed);
  }
  void tell_all(const ProducerCounters& counters) noexcept {
    const auto values = std::bit_cast<Values>(counters);
    for (std::size_t k = 0; k < kCount; ++k) {
      numbers_[k].store(values[k], std::memory_order_relaxed);
    }
  }
  [[nodiscard]] ProducerCounters read() const noexcept {
    Values values{};
    for (std::size_t k = 0; k < kCount; ++k) {
      values[k] = numbers_[k].load(std::memory_order_relaxed);
    }
    return std::bit_cast<ProducerCounters>(values);
  }

 private:
  static constexpr std::size_t kCount = sizeof(ProducerCounters) / sizeof(std::uint64_t);
  using Values = std::array<std::uint64_t, kCount>;

  [[nodiscard]] static constexpr std::size_t place_of(
      std::uint64_t ProducerCounters::*counter) noexcept {
    Values places{};
    for (std::size_t k = 0; k < kCount; ++k) {
      places[k] = k;
    }
    return static_cast<std::size_t>(std::bit_cast<ProducerCounters>(places).*counter);
  }

  std::array<std::atomic<std::uint64_t>, kCount> numbers_{};
};

}  // namespace tensorpool::inline v0::agents
