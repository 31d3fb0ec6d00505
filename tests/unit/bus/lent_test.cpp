// Objects are lent to the data thread and come back without its help; none is used after it was
// destroyed.
#include "bus/lent.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>

namespace tensorpool::bus {
namespace {

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

TEST(Lent, has_nothing_until_something_is_offered) {
  int alive = 0;
  Lent<Tracked> sut;
  EXPECT_FALSE(sut.any());
  sut.use([](Tracked&) noexcept { FAIL(); });
  sut.offer(std::make_unique<Tracked>(1, alive));
  EXPECT_TRUE(sut.any());
  int seen = 0;
  sut.use([&seen](Tracked& object) noexcept { seen = object.id; });
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(sut.newest()->id, 1);
}

TEST(Lent, destroys_what_was_replaced_though_the_data_thread_does_nothing) {
  int alive = 0;
  Lent<Tracked> sut;
  sut.offer(std::make_unique<Tracked>(1, alive));
  sut.use([](Tracked&) noexcept {});
  sut.offer(std::make_unique<Tracked>(2, alive));
  EXPECT_EQ(alive, 2);
  EXPECT_TRUE(sut.collect());
  EXPECT_EQ(alive, 1);
  sut.offer(nullptr);
  EXPECT_FALSE(sut.any());
  EXPECT_TRUE(sut.collect());
  EXPECT_EQ(alive, 0);
}

TEST(Lent, keeps_what_was_replaced_while_it_is_in_use) {
  int alive = 0;
  Lent<Tracked> sut;
  sut.offer(std::make_unique<Tracked>(1, alive));
  sut.use([&](Tracked& first) noexcept {
    sut.offer(std::make_unique<Tracked>(2, alive));
    EXPECT_FALSE(sut.collect());
    EXPECT_EQ(first.canary, Tracked::kAlive);
  });
  EXPECT_EQ(alive, 2);
  EXPECT_TRUE(sut.collect());
  EXPECT_EQ(alive, 1);
}

TEST(Lent, is_never_used_after_it_was_destroyed) {
  int alive = 0;
  Lent<Tracked> sut;
  std::atomic<bool> done{false};
  std::uint64_t dead = 0;
  int last = 0;
  int backwards = 0;
  std::thread data([&] {
    while (!done.load(std::memory_order_relaxed)) {
      sut.use([&](Tracked& object) noexcept {
        dead += object.canary == Tracked::kAlive ? 0U : 1U;
        backwards += object.id < last ? 1 : 0;
        last = object.id;
      });
    }
  });
  for (int id = 1; id <= 20'000; ++id) {
    sut.offer(id % 7 == 0 ? nullptr : std::make_unique<Tracked>(id, alive));
    static_cast<void>(sut.collect());
  }
  done = true;
  data.join();
  EXPECT_EQ(dead, 0U);
  EXPECT_EQ(backwards, 0);
  sut.offer(nullptr);
  EXPECT_TRUE(sut.collect());
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace tensorpool::bus
