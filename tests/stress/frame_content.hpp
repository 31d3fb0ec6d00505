// What a frame of the stress tests holds: bytes that no neighbour has, and in the timestamp of its
// header a seal over all of them, the description of the tensor and the sequence number.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.hpp"
#include "core/tensor/strides.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::stress {

/// A 64-bit hash of words in four lanes, so that it keeps up with the copy it judges. Every word
/// counts with its position.
class Hash {
 public:
  void add(std::uint64_t word) noexcept {
    std::uint64_t& lane = lanes_[count_++ % lanes_.size()];
    lane = std::rotl((lane ^ word) * 0x9E37'79B9'7F4A'7C15ULL, 29);
  }
  [[nodiscard]] std::uint64_t value() const noexcept {
    std::uint64_t mixed = count_;
    for (const std::uint64_t lane : lanes_) {
      mixed = base::Random(mixed ^ lane).next();
    }
    return mixed;
  }

 private:
  std::array<std::uint64_t, 4> lanes_{1, 2, 3, 4};
  std::uint64_t count_ = 0;
};

/// Hash of bytes in shared memory that may change meanwhile: each word is loaded once.
/// Precondition: a multiple of 8 bytes at an address that is one too.
[[nodiscard]] inline std::uint64_t hash_of(std::span<const std::byte> bytes) noexcept {
  const auto* const words = reinterpret_cast<const std::uint64_t*>(bytes.data());
  Hash hash;
  for (std::size_t k = 0; k < bytes.size() / sizeof(*words); ++k) {
    hash.add(__atomic_load_n(&words[k], __ATOMIC_RELAXED));
  }
  return hash.value();
}

/// Hash of an effective description (with its strides).
[[nodiscard]] inline std::uint64_t hash_of(const TensorInfo& info) noexcept {
  Hash hash;
  hash.add(static_cast<std::uint64_t>(info.dtype) << 32U | static_cast<std::uint64_t>(info.order));
  for (std::size_t k = 0; k < info.shape().size(); ++k) {
    hash.add(static_cast<std::uint64_t>(info.dims[k]));
    hash.add(static_cast<std::uint64_t>(info.strides[k]));
  }
  return hash.value();
}

[[nodiscard]] inline std::uint64_t seal_of(std::uint64_t seq, std::uint64_t bytes_hash,
                                           std::uint64_t info_hash) noexcept {
  return base::Random(seq ^ std::rotl(bytes_hash, 17) ^ info_hash).next();
}

/// Prepared content for frames: hashing while writing would slow the writer down.
struct Page {
  TensorInfo info;
  std::vector<std::byte> bytes;
  std::uint64_t bytes_hash = 0;
  std::uint64_t info_hash = 0;

  [[nodiscard]] std::uint64_t seal(std::uint64_t seq) const noexcept {
    return seal_of(seq, bytes_hash, info_hash);
  }
};

/// Pages of many lengths and shapes, a multiple of 8 bytes from `bytes_min` to `bytes_max` each.
class Book {
 public:
  Book(std::uint64_t seed, std::size_t bytes_min, std::size_t bytes_max) {
    base::Random random(seed);
    for (Page& page : pages_) {
      const auto words = static_cast<std::int32_t>(random.between(bytes_min / 8, bytes_max / 8));
      // One to four dimensions: the words of the header that a frame uses differ as well.
      const std::array<std::int32_t, 4> shape{words, 1, 1, 1};
      page.info = TensorInfo::packed(Dtype::kUint64, std::span(shape).first(random.between(1, 4)));
      page.bytes.resize(static_cast<std::size_t>(words) * 8);
      for (std::byte& byte : page.bytes) {
        byte = static_cast<std::byte>(random.next());
      }
      page.bytes_hash = hash_of(page.bytes);
      page.info_hash = hash_of(core::tensor::resolve(page.info)->info);
    }
  }
  /// Frames that follow each other in a slot have different pages, nearly always.
  [[nodiscard]] const Page& page_of(std::uint64_t seq) const noexcept {
    return pages_[base::Random(seq).next() % pages_.size()];
  }

 private:
  std::array<Page, 61> pages_;
};

}  // namespace tensorpool::stress
