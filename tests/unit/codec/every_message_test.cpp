// Properties that hold for every message of every schema, templates 50 to 52 included.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstring>
#include <type_traits>

#include "support/random_message.hpp"
#include "support/requirement.hpp"

namespace tensorpool::codec {
namespace {

using Buffer = std::vector<std::byte>;

/// Calls `check.template operator()<M>(random messages, bytes of one message, the message)`.
template <class Check>
void for_every_message(Check&& check) {
  test::RandomMessages messages(*rc::gen::arbitrary<std::uint64_t>());
  visit_all_types([&]<class M>(std::type_identity<M>) {
    const M message = messages.make<M>();
    const Buffer bytes = test::encoded(message);
    RC_ASSERT(bytes.size() == encoded_size(message));
    check(message, bytes);
    return false;
  });
}

template <class M>
Errc code_of(const Result<M>& result) {
  return result ? Errc{} : result.error().code;
}

void put_u16(Buffer& bytes, std::size_t at, std::uint16_t value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

/// Bytes of the last field, where a message may end before it (S29, S30).
template <class M>
std::size_t optional_tail_bytes(const M& message) {
  std::size_t size = 0;
  for_each_field<M>([&](const auto& field) {
    if constexpr (kIsData<std::remove_cvref_t<decltype(field)>>) {
      if (field.rule == TailRule::kMayBeMissing) {
        size = layout::kVarLengthBytes + (message.*field.member).size();
      }
    }
  });
  return size;
}

RC_GTEST_PROP(EveryMessage, decodes_to_what_was_encoded, ()) {
  TP_REQ("W72", "W87", "D1", "S1", "J1");
  for_every_message([]<class M>(const M& message, const Buffer& bytes) {
    Scratch scratch;
    const auto decoded = decode<M>(bytes, scratch);
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(*decoded == message);
    const auto header = peek_header(bytes);
    RC_ASSERT(header->schema_id == M::kType.schema_id);
    RC_ASSERT(header->template_id == M::kType.template_id);
    RC_ASSERT(header->block_length == M::kType.block_length);
    RC_ASSERT(header->version == 1);
  });
}

RC_GTEST_PROP(EveryMessage, cut_at_any_byte_is_malformed, ()) {
  TP_REQ("W78", "W81", "W83", "D3", "D4", "S11", "S13", "S29", "S30", "J8", "T84");
  for_every_message([]<class M>(const M& message, const Buffer& bytes) {
    const std::size_t tail = optional_tail_bytes(message);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      Scratch scratch;
      const Buffer cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      const auto decoded = decode<M>(cut, scratch);
      if (tail != 0 && size == bytes.size() - tail) {
        RC_ASSERT(decoded.has_value());
      } else {
        RC_ASSERT(code_of(decoded) == Errc::kMalformedMessage);
      }
    }
  });
}

RC_GTEST_PROP(EveryMessage, bytes_after_the_last_field_are_ignored, ()) {
  TP_REQ("W86", "D7", "S15", "J12", "T96");
  for_every_message([]<class M>(const M& message, Buffer bytes) {
    bytes.resize(bytes.size() + *rc::gen::inRange<std::size_t>(1, 64), std::byte{0xFF});
    Scratch scratch;
    RC_ASSERT(decode<M>(bytes, scratch) == message);
  });
}

RC_GTEST_PROP(EveryMessage, longer_block_of_a_later_version_is_skipped, ()) {
  TP_REQ("W80", "D2", "S10", "J10", "T86");
  for_every_message([]<class M>(const M& message, Buffer bytes) {
    const auto extra = *rc::gen::inRange<std::uint16_t>(1, 64);
    bytes.insert(bytes.begin() + layout::kMessageHeaderBytes + M::kType.block_length, extra,
                 std::byte{0xEE});
    put_u16(bytes, 0, static_cast<std::uint16_t>(M::kType.block_length + extra));
    Scratch scratch;
    RC_ASSERT(decode<M>(bytes, scratch) == message);
  });
}

RC_GTEST_PROP(EveryMessage, shorter_block_is_malformed, ()) {
  TP_REQ("W79", "D3", "S9", "J7", "T83");
  for_every_message([]<class M>(const M&, Buffer bytes) {
    put_u16(bytes, 0, *rc::gen::inRange<std::uint16_t>(0, M::kType.block_length));
    Scratch scratch;
    RC_ASSERT(code_of(decode<M>(bytes, scratch)) == Errc::kMalformedMessage);
  });
}

RC_GTEST_PROP(EveryMessage, versions_0_and_1_are_decoded_and_later_ones_are_not, ()) {
  TP_REQ("W76", "W77", "D2", "D16", "S5", "S6", "J3", "J4", "T80", "T81");
  for_every_message([]<class M>(const M& message, Buffer bytes) {
    Scratch scratch;
    put_u16(bytes, 6, 0);
    RC_ASSERT(decode<M>(bytes, scratch) == message);
    put_u16(bytes, 6, *rc::gen::inRange<std::uint16_t>(2, 0xFFFF));
    RC_ASSERT(code_of(decode<M>(bytes, scratch)) == Errc::kUnsupportedVersion);
  });
}

RC_GTEST_PROP(EveryMessage, other_schemas_and_templates_are_told_apart_from_malformed_ones, ()) {
  TP_REQ("W74", "W75", "S2", "S3", "S4", "J2", "J5", "T79", "T82");
  for_every_message([]<class M>(const M&, Buffer bytes) {
    bytes.resize(layout::kMessageHeaderBytes);  // what follows is not looked at
    Scratch scratch;
    put_u16(bytes, 2, M::kType.template_id + 100);
    put_u16(bytes, 6, 77);
    RC_ASSERT(code_of(decode<M>(bytes, scratch)) == Errc::kUnknownTemplate);
    put_u16(bytes, 4, M::kType.schema_id + 1);
    RC_ASSERT(code_of(decode<M>(bytes, scratch)) == Errc::kWrongSchema);
  });
}

RC_GTEST_PROP(EveryMessage, damaged_bytes_never_do_harm_and_what_is_accepted_is_stable, ()) {
  TP_REQ("W83", "W84", "W85", "W90", "D5", "D6", "S12", "S13", "S14");
  for_every_message([]<class M>(const M&, Buffer bytes) {
    base::Random random(*rc::gen::arbitrary<std::uint64_t>());
    const std::uint64_t hits = random.between(1, 3);
    for (std::uint64_t hit = 0; hit < hits; ++hit) {
      const std::uint64_t width = std::uint64_t{1} << random.below(3);
      const std::uint64_t at = random.below(bytes.size());
      const std::uint64_t value = random.chance(1, 2) ? ~std::uint64_t{0} : random.next();
      std::memcpy(bytes.data() + at, &value, std::min<std::uint64_t>(width, bytes.size() - at));
    }
    Scratch scratch;
    const auto decoded = decode<M>(bytes, scratch);
    RC_ASSERT(scratch.capacity() <= 8 * bytes.size());
    if (decoded) {
      const Buffer again = test::encoded(*decoded);
      Scratch scratch_again;
      RC_ASSERT(decode<M>(again, scratch_again) == *decoded);
    }
  });
}

RC_GTEST_PROP(EveryMessage, encode_refuses_a_buffer_that_is_too_small_and_leaves_it_alone, ()) {
  for_every_message([]<class M>(const M& message, const Buffer& bytes) {
    Buffer small(*rc::gen::inRange<std::size_t>(0, bytes.size()), std::byte{0xA5});
    const Buffer before = small;
    const auto size = encode(message, std::span(small));
    RC_ASSERT(code_of(size) == Errc::kMessageTooLong);
    RC_ASSERT(size.error().value == bytes.size());
    RC_ASSERT(size.error().limit == small.size());
    RC_ASSERT(small == before);
  });
}

}  // namespace
}  // namespace tensorpool::codec
