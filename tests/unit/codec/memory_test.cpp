// What decoding and encoding allocate.
#include <gtest/gtest.h>

#include <cstring>

#include "counting_new.hpp"
#include "support/random_message.hpp"
#include "support/requirement.hpp"

namespace tensorpool::codec {
namespace {

template <class M>
std::size_t bytes_for_decoding(std::span<const std::byte> bytes, Scratch& scratch) {
  const std::size_t before = test::allocations().bytes;
  static_cast<void>(decode<M>(bytes, scratch));
  return test::allocations().bytes - before;
}

void put_u16(std::vector<std::byte>& bytes, std::size_t at, std::uint16_t value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

TEST(Memory, claimed_counts_and_lengths_allocate_nothing) {
  TP_REQ("W90", "D5", "S13", "S14");
  const layout::PayloadPool pool{.pool_id = 1, .region_uri = "shm:file?path=/dev/shm/x"};
  layout::ShmPoolAnnounce message{.payload_pools = {&pool, 1}};
  auto bytes = test::encoded(message);
  put_u16(bytes, 8 + 35 + 2, layout::kGroupEntriesMax);
  Scratch scratch;
  EXPECT_EQ(bytes_for_decoding<layout::ShmPoolAnnounce>(bytes, scratch), 0U);

  auto blob = test::encoded(layout::MetaBlobChunk{});
  put_u16(blob, 8 + 16 + 2, 0x3FFF);
  EXPECT_EQ(bytes_for_decoding<layout::MetaBlobChunk>(blob, scratch), 0U);
}

TEST(Memory, densest_groups_take_a_fixed_multiple_of_the_message) {
  TP_REQ("W90", "D5", "S14");
  const std::vector<layout::Tag> tags(layout::kGroupEntriesMax);  // 4 bytes each on the wire
  const layout::DiscoveryRequest message{.tags = {tags.data(), tags.size()}};
  const auto bytes = test::encoded(message);
  Scratch scratch;
  const std::size_t used = bytes_for_decoding<layout::DiscoveryRequest>(bytes, scratch);
  EXPECT_GT(used, 0U);
  EXPECT_LE(used, 4 * bytes.size());
}

TEST(Memory, a_reused_scratch_allocates_only_while_it_grows) {
  test::RandomMessages messages(7);
  Scratch scratch(std::size_t{64} * 1024);
  for (int i = 0; i < 200; ++i) {
    const auto bytes = test::encoded(messages.make<layout::DiscoveryResponse>());
    const std::size_t before = test::allocations().calls;
    ASSERT_TRUE((decode<Message910>(bytes, scratch)));
    EXPECT_EQ(test::allocations().calls, before);
  }
}

TEST(Memory, encoding_allocates_nothing) {
  test::RandomMessages messages(8);
  const auto message = messages.make<layout::DiscoveryResponse>();
  std::vector<std::byte> out(encoded_size(message));
  const std::size_t before = test::allocations().calls;
  ASSERT_TRUE(encode(message, std::span(out)));
  EXPECT_EQ(test::allocations().calls, before);
}

}  // namespace
}  // namespace tensorpool::codec
