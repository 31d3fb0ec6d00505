// A header ring followed from outside, while it is written and when it is not what it should be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "apps/inspect.hpp"
#include "apps/top/ring_reader.hpp"
#include "apps/top/sampler.hpp"
#include "layout/slot.hpp"
#include "layout/superblock.hpp"
#include "os/clock.hpp"
#include "support/scratch_directory.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::test {
namespace {

using apps::top::FrameSeen;
using apps::top::RingReader;
using apps::top::RingSeen;
using ::testing::SizeIs;

class TopRingReader : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kSlots = 128;

  /// A stream with its ring; its producer needs no media driver for that.
  TopRingReader()
      : client_(*Client::create({.aeron_dir = scratch_.path() + "/aeron"})),
        producer_(*client_.create_producer({.name = "cam1",
                                            .nslots = kSlots,
                                            .pools = {{.pool_id = 1, .stride_bytes = 64}},
                                            .shm_base_dir = scratch_.path()})),
        path_(apps::find_regions(scratch_.path())->front()) {}

  void publish(int frames, std::size_t bytes = 16, std::optional<std::uint64_t> at = {}) {
    const std::vector<std::byte> payload(bytes);
    for (int k = 0; k < frames; ++k) {
      ASSERT_EQ(
          producer_.publish(TensorInfo::packed(Dtype::kUint8, {static_cast<std::int32_t>(bytes)}),
                            payload, at.value_or(1000 + producer_.next_seq())),
          PublishStatus::kPublished);
    }
  }
  [[nodiscard]] RingSeen look(RingReader& reader) const {
    const Result<RingSeen> seen = reader.look(os::SystemClock().mono());
    EXPECT_TRUE(seen) << describe(seen.error());
    return seen.value_or(RingSeen());
  }
  /// Numbers from `first` to `last`, one by one.
  static void expect_numbers(const RingSeen& seen, std::uint64_t first, std::uint64_t last) {
    ASSERT_THAT(seen.frames, SizeIs(last - first + 1));
    for (std::size_t k = 0; k < seen.frames.size(); ++k) {
      EXPECT_EQ(seen.frames[k].seq, first + k);
      EXPECT_EQ(seen.frames[k].captured_at, Nanos(static_cast<Nanos::rep>(1000 + first + k)));
      EXPECT_EQ(seen.frames[k].bytes, 16U);
    }
    EXPECT_EQ(seen.newest_seq, last);
  }

  const ScratchDirectory scratch_{"/dev/shm"};
  Client client_;
  Producer producer_;
  std::string path_;
};

TEST_F(TopRingReader, sees_nothing_in_an_empty_ring) {
  Result<RingReader> sut = RingReader::open(path_);
  ASSERT_TRUE(sut);
  const RingSeen seen = look(*sut);
  EXPECT_EQ(seen.nslots, kSlots);
  EXPECT_EQ(seen.epoch, producer_.epoch());
  EXPECT_EQ(seen.stream_id, producer_.stream_id());
  EXPECT_FALSE(seen.newest_seq);
}

TEST_F(TopRingReader, sees_each_frame_once) {
  Result<RingReader> sut = RingReader::open(path_);
  ASSERT_TRUE(sut);
  publish(3);
  expect_numbers(look(*sut), 0, 2);
  const RingSeen same = look(*sut);
  EXPECT_THAT(same.frames, SizeIs(0));
  EXPECT_EQ(same.newest_seq, 2U);
  publish(100);
  expect_numbers(look(*sut), 3, 102);
  publish(100);  // over the end of the ring
  expect_numbers(look(*sut), 103, 202);
}

TEST_F(TopRingReader, sees_what_is_left_where_the_ring_has_come_round) {
  Result<RingReader> sut = RingReader::open(path_);
  ASSERT_TRUE(sut);
  publish(5);
  static_cast<void>(look(*sut));
  publish(1000);
  expect_numbers(look(*sut), 1005 - kSlots, 1004);
}

TEST_F(TopRingReader, passes_over_frames_that_are_being_written) {
  Result<RingReader> sut = RingReader::open(path_);
  ASSERT_TRUE(sut);
  publish(2);
  const auto claim = producer_.claim(16);
  ASSERT_TRUE(claim.has_value());
  expect_numbers(look(*sut), 0, 1);
}

TEST_F(TopRingReader, knows_frames_without_times) {
  Result<RingReader> sut = RingReader::open(path_);
  ASSERT_TRUE(sut);
  publish(1, 32, ~std::uint64_t{0});
  const RingSeen seen = look(*sut);
  ASSERT_THAT(seen.frames, SizeIs(1));
  EXPECT_FALSE(seen.frames.front().captured_at);
  EXPECT_EQ(seen.frames.front().bytes, 32U);
}

TEST_F(TopRingReader, refuses_what_is_no_header_ring) {
  EXPECT_FALSE(RingReader::open(scratch_.path()));
  EXPECT_FALSE(RingReader::open(scratch_.path() + "/nothing"));
  const std::string pool = apps::find_regions(scratch_.path())->back();
  Result<RingReader> sut = RingReader::open(pool);
  ASSERT_TRUE(sut);
  EXPECT_FALSE(sut->look({}));
}

/// How many bytes this process has read from files.
std::uint64_t bytes_read() {
  std::ifstream io("/proc/self/io");
  std::string name;
  std::uint64_t bytes = 0;
  io >> name >> bytes;
  return bytes;
}

TEST_F(TopRingReader, goes_through_a_ring_that_says_it_is_huge_in_several_looks) {
  constexpr std::uint32_t kHuge = 1U << 31U;
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  const std::uint32_t slots = kHuge;
  file.seekp(offsetof(layout::Superblock, nslots));
  file.write(reinterpret_cast<const char*>(&slots), sizeof(slots));
  file.close();
  std::filesystem::resize_file(
      path_, layout::kSuperblockBytes + std::uint64_t{kHuge} * layout::kHeaderSlotBytes);
  Result<RingReader> sut = RingReader::open(path_);
  ASSERT_TRUE(sut);
  for (int looks = 0; looks < 2; ++looks) {
    const std::uint64_t before = bytes_read();
    EXPECT_THAT(look(*sut).frames, SizeIs(0));
    EXPECT_LT(bytes_read() - before, 1U << 28U) << "of 512 GiB";
  }
}

TEST_F(TopRingReader, notices_a_file_that_has_become_shorter) {
  const std::string copy = scratch_.path() + "/copy";
  std::filesystem::copy_file(path_, copy);
  Result<RingReader> sut = RingReader::open(copy);
  ASSERT_TRUE(sut);
  ASSERT_TRUE(sut->look({}));
  std::filesystem::resize_file(copy, 100);
  EXPECT_FALSE(sut->look({}));
  std::filesystem::resize_file(copy, 10);
  EXPECT_FALSE(sut->look({}));
}

TEST_F(TopRingReader, is_used_for_rings_below_a_directory_where_nobody_tells_of_them) {
  publish(7);
  apps::top::Sampler sut({.aeron_dir = scratch_.path() + "/aeron", .shm_dirs = {scratch_.path()}});
  const apps::top::Sample sample = sut.take();
  ASSERT_THAT(sample.rings, SizeIs(1));
  EXPECT_EQ(sample.rings.front().newest_seq, 6U);
  EXPECT_THAT(sample.notes, SizeIs(1)) << "there is no media driver";
}

}  // namespace
}  // namespace tensorpool::test
