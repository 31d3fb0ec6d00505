// A payload that is written once and stays warm. Its head is the stamp of the frame.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "apps/bench/case.hpp"

namespace tensorpool::inline v0::apps::bench {

class Source {
 public:
  explicit Source(std::size_t bytes) : bytes_(bytes) {
    for (std::size_t k = 0; k < bytes; ++k) {
      bytes_[k] = static_cast<std::byte>(k * 131);
    }
  }
  [[nodiscard]] std::span<const std::byte> stamped(const Stamp& stamp) noexcept {
    std::memcpy(bytes_.data(), &stamp, sizeof(stamp));
    return bytes_;
  }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace tensorpool::inline v0::apps::bench
