#include "apps/ramp_check.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "apps/sources/simulated.hpp"

namespace tensorpool::apps {
namespace {

using Verdict = RampCheck::Verdict;

/// A frame whose first element is `start`.
std::vector<std::byte> ramp(std::uint64_t start, std::size_t elements) {
  std::vector<std::byte> bytes(elements * 2);
  for (std::size_t i = 0; i < elements; ++i) {
    const auto value = static_cast<std::uint16_t>(start + i);
    std::memcpy(bytes.data() + 2 * i, &value, 2);
  }
  return bytes;
}

const TensorInfo kInfo = TensorInfo::packed(Dtype::kUint16, {8, 8});

TEST(RampCheck, accepts_what_the_simulation_publishes_in_every_type) {
  for (const Dtype dtype :
       {Dtype::kUint8, Dtype::kInt8, Dtype::kUint16, Dtype::kInt16, Dtype::kUint32, Dtype::kInt64,
        Dtype::kFloat32, Dtype::kFloat64, Dtype::kBoolean, Dtype::kBytes}) {
    const auto source = sources::make_simulation(
        {.simulation = sources::Simulation::kRamp, .shape = {300, 7}, .dtype = dtype});
    ASSERT_TRUE(source);
    RampCheck sut;
    for (std::uint64_t seq = 10; seq < 300; ++seq) {
      const auto frame = (*source)->next();
      ASSERT_TRUE(frame && *frame);
      ASSERT_EQ(sut.check((*source)->info(), **frame, 1, seq), Verdict::kRight)
          << to_string(dtype) << ", frame " << seq;
    }
    EXPECT_EQ(sut.torn() + sut.misnumbered(), 0U);
  }
}

TEST(RampCheck, finds_a_frame_that_is_two) {
  RampCheck sut;
  std::vector<std::byte> mixed = ramp(5, 64);
  const std::vector<std::byte> other = ramp(6, 64);
  EXPECT_EQ(sut.check(kInfo, mixed, 1, 5), Verdict::kRight);
  std::memcpy(mixed.data() + 64, other.data() + 64, 64);
  EXPECT_EQ(sut.check(kInfo, mixed, 1, 5), Verdict::kTorn);
  EXPECT_EQ(sut.torn(), 1U);
}

TEST(RampCheck, finds_a_frame_that_is_another_one) {
  RampCheck sut;
  EXPECT_EQ(sut.check(kInfo, ramp(5, 64), 1, 105), Verdict::kRight);
  EXPECT_EQ(sut.check(kInfo, ramp(7, 64), 1, 106), Verdict::kMisnumbered);
  EXPECT_EQ(sut.check(kInfo, ramp(7, 64), 1, 107), Verdict::kRight);
  EXPECT_EQ(sut.check(kInfo, ramp(0, 64), 2, 0), Verdict::kRight) << "a new epoch starts anew";
  EXPECT_EQ(sut.checked(), 4U);
}

TEST(RampCheck, takes_no_empty_or_odd_frame_for_a_ramp) {
  EXPECT_FALSE(ramp_start(kInfo, {}));
  EXPECT_FALSE(ramp_start(kInfo, std::vector<std::byte>(3)));
}

}  // namespace
}  // namespace tensorpool::apps
