#include "codec/codec.hpp"

#include <cstring>

#include "base/endian.hpp"
#include "layout/message.hpp"

namespace tensorpool::inline v0::codec {
namespace {

/// Precondition: the bytes are there.
template <class T>
T read_at(std::span<const std::byte> bytes, std::size_t position) noexcept {
  base::Le<T> value;
  std::memcpy(&value, bytes.data() + position, sizeof value);
  return value;
}

}  // namespace

Result<MessageHeader> peek_header(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < layout::kMessageHeaderBytes) {
    return fail(Errc::kMalformedMessage, "message header", bytes.size(),
                layout::kMessageHeaderBytes);
  }
  return MessageHeader{
      .block_length = read_at<std::uint16_t>(bytes, 0),
      .template_id = read_at<std::uint16_t>(bytes, 2),
      .schema_id = read_at<std::uint16_t>(bytes, 4),
      .version = read_at<std::uint16_t>(bytes, 6),
  };
}

std::optional<std::int64_t> peek_correlation_id(std::span<const std::byte> bytes) noexcept {
  constexpr std::size_t kIdBytes = sizeof(std::int64_t);
  const auto header = peek_header(bytes);
  if (!header || header->block_length < kIdBytes ||
      bytes.size() < layout::kMessageHeaderBytes + kIdBytes) {
    return std::nullopt;
  }
  return read_at<std::int64_t>(bytes, layout::kMessageHeaderBytes);
}

}  // namespace tensorpool::inline v0::codec
