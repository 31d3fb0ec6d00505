// What a driver hears and says on its two streams, byte for byte: fragments, versions, what is for
// others, and what nobody should send.
#include <gmock/gmock.h>

#include <cstring>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "agent_fixture.hpp"
#include "codec/codec.hpp"
#include "support/golden.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

using layout::Role;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::Le;
using ::testing::Not;
using Bytes = std::vector<std::byte>;

constexpr std::size_t kFragmentMax = 1376;  ///< payload of one fragment over IPC
constexpr std::size_t kVersionAt = 6;       ///< of a message header
constexpr int kControl = 1000;
constexpr int kAnnounces = 1001;

class ControlStream : public DriverAgentTest {
 protected:
  /// A driver, and somebody else who sees all that is said and can say anything.
  void begin() {
    start();
    control_heard_ = subscribe(kControl);
    announces_heard_ = subscribe(kAnnounces);
    open_out();
  }
  void open_out() {
    auto made =
        bus::testing::wait_for(*of_client_, of_client_->begin_add_publication(ipc(), kControl));
    ASSERT_TRUE(made);
    out_ = std::move(*made);
    ASSERT_TRUE(eventually([&] {
      of_client_->do_work(clock_.mono());
      return out_->is_connected();
    }));
  }
  [[nodiscard]] static bus::Channel ipc() {
    return bus::testing::channel("aeron:ipc?term-length=4m");
  }
  [[nodiscard]] std::unique_ptr<bus::Subscription> subscribe(int stream_id) {
    auto made =
        bus::testing::wait_for(*of_client_, of_client_->begin_add_subscription(ipc(), stream_id));
    EXPECT_TRUE(made);
    return std::move(*made);
  }
  void say(const Bytes& message) {
    EXPECT_TRUE(until([&] { return out_->offer(message) == bus::OfferStatus::kOk; }));
  }
  /// Says something and waits until the driver has dealt with it: it answers what comes after.
  void say_and_wait(const Bytes& message) {
    say(message);
    const std::uint64_t before = sut_->counters().keepalive_rejects;
    say(encoded(layout::ShmLeaseKeepalive{.lease_id = 1, .stream_id = kStream, .client_id = 1}));
    ASSERT_TRUE(until([&] { return sut_->counters().keepalive_rejects > before; }));
  }
  template <class M>
  [[nodiscard]] static Bytes encoded(const M& message) {
    Bytes bytes(codec::encoded_size(message));
    EXPECT_TRUE(codec::encode(message, bytes));
    return bytes;
  }
  [[nodiscard]] static layout::ShmAttachRequest request(std::int64_t correlation_id) {
    layout::ShmAttachRequest message;
    message.correlation_id = correlation_id;
    message.stream_id = kStream;
    message.client_id = 77;
    message.role = Role::kConsumer;
    return message;
  }
  /// Whole messages of a stream, until one has this template.
  [[nodiscard]] std::vector<Bytes> hear(bus::Subscription& from, std::uint16_t template_id) {
    std::vector<Bytes> heard;
    bool there = false;
    EXPECT_TRUE(until([&] {
      from.poll_messages(
          [&](const bus::Message& message) noexcept {
            heard.emplace_back(message.bytes.begin(), message.bytes.end());
            there = there || header_of(heard.back()).template_id == template_id;
          },
          64);
      return there;
    }));
    return heard;
  }
  [[nodiscard]] static codec::MessageHeader header_of(const Bytes& message) {
    return codec::peek_header(message).value_or(codec::MessageHeader{});
  }
  /// The answer to an attach request.
  [[nodiscard]] Bytes answer() {
    constexpr auto kTemplate = layout::ShmAttachResponse::kType.template_id;
    for (const Bytes& message : hear(*control_heard_, kTemplate)) {
      if (header_of(message).template_id == kTemplate) {
        return message;
      }
    }
    return {};
  }

  std::unique_ptr<bus::Subscription> control_heard_;
  std::unique_ptr<bus::Subscription> announces_heard_;
  std::unique_ptr<bus::ExclusivePublication> out_;
};

TEST_F(ControlStream, messages_that_need_several_fragments_go_both_ways) {
  TP_REQ("D7", "D8", "D9");
  settings_.profiles.front().pools.clear();
  for (std::uint16_t id = 1; id <= 16; ++id) {
    settings_.profiles.front().pools.push_back({.pool_id = id, .stride_bytes = 4096});
  }
  begin();
  Bytes long_request = encoded(request(1));
  long_request.resize(5000);  // bytes that a later version may have appended
  say(long_request);
  const Bytes response = answer();
  EXPECT_GT(response.size(), kFragmentMax);
  codec::Scratch scratch;
  const auto decoded = codec::decode<layout::ShmAttachResponse>(response, scratch);
  ASSERT_TRUE(decoded) << describe(decoded.error());
  EXPECT_EQ(decoded->code, layout::ResponseCode::kOk);
  EXPECT_EQ(decoded->payload_pools.size(), 16U);

  const auto of_library = attach(Role::kConsumer);
  ASSERT_TRUE(of_library->attached());
  EXPECT_EQ(of_library->agent->machine().grant().plan.pools.size(), 16U);
  const Bytes announce = hear(*announces_heard_, layout::ShmPoolAnnounce::kType.template_id).back();
  EXPECT_GT(announce.size(), kFragmentMax);
  EXPECT_TRUE(codec::decode<layout::ShmPoolAnnounce>(announce, scratch));
}

