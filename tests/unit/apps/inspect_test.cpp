// Region files of any content are looked at from outside and judged, never trusted.
#include "apps/inspect.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "layout/limits.hpp"
#include "support/scratch_directory.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::apps {
namespace {

using ::testing::EndsWith;

class Inspect : public ::testing::Test {
 protected:
  [[nodiscard]] std::string file(const std::string& name, std::string_view bytes) const {
    const std::string path = scratch_.path() + "/" + name;
    std::ofstream(path, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path;
  }
  /// A stream of 8 slots with 20 frames; its producer needs no media driver for that.
  void publish_frames() {
    client_.emplace(*Client::create({.aeron_dir = scratch_.path() + "/aeron"}));
    producer_.emplace(*client_->create_producer({.name = "cam1",
                                                 .nslots = 8,
                                                 .pools = {{.pool_id = 1, .stride_bytes = 64}},
                                                 .shm_base_dir = scratch_.path()}));
    const std::array<std::byte, 16> payload{};
    for (int k = 0; k < 20; ++k) {
      ASSERT_EQ(producer_->publish(TensorInfo::packed(Dtype::kUint8, {4, 4}), payload),
                PublishStatus::kPublished);
    }
  }

  const test::ScratchDirectory scratch_{"/dev/shm"};
  std::optional<Client> client_;
  std::optional<Producer> producer_;
};

TEST_F(Inspect, tells_the_newest_frame_of_a_stream) {
  publish_frames();
  const auto paths = find_regions(scratch_.path());
  ASSERT_TRUE(paths);
  ASSERT_EQ(paths->size(), 2U);
  EXPECT_THAT(paths->front(), EndsWith("header.ring"));
  const auto sut = inspect_region(paths->front());
  ASSERT_TRUE(sut);
  EXPECT_TRUE(sut->verdict);
  ASSERT_TRUE(sut->newest);
  EXPECT_EQ(sut->newest->seq, 19U);
  EXPECT_EQ(sut->newest->payload_bytes, 16U);
  EXPECT_TRUE(inspect_region(paths->back())->verdict);
}

TEST_F(Inspect, judges_a_region_that_was_cut) {
  publish_frames();
  const auto paths = find_regions(scratch_.path());
  ASSERT_TRUE(paths);
  std::filesystem::resize_file(paths->front(), layout::kSuperblockBytes + 100);
  const auto sut = inspect_region(paths->front());
  ASSERT_TRUE(sut);
  ASSERT_FALSE(sut->verdict);
  EXPECT_EQ(sut->verdict.error().code, Errc::kRegionTooSmall);
}

TEST_F(Inspect, refuses_files_that_are_no_regions) {
  std::mt19937 random(1);
  for (const std::size_t size : {0UL, 1UL, 63UL, 64UL, 65UL, 4096UL}) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(random());
    }
    const auto sut = inspect_region(file("rubbish", bytes));
    EXPECT_EQ(sut.has_value(), size >= layout::kSuperblockBytes) << size;
    EXPECT_FALSE(sut && sut->verdict) << size;
  }
}

TEST_F(Inspect, finds_nothing_where_nothing_is) {
  const auto sut = find_regions(scratch_.path());
  ASSERT_FALSE(sut);
  EXPECT_EQ(sut.error().code, Errc::kNotFound);
}

}  // namespace
}  // namespace tensorpool::apps
