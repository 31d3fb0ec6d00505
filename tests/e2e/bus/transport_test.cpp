// Publications, subscriptions, images and counters over a real media driver.
#include <cstdint>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "bus_fixture.hpp"
#include "support/allocations.hpp"
#include "support/requirement.hpp"

namespace tensorpool::bus::testing {
namespace {

constexpr const char* kIpc = "aeron:ipc?term-length=64k";

using Transport = BusTest;

TEST_F(Transport, delivers_claimed_messages_in_order_with_the_session_of_their_publication) {
  auto out = publish(kIpc, 1100);
  auto in = subscribe(kIpc, 1100);

  constexpr int kCount = 100;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    ASSERT_TRUE(until([&] { return out->try_claim_and_copy(&i, sizeof(i)) == OfferStatus::kOk; }));
  }
  std::vector<std::uint64_t> received;
  ASSERT_TRUE(until([&] {
    in->poll(
        [&](const Message& message) noexcept {
          std::uint64_t value = 0;
          ASSERT_EQ(message.bytes.size(), sizeof(value));
          std::memcpy(&value, message.bytes.data(), sizeof(value));
          EXPECT_EQ(message.session_id, out->session_id());
          received.push_back(value);
        },
        10);
    return received.size() == kCount;
  }));
  for (std::uint64_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(received[i], i);
  }
}

TEST_F(Transport, answers_not_connected_while_nobody_subscribes) {
  TP_REQ("W199");
  auto out = publish(kIpc, 1100);
  const std::uint64_t value = 7;
  EXPECT_EQ(out->try_claim_and_copy(&value, sizeof(value)), OfferStatus::kNotConnected);
  EXPECT_FALSE(out->is_connected());
}

TEST_F(Transport, sends_messages_of_several_fragments_whole_and_refuses_longer_than_the_log_takes) {
  TP_REQ("W73", "W434", "W435");
  auto out = publish(kIpc, 1100);
  auto in = subscribe(kIpc, 1100);
  ASSERT_TRUE(until([&] { return out->is_connected(); }));

  ASSERT_GT(out->max_message_bytes(), out->max_payload_bytes());
  for (const std::size_t size : {std::size_t{1}, out->max_payload_bytes(),
                                 out->max_payload_bytes() + 1, out->max_message_bytes()}) {
    std::string sent(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
      sent[i] = static_cast<char>(i * 31 + size);
    }
    if (size > out->max_payload_bytes()) {
      EXPECT_EQ(out->try_claim_and_copy(sent.data(), sent.size()), OfferStatus::kError);
    }
    ASSERT_TRUE(until([&] { return out->offer(bytes_of(sent)).value() == OfferStatus::kOk; }));
    std::string received;
    ASSERT_TRUE(until([&] {
      in->poll_messages([&](const Message& message) noexcept { received = text_of(message.bytes); },
                        100);
      return !received.empty();
    }));
    EXPECT_EQ(received, sent);
  }
  const std::int64_t before = out->position();
  const std::string too_long(out->max_message_bytes() + 1, 'x');
  const Result<OfferStatus> refused = out->offer(bytes_of(too_long));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::kMessageTooLong);
  EXPECT_EQ(refused.error().limit, out->max_message_bytes());
  EXPECT_EQ(out->position(), before);
}

TEST_F(Transport, tells_when_images_come_and_go_with_the_time_of_the_duty_cycle) {
  TP_REQ("W219");
  auto in = subscribe(kIpc, 1100);
  const Nanos before = mono_now();
  auto out = publish(kIpc, 1100);
  std::vector<ImageEvent> events;
  const auto collect = [&](const ImageEvent& event) { events.push_back(event); };
  ASSERT_TRUE(until([&] {
    in->drain_image_events(collect);
    return events.size() == 1;
  }));
  EXPECT_TRUE(events[0].available);
  EXPECT_EQ(events[0].session_id, out->session_id());
  EXPECT_GE(events[0].at, before);
  EXPECT_EQ(in->image_joined_at(out->session_id()), events[0].at);
  EXPECT_EQ(in->image_count(), 1U);

  const std::int32_t session_id = out->session_id();
  out.reset();
  ASSERT_TRUE(until([&] {
    in->poll([](const Message&) noexcept {}, 10);
    in->drain_image_events(collect);
    return events.size() == 2;
  }));
  EXPECT_FALSE(events[1].available);
  EXPECT_EQ(events[1].session_id, session_id);
  EXPECT_EQ(in->image_joined_at(session_id), std::nullopt);
  EXPECT_EQ(in->image_count(), 0U);
}

TEST_F(Transport, an_unpolled_tethered_reader_blocks_and_an_untethered_one_is_let_go_and_in_again) {
  auto out = publish(kIpc, 1100);
  auto tethered = subscribe(kIpc, 1100);
  const std::uint64_t value = 0;
  const auto fill = [&] {
    OfferStatus status = OfferStatus::kOk;
    while (status == OfferStatus::kOk || status == OfferStatus::kAdminAction) {
      status = out->try_claim_and_copy(&value, sizeof(value));
    }
    return status;
  };
  const auto window = static_cast<std::int64_t>(out->term_bytes() / 2);
  ASSERT_TRUE(
      until([&] { return fill() == OfferStatus::kBackPressured && out->position() >= window; }));
  EXPECT_EQ(fill(), OfferStatus::kBackPressured);
  EXPECT_LT(out->position(), 2 * window);

  tethered.reset();
  auto untethered = subscribe("aeron:ipc?term-length=64k|tether=false", 1100);
  EXPECT_TRUE(untethered->is_untethered());
  auto polled = subscribe("aeron:ipc?term-length=64k|tether=false", 1100);
  ASSERT_TRUE(until([&] { return out->is_connected(); }));
  // The one that is not polled would block for good at half a term; it is let go instead.
  const std::int64_t target = out->position() + static_cast<std::int64_t>(4 * out->term_bytes());
  int received = 0;
  ASSERT_TRUE(until([&] {
    static_cast<void>(fill());
    received += polled->poll([](const Message&) noexcept {}, 1000);
    return out->position() > target;
  }));
  EXPECT_GT(received, 0);

  // Once it reads again it is let in again, without anybody adding it anew.
  std::uint64_t newest = 0;
  std::uint64_t marked = 1;
  ASSERT_TRUE(until([&] {
    if (out->try_claim_and_copy(&marked, sizeof(marked)) == OfferStatus::kOk) {
      ++marked;
    }
    polled->poll([](const Message&) noexcept {}, 1000);
    untethered->poll(
        [&](const Message& message) noexcept {
          std::memcpy(&newest, message.bytes.data(), sizeof(newest));
        },
        1000);
    return newest > 0;
  }));
}

