#include "codec/shape.hpp"

#include <cstring>

#include "base/endian.hpp"
#include "codec/scratch.hpp"
#include "layout/message.hpp"

namespace tensorpool::inline v0::codec {
namespace {

/// Positions are 64-bit and compared by what remains, so no length of the wire can wrap them (W85).
class Walker {
 public:
  explicit Walker(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

  [[nodiscard]] std::uint64_t scratch_bytes() const noexcept { return scratch_bytes_; }

  [[nodiscard]] Status skip(std::uint64_t count, std::string_view what) noexcept {
    if (count > remaining()) {
      return fail(Errc::kMalformedMessage, what, count, remaining());
    }
    position_ += count;
    return {};
  }

  [[nodiscard]] Status walk(std::span<const Tail> tails) noexcept {
    for (const Tail& tail : tails) {
      if (tail.rule == TailRule::kMayBeMissing && remaining() == 0) {
        continue;
      }
      Status status = tail.entry != nullptr ? walk_group(tail) : walk_data(tail);
      if (!status) {
        return status;
      }
    }
    return {};
  }

 private:
  [[nodiscard]] std::uint64_t remaining() const noexcept { return bytes_.size() - position_; }

  template <class T>
  [[nodiscard]] T read_at(std::uint64_t position) const noexcept {
    base::Le<T> value;
    std::memcpy(&value, bytes_.data() + position, sizeof value);
    return value;
  }

  [[nodiscard]] Status walk_data(const Tail& tail) noexcept {
    const std::uint64_t start = position_;
    if (Status status = skip(layout::kVarLengthBytes, tail.name); !status) {
      return status;
    }
    const auto length = read_at<std::uint32_t>(start);
    if (length > layout::kVarBytesMax) {
      return fail(Errc::kMalformedMessage, tail.name, length, layout::kVarBytesMax);
    }
    return skip(length, tail.name);
  }

  [[nodiscard]] Status walk_group(const Tail& tail) noexcept {
    const std::uint64_t start = position_;
    if (Status status = skip(layout::kGroupHeaderBytes, tail.name); !status) {
      return status;
    }
    const auto block_length = read_at<std::uint16_t>(start);
    const auto count = read_at<std::uint16_t>(start + 2);
    if (count > layout::kGroupEntriesMax || (count == 0 && tail.rule == TailRule::kNotEmpty)) {
      return fail(Errc::kMalformedMessage, tail.name, count, layout::kGroupEntriesMax);
    }
    if (count == 0) {
      return {};
    }
    const bool bare = tail.rule == TailRule::kBareEntries;
    if (bare ? (block_length != 0 && block_length != layout::kVarLengthBytes)
             : block_length < tail.entry->block_length) {
      return fail(Errc::kMalformedMessage, tail.name, block_length, tail.entry->block_length);
    }
    return walk_entries(tail, count, bare ? 0 : block_length);
  }

  /// Nothing is allocated for the entries until all of them turned out to be there (D5, S13).
  [[nodiscard]] Status walk_entries(const Tail& tail, std::uint64_t count,
                                    std::uint64_t block_length) noexcept {
    scratch_bytes_ += Scratch::bytes_for(tail.entry_bytes, count);
    if (tail.entry->tails.empty()) {
      return skip(count * block_length, tail.name);
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      if (Status status = skip(block_length, tail.name); !status) {
        return status;
      }
      if (Status status = walk(tail.entry->tails); !status) {
        return status;
      }
    }
    return {};
  }

  std::span<const std::byte> bytes_;
  std::uint64_t position_ = 0;
  std::uint64_t scratch_bytes_ = 0;
};

}  // namespace

Result<std::size_t> check_shape(const Shape& shape, std::uint16_t block_length,
                                std::span<const std::byte> bytes) noexcept {
  if (block_length < shape.block_length) {
    return fail(Errc::kMalformedMessage, "blockLength", block_length, shape.block_length);
  }
  Walker walker(bytes);
  Status status = walker.skip(layout::kMessageHeaderBytes + std::uint64_t{block_length}, "block");
  if (status) {
    status = walker.walk(shape.tails);
  }
  if (!status) {
    return fail(status.error());
  }
  return walker.scratch_bytes();
}

}  // namespace tensorpool::inline v0::codec
