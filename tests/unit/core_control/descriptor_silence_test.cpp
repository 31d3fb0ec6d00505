#include "core/consumer/descriptor_silence.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace tensorpool::core::consumer {
namespace {

using std::chrono::milliseconds;

TEST(DescriptorSilence, reads_the_ring_once_a_frame_has_waited_there) {
  DescriptorSilence sut(milliseconds(1));
  EXPECT_FALSE(sut.on_idle(true, milliseconds(10)));
  EXPECT_FALSE(sut.on_idle(true, milliseconds(11) - Nanos(1)));
  EXPECT_TRUE(sut.on_idle(true, milliseconds(11)));
  EXPECT_TRUE(sut.on_idle(false, milliseconds(11)))
      << "blocked: the ring is read at once from here on";
}

TEST(DescriptorSilence, a_quiet_stream_is_not_a_blocked_one) {
  DescriptorSilence sut(milliseconds(1));
  for (int ms = 0; ms < 1000; ++ms) {
    EXPECT_FALSE(sut.on_idle(false, milliseconds(ms)));
  }
}

TEST(DescriptorSilence, a_descriptor_of_a_new_frame_ends_it) {
  DescriptorSilence sut(milliseconds(1));
  static_cast<void>(sut.on_idle(true, milliseconds(0)));
  ASSERT_TRUE(sut.on_idle(true, milliseconds(5)));
  sut.on_progress();
  EXPECT_FALSE(sut.blocked());
  EXPECT_FALSE(sut.on_idle(true, milliseconds(6)));
}

}  // namespace
}  // namespace tensorpool::core::consumer
