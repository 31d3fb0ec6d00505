// Buffers that come back on any thread are found once each, whole, and by an owner that sleeps.
#include "client/completion_board.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace tensorpool::detail {
namespace {

/// Torn when its words differ.
struct Record {
  std::array<std::uint64_t, 6> words{};
};
[[nodiscard]] Record record_of(std::uint64_t value) {
  Record record;
  record.words.fill(value);
  return record;
}
using Board = CompletionBoard<Record>;

TEST(CompletionBoard, gives_what_was_put_once) {
  Board sut(2);
  const std::uint64_t id = sut.lend(1);
  EXPECT_FALSE(sut.take(id));
  EXPECT_TRUE(sut.put(id, record_of(7)));
  const std::optional<Record> taken = sut.take(id);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->words, record_of(7).words);
  EXPECT_FALSE(sut.take(id));
}

TEST(CompletionBoard, refuses_what_is_not_out) {
  Board sut(2);
  EXPECT_FALSE(sut.put(0, record_of(1)));
  EXPECT_FALSE(sut.put(~std::uint64_t{0}, record_of(1)));
  const std::uint64_t first = sut.lend(0);
  EXPECT_FALSE(sut.put(first + 1, record_of(1)));  // the place beside it
  EXPECT_TRUE(sut.put(first, record_of(1)));
  EXPECT_FALSE(sut.put(first, record_of(2)));
  EXPECT_TRUE(sut.take(first));
  EXPECT_FALSE(sut.put(first, record_of(3)));
  const std::uint64_t second = sut.lend(0);
  EXPECT_NE(second, first);
  EXPECT_FALSE(sut.put(first, record_of(4)));  // of the lending before
  EXPECT_FALSE(sut.take(second));
}

TEST(CompletionBoard, does_not_sleep_over_what_was_put_since_the_count_was_read) {
  Board sut(1);
  const std::uint64_t seen = sut.put_count();
  ASSERT_TRUE(sut.put(sut.lend(0), record_of(1)));
  sut.wait(seen, std::chrono::hours(1));
  EXPECT_EQ(sut.put_count(), seen + 1);
}

TEST(CompletionBoardAmongThreads, takes_each_buffer_once_and_whole_and_wakes_its_owner) {
  constexpr std::uint32_t kPlaces = 8;
  constexpr std::uint64_t kRounds = 5'000;
  constexpr int kThreads = 3;
  Board sut(kPlaces);
  std::mutex mutex;
  std::deque<std::uint64_t> out;  // at the device
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> device;
  for (int k = 0; k < kThreads; ++k) {
    device.emplace_back([&] {
      std::uint64_t looks = 0;
      while (!stop) {
        std::uint64_t id = 0;
        {
          const std::lock_guard lock(mutex);
          if (!out.empty()) {
            id = out.front();
            if (id % 3 != 0 || ++looks % 2 == 0) {  // some are seen by two threads
              out.pop_front();
            }
          }
        }
        if (id != 0) {
          accepted += sut.put(id, record_of(id)) ? 1 : 0;
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  std::array<std::optional<std::uint64_t>, kPlaces> lent;
  std::uint64_t taken = 0;
  while (taken < kRounds && !HasFailure()) {
    const std::uint64_t seen = sut.put_count();
    bool any = false;
    for (std::uint32_t index = 0; index < kPlaces; ++index) {
      if (lent[index]) {
        if (const std::optional<Record> record = sut.take(*lent[index])) {
          EXPECT_EQ(record->words, record_of(*lent[index]).words);
          lent[index].reset();
          ++taken;
          any = true;
        }
      }
      if (!lent[index]) {
        lent[index] = sut.lend(index);
        const std::lock_guard lock(mutex);
        out.push_back(*lent[index]);
        any = true;
      }
    }
    if (!any) {
      sut.wait(seen, std::chrono::hours(1));  // a wake that is lost would end the test
    }
  }
  stop = true;
  for (std::thread& thread : device) {
    thread.join();
  }
  for (const auto& id : lent) {
    taken += id && sut.take(*id) ? 1 : 0;
  }
  EXPECT_EQ(taken, accepted);
}

}  // namespace
}  // namespace tensorpool::detail