TEST_F(Transport, a_refused_add_is_an_error_with_the_reason_and_the_client_goes_on) {
  auto first = publish(kIpc, 1100);
  auto out = publish("aeron:ipc?term-length=64k|session-id=77", 1200);
  const auto clash = wait_for(
      *client_,
      client_->begin_add_publication(channel("aeron:ipc?term-length=128k|session-id=77"), 1200));
  ASSERT_FALSE(clash.has_value());
  EXPECT_EQ(clash.error().code, Errc::kBusFailure);
  EXPECT_FALSE(clash.error().subject_view().empty());
  EXPECT_TRUE(client_->is_up());
  EXPECT_NE(publish(kIpc, 1300), nullptr);
}

TEST_F(Transport, stream_ids_outside_the_range_are_refused) {
  TP_REQ("W432");
  for (const std::int32_t stream_id : {0, -1, INT32_MIN}) {
    const auto added = client_->begin_add_publication(channel(kIpc), stream_id);
    ASSERT_FALSE(added.has_value());
    EXPECT_EQ(added.error().code, Errc::kInvalidArgument);
  }
}

TEST_F(Transport, a_request_that_is_dropped_leaves_nothing_behind) {
  { const auto dropped = client_->begin_add_subscription(channel(kIpc), 1100); }
  {
    auto dropped = client_->begin_add_subscription(channel(kIpc), 1100);
    ASSERT_TRUE(until([&] { return true; }));
  }
  auto out = publish(kIpc, 1100);
  auto in = subscribe(kIpc, 1100);
  ASSERT_TRUE(until([&] { return out->is_connected(); }));
  in.reset();
  EXPECT_TRUE(until([&] { return !out->is_connected(); }));
}

TEST_F(Transport, a_counter_keeps_what_is_set) {
  auto made = wait_for(*client_, client_->begin_add_counter(2000, "key", "tensorpool test"));
  ASSERT_TRUE(made.has_value());
  Counter& counter = **made;
  EXPECT_EQ(counter.value(), 0);
  counter.set(42);
  EXPECT_EQ(counter.value(), 42);
  EXPECT_GE(counter.id(), 0);
  const std::string long_label(381, 'x');
  EXPECT_EQ(client_->begin_add_counter(2000, "", long_label).error().code, Errc::kInvalidArgument);
}

TEST_F(Transport, claims_and_polls_allocate_nothing) {
  if (!tensorpool::testing::kCounted) {
    GTEST_SKIP() << "not run here: a sanitizer owns malloc";
  }
  const std::size_t before_any = tensorpool::testing::allocations();
  int* probe = new int;
  asm volatile("" : "+r"(probe));  // or the compiler leaves the pair out
  delete probe;
  ASSERT_GT(tensorpool::testing::allocations(), before_any);

  PublicationLink out(*client_, {.channel = channel(kIpc), .stream_id = 1100});
  SubscriptionLink in(*client_, {.channel = channel(kIpc), .stream_id = 1100});
  ASSERT_TRUE(until([&] {
    out.do_work(mono_now());
    in.do_work(mono_now());
    return out.current() != nullptr && in.current() != nullptr && in.current()->is_connected();
  }));
  struct Descriptor {
    std::uint64_t words[6];
  };
  Descriptor descriptor{};
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  const std::size_t before = tensorpool::testing::allocations();
  while (received < 100'000) {  // ninety-odd terms of 64 KiB: every page of the log is turned
    sent += out.current()->try_claim_and_copy(&descriptor, sizeof(descriptor)) == OfferStatus::kOk;
    in.current()->poll([&](const Message& message) noexcept { received += !message.bytes.empty(); },
                       16);
    in.current()->poll_messages(
        [&](const Message& message) noexcept { received += !message.bytes.empty(); }, 16);
  }
  EXPECT_EQ(tensorpool::testing::allocations(), before);
  EXPECT_GE(sent, received);
}

TEST_F(Transport, two_clients_of_one_process_talk) {
  Client other = make_client(dir_.aeron());
  ASSERT_TRUE(bring_up(other));
  auto in = wait_for(other, other.begin_add_subscription(channel(kIpc), 1100));
  ASSERT_TRUE(in.has_value());
  auto out = publish(kIpc, 1100);
  ASSERT_TRUE(until([&] { return out->try_claim_and_copy("hello", 5) == OfferStatus::kOk; }));
  std::string received;
  ASSERT_TRUE(until([&] {
    other.do_work(mono_now());
    (*in)->poll([&](const Message& message) noexcept { received = text_of(message.bytes); }, 1);
    return !received.empty();
  }));
  EXPECT_EQ(received, "hello");
}

}  // namespace
}  // namespace tensorpool::bus::testing
