// What tp top makes of what it sees: rates, margins, losses, who is slow, order and filter; and
// what it says that it cannot know.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/top/exported.hpp"
#include "apps/top/model.hpp"
#include "apps/top/sampler.hpp"
#include "apps/top/view_json.hpp"
#include "support/requirement.hpp"
#include "top_fixture.hpp"

namespace tensorpool::test {
namespace {

using namespace apps::top;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

[[nodiscard]] std::vector<std::string> names(const View& view) {
  std::vector<std::string> names;
  for (const StreamRow& row : view.streams) {
    names.push_back(row.name);
  }
  return names;
}

TEST(TopModel, tells_how_a_stream_runs) {
  TopWorld world;
  const View view = seen(world).view({});
  ASSERT_THAT(view.streams, SizeIs(1));
  const StreamRow& sut = view.streams.front();
  EXPECT_EQ(sut.name, "cam0");
  EXPECT_EQ(sut.epoch, kEpoch);
  EXPECT_EQ(sut.producer_id, 1U);
  EXPECT_EQ(sut.process.name, "camera");
  EXPECT_DOUBLE_EQ(sut.process.cpu.value(), 0.25);
  EXPECT_DOUBLE_EQ(sut.hz.value(), 1000);
  EXPECT_DOUBLE_EQ(sut.bytes_per_second.value(), 1e6);
  EXPECT_EQ(sut.p50, 1ms);
  EXPECT_EQ(sut.p99, 1ms);
  EXPECT_EQ(sut.max, 1ms);
  EXPECT_EQ(sut.age, 0ns);
  EXPECT_EQ(sut.depth, 100ms);
}

TEST(TopModel, tells_how_a_consumer_reads) {
  TopWorld world;
  const View view = seen(world).view({});
  ASSERT_THAT(view.streams.front().consumers, SizeIs(1));
  const ConsumerRow& sut = view.streams.front().consumers.front();
  EXPECT_EQ(sut.process.name, "viewer");
  EXPECT_DOUBLE_EQ(sut.hz.value(), 1000);
  EXPECT_DOUBLE_EQ(sut.bytes_per_second.value(), 1e6);
  EXPECT_EQ(sut.age, 500us);
  EXPECT_EQ(sut.last_seen, 0ns);
  EXPECT_EQ(sut.margin, 1.0);
  EXPECT_EQ(sut.lost, 0U);
  EXPECT_EQ(sut.ways->waits, core::telemetry::Waits::kPark);
  EXPECT_FALSE(sut.lease);
  EXPECT_EQ(sut.trouble, "");
  EXPECT_THAT(view.slow, IsEmpty());
}

TEST(TopModel, knows_no_rate_of_one_look) {
  TopWorld world;
  const View view = seen(world, 1).view({});
  EXPECT_FALSE(view.streams.front().hz);
  EXPECT_FALSE(view.streams.front().bytes_per_second);
  EXPECT_FALSE(view.streams.front().process.cpu);
  EXPECT_FALSE(view.streams.front().consumers.front().hz);
  EXPECT_TRUE(view.streams.front().p50) << "the ring has intervals all the same";
}

TEST(TopModel, knows_no_interval_of_frames_without_times_or_with_others_between_them) {
  TopWorld world;
  Model model;
  Sample sample = world.next();
  for (FrameSeen& frame : sample.rings.front().frames) {
    frame.captured_at.reset();
  }
  model.add(sample);
  EXPECT_FALSE(model.view({}).streams.front().p50);
  EXPECT_FALSE(model.view({}).streams.front().age);

  Sample holes = TopWorld().next();
  std::erase_if(holes.rings.front().frames,
                [](const FrameSeen& frame) { return frame.seq % 2 == 0; });
  Model other;
  other.add(holes);
  EXPECT_FALSE(other.view({}).streams.front().p50);
  EXPECT_TRUE(other.view({}).streams.front().age);
}

TEST(TopModel, tells_intervals_as_they_were) {
  Sample sample = TopWorld().next();
  std::vector<FrameSeen>& frames = sample.rings.front().frames;
  for (std::size_t k = 50; k < frames.size(); ++k) {
    *frames[k].captured_at += 40ms;  // once a pause, then as before
  }
  Model sut;
  sut.add(sample);
  const View view = sut.view({});
  EXPECT_EQ(view.streams.front().p50, 1ms);
  EXPECT_EQ(view.streams.front().max, 41ms);
}

TEST(TopModel, measures_the_margin_of_one_who_is_behind) {
  TopWorld world;
  Model sut = seen(world);
  Sample sample = world.next();
  sample.consumers.front().reading.behind = 60;
  sut.add(sample);
  View view = sut.view({});
  EXPECT_DOUBLE_EQ(view.streams.front().margin().value(), 0.4);
  ASSERT_THAT(view.slow, SizeIs(1));
  EXPECT_THAT(view.slow.front(), StartsWith("cam0 > viewer (1000): 40% of the ring left"));

  sample = world.next();
  sample.consumers.front().reading.behind = 5000;
  sut.add(sample);
  view = sut.view({});
  EXPECT_EQ(view.streams.front().margin(), 0.0);
  EXPECT_THAT(view.slow.front(), HasSubstr("lapped"));
}

TEST(TopModel, finds_one_who_stands_still_whose_process_tells_nothing_any_more) {
  TopWorld world;
  Model sut;
  const ConsumerSeen frozen = [&] {
    Sample first = world.next();
    sut.add(first);
    return first.consumers.front();
  }();
  for (int k = 0; k < 3; ++k) {
    Sample sample = world.next();
    sample.consumers.front() = frozen;
    sut.add(sample);
  }
  const View view = sut.view({});
  const ConsumerRow& row = view.streams.front().consumers.front();
  EXPECT_EQ(row.last_seen, 3s);
  EXPECT_EQ(row.age, 3s);
  EXPECT_EQ(row.behind, 3 * TopWorld::kFramesPerSample);
  EXPECT_EQ(row.margin, 0.0);
  EXPECT_THAT(view.slow.front(), HasSubstr("has not polled for 3.00 s, lapped"));
}

TEST(TopModel, charges_losses_to_who_has_them_with_their_cause) {
  TopWorld world(1, 2);
  Model sut = seen(world);
  std::uint64_t gap = 0;
  for (int k = 0; k < 2; ++k) {
    Sample sample = world.next();
    core::telemetry::ConsumerReading& reading = sample.consumers[1].reading;
    gap += 100;
    reading.drops_gap = gap;
    reading.drops_late = 5;
    reading.drops_changed = 5;
    sut.add(sample);
  }
  const View view = sut.view({});
  const std::vector<ConsumerRow>& rows = view.streams.front().consumers;
  EXPECT_EQ(rows[0].lost, 0U);
  EXPECT_EQ(rows[1].lost, 205U);
  EXPECT_GT(rows[1].lost_per_second.value(), 0);
  EXPECT_EQ(view.streams.front().lost(), 205U);
  ASSERT_THAT(view.slow, SizeIs(1));
  EXPECT_THAT(view.slow.front(), HasSubstr("(gap 200, torn 5)"));
}

TEST(TopModel, says_nothing_of_old_losses) {
  TopWorld world;
  Model sut;
  for (int k = 0; k < 8; ++k) {
    Sample sample = world.next();
    sample.consumers.front().reading.drops_gap = 100;
    sut.add(sample);
  }
  const View view = sut.view({});
  EXPECT_EQ(view.streams.front().lost(), 100U);
  EXPECT_THAT(view.slow, IsEmpty());
}

TEST(TopModel, begins_anew_with_each_epoch) {
  TopWorld world;
  Model sut = seen(world);
  Sample sample = world.next();
  sample.rings.front().epoch = kEpoch + 1;
  sample.rings.front().newest_seq = 3;
  sample.rings.front().frames.clear();
  sut.add(sample);
  const StreamRow row = sut.view({}).streams.front();
  EXPECT_EQ(row.epoch, kEpoch + 1);
  EXPECT_FALSE(row.hz);
  EXPECT_FALSE(row.consumers.front().margin) << "it has mapped the epoch before";
}

TEST(TopModel, takes_processes_for_what_they_are_only_when_they_began_at_the_same_time) {
  TopWorld world;
  Model sut;
  Sample sample = world.next();
  for (auto& [pid, stat] : sample.processes) {
    stat.start_ticks = kProcessStart + 1;  // others have these numbers by now
  }
  sut.add(sample);
  const View view = sut.view({});
  EXPECT_EQ(view.streams.front().process.name, "");
  EXPECT_FALSE(view.streams.front().process.cpu);
  EXPECT_EQ(view.streams.front().process.pid, kProducerPid);
}

TEST(TopModel, shows_consumers_of_which_only_a_lease_is_known) {
  TopWorld world;
  Model sut;
  Sample sample = world.next();
  sample.leases = {
      {.lease_id = 1,
       .stream_id = 10'000,
       .client_id = 1,
       .is_producer = true,
       .expires_at = sample.at + 9s},
      {.lease_id = 2, .stream_id = 10'000, .client_id = 700, .expires_at = sample.at + 8s},
      {.lease_id = 3, .stream_id = 10'000, .client_id = 99, .expires_at = sample.at - 1s}};
  sut.add(sample);
  const StreamRow row = sut.view({}).streams.front();
  EXPECT_EQ(row.lease->lease_id, 1U);
  EXPECT_EQ(row.lease->expires_in, 9s);
  ASSERT_THAT(row.consumers, SizeIs(2));
  EXPECT_EQ(row.consumers[0].lease->lease_id, 2U);
  EXPECT_EQ(row.consumers[1].client_id, 99U);
  EXPECT_EQ(row.consumers[1].lease->expires_in, 0s);
  EXPECT_FALSE(row.consumers[1].reading);
  EXPECT_FALSE(row.consumers[1].lost);
}

TEST(TopModel, shows_streams_of_the_driver_that_nobody_produces) {
  Model sut;
  sut.add({.at = 5s, .streams = {{.stream_id = 10'000, .name = "idle", .epoch = 3}}});
  const StreamRow row = sut.view({}).streams.front();
  EXPECT_EQ(row.name, "idle");
  EXPECT_EQ(row.epoch, 3U);
  EXPECT_FALSE(row.producer_id);
  EXPECT_FALSE(row.hz);
}

TEST(TopModel, shows_names_of_others_so_that_they_harm_no_terminal) {
  TP_REQ("W94");
  TopWorld world;
  Model sut;
  Sample sample = world.next();
  for (auto& [pid, stat] : sample.processes) {
    stat.name = "\x1b[2Jworm\xc3\xa9";
  }
  sample.streams = {{.stream_id = 10'000, .name = "a\x1b]0;b\x07", .epoch = 3}};
  sut.add(sample);
  const StreamRow row = sut.view({}).streams.front();
  EXPECT_EQ(row.process.name, "\\x1b[2Jworm\\xc3\\xa9");
  EXPECT_EQ(row.name, "a\\x1b]0;b\\x07");
}

TEST(TopModel, takes_of_two_rings_of_one_number_the_one_that_its_producer_names) {
  TopWorld world;
  Model sut;
  Sample sample = world.next();
  RingSeen other = sample.rings.front();
  other.path = "/dev/shm/other/9/header.ring";
  other.epoch = 9;
  sample.rings.insert(sample.rings.begin(), other);
  sample.rings.push_back(other);
  sut.add(sample);
  EXPECT_EQ(sut.view({}).streams.front().epoch, kEpoch);
}

TEST(TopModel, sorts_by_name_or_by_what_is_worst) {
  TopWorld world(3);
  Model sut = seen(world);
  Sample sample = world.next();
  sample.rings[1].newest_seq = *sample.rings[1].newest_seq + 5000;
  sample.consumers[2].reading.behind = 30;
  sut.add(sample);
  EXPECT_THAT(names(sut.view({})), ElementsAre("cam0", "cam1", "cam2"));
  EXPECT_THAT(names(sut.view({.reverse = true})), ElementsAre("cam2", "cam1", "cam0"));
  EXPECT_THAT(names(sut.view({.sort = SortKey::kHz})), ElementsAre("cam1", "cam0", "cam2"));
  EXPECT_THAT(names(sut.view({.sort = SortKey::kMargin})), ElementsAre("cam2", "cam0", "cam1"));
  EXPECT_THAT(names(sut.view({.sort = SortKey::kMargin, .reverse = true})),
              ElementsAre("cam0", "cam1", "cam2"));
}

TEST(TopModel, sorts_numbers_in_names_as_numbers) {
  TopWorld world(11);
  const std::vector<std::string> sut = names(seen(world).view({}));
  EXPECT_EQ(sut[1], "cam1");
  EXPECT_EQ(sut[2], "cam2");
  EXPECT_EQ(sut[10], "cam10");
}

TEST(TopModel, filters_by_names_and_numbers) {
  TopWorld world(12, 2);
  const Model sut = seen(world);
  EXPECT_THAT(names(sut.view({.filter = "CAM1"})), ElementsAre("cam1", "cam10", "cam11"));
  EXPECT_THAT(names(sut.view({.filter = "10003"})), ElementsAre("cam3"));
  EXPECT_THAT(names(sut.view({.filter = "nobody"})), IsEmpty());
  const View one = sut.view({.filter = "1051"});  // a process that reads cam5
  ASSERT_THAT(names(one), ElementsAre("cam5"));
  ASSERT_THAT(one.streams.front().consumers, SizeIs(1));
  EXPECT_EQ(one.streams.front().consumers.front().process.pid, 1051U);
  EXPECT_THAT(names(sut.view({.stream_id = 10'004})), ElementsAre("cam4"));
}

TEST(TopModel, adds_everything_up) {
  TopWorld world(3, 2);
  const View view = seen(world).view({});
  EXPECT_EQ(view.consumers, 6U);
  EXPECT_DOUBLE_EQ(view.hz, 3000);
  EXPECT_DOUBLE_EQ(view.bytes_per_second, 3e6);
}

TEST(TopModel, has_names_for_its_orders) {
  for (std::size_t k = 0; k < kSortKeys; ++k) {
    const auto key = static_cast<SortKey>(k);
    EXPECT_EQ(parse_sort_key(to_string(key)), key);
  }
  EXPECT_FALSE(parse_sort_key("colour"));
}

TEST(TopJson, says_null_of_what_is_not_known) {
  TopWorld world;
  Sample sample = world.next();
  sample.leases = {{.lease_id = 3, .stream_id = 10'000, .client_id = 99}};
  Model model;
  model.add(sample);
  const nlohmann::ordered_json sut = to_json(model.view({}));
  EXPECT_EQ(sut["v"], 1);
  const auto& stream = sut["streams"][0];
  EXPECT_EQ(stream["name"], "cam0");
  EXPECT_TRUE(stream["rate_hz"].is_null());
  EXPECT_EQ(stream["interval_p50_ns"], 1'000'000);
  EXPECT_EQ(stream["consumers"][0]["wake_mode"], "park");
  EXPECT_EQ(stream["consumers"][0]["counters"]["drops_gap"], 0);
  EXPECT_TRUE(stream["consumers"][1]["counters"].is_null());
  EXPECT_TRUE(stream["consumers"][1]["lost_frames"].is_null());
  EXPECT_EQ(stream["consumers"][1]["lease_id"], 3);
}

// -- Out of what others have written -------------------------------------------------------------

[[nodiscard]] bus::CounterReading counter(std::int32_t type_id,
                                          const core::telemetry::Identity& who, std::int64_t value,
                                          std::string label = {}) {
  return {.type_id = type_id,
          .key = core::telemetry::to_key(who),
          .label = std::move(label),
          .value = value};
}

TEST(TopExported, puts_counters_together_by_whose_they_are) {
  Sample sut;
  add_exported(
      {counter(54901, TopWorld::consumer(0, 0), 5), counter(54902, TopWorld::consumer(0, 0), 6),
       counter(54901, TopWorld::consumer(0, 1), 7), counter(54801, TopWorld::producer(0), 8),
       counter(54860, TopWorld::producer(0), 9, "epoch: x ring=/dev/shm/r")},
      sut);
  ASSERT_THAT(sut.consumers, SizeIs(2));
  EXPECT_EQ(sut.consumers[0].reading.frames_ok, 5U);
  EXPECT_EQ(sut.consumers[0].reading.drops_gap, 6U);
  EXPECT_EQ(sut.consumers[1].reading.frames_ok, 7U);
  ASSERT_THAT(sut.producers, SizeIs(1));
  EXPECT_EQ(sut.producers[0].reading.epoch, 9U);
  EXPECT_EQ(sut.producers[0].ring, "/dev/shm/r");
}

TEST(TopExported, leaves_out_what_cannot_be_ours) {
  Sample sut;
  add_exported({counter(54859, TopWorld::producer(0), 1),     // no number of a producer
                counter(54801, TopWorld::consumer(0, 0), 1),  // of another role
                {.type_id = 54901, .key = "driver-01", .value = 1},
                {.type_id = 54901, .value = 1}},
               sut);
  EXPECT_THAT(sut.producers, IsEmpty());
  EXPECT_THAT(sut.consumers, IsEmpty());
}

TEST(TopDriver, lists_streams_and_leases_out_of_its_answer) {
  std::vector<DriverStream> streams;
  std::vector<LeaseSeen> leases;
  add_driver_streams(
      R"({"v":1,"ok":true,"streams":[{"stream_id":10000,"name":"cam1","epoch":7,
          "header_region_uri":"shm:file?path=/dev/shm/a/header.ring",
          "producer":{"lease_id":1,"stream_id":10000,"client_id":5,"expires_in_ms":9000},
          "consumers":[{"lease_id":2,"stream_id":10000,"client_id":6,"expires_in_ms":8000}]},
         {"stream_id":10001,"name":"cam2","producer":null,"consumers":[]}]})",
      100s, streams, leases);
  ASSERT_THAT(streams, SizeIs(2));
  EXPECT_EQ(streams[0].ring, "/dev/shm/a/header.ring");
  EXPECT_EQ(streams[1].ring, "");
  ASSERT_THAT(leases, SizeIs(2));
  EXPECT_TRUE(leases[0].is_producer);
  EXPECT_EQ(leases[0].expires_at, 109s);
  EXPECT_FALSE(leases[1].is_producer);
}

TEST(TopDriver, is_not_believed_to_answer_sense) {
  for (const char* const answer :
       {"", "null", "[]", "{\"streams\":5}", "{\"streams\":[5,null]}",
        "{\"streams\":[{\"stream_id\":\"x\"}]}", "{\"streams\":[{\"consumers\":7}]}"}) {
    std::vector<DriverStream> streams;
    std::vector<LeaseSeen> leases;
    add_driver_streams(answer, 1s, streams, leases);
    EXPECT_THAT(leases, IsEmpty()) << answer;
  }
}

TEST(TopRings, are_followed_in_the_last_epoch_of_each_stream) {
  EXPECT_THAT(newest_epochs({"/a/1/9/header.ring", "/a/1/10/header.ring", "/a/2/3/header.ring",
                             "header.ring", "/header.ring"}),
              ElementsAre("/a/1/10/header.ring", "/a/2/3/header.ring"));
}

}  // namespace
}  // namespace tensorpool::test