TEST_F(ControlStream, requests_and_answers_have_one_stream_and_announces_the_other) {
  TP_REQ("D25", "D36");
  begin();
  const auto attempt = attach(Role::kProducer);
  ASSERT_TRUE(attempt->attached());
  leave(*attempt);
  std::set<std::pair<int, int>> kinds;
  for (const Bytes& message : hear(*announces_heard_, layout::ShmPoolAnnounce::kType.template_id)) {
    kinds.emplace(header_of(message).schema_id, header_of(message).template_id);
  }
  EXPECT_THAT(kinds, ElementsAre(std::pair(layout::ShmPoolAnnounce::kType.schema_id,
                                           layout::ShmPoolAnnounce::kType.template_id)));
  for (const Bytes& message : hear(*control_heard_, layout::ShmDetachResponse::kType.template_id)) {
    EXPECT_EQ(header_of(message).schema_id, layout::ShmAttachRequest::kType.schema_id);
    EXPECT_THAT(header_of(message).template_id, AllOf(Ge(1), Le(8)));
  }
}

TEST_F(ControlStream, an_answer_has_version_1_whatever_the_request_had) {
  TP_REQ("D2", "D14");
  begin();
  for (const std::uint8_t version : {std::uint8_t{0}, std::uint8_t{1}}) {
    Bytes message = encoded(request(10 + version));
    message[kVersionAt] = std::byte{version};
    say(message);
    EXPECT_EQ(header_of(answer()).version, 1) << int{version};
  }
}

TEST_F(ControlStream, messages_for_others_change_nothing_at_the_driver_or_at_a_client) {
  TP_REQ("D10", "D11", "D15");
  begin();
  const auto client = attach(Role::kConsumer);
  ASSERT_TRUE(client->attached());
  const core::driver::Counters before = sut_->counters();
  std::size_t said = 0;
  for (const char* const schema :
       {"wire-900.jsonl", "wire-902.jsonl", "wire-903.jsonl", "wire-904.jsonl", "wire-910.jsonl"}) {
    for (const nlohmann::json& line : golden_lines(schema)) {
      say(bytes_of_hex(line["hex"]));
      ++said;
    }
  }
  Bytes unknown = encoded(request(20));
  unknown[2] = std::byte{99};  // template
  say_and_wait(unknown);
  EXPECT_GT(said, 20U);
  EXPECT_EQ(sut_->counters().control_malformed, before.control_malformed);
  EXPECT_EQ(sut_->counters().control_unsupported, before.control_unsupported);
  EXPECT_EQ(sut_->counters().attach_responses, before.attach_responses);
  EXPECT_EQ(client->agent->machine().state(), AttachState::kAttached);
  EXPECT_EQ(client->agent->machine().counters().driver_event_rejects, 0U);
}

TEST_F(ControlStream, a_shutdown_request_whose_token_is_cut_off_or_missing_is_malformed) {
  TP_REQ("D261");
  settings_.policies.shutdown_token = "let me";
  begin();
  const Bytes whole = encoded(layout::ShmDriverShutdownRequest{
      .correlation_id = 1, .reason = layout::ShutdownReason::kNormal, .token = "let me"});
  const std::size_t block = 8 + layout::ShmDriverShutdownRequest::kType.block_length;
  const std::uint64_t before = sut_->counters().control_malformed;
  say_and_wait(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(block)));
  say_and_wait(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(block + 4 + 3)));
  EXPECT_EQ(sut_->counters().control_malformed, before + 2);
  EXPECT_EQ(sut_->snapshot().state, core::driver::DriverState::kRunning);
}

TEST_F(ControlStream, an_order_to_go_down_that_was_given_to_a_predecessor_is_not_obeyed) {
  TP_REQ("D260");
  settings_.policies.shutdown_token = "let me";
  const auto dead = subscribe(kControl);  // holds its place in the log, as a killed driver's does
  open_out();
  const Bytes order = encoded(layout::ShmDriverShutdownRequest{
      .correlation_id = 1, .reason = layout::ShutdownReason::kNormal, .token = "let me"});
  EXPECT_EQ(out_->offer(order), bus::OfferStatus::kOk);
  start();
  say_and_wait(encoded(request(2)));
  EXPECT_EQ(sut_->snapshot().state, core::driver::DriverState::kRunning);
  EXPECT_EQ(sut_->counters().shutdown_request_rejects, 1U);
  say(order);
  EXPECT_TRUE(until([&] { return sut_->snapshot().state != core::driver::DriverState::kRunning; }));
}

}  // namespace
}  // namespace tensorpool::test
