// The structs of src/layout against the byte offsets of the specification. Offsets are pinned by
// static_assert in the headers themselves; here the bytes that a store leaves behind are looked at.
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "layout/descriptor.hpp"
#include "layout/limits.hpp"
#include "layout/slot.hpp"
#include "layout/superblock.hpp"
#include "support/requirement.hpp"

namespace tensorpool::layout {
namespace {

template <class T>
std::array<unsigned char, sizeof(T)> bytes_of(const T& value) {
  std::array<unsigned char, sizeof(T)> bytes{};
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

TEST(Superblock, first_file_bytes_are_the_magic_number_little_endian) {
  TP_REQ("W1", "W10", "W3");
  Superblock sut{};
  sut.magic = kSuperblockMagic;
  const auto bytes = bytes_of(sut);
  const std::array<unsigned char, 8> expected{0x31, 0x4D, 0x48, 0x53, 0x4C, 0x50, 0x4F, 0x54};
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), bytes.begin()));
}

TEST(Superblock, epoch_is_read_and_written_at_its_unaligned_offset) {
  TP_REQ("W18");
  Superblock sut{};
  sut.epoch = 0x1122'3344'5566'7788ULL;
  EXPECT_EQ(bytes_of(sut)[12], 0x88);
  EXPECT_EQ(bytes_of(sut)[19], 0x11);
  EXPECT_EQ(sut.epoch.get(), 0x1122'3344'5566'7788ULL);
}

TEST(Slot, dims_and_strides_are_accessed_at_odd_offsets) {
  TP_REQ("W24", "W25", "W26");
  Slot sut{};
  sut.dims[7] = -2;
  sut.strides[0] = 0x0102'0304;
  EXPECT_EQ(bytes_of(sut)[83 + 28], 0xFE);
  EXPECT_EQ(bytes_of(sut)[115], 0x04);
  EXPECT_EQ(sut.dims[7].get(), -2);
  EXPECT_EQ(sut.strides[0].get(), 0x0102'0304);
}

TEST(Limits, region_sizes_are_computed_in_64_bits) {
  TP_REQ("W4", "W5", "W6");
  EXPECT_EQ(header_ring_bytes(1), 64U + 256U);
  EXPECT_EQ(header_ring_bytes(0x8000'0000U), 64ULL + 0x8000'0000ULL * 256ULL);
  EXPECT_EQ(payload_pool_bytes(1024, 8U << 20U), 64ULL + 1024ULL * (8ULL << 20U));
  EXPECT_GT(payload_pool_bytes(0x8000'0000U, 0x8000'0000U), 0xFFFF'FFFFULL);
}

}  // namespace
}  // namespace tensorpool::layout
