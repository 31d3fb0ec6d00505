// One thread's worth of it; the rest is tests/model/wake_model_test.cpp.
#include "core/wake/wake_protocol.hpp"

#include <gtest/gtest.h>

namespace tensorpool::core::wake {
namespace {

template <class Atom>
class WakeProtocol : public ::testing::Test {
 protected:
  std::uint64_t armed = 0;
  std::uint64_t ticket = 41;
};
using Atoms = ::testing::Types<base::FenceAtom, base::AcquireReleaseAtom>;
TYPED_TEST_SUITE(WakeProtocol, Atoms);

TYPED_TEST(WakeProtocol, leaves_a_producer_alone_while_nobody_sleeps) {
  EXPECT_FALSE(somebody_sleeps<TypeParam>(this->armed));
  EXPECT_EQ(this->armed, 0U);
  EXPECT_EQ(this->ticket, 41U);
}

TYPED_TEST(WakeProtocol, lets_a_consumer_sleep_that_finds_nothing_once_it_is_armed) {
  const Arming arming = arm<TypeParam>(this->armed, this->ticket, [this] {
    EXPECT_EQ(this->armed, 1U) << "looked before it armed";
    return false;
  });
  EXPECT_TRUE(arming.may_sleep);
  EXPECT_EQ(arming.ticket, 41U);
  EXPECT_TRUE(somebody_sleeps<TypeParam>(this->armed));
}

TYPED_TEST(WakeProtocol, keeps_a_consumer_awake_that_finds_something) {
  EXPECT_FALSE(arm<TypeParam>(this->armed, this->ticket, [] { return true; }).may_sleep);
}

TYPED_TEST(WakeProtocol, wakes_once_for_each_arming) {
  const Arming arming = arm<TypeParam>(this->armed, this->ticket, [] { return false; });
  take_armings<TypeParam>(this->armed, this->ticket);
  EXPECT_NE(this->ticket, arming.ticket);
  EXPECT_FALSE(somebody_sleeps<TypeParam>(this->armed));
}

}  // namespace
}  // namespace tensorpool::core::wake
