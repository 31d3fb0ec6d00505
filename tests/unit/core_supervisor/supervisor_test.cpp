#include "core/supervisor/supervisor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "supervisor_fixture.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::supervisor {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kUdp = "aeron:udp?endpoint=localhost:1";

/// Ids for 4 consumers of each kind.
[[nodiscard]] SupervisorSettings with_ranges() {
  SupervisorSettings settings;
  settings.per_consumer_enabled = true;
  settings.per_consumer_descriptor = {.channel = "aeron:ipc", .base = 31'000, .count = 4};
  settings.per_consumer_control = {.channel = {}, .base = 32'000, .count = 4};
  return settings;
}

TEST(Supervisor, answers_every_valid_hello_with_one_config) {
  TP_REQ("D294", "D295", "D296", "D297", "D303");
  World world;
  for (int again = 1; again <= 3; ++again) {
    const Sent answer = world.answer_to(hello_of(7));
    EXPECT_EQ(answer.config.stream_id, kStream);
    EXPECT_EQ(answer.config.consumer_id, 7U);
    EXPECT_TRUE(answer.config.use_shm);
    EXPECT_EQ(answer.config.mode, Mode::kStream);
    EXPECT_EQ(answer.fallback, "");
    EXPECT_EQ(answer.config.descriptor_stream_id, 0U);
  }
  EXPECT_THAT(world.answers_to(hello_of(0)), IsEmpty());
  ConsumerHello of_no_stream = hello_of(7);
  of_no_stream.stream_id = 0;
  EXPECT_THAT(world.answers_to(of_no_stream), IsEmpty());
  EXPECT_EQ(world.sut.counters().hellos, 3U);

  ConsumerHello limited = hello_of(8);
  limited.mode = Mode::kRateLimited;
  limited.supports_shm = false;
  limited.expected_layout_version = 77;  // has no say in useShm
  EXPECT_EQ(world.answer_to(limited).config.mode, Mode::kRateLimited);
  EXPECT_FALSE(world.answer_to(limited).config.use_shm);
  limited.supports_shm = true;
  EXPECT_TRUE(world.answer_to(limited).config.use_shm);

  EXPECT_EQ(world.sut.counters().config_published, 0U);  // nobody has said that one was
  world.sut.config_published();
  EXPECT_EQ(world.sut.counters().config_published, 1U);
}

TEST(Supervisor, forces_what_it_is_told_to_force) {
  TP_REQ("W405", "D295", "D296", "D297");
  SupervisorSettings settings;
  settings.force_no_shm = true;
  settings.force_mode = 2;
  settings.payload_fallback_uri = "bridge://far";
  World world(settings);
  const Sent answer = world.answer_to(hello_of(7));
  EXPECT_FALSE(answer.config.use_shm);
  EXPECT_EQ(answer.config.mode, Mode::kRateLimited);
  EXPECT_EQ(answer.fallback, "bridge://far");

  World streaming({.force_mode = 1});
  ConsumerHello limited = hello_of(7);
  limited.mode = Mode::kRateLimited;
  EXPECT_EQ(streaming.answer_to(limited).config.mode, Mode::kStream);
}

TEST(Supervisor, grants_ids_by_the_number_of_the_consumer) {
  TP_REQ("W405", "W406", "D298", "D299", "D300");
  World world(with_ranges());
  const Sent answer = world.answer_to(asking(6, 5, 5));
  EXPECT_EQ(answer.config.descriptor_stream_id, 31'002U);
  EXPECT_EQ(answer.descriptor_channel, "aeron:ipc");  // the configured one
  EXPECT_EQ(answer.config.control_stream_id, 32'002U);
  EXPECT_EQ(answer.control_channel, kIpc);                                    // the one asked for
  EXPECT_EQ(world.answer_to(asking(10, 5)).config.descriptor_stream_id, 0U);  // 10 mod 4 is 2 too
  EXPECT_EQ(world.answer_to(asking(11, 5)).config.descriptor_stream_id, 31'003U);

  world.pass(seconds(3));
  EXPECT_EQ(world.answer_to(asking(10, 5)).config.descriptor_stream_id, 0U);
  world.pass(seconds(2));  // 6 is stale, and what it had is free
  world.answers_to(hello_of(10));
  EXPECT_EQ(world.answer_to(asking(10, 5)).config.descriptor_stream_id, 31'002U);
  for (int again = 0; again < 3; ++again) {
    world.pass(seconds(1));
    EXPECT_EQ(world.answer_to(asking(6, 5)).config.descriptor_stream_id, 0U);
    EXPECT_EQ(world.answer_to(asking(10, 5)).config.descriptor_stream_id, 31'002U);
  }
}

TEST(Supervisor, grants_what_is_asked_for_where_no_ids_are_configured) {
  TP_REQ("D298", "W406");
  World world({.per_consumer_enabled = true});
  const Sent answer = world.answer_to(asking(6, 31'777));
  EXPECT_EQ(answer.config.descriptor_stream_id, 31'777U);
  EXPECT_EQ(answer.descriptor_channel, kIpc);
  EXPECT_EQ(world.answer_to(asking(7, 31'777)).config.descriptor_stream_id, 0U);
  EXPECT_EQ(world.answer_to(asking(8, 0, 31'777)).config.control_stream_id, 0U);
  ConsumerHello elsewhere = asking(6, 31'777);
  elsewhere.stream_id = kStream + 1;
  EXPECT_EQ(world.answer_to(elsewhere).config.descriptor_stream_id, 0U);  // another party
  EXPECT_EQ(world.answer_to(asking(9, kShared)).config.descriptor_stream_id, 0U);
}

TEST(Supervisor, declines_what_it_cannot_or_may_not_grant) {
  TP_REQ("D299", "W304", "W305");
  const auto declined = [](SupervisorSettings settings, const ConsumerHello& hello) {
    World world(std::move(settings));
    const Sent answer = world.answer_to(hello);
    EXPECT_EQ(world.sut.requests().declined(), 1U);
    return answer.config.descriptor_stream_id == 0 && answer.descriptor_channel.empty();
  };
  EXPECT_TRUE(declined({}, asking(7, 31'000))) << "per_consumer_enabled is false";
  SupervisorSettings on{.per_consumer_enabled = true};
  ConsumerHello half = asking(7, 31'000);
  half.descriptor_channel = {};
  EXPECT_TRUE(declined(on, half));
  half.descriptor_channel = kIpc;
  half.descriptor_stream_id = 0xFFFF'FFFF;
  EXPECT_TRUE(declined(on, half));
  ConsumerHello wrong = asking(7, 31'000);
  wrong.descriptor_channel = kUdp;
  EXPECT_TRUE(declined(on, wrong));
  EXPECT_TRUE(declined(with_ranges(), wrong)) << "also where another channel is configured";
  EXPECT_TRUE(declined(on, asking(7, 0x8000'0000)));
  on.per_consumer_descriptor = {.channel = kUdp, .base = 31'000, .count = 4};
  EXPECT_TRUE(declined(on, asking(7, 31'000)));
}

TEST(Supervisor, refuses_settings_that_make_no_sense) {
  const auto refusal = [](SupervisorSettings settings) {
    return !Supervisor::create({.settings = std::move(settings), .transport_of = transport_of},
                               kStart);
  };
  EXPECT_FALSE(refusal({}));
  EXPECT_TRUE(refusal({.consumer_capacity = 0}));
  EXPECT_TRUE(refusal({.liveness_check_interval = Nanos{0}}));
  EXPECT_TRUE(refusal({.payload_fallback_uri = "http://far"}));
  EXPECT_TRUE(refusal({.per_consumer_control = {.channel = {}, .base = 32'000, .count = 0}}));
}

TEST(Supervisor, keeps_what_each_party_said_last) {
  TP_REQ("W402", "D286", "D287", "D288", "W399", "W400");
  World world;
  world.announce(5, 7);
  world.hear(
      layout::QosProducer{.stream_id = kStream, .producer_id = 5, .epoch = 7, .current_seq = 42});
  world.hear(layout::QosProducer{
      .stream_id = kStream + 1, .producer_id = 5, .epoch = 9, .current_seq = 3});
  layout::DataSourceAnnounce source;
  source.stream_id = kStream;
  source.producer_id = 5;
  source.name = "cam1";
  world.sut.on_metadata(source);
  world.sut.on_metadata(layout::DataSourceMeta{});
  world.answers_to(hello_of(7));
  world.hear(qos_of(7, 3, 1));
  world.hear(qos_of(8));  // has not said hello yet

  const auto producers = world.sut.producers();
  ASSERT_EQ(producers.size(), 2U);
  EXPECT_EQ(producers[0].stream_id, kStream);
  EXPECT_EQ(producers[0].producer_id, 5U);
  EXPECT_EQ(producers[0].name, "cam1");
  EXPECT_EQ(producers[0].epoch, 7U);
  EXPECT_EQ(producers[0].current_seq, 42U);
  EXPECT_EQ(producers[1].stream_id, kStream + 1);
  EXPECT_EQ(producers[1].epoch, 9U);
  auto consumers = world.sut.consumers();
  ASSERT_EQ(consumers.size(), 2U);
  EXPECT_EQ(consumers[0].consumer_id, 7U);
  EXPECT_EQ(consumers[0].mode, Mode::kStream);
  EXPECT_EQ(consumers[0].epoch, 7U);
  EXPECT_EQ(consumers[0].last_seq_seen, 41U);
  EXPECT_EQ(consumers[0].drops_gap, 3U);
  EXPECT_EQ(consumers[0].drops_late, 1U);

  layout::QosConsumer anew = qos_of(7);  // began anew, with a mode that is none (W401)
  anew.epoch = 0;
  anew.last_seq_seen = 0;
  anew.mode = std::nullopt;
  world.hear(anew);
  consumers = world.sut.consumers();
  EXPECT_EQ(consumers[0].epoch, 0U);
  EXPECT_EQ(consumers[0].drops_gap, 0U);
  EXPECT_EQ(consumers[0].mode, Mode::kStream);
  EXPECT_EQ(world.sut.counters().qos_consumers, 3U);
  EXPECT_EQ(world.sut.counters().qos_producers, 2U);
  EXPECT_EQ(world.sut.counters().announces_seen, 1U);
  EXPECT_EQ(world.sut.counters().metadata_seen, 2U);
}

TEST(Supervisor, takes_accepted_announces_of_producers_for_signs_of_life_and_no_others) {
  TP_REQ("D286");
  World world;
  world.announce(0, 7);               // of nobody
  world.announce(5, 0);               // of no epoch
  world.announce(5, 7, seconds(4));   // old
  world.announce(5, 7, -seconds(4));  // of another clock
  EXPECT_THAT(world.sut.producers(), IsEmpty());
  world.announce(5, 7);
  EXPECT_EQ(world.sut.producers().size(), 1U);
  for (int k = 0; k < 5; ++k) {
    world.pass(seconds(1));
    world.announce(5, 6);  // of a lower epoch
  }
  ASSERT_EQ(world.sut.producers().size(), 1U);
  EXPECT_TRUE(world.sut.producers()[0].stale);
  EXPECT_EQ(world.sut.producers()[0].epoch, 7U);
}

TEST(Supervisor, tells_once_that_a_producer_is_stale_and_that_it_is_back) {
  TP_REQ("W403", "D291");
  World world;
  world.announce(5, 7);
  EXPECT_THAT(world.kinds(), ElementsAre(Kind::kProducerCame));
  world.pass(seconds(4));
  world.hear(layout::QosProducer{.stream_id = kStream, .producer_id = 5, .epoch = 7});
  world.pass(seconds(5) - Nanos{1});
  EXPECT_THAT(world.kinds(), IsEmpty());
  EXPECT_FALSE(world.sut.producers()[0].stale);
  world.pass(Nanos{1});  // no check is due
  world.pass(seconds(1));
  EXPECT_EQ(world.told.size(), 1U);
  EXPECT_EQ(world.told[0].silence, seconds(6));
  EXPECT_THAT(world.kinds(), ElementsAre(Kind::kProducerStale));
  for (int k = 0; k < 20; ++k) {
    world.pass(seconds(1));
  }
  EXPECT_THAT(world.kinds(), IsEmpty());
  EXPECT_EQ(world.sut.counters().stale_producers, 1U);
  world.announce(5, 7);
  EXPECT_THAT(world.kinds(), ElementsAre(Kind::kProducerBack));
  EXPECT_FALSE(world.sut.producers()[0].stale);
  for (int k = 0; k < 5; ++k) {
    world.pass(seconds(1));
  }
  EXPECT_EQ(world.sut.counters().stale_producers, 2U);
}

TEST(Supervisor, forgets_a_stale_producer_when_another_one_has_taken_its_stream) {
  World world;
  world.announce(5, 7);
  world.pass(seconds(5));
  EXPECT_EQ(world.sut.producers().size(), 1U);
  world.announce(6, 8);
  world.pass(seconds(1));
  ASSERT_EQ(world.sut.producers().size(), 1U);
  EXPECT_EQ(world.sut.producers()[0].producer_id, 6U);
}

TEST(Supervisor, forgets_a_consumer_that_is_stale_and_answers_it_again_when_it_comes) {
  TP_REQ("W404", "D290", "D287");
  World world;
  world.answers_to(hello_of(7));
  world.answers_to(hello_of(8));
  EXPECT_THAT(world.kinds(), ElementsAre(Kind::kConsumerCame, Kind::kConsumerCame));
  world.pass(seconds(4));
  world.hear(qos_of(8));
  world.pass(seconds(1));
  ASSERT_EQ(world.told.size(), 1U);
  EXPECT_EQ(world.told[0].id, 7U);
  EXPECT_EQ(world.told[0].silence, seconds(5));
  EXPECT_THAT(world.kinds(), ElementsAre(Kind::kConsumerStale));
  ASSERT_EQ(world.sut.consumers().size(), 1U);
  EXPECT_EQ(world.sut.consumers()[0].consumer_id, 8U);
  EXPECT_EQ(world.sut.counters().stale_consumers, 1U);
  world.answer_to(hello_of(7));
  EXPECT_THAT(world.kinds(), ElementsAre(Kind::kConsumerCame));
}

TEST(Supervisor, holds_nobody_for_stale_where_that_is_switched_off) {
  TP_REQ("D290", "D291");
  World world({.consumer_stale = Nanos{0}, .producer_stale = Nanos{0}});
  world.announce(5, 7);
  world.answers_to(hello_of(7));
  world.pass(std::chrono::hours(1000));
  EXPECT_EQ(world.sut.consumers().size(), 1U);
  EXPECT_FALSE(world.sut.producers().at(0).stale);
}

TEST(Supervisor, checks_who_is_alive_once_per_interval) {
  TP_REQ("D289");
  World world({.liveness_check_interval = milliseconds(250)});
  world.pass(milliseconds(249));
  EXPECT_EQ(world.sut.counters().liveness_checks, 0U);
  EXPECT_EQ(world.sut.next_deadline(), kStart + milliseconds(250));
  for (int k = 0; k < 100; ++k) {
    world.pass(milliseconds(10));
  }
  EXPECT_EQ(world.sut.counters().liveness_checks, 4U);
}

TEST(Supervisor, tells_whose_losses_have_grown_since_the_last_check) {
  TP_REQ("D292", "W400");
  World world;
  world.hear(qos_of(7, 100, 10));  // lost before the supervisor came
  world.hear(qos_of(8));
  world.pass(seconds(1));
  EXPECT_THAT(world.kinds(), ElementsAre(Kind::kConsumerCame, Kind::kConsumerCame));
  world.hear(qos_of(7, 103, 10));
  world.hear(qos_of(7, 105, 11));
  world.hear(qos_of(8));
  world.pass(seconds(1));
  ASSERT_EQ(world.told.size(), 1U);
  EXPECT_EQ(world.told[0], (Report{.kind = Kind::kConsumerLoses,
                                   .stream_id = kStream,
                                   .id = 7,
                                   .drops_gap = 5,
                                   .drops_late = 1}));
  world.told.clear();
  world.hear(qos_of(7, 2, 0));  // began anew, and has lost since
  world.pass(seconds(1));
  ASSERT_EQ(world.told.size(), 1U);
  EXPECT_EQ(world.told[0].drops_gap, 2U);
  EXPECT_EQ(world.told[0].drops_late, 0U);
}

TEST(Supervisor, ignores_newcomers_when_it_is_full_and_serves_who_is_there) {
  TP_REQ("D301");
  World world({.consumer_capacity = 2});
  world.answers_to(hello_of(1));
  world.hear(qos_of(2));
  static_cast<void>(world.kinds());
  EXPECT_THAT(world.answers_to(hello_of(3)), IsEmpty());
  EXPECT_THAT(world.answers_to(asking(4, 31'000)), IsEmpty());
  world.hear(qos_of(5));
  EXPECT_THAT(world.kinds(), ElementsAre(Kind::kRegistryFull));  // once between two checks
  EXPECT_EQ(world.sut.counters().registry_full, 2U);
  EXPECT_EQ(world.answers_to(hello_of(2)).size(), 1U);
  world.pass(seconds(1));
  EXPECT_THAT(world.answers_to(hello_of(3)), IsEmpty());
  EXPECT_THAT(world.kinds(), ElementsAre(Kind::kRegistryFull));
  world.pass(seconds(4));
  EXPECT_EQ(world.answers_to(hello_of(3)).size(), 1U);  // there is room again
}

TEST(Supervisor, knows_nobody_without_a_number) {
  TP_REQ("W295");
  World world;
  world.hear(qos_of(0));
  layout::QosConsumer nowhere = qos_of(7);
  nowhere.stream_id = 0;
  world.hear(nowhere);
  world.hear(layout::QosProducer{.stream_id = kStream, .producer_id = 0});
  world.hear(layout::QosProducer{.stream_id = 0, .producer_id = 5});
  EXPECT_TRUE(world.answers_to(hello_of(0)).empty());
  EXPECT_TRUE(world.sut.consumers().empty());
  EXPECT_TRUE(world.sut.producers().empty());
}

TEST(Supervisor, does_not_grow_without_bound) {
  TP_REQ("W443");
  World world;
  for (std::uint32_t id = 1; id <= Supervisor::kProducersMax + 10; ++id) {
    world.hear(layout::QosProducer{.stream_id = id, .producer_id = 1, .epoch = 7});
  }
  EXPECT_EQ(world.sut.producers().size(), Supervisor::kProducersMax);
  world.pass(seconds(5));  // all of them are stale
  world.hear(layout::QosProducer{.stream_id = 1'000'000, .producer_id = 1, .epoch = 7});
  EXPECT_EQ(world.sut.producers().size(), Supervisor::kProducersMax);
  EXPECT_EQ(world.sut.producers().back().stream_id, 1'000'000U);
}

TEST(Supervisor, warns_of_another_one_that_answers) {
  TP_REQ("D304");
  World world;
  const ConsumerConfig config{.stream_id = kStream, .consumer_id = 7};
  for (int k = 0; k < 100; ++k) {
    world.sut.on_foreign_config(config, world.now);
    world.pass(seconds(1));
  }
  EXPECT_THAT(world.kinds(), ElementsAre(Kind::kOtherResponder));
  world.pass(std::chrono::minutes(2));
  world.sut.on_foreign_config(config, world.now);
  world.drain();
  EXPECT_THAT(world.kinds(), ElementsAre(Kind::kOtherResponder));
}

TEST(SupervisorCounters, have_the_numbers_of_the_protocol) {
  TP_REQ("D337");
  ASSERT_EQ(kCounterFields.size(), 12U);
  EXPECT_EQ(kCounterTypeIdBase, 54'100);
  EXPECT_EQ(kCounterFields[2].name, "ConfigPublished");
  EXPECT_EQ(kCounterFields[4].name, "Hellos");
  EXPECT_EQ(kCounterFields[11].name, "RegistryFull");
}

}  // namespace
}  // namespace tensorpool::core::supervisor
