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

/// A number at `position` of the block, or nothing when message or block end before it does.
template <class T>
std::optional<T> peek_block(std::span<const std::byte> bytes, std::size_t position) noexcept {
  const auto header = peek_header(bytes);
  const std::size_t end = position + sizeof(T);
  if (!header || header->block_length < end || bytes.size() < layout::kMessageHeaderBytes + end) {
    return std::nullopt;
  }
  return read_at<T>(bytes, layout::kMessageHeaderBytes + position);
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
  return peek_block<std::int64_t>(bytes, 0);
}

std::optional<std::int32_t> peek_response_code(std::span<const std::byte> bytes) noexcept {
  return peek_block<std::int32_t>(bytes, sizeof(std::int64_t));
}

}  // namespace tensorpool::inline v0::codec
