// Somebody else sends rubbish on the streams of a client: it is counted, and frames go on.
#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "client_fixture.hpp"
#include "layout/descriptor.hpp"
#include "layout/messages_900.hpp"
#include "raw_sender.hpp"
#include "support/requirement.hpp"
#include "support/seed.hpp"

namespace tensorpool::test {
namespace {

using Kind = ConsumerEvent::Kind;
using Counter = std::uint64_t ConsumerCounters::*;

class HostilePeer : public ClientTest {
 protected:
  HostilePeer() {
    ConsumerOptions wanted = reader();
    wanted.on_event = events_.sink();
    // Only what this test sends arrives on the descriptor stream between two frames.
    wanted.probe_after = std::chrono::hours(1);
    sut_.emplace(consume(client_, wanted));
    EXPECT_TRUE(joined(producer_, *sut_));
    expect_frame();
    // Announces count from the time on when their image was seen (W217): let it be seen.
    expect_heard();
  }

  /// Waits until everything that was sent on the control stream has taken effect.
  void expect_heard() {
    const std::uint64_t before = sut_->counters().malformed_messages;
    peer_.send(kControlStream, std::as_bytes(std::span("x")));
    EXPECT_TRUE(eventually_count(&ConsumerCounters::malformed_messages, before + 1));
  }

  /// Publishes until a frame arrives, which is the newest, bit for bit.
  void expect_frame() {
    std::uint64_t seq = 0;
    ASSERT_TRUE(eventually([&] {
      publish(producer_);
      seq = producer_.next_seq() - 1;
      return eventually_frame(seq);
    }));
  }
  [[nodiscard]] bool eventually_frame(std::uint64_t seq) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
    bool arrived = false;
    while (!arrived && std::chrono::steady_clock::now() < end) {
      sut_->poll([&](const FrameView& view) {
        const auto sent = payload_of(view.seq());
        EXPECT_TRUE(std::ranges::equal(view.bytes(), sent));
        EXPECT_TRUE(view.still_valid());
        arrived = arrived || view.seq() == seq;
      });
    }
    return arrived;
  }
  [[nodiscard]] bool eventually_count(Counter counter, std::uint64_t expected) {
    return eventually([&] {
      sut_->poll([](const FrameView&) {});
      return sut_->counters().*counter == expected;
    });
  }
  /// A descriptor as the producer would send it for its newest frame.
  [[nodiscard]] layout::FrameDescriptorMessage descriptor() const {
    layout::FrameDescriptorMessage message{};
    message.block_length = layout::kFrameDescriptorBlockLength;
    message.template_id = layout::kFrameDescriptorTemplateId;
    message.schema_id = layout::kWireSchemaId;
    message.version = layout::kWireSchemaVersion;
    message.stream_id = producer_.stream_id();
    message.epoch = producer_.epoch();
    message.seq = producer_.next_seq() - 1;
    return message;
  }
  /// An announce of regions with the geometry of the producer's, wherever `uri` says they are.
  [[nodiscard]] layout::ShmPoolAnnounce announce(std::uint64_t epoch, const std::string& uri) {
    pool_ = {.pool_id = 1, .pool_nslots = 16, .stride_bytes = 4096, .region_uri = uri};
    layout::ShmPoolAnnounce message;
    message.stream_id = producer_.stream_id();
    message.producer_id = 666;
    message.epoch = epoch;
    message.announce_timestamp_ns =
        static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
    message.header_nslots = 16;
    message.payload_pools = layout::ListView<layout::PayloadPool>(&pool_, 1);
    message.header_region_uri = uri;
    return message;
  }

