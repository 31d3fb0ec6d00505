// Objects go to the data thread and come back; none is used after it was destroyed.
#include "bus/handoff.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>

namespace tensorpool::bus {
namespace {

/// Counts the living, and knows whether it lives.
struct Tracked {
  explicit Tracked(int which, int& alive) : id(which), count(alive) { ++count; }
  Tracked(const Tracked&) = delete;
  Tracked& operator=(const Tracked&) = delete;
  ~Tracked() {
    canary = 0;
    --count;
  }
  static constexpr std::uint64_t kAlive = 0x600DF00D600DF00D;
  std::uint64_t canary = kAlive;
  int id;
  int& count;
};

TEST(Handoff, has_nothing_until_something_is_offered) {
  int alive = 0;
  Handoff<Tracked> sut;
  EXPECT_EQ(sut.current(), nullptr);
  EXPECT_EQ(sut.newest(), nullptr);
  sut.offer(std::make_unique<Tracked>(1, alive));
  ASSERT_NE(sut.current(), nullptr);
  EXPECT_EQ(sut.current()->id, 1);
  EXPECT_EQ(sut.newest(), sut.current());
}

TEST(Handoff, keeps_the_replaced_object_until_the_data_thread_has_let_go_of_it) {
  int alive = 0;
  Handoff<Tracked> sut;
  sut.offer(std::make_unique<Tracked>(1, alive));
  const Tracked* first = sut.current();
  sut.offer(std::make_unique<Tracked>(2, alive));
  sut.collect();
  EXPECT_EQ(first->canary, Tracked::kAlive);
  EXPECT_EQ(sut.current()->id, 2);
  EXPECT_EQ(alive, 2);
  sut.collect();
  EXPECT_EQ(alive, 1);
}

TEST(Handoff, destroys_an_offer_that_was_never_taken) {
  int alive = 0;
  Handoff<Tracked> sut;
  sut.offer(std::make_unique<Tracked>(1, alive));
  sut.offer(std::make_unique<Tracked>(2, alive));
  EXPECT_EQ(alive, 1);
  EXPECT_EQ(sut.current()->id, 2);
}

TEST(Handoff, takes_back_without_a_replacement) {
  int alive = 0;
  Handoff<Tracked> sut;
  sut.offer(std::make_unique<Tracked>(1, alive));
  ASSERT_NE(sut.current(), nullptr);
  sut.offer(nullptr);
  EXPECT_EQ(sut.newest(), nullptr);
  EXPECT_EQ(sut.current(), nullptr);
  sut.collect();
  EXPECT_EQ(alive, 0);
}

TEST(Handoff, close_destroys_what_is_offered_in_use_and_given_back) {
  int alive = 0;
  Handoff<Tracked> sut;
  for (int id = 1; id <= 3; ++id) {
    sut.offer(std::make_unique<Tracked>(id, alive));
    ASSERT_EQ(sut.current()->id, id);
  }
  sut.offer(std::make_unique<Tracked>(4, alive));
  EXPECT_EQ(alive, 4);
  sut.close();
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(sut.current(), nullptr);
}

TEST(Handoff, a_busy_data_thread_only_ever_sees_living_objects_in_the_order_of_their_offers) {
  constexpr int kOffers = 20'001;
  static_assert(kOffers % 64 != 0, "the last offer stays");
  int alive = 0;
  Handoff<Tracked> sut;
  std::uint64_t dead = 0;
  std::uint64_t backwards = 0;
  std::thread data([&] {
    int last = 0;
    while (last < kOffers) {
      const Tracked* object = sut.current();
      if (object == nullptr) {
        continue;
      }
      dead += object->canary == Tracked::kAlive ? 0 : 1;
      backwards += object->id < last ? 1 : 0;
      last = object->id;
    }
  });
  for (int id = 1; id <= kOffers; ++id) {
    sut.offer(std::make_unique<Tracked>(id, alive));
    sut.collect();
    if (id % 64 == 0) {
      sut.offer(nullptr);
      std::this_thread::yield();
    }
  }
  data.join();
  sut.collect();
  EXPECT_EQ(dead, 0U);
  EXPECT_EQ(backwards, 0U);
  EXPECT_EQ(alive, 1);
  sut.close();
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace tensorpool::bus
