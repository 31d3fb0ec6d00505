// Messages to plain structs and back, for every agent that talks on the bus.
//
//   codec::Scratch scratch;                       // one per receiver, reused
//   auto message = codec::decode<codec::Message900>(bytes, scratch);
//   if (message) std::visit(handler, *message);   // valid until the next decode with this scratch
//
//   auto size = codec::encode(layout::QosProducer{.stream_id = 10000, …}, buffer);
//
// A message is decoded whole or not at all (W87). Errors tell a receiver what to count:
//   kMalformedMessage    drop, count as malformed
//   kUnsupportedVersion  drop, count in unsupported_version (W76)
//   kWrongSchema         ignore (W74)
//   kUnknownTemplate     ignore (W75, W89)
// The template is looked at before the version: a message that a receiver does not handle is
// ignored, whatever its version.
//
// Thread contract: functions without state; one Scratch per thread.
// Spec: §1.5.1, §1.5.2 and the framing rules of the other chapters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "codec/messages.hpp"
#include "codec/scratch.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::codec {

/// The first 8 bytes of every message.
struct MessageHeader {
  std::uint16_t block_length = 0;
  std::uint16_t template_id = 0;
  std::uint16_t schema_id = 0;
  std::uint16_t version = 0;
};

/// Reads the header of a message of any schema. Fails with kMalformedMessage below 8 bytes (W78).
[[nodiscard]] Result<MessageHeader> peek_header(std::span<const std::byte> bytes) noexcept;

/// The correlation id of a request or response whose block starts with it, even when the rest
/// cannot be decoded (D4, D12, D16); nothing when the message or its block is too short.
[[nodiscard]] std::optional<std::int64_t> peek_correlation_id(
    std::span<const std::byte> bytes) noexcept;

/// The raw code that follows the correlation id in the block of a ShmAttachResponse, under the same
/// conditions: a refusal is believed without the rest (D109).
[[nodiscard]] std::optional<std::int32_t> peek_response_code(
    std::span<const std::byte> bytes) noexcept;

/// Decodes one message. M is a struct of layout/messages_*.hpp, or a variant of messages.hpp, which
/// takes any message of its schema. Texts, binary data and groups of the result point into `bytes`
/// and `scratch`. Allocates: when `scratch` has to grow; at most proportional to `bytes` (W90).
template <class M>
[[nodiscard]] Result<M> decode(std::span<const std::byte> bytes, Scratch& scratch);

/// The bytes that encode() will write.
template <class M>
[[nodiscard]] std::uint64_t encoded_size(const M& message) noexcept;

/// Encodes `message` with its header, version 1, and returns the size. Fails with kMessageTooLong
/// when `out` (value: size needed, limit: size given), a text or a group is too long for it, and
/// with kInvalidArgument for an enum value that no receiver takes. An optional integer that
/// holds the null value of its field reads as absent.
template <class M>
[[nodiscard]] Result<std::size_t> encode(const M& message, std::span<std::byte> out);

}  // namespace tensorpool::inline v0::codec
