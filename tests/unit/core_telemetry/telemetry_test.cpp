// What counters are called, whose they are, and where a reader stands in its ring.
#include <gtest/gtest.h>

#include <set>
#include <string_view>
#include <vector>

#include "core/consumer/place_in_ring.hpp"
#include "core/producer/frame_writer.hpp"
#include "core/telemetry/identity.hpp"
#include "core/telemetry/readings.hpp"
#include "support/requirement.hpp"
#include "support/ring_fixture.hpp"

namespace tensorpool::test {
namespace {

using namespace core::telemetry;
using layout::CounterRole;

[[nodiscard]] Identity somebody() {
  return {.role = CounterRole::kConsumer,
          .stream_id = 10042,
          .client_id = 77,
          .instance = 3,
          .pid = 4242,
          .process_start = 123'456'789'012,
          .name = "cam1"};
}

TEST(Readings, name_every_way_to_wait) {
  const std::vector<std::string_view> names = {"poll", "spin",   "yield", "backoff",
                                               "park", "hybrid", "pause", "event"};
  for (std::size_t k = 0; k < names.size(); ++k) {
    EXPECT_EQ(to_string(static_cast<Waits>(k)), names[k]);
  }
  EXPECT_EQ(static_cast<std::size_t>(Waits::kEvent), names.size() - 1);
}

TEST(CounterIdentity, comes_back_from_its_key) {
  const Identity sut = somebody();
  EXPECT_EQ(from_key(to_key(sut)), sut);
  EXPECT_EQ(to_key(sut).size(), 112U);
}

TEST(CounterIdentity, comes_back_from_a_key_whose_zeros_the_media_driver_has_forgotten) {
  Identity sut = somebody();
  sut.name.clear();
  sut.process_start = 0;
  std::string key = to_key(sut);
  key.resize(key.find_last_not_of('\0') + 1);
  EXPECT_LT(key.size(), 32U);
  EXPECT_EQ(from_key(key), sut);
}

TEST(CounterIdentity, cuts_names_that_are_too_long) {
  Identity sut = somebody();
  sut.name = std::string(200, 'x');
  EXPECT_EQ(from_key(to_key(sut))->name, std::string(80, 'x'));
}

TEST(CounterIdentity, is_not_made_of_what_is_no_key) {
  const auto broken = [](std::size_t at, char value) {
    std::string key = to_key(somebody());
    key[at] = value;
    return from_key(key);
  };
  EXPECT_FALSE(broken(0, 2)) << "another version";
  EXPECT_FALSE(broken(2, 0)) << "no role";
  EXPECT_FALSE(broken(2, 3)) << "no role";
  EXPECT_FALSE(broken(32, '\x1b')) << "an escape sequence";
  Identity nowhere = somebody();
  nowhere.stream_id = 0;
  EXPECT_FALSE(from_key(to_key(nowhere)));
  EXPECT_FALSE(from_key(""));
  EXPECT_FALSE(from_key("driver-01"));
  EXPECT_FALSE(from_key(to_key(somebody()) + "x"));
}

TEST(CounterLabel, tells_people_whose_the_counter_is) {
  EXPECT_EQ(to_label("frames_ok", somebody()), "frames_ok: consumer=77 stream=10042 pid=4242");
}

TEST(CounterLabel, bears_the_path_of_the_ring_where_that_fits) {
  Identity producer = somebody();
  producer.role = CounterRole::kProducer;
  const std::string label = to_label("epoch", producer, "/dev/shm/a ring=b/header.ring");
  EXPECT_EQ(ring_of(label), "/dev/shm/a ring=b/header.ring");
  EXPECT_EQ(ring_of(to_label("epoch", producer)), "");
  EXPECT_EQ(ring_of(to_label("epoch", producer, std::string(380, 'x'))), "");
}

TEST(CounterNumbers, are_those_of_one_value_and_below_100) {
  TP_REQ("W281");
  const auto check = [](const auto& rows) {
    std::set<std::int32_t> numbers;
    std::set<std::string_view> names;
    for (const auto& row : rows) {
      EXPECT_TRUE(numbers.insert(row.number).second) << row.name;
      EXPECT_TRUE(names.insert(row.name).second) << row.name;
      EXPECT_GE(row.number, 1);
      EXPECT_LE(row.number, kNumberMax);
    }
  };
  check(kProducerRows);
  check(kConsumerRows);
  EXPECT_GT(kProducerTypeIdBase, 54300 + kNumberMax) << "the other roles of the protocol";
  EXPECT_EQ(kConsumerTypeIdBase, kProducerTypeIdBase + kNumberMax + 1);
}

/// §1.14, with the names of its table.
TEST(CounterNumbers, are_there_for_every_counter_of_the_drop_table) {
  TP_REQ("W281");
  std::set<std::string_view> names;
  for (const auto& row : kConsumerRows) {
    names.insert(row.name);
  }
  for (const char* const name :
       {"drops_gap", "drops_late", "resyncs", "drops_in_progress", "drops_seq_mismatch",
        "drops_changed", "drops_header_invalid", "drops_payload_invalid", "drops_epoch_mismatch",
        "drops_unmapped", "drops_rate_limited", "drops_duplicate", "seq_regressions", "rate_skips",
        "malformed_messages", "unsupported_version", "progress_rejected", "frames_ok"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST(ConsumerWays, come_back_from_their_bits) {
  for (const Waits waits : {Waits::kNot, Waits::kPark, Waits::kEvent}) {
    const ConsumerWays sut{.state = MappingState::kFallback,
                           .direct = true,
                           .mode = layout::Mode::kRateLimited,
                           .waits = waits,
                           .max_rate_hz = 65535};
    EXPECT_EQ(ConsumerWays::unpack(sut.packed()), sut);
    EXPECT_GT(static_cast<std::int64_t>(sut.packed()), 0);
  }
  EXPECT_EQ(ConsumerWays::unpack(ConsumerWays{}.packed()), ConsumerWays{});
}

TEST(ConsumerWays, are_not_made_of_bits_that_nobody_packs) {
  const std::uint64_t fine = ConsumerWays{}.packed();
  EXPECT_FALSE(ConsumerWays::unpack(0)) << "no mode";
  EXPECT_FALSE(ConsumerWays::unpack(fine | 3)) << "no state";
  EXPECT_FALSE(ConsumerWays::unpack(fine | 2U << 8U)) << "neither direct nor not";
  EXPECT_FALSE(ConsumerWays::unpack(fine | 9U << 24U)) << "no way to wait";
  EXPECT_FALSE(ConsumerWays::unpack(fine | 1ULL << 50U));
}

/// A ring of 8 slots and its writer.
class PlaceInRing : public ::testing::Test {
 protected:
  using Atom = base::DefaultAtom;
  static constexpr std::uint64_t kCapture = 1000;

  void publish(int frames, std::optional<std::uint64_t> at = {}) {
    const std::array<std::byte, 16> payload{};
    for (int k = 0; k < frames; ++k) {
      ASSERT_EQ(writer_.publish(bytes_tensor(payload.size()), payload,
                                at.value_or(kCapture + writer_.next_seq())),
                PublishStatus::kPublished);
    }
  }
  [[nodiscard]] core::consumer::PlaceInRing of(std::uint64_t seq) const {
    return core::consumer::place_in_ring<Atom>(stream_.memory(), seq);
  }

  HeapStream<Atom> stream_{8, {{.id = 1, .stride_bytes = 64}}};
  core::producer::FrameWriter<Atom> writer_{stream_.memory(), {.stream_id = 7, .epoch = 1}};
};

TEST_F(PlaceInRing, is_at_the_end_for_one_who_has_read_everything) {
  publish(5);
  EXPECT_EQ(of(4).behind, 0U);
  EXPECT_EQ(of(4).timestamp_ns, kCapture + 4);
}

TEST_F(PlaceInRing, is_as_far_behind_as_frames_were_written_since) {
  publish(12);
  EXPECT_EQ(of(9).behind, 2U);
  EXPECT_EQ(of(5).behind, 6U);
  EXPECT_EQ(of(5).timestamp_ns, kCapture + 5);
}

TEST_F(PlaceInRing, is_known_of_one_who_was_lapped) {
  publish(1000);
  EXPECT_EQ(of(20).behind, 979U);
  EXPECT_FALSE(of(20).timestamp_ns) << "its slot is of another frame by now";
}

TEST_F(PlaceInRing, has_no_age_where_frames_have_no_time) {
  publish(1, layout::kTimestampNone);
  EXPECT_FALSE(of(0).timestamp_ns);
}

TEST_F(PlaceInRing, is_nowhere_in_a_ring_of_words_that_no_writer_writes) {
  stream_.set_word(3, core::ring::committed(12));  // not of this slot
  EXPECT_EQ(of(3).behind, 0U);
  stream_.set_word(3, core::ring::committed(3));
  EXPECT_EQ(of(11).behind, 0U) << "not reached yet";
}

}  // namespace
}  // namespace tensorpool::test