  Client client_ = connect();
  Producer producer_ = produce(client_, stream());
  EventLog events_;
  std::optional<Consumer> sut_;
  RawSender peer_{client_.aeron_dir()};
  layout::PayloadPool pool_{};
};

TEST_F(HostilePeer, descriptors_that_cannot_be_are_counted_each_in_its_place_and_move_nothing) {
  TP_REQ("W8", "W74", "W75", "W76", "W78", "W79", "W254", "W255", "W257", "W274", "W278", "W431");
  using Message = layout::FrameDescriptorMessage;
  struct Case {
    const char* what;
    std::function<void(Message&)> change;
    std::size_t bytes;
    Counter counted;  // null: ignored
  };
  constexpr std::size_t kWhole = sizeof(Message);
  const Case cases[] = {
      {"no header", [](Message&) {}, 7, &ConsumerCounters::malformed_messages},
      {"header only", [](Message&) {}, 8, &ConsumerCounters::malformed_messages},
      {"one byte short", [](Message&) {}, kWhole - 1, &ConsumerCounters::malformed_messages},
      {"short block", [](Message& m) { m.block_length = std::uint16_t{39}; }, kWhole,
       &ConsumerCounters::malformed_messages},
      {"long block", [](Message& m) { m.block_length = std::uint16_t{0xFFFF}; }, kWhole,
       &ConsumerCounters::malformed_messages},
      {"next version", [](Message& m) { m.version = std::uint16_t{2}; }, kWhole,
       &ConsumerCounters::unsupported_version},
      {"sequence beyond 2^63", [](Message& m) { m.seq = std::uint64_t{1} << 63U; }, kWhole,
       &ConsumerCounters::malformed_messages},
      {"other schema", [](Message& m) { m.schema_id = std::uint16_t{901}; }, kWhole, nullptr},
      {"unknown template", [](Message& m) { m.template_id = std::uint16_t{999}; }, kWhole, nullptr},
      {"stream 0", [](Message& m) { m.stream_id = std::uint32_t{0}; }, kWhole, nullptr},
      {"stream 2^32-1", [](Message& m) { m.stream_id = 0xFFFF'FFFFU; }, kWhole, nullptr},
      {"other stream", [](Message& m) { m.stream_id = m.stream_id + 1U; }, kWhole, nullptr},
      {"lower epoch", [](Message& m) { m.epoch = m.epoch - 1U; }, kWhole,
       &ConsumerCounters::drops_epoch_mismatch},
      {"ahead of its slot", [](Message& m) { m.seq = m.seq + 16U; }, kWhole,
       &ConsumerCounters::drops_seq_mismatch},
      {"a second time", [](Message&) {}, kWhole, &ConsumerCounters::drops_duplicate},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.what);
    const ConsumerCounters before = sut_->counters();
    const std::uint64_t last = sut_->last_seq();
    Message message = descriptor();
    one.change(message);
    peer_.send(kDescriptorStream, std::as_bytes(std::span(&message, 1)).first(one.bytes));
    if (one.counted != nullptr) {
      ASSERT_TRUE(eventually_count(one.counted, before.*one.counted + 1));
    }
    // One that is not counted is followed by a duplicate, which is.
    Message mark = descriptor();
    peer_.send(kDescriptorStream, std::as_bytes(std::span(&mark, 1)));
    const bool is_mark = one.counted == &ConsumerCounters::drops_duplicate;
    ASSERT_TRUE(eventually_count(&ConsumerCounters::drops_duplicate,
                                 before.drops_duplicate + (is_mark ? 2 : 1)));
    const ConsumerCounters after = sut_->counters();
    EXPECT_EQ(sut_->last_seq(), last);
    EXPECT_EQ(after.frames_ok, before.frames_ok);
    EXPECT_EQ(after.malformed_messages + after.unsupported_version + after.drops_epoch_mismatch +
                  after.drops_late + after.drops_gap,
              before.malformed_messages + before.unsupported_version + before.drops_epoch_mismatch +
                  before.drops_late + before.drops_gap +
                  (one.counted == nullptr || is_mark ? 0U : 1U));
    EXPECT_EQ(sut_->state(), MappingState::kMapped);
    expect_frame();
  }
  EXPECT_EQ(sut_->counters().discontinuities, 0U);
}

TEST_F(HostilePeer, a_descriptor_of_a_later_epoch_or_an_earlier_number_ends_only_the_mapping) {
  TP_REQ("W262", "W274");
  const std::uint64_t epoch = producer_.epoch();
  for (const UnmapReason reason :
       {UnmapReason::kHigherEpochDescribed, UnmapReason::kSequenceRegression}) {
    layout::FrameDescriptorMessage message = descriptor();
    if (reason == UnmapReason::kHigherEpochDescribed) {
      message.epoch = epoch + 1;
    } else {
      message.seq = message.seq - 1U;
    }
    const std::size_t told = events_.count(Kind::kDiscontinuity);
    peer_.send(kDescriptorStream, std::as_bytes(std::span(&message, 1)));
    ASSERT_TRUE(eventually([&] {
      sut_->poll([](const FrameView&) {});
      return events_.count(Kind::kDiscontinuity) == told + 1;
    }));
    EXPECT_EQ(events_.of(Kind::kDiscontinuity).back().reason, reason);
    expect_frame();  // once the true announce has come again
    EXPECT_EQ(sut_->epoch(), epoch);
  }
}

TEST_F(HostilePeer, announces_of_impossible_regions_are_refused_by_name_and_frames_go_on) {
  TP_REQ("W249");
  const std::uint64_t epoch = producer_.epoch();
  struct Case {
    std::string uri;
    Errc refused;
  };
  const Case cases[] = {
      {"shm:file?path=/etc/passwd", Errc::kPathRejected},
      {"shm:file?path=" + scratch_.path() + "/../../../etc/passwd", Errc::kPathRejected},
      {"file:/etc/passwd", Errc::kUriUnsupportedScheme},
      {"shm:file?path=relative", Errc::kUriInvalid},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.uri);
    const std::size_t errors = events_.count(Kind::kError);
    peer_.send_message(kControlStream, announce(epoch + 1, one.uri));
    ASSERT_TRUE(eventually([&] {
      sut_->poll([](const FrameView&) {});
      return events_.count(Kind::kError) > errors;
    }));
    const Error error = events_.of(Kind::kError)[errors].error;
    EXPECT_EQ(error.code, one.refused) << describe(error);
    EXPECT_EQ(error.stream_id, producer_.stream_id());
    EXPECT_EQ(error.epoch, epoch + 1);
    EXPECT_EQ(error.region, kErrorRegionHeaderRing);
    // Nobody announces that epoch again, so the true one counts after the liveness timeout (W222).
    expect_frame();
    EXPECT_EQ(sut_->epoch(), epoch);
  }
}

TEST_F(HostilePeer, announces_of_another_time_or_stream_or_epoch_are_ignored) {
  TP_REQ("W8", "W213", "W214", "W215", "W216", "W220");
  const std::string nowhere = "shm:file?path=/etc/passwd";
  const std::uint64_t epoch = producer_.epoch();
  const std::uint64_t second = 1'000'000'000;
  std::vector<layout::ShmPoolAnnounce> ignored(8, announce(epoch + 1, nowhere));
  ignored[0].stream_id = 0;
  ignored[1].stream_id = 0xFFFF'FFFFU;
  ignored[2].stream_id += 1;
  ignored[3].epoch = 0;
  ignored[4].epoch = ~std::uint64_t{0};
  ignored[5].announce_timestamp_ns -= 10 * second;
  ignored[6].announce_timestamp_ns += 10 * second;
  ignored[7].epoch = epoch - 1;
  for (const layout::ShmPoolAnnounce& one : ignored) {
    peer_.send_message(kControlStream, one);
  }
  expect_heard();
  expect_frame();
  EXPECT_EQ(events_.count(Kind::kMapped), 1U);
  EXPECT_EQ(events_.count(Kind::kError), 0U);
  EXPECT_EQ(sut_->counters().discontinuities, 0U);
  for (const StreamInfo& known : client_.streams()) {
    EXPECT_TRUE(known.stream_id != 0 && known.stream_id != 0xFFFF'FFFFU);
  }
}

TEST_F(HostilePeer, another_layout_is_no_other_message_and_another_message_no_other_layout) {
  TP_REQ("W223", "W448");
  const std::uint64_t epoch = producer_.epoch();
  const ConsumerCounters before = sut_->counters();
  layout::FrameDescriptorMessage later = descriptor();
  later.version = std::uint16_t{2};
  peer_.send(kDescriptorStream, std::as_bytes(std::span(&later, 1)));
  ASSERT_TRUE(
      eventually_count(&ConsumerCounters::unsupported_version, before.unsupported_version + 1));
  EXPECT_EQ(sut_->state(), MappingState::kMapped);  // the regions are as good as before
  expect_frame();

  layout::ShmPoolAnnounce other_layout = announce(epoch + 1, "shm:file?path=/dev/shm/nowhere");
  other_layout.layout_version = 2;
  peer_.send_message(kControlStream, other_layout);
  ASSERT_TRUE(eventually([&] { return events_.count(Kind::kError) == 1; }));
  EXPECT_EQ(events_.of(Kind::kError)[0].error.code, Errc::kLayoutUnsupported);
  EXPECT_EQ(sut_->counters().unsupported_version, before.unsupported_version + 1);
  EXPECT_EQ(sut_->counters().malformed_messages, before.malformed_messages);
  expect_frame();
  EXPECT_EQ(sut_->epoch(), epoch);
}

TEST_F(HostilePeer, rubbish_on_every_stream_breaks_nothing) {
  TP_REQ("W274");
  base::Random random(announced_seed());
  std::vector<std::byte> valid(200);
  valid.resize(
      codec::encode(announce(producer_.epoch() + 1, "shm:file?path=/dev/shm/nowhere"), valid)
          .value());
  const std::uint64_t before = sut_->counters().malformed_messages;
  std::uint64_t malformed = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::byte> bytes(1 + random.below(300));
    for (std::byte& one : bytes) {
      one = static_cast<std::byte>(random.below(256));
    }
    const auto kind = random.below(3);
    if (kind == 0 && bytes.size() >= 8) {  // a header that is believed
      layout::FrameDescriptorMessage header = descriptor();
      header.template_id = static_cast<std::uint16_t>(1 + random.below(14));
      header.block_length = static_cast<std::uint16_t>(random.below(64));
      std::memcpy(bytes.data(), &header, 8);
    } else if (kind == 1) {  // cut short
      bytes.assign(valid.begin(),
                   valid.begin() + static_cast<std::ptrdiff_t>(1 + random.below(valid.size() - 1)));
      malformed += 1;
    }
    for (const std::int32_t on : {kControlStream, kMetadataStream, kDescriptorStream}) {
      // Whole descriptors could be true: those are the other tests' concern.
      if (on != kDescriptorStream || bytes.size() < sizeof(layout::FrameDescriptorMessage)) {
        peer_.send(on, bytes);
      }
    }
    sut_->poll([](const FrameView&) {});
  }
  ASSERT_TRUE(eventually([&] {
    sut_->poll([](const FrameView&) {});
    return sut_->counters().malformed_messages - before >= 2 * malformed;
  }));
  expect_frame();
  const std::vector<StreamInfo> known = client_.streams();
  EXPECT_TRUE(std::ranges::any_of(
      known, [&](const StreamInfo& one) { return one.stream_id == producer_.stream_id(); }));
}

}  // namespace
}  // namespace tensorpool::test
