#include "core/driver/send_queue.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "support/requirement.hpp"

namespace tensorpool::core::driver {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kStart = seconds(1000);

/// A publication with a will of its own, and the history of what was sent.
class Bus {
  // First, since their types have to be known below.
  auto offer() {
    return [this](const int&, std::span<const std::byte> bytes) {
      if (answer == Offer::kPublished) {
        published.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      }
      return answer;
    };
  }
  auto note() {
    return [this](const int& tag, Ending ending) { ended.emplace_back(tag, ending); };
  }

 public:
  Offer answer = Offer::kPublished;
  std::vector<std::string> published;
  std::vector<std::pair<int, Ending>> ended;

  void send(SendQueue<int>& sut, int tag, const std::string& text, Nanos now) {
    sut.send(tag, std::as_bytes(std::span(text)), now, offer(), note());
  }
  void flush(SendQueue<int>& sut, Nanos now) { sut.flush(now, offer(), note()); }
};

using Endings = std::vector<std::pair<int, Ending>>;
using Texts = std::vector<std::string>;

TEST(SendQueue, messages_go_out_at_once_when_nothing_waits) {
  SendQueue<int> sut;
  Bus bus;
  bus.send(sut, 1, "a", kStart);
  EXPECT_EQ(bus.published, Texts{"a"});
  EXPECT_EQ(bus.ended, (Endings{{1, Ending::kPublished}}));
  EXPECT_TRUE(sut.empty());
}

TEST(SendQueue, what_has_to_wait_goes_out_later_in_its_order) {
  TP_REQ("D21", "D24");
  SendQueue<int> sut;
  Bus bus;
  bus.answer = Offer::kLater;
  bus.send(sut, 1, "a", kStart);
  bus.send(sut, 2, "b", kStart);
  bus.answer = Offer::kPublished;
  bus.send(sut, 3, "c", kStart);
  EXPECT_TRUE(bus.published.empty()) << "nothing overtakes";
  bus.flush(sut, kStart + milliseconds(1000));
  EXPECT_EQ(bus.published, (Texts{"a", "b", "c"}));
  EXPECT_EQ(bus.ended,
            (Endings{{1, Ending::kPublished}, {2, Ending::kPublished}, {3, Ending::kPublished}}));
}

TEST(SendQueue, what_is_older_than_a_second_is_given_up) {
  TP_REQ("D21", "D22");
  SendQueue<int> sut;
  Bus bus;
  bus.answer = Offer::kLater;
  bus.send(sut, 1, "old", kStart);
  bus.send(sut, 2, "young", kStart + milliseconds(500));
  bus.flush(sut, kStart + milliseconds(1000));
  EXPECT_EQ(sut.size(), 2U);
  bus.flush(sut, kStart + milliseconds(1000) + Nanos{1});
  EXPECT_EQ(bus.ended, (Endings{{1, Ending::kGivenUp}}));
  EXPECT_EQ(sut.size(), 1U);
}

TEST(SendQueue, what_does_not_fit_is_given_up_at_once) {
  TP_REQ("D21");
  SendQueue<int> sut;
  Bus bus;
  bus.answer = Offer::kLater;
  for (int i = 0; i < 1024; ++i) {
    bus.send(sut, i, "x", kStart);
  }
  EXPECT_TRUE(bus.ended.empty());
  bus.send(sut, 2000, "x", kStart);
  EXPECT_EQ(bus.ended, (Endings{{2000, Ending::kGivenUp}}));
  EXPECT_EQ(sut.size(), 1024U);
}

TEST(SendQueue, without_subscribers_messages_are_discarded) {
  TP_REQ("D23");
  SendQueue<int> sut;
  Bus bus;
  bus.answer = Offer::kNobody;
  bus.send(sut, 1, "a", kStart);
  bus.answer = Offer::kLater;
  bus.send(sut, 2, "b", kStart);
  bus.answer = Offer::kNobody;
  bus.flush(sut, kStart);
  EXPECT_EQ(bus.ended, (Endings{{1, Ending::kUnheard}, {2, Ending::kUnheard}}));
  EXPECT_TRUE(sut.empty());
}

TEST(SendQueue, a_publication_that_has_failed_takes_nothing_any_more) {
  SendQueue<int> sut;
  Bus bus;
  bus.answer = Offer::kFailed;
  bus.send(sut, 1, "a", kStart);
  EXPECT_EQ(bus.ended, (Endings{{1, Ending::kGivenUp}}));
}

TEST(SendQueue, tells_whether_a_notice_still_waits) {
  SendQueue<int> sut;
  Bus bus;
  const auto is_seven = [](int tag) { return tag == 7; };
  bus.answer = Offer::kLater;
  bus.send(sut, 1, "a", kStart);
  EXPECT_FALSE(sut.holds(is_seven));
  bus.send(sut, 7, "b", kStart);
  EXPECT_TRUE(sut.holds(is_seven));
  bus.answer = Offer::kPublished;
  bus.flush(sut, kStart);
  EXPECT_FALSE(sut.holds(is_seven));
}

}  // namespace
}  // namespace tensorpool::core::driver
