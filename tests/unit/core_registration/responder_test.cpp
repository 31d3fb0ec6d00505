#include "core/registration/responder.hpp"

#include <gtest/gtest.h>

#include "responder_fixture.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::registration {
namespace {

using namespace testing;
constexpr auto kDescriptor = OwnKind::kDescriptor;
constexpr auto kControl = OwnKind::kControl;

[[nodiscard]] bool assigns_nothing(const Sent& sent) {
  return sent.config.descriptor_stream_id == 0 && sent.config.control_stream_id == 0 &&
         sent.descriptor_channel.empty() && sent.control_channel.empty();
}

TEST(Responder, takes_hellos_of_its_stream_from_consumers_that_have_a_number) {
  TP_REQ("W295");
  World world;
  ConsumerHello other = asking(7, 31'000);
  other.stream_id = kStream + 1;
  world.hear(other);
  world.hear(asking(0, 31'000));
  EXPECT_EQ(world.sut.size(), 0U);
  EXPECT_TRUE(world.sent.empty());
  EXPECT_EQ(world.sut.counters().hellos_ignored, 2U);
  world.hear(hello_of(7));
  EXPECT_EQ(world.sut.size(), 1U);
}

TEST(Responder, leaves_a_hello_that_asks_for_nothing_unanswered) {
  TP_REQ("W299");
  World world;
  EXPECT_TRUE(world.answers_to(hello_of(7)).empty());
}

TEST(Responder, answers_each_request_and_the_same_one_in_the_same_words) {
  TP_REQ("W297", "W310", "W312", "W313");
  World world;
  const ConsumerHello hello = asking(7, 31'000, 32'000);
  const auto first = world.answers_to(hello);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].config.stream_id, kStream);
  EXPECT_EQ(first[0].config.consumer_id, 7U);
  EXPECT_EQ(first[0].config.descriptor_stream_id, 31'000U);
  EXPECT_EQ(first[0].config.control_stream_id, 32'000U);
  EXPECT_EQ(first[0].descriptor_channel, kIpc);
  EXPECT_EQ(first[0].control_channel, kIpc);
  EXPECT_TRUE(first[0].config.use_shm);
  EXPECT_EQ(first[0].config.mode, Mode::kStream);
  for (int again = 0; again < 5; ++again) {
    EXPECT_EQ(world.answers_to(hello), first);
  }
  EXPECT_EQ(world.open.size(), 2U);
  EXPECT_EQ(world.sut.counters().assigned, 2U);
}

TEST(Responder, answers_when_both_streams_are_there_and_meanwhile_serves_others) {
  TP_REQ("W308");
  World world;
  world.adds_at_once = false;
  world.hear(asking(7, 31'000, 32'000));
  world.hear(asking(7, 31'000, 32'000));
  EXPECT_TRUE(world.sent.empty());
  world.hear(asking(8, 31'001));
  world.added(8, kDescriptor);
  ASSERT_EQ(world.sent.size(), 1U);  // 7 is still being waited for
  EXPECT_EQ(world.sent[0].config.consumer_id, 8U);
  world.added(7, kControl);
  EXPECT_EQ(world.sent.size(), 1U);
  world.added(7, kDescriptor, false);
  ASSERT_EQ(world.sent.size(), 2U);
  EXPECT_EQ(world.sent[1].config.descriptor_stream_id, 0U);
  EXPECT_EQ(world.sent[1].descriptor_channel, "");
  EXPECT_EQ(world.sent[1].config.control_stream_id, 32'000U);
  EXPECT_EQ(world.sut.counters().declined_not_added, 1U);
}

TEST(Responder, declines_what_cannot_be_given_and_keeps_the_consumer) {
  TP_REQ("W300", "W301", "W304", "W305", "W306", "W309", "W297");
  World world({.taken = {{.transport = "aeron:ipc", .stream_id = 1100}}});
  world.hear(asking(99, 31'005));
  const auto change = [](auto&& how) {
    ConsumerHello hello = asking(7, 31'000);
    how(hello);
    return hello;
  };
  const ConsumerHello refused[] = {
      change([](ConsumerHello& h) { h.descriptor_stream_id = 0; }),
      change([](ConsumerHello& h) { h.descriptor_channel = {}; }),
      change([](ConsumerHello& h) { h.descriptor_stream_id = 0xFFFF'FFFF; }),
      change([](ConsumerHello& h) { h.descriptor_channel = "aeron:udp?endpoint=localhost:1"; }),
      change([](ConsumerHello& h) { h.descriptor_channel = "rubbish"; }),
      change([](ConsumerHello& h) { h.descriptor_stream_id = 0x8000'0000; }),
      change([](ConsumerHello& h) { h.descriptor_stream_id = 1100; }),
      change([](ConsumerHello& h) {
        h.descriptor_stream_id = 1100;
        h.descriptor_channel = "aeron:ipc?term-length=1m|mtu=8k";  // parameters tell nothing apart
      }),
      change([](ConsumerHello& h) { h.descriptor_stream_id = 31'005; }),
  };
  for (const ConsumerHello& hello : refused) {
    const std::uint64_t before = world.sut.counters().declined();
    const auto first = world.answers_to(hello);
    ASSERT_EQ(first.size(), 1U);
    EXPECT_TRUE(assigns_nothing(first[0]));
    EXPECT_EQ(world.answers_to(hello), first);
    EXPECT_EQ(world.sut.counters().declined(), before + 1);
    EXPECT_TRUE(world.sut.find({.stream_id = kStream, .consumer_id = 7}).has_value());
    EXPECT_FALSE(world.has_open(7, kDescriptor));
  }
  const ResponderCounters& counters = world.sut.counters();
  EXPECT_EQ(counters.declined_half, 3U);
  EXPECT_EQ(counters.declined_channel, 2U);
  EXPECT_EQ(counters.declined_id, 1U);
  EXPECT_EQ(counters.declined_taken, 3U);
}

TEST(Responder, decides_about_descriptors_and_control_one_apart_from_the_other) {
  TP_REQ("W302", "D253");
  World world;
  ConsumerHello hello = asking(7, 31'000, 32'000);
  hello.control_channel = "rubbish";
  auto answer = world.answers_to(hello);
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_EQ(answer[0].config.descriptor_stream_id, 31'000U);
  EXPECT_EQ(answer[0].config.control_stream_id, 0U);
  hello.control_channel = kIpc;
  hello.descriptor_channel = {};
  answer = world.answers_to(hello);
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_EQ(answer[0].config.descriptor_stream_id, 0U);
  EXPECT_EQ(answer[0].config.control_stream_id, 32'000U);
}

TEST(Responder, sends_nothing_but_progress_on_a_control_stream) {
  TP_REQ("W318");
  World world;
  const auto answer = world.answers_to(asking(7, 31'000, 31'000));
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_EQ(answer[0].config.descriptor_stream_id, 31'000U);
  EXPECT_EQ(answer[0].config.control_stream_id, 0U);
}

TEST(Responder, closes_the_old_stream_before_it_reports_the_new_one) {
  TP_REQ("W311");
  World world;
  world.adds_at_once = false;
  world.hear(asking(7, 31'000));
  world.added(7, kDescriptor);
  world.sent.clear();
  world.hear(asking(7, 31'001));  // carry_out checks the order
  EXPECT_FALSE(world.has_open(7, kDescriptor));
  EXPECT_TRUE(world.sent.empty());
  world.added(7, kDescriptor);
  ASSERT_EQ(world.sent.size(), 1U);
  EXPECT_EQ(world.sent[0].config.descriptor_stream_id, 31'001U);
  world.hear(asking(8, 31'000));  // free again
  world.added(8, kDescriptor);
  EXPECT_TRUE(world.has_open(8, kDescriptor));
}

TEST(Responder, lets_a_consumer_exchange_its_two_streams) {
  TP_REQ("W302", "W306", "W311");
  World world;
  world.hear(asking(7, 31'000, 32'000));
  auto answer = world.answers_to(asking(7, 32'000, 31'000));
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_EQ(answer[0].config.descriptor_stream_id, 32'000U);
  EXPECT_EQ(answer[0].config.control_stream_id, 31'000U);
  answer = world.answers_to(asking(7, 31'000));  // what is given up in the same breath
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_EQ(answer[0].config.descriptor_stream_id, 31'000U);
  EXPECT_EQ(answer[0].config.control_stream_id, 0U);
  EXPECT_EQ(world.sut.counters().declined(), 0U);
}

TEST(Responder, closes_what_is_given_up_at_once_and_says_so) {
  TP_REQ("W321", "W297");
  World world;
  world.hear(asking(7, 31'000, 32'000));
  const auto answer = world.answers_to(asking(7, 0, 32'000));
  EXPECT_FALSE(world.has_open(7, kDescriptor));
  EXPECT_TRUE(world.has_open(7, kControl));
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_EQ(answer[0].config.descriptor_stream_id, 0U);
  EXPECT_EQ(answer[0].config.control_stream_id, 32'000U);
  const auto last = world.answers_to(hello_of(7));
  ASSERT_EQ(last.size(), 1U);
  EXPECT_TRUE(assigns_nothing(last[0]));
  EXPECT_TRUE(world.open.empty());
  EXPECT_EQ(world.answers_to(hello_of(7)), last);  // the last answer may have been lost
}

TEST(Responder, that_opens_nothing_itself_answers_every_hello) {
  TP_REQ("W299");  // consumers may still follow what its former life has told them
  World world({.adds_publications = false, .capacity = 1});
  EXPECT_EQ(world.answers_to(hello_of(7)).size(), 1U);
  EXPECT_EQ(world.answers_to(hello_of(7)).size(), 1U);
  EXPECT_EQ(world.answers_to(hello_of(8)).size(), 1U);  // for whom there is no room
}

TEST(Responder, drops_an_addition_that_nobody_wants_any_more) {
  World world;
  world.adds_at_once = false;
  world.hear(asking(7, 31'000));
  world.hear(hello_of(7));
  EXPECT_TRUE(world.adding.empty());
  ASSERT_EQ(world.sent.size(), 1U);
  EXPECT_TRUE(assigns_nothing(world.sent[0]));
  world.sut.on_added({.stream_id = kStream, .consumer_id = 7}, kDescriptor, true);  // too late
  EXPECT_FALSE(world.sut.next_action().has_value());
}

TEST(Responder, answers_where_a_policy_applies_or_shared_memory_is_not_wanted) {
  TP_REQ("W298", "W312", "W313", "W315");
  World world;
  ConsumerHello no_shm = hello_of(7);
  no_shm.supports_shm = false;
  auto answer = world.answers_to(no_shm);
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_FALSE(answer[0].config.use_shm);

  world.sent.clear();
  ASSERT_TRUE(world.sut.set_policy(
      {.forced_mode = Mode::kRateLimited, .allow_shm = false, .fallback_uri = "bridge://far"}));
  world.pass(Nanos{0});
  ASSERT_EQ(world.sent.size(), 1U);  // unasked
  EXPECT_EQ(world.sent[0].config.mode, Mode::kRateLimited);
  answer = world.answers_to(hello_of(8));
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_EQ(answer[0].config.mode, Mode::kRateLimited);
  EXPECT_FALSE(answer[0].config.use_shm);
  EXPECT_EQ(answer[0].fallback, "bridge://far");
  EXPECT_EQ(world.sut.find({.stream_id = kStream, .consumer_id = 8})->mode, Mode::kRateLimited);
}

TEST(Responder, refuses_shared_memory_to_those_who_expect_another_layout) {
  TP_REQ("W316");
  World world;
  ConsumerHello hello = hello_of(7);
  hello.expected_layout_version = 0;
  EXPECT_TRUE(world.answers_to(hello).empty());
  hello.expected_layout_version = layout::kLayoutVersion + 1;
  const auto answer = world.answers_to(hello);
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_FALSE(answer[0].config.use_shm);
}

TEST(Responder, names_no_fallback_but_aeron_and_bridge) {
  TP_REQ("W314");
  World world;
  for (const char* good : {"", "aeron:udp?endpoint=localhost:4000", "bridge://x"}) {
    EXPECT_TRUE(world.sut.set_policy({.fallback_uri = good})) << good;
  }
  for (const char* bad : {"http://x", "bridge:/x", "shm:file?path=/dev/shm/x"}) {
    const Status status = world.sut.set_policy({.fallback_uri = bad});
    ASSERT_FALSE(status) << bad;
    EXPECT_EQ(status.error().code, Errc::kFallbackUnsupported);
    Responder::Options options{.transport_of = transport_of, .policy = {.fallback_uri = bad}};
    EXPECT_FALSE(Responder::create(options));
  }
}

TEST(Responder, declines_when_its_table_is_full) {
  TP_REQ("W307");
  World world({.capacity = 2});
  world.hear(hello_of(1));
  world.hear(asking(2, 31'002));
  const auto answer = world.answers_to(asking(3, 31'003));
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_EQ(answer[0].config.consumer_id, 3U);
  EXPECT_TRUE(assigns_nothing(answer[0]));
  EXPECT_EQ(world.sut.counters().declined_full, 1U);
  EXPECT_EQ(world.sut.size(), 2U);
  EXPECT_EQ(world.answers_to(asking(2, 31'002)).size(), 1U);  // who is in it is served
}

TEST(Responder, has_room_for_256_unless_told_otherwise) {
  TP_REQ("W307");
  World world;
  for (std::uint32_t consumer = 1; consumer <= 256; ++consumer) {
    world.hear(hello_of(consumer));
  }
  EXPECT_EQ(world.sut.counters().declined_full, 0U);
  world.hear(asking(257, 31'000));
  EXPECT_EQ(world.sut.counters().declined_full, 1U);
}

TEST(Responder, forgets_who_is_silent_for_the_stale_timeout_and_closes_what_was_his) {
  TP_REQ("W319", "W322");
  World world;
  world.hear(asking(7, 31'000, 32'000));
  const std::uint64_t generation = world.sut.generation();
  world.pass(seconds(5) - Nanos{1});
  EXPECT_EQ(world.open.size(), 2U);
  world.pass(Nanos{1});
  EXPECT_TRUE(world.open.empty());
  EXPECT_EQ(world.sut.size(), 0U);
  EXPECT_EQ(world.sut.counters().expired, 1U);
  EXPECT_GT(world.sut.generation(), generation);
  world.hear(asking(7, 31'000));  // registers anew
  EXPECT_TRUE(world.has_open(7, kDescriptor));
}

TEST(Responder, takes_qos_of_any_epoch_for_a_sign_of_life) {
  TP_REQ("W320", "W401");
  World world;
  world.hear(asking(7, 31'000));
  for (int k = 0; k < 10; ++k) {
    world.pass(seconds(4));
    world.sut.on_qos({.stream_id = kStream,
                      .consumer_id = 7,
                      .epoch = static_cast<std::uint64_t>(k) * 77,
                      .mode = std::nullopt},
                     world.now);
    world.sut.on_qos({.stream_id = kStream + 1, .consumer_id = 8}, world.now);
  }
  EXPECT_TRUE(world.has_open(7, kDescriptor));
  world.pass(seconds(4));
  world.sut.on_qos({.stream_id = kStream + 1, .consumer_id = 7}, world.now);  // another's
  world.pass(seconds(1));
  EXPECT_FALSE(world.has_open(7, kDescriptor));
}

TEST(Responder, closes_when_the_lease_of_the_consumer_ends) {
  TP_REQ("W321", "W322");
  World world;
  world.hear(asking(7, 31'000));
  world.hear(asking(8, 31'001));
  world.sut.on_lease_ended({.stream_id = kStream, .consumer_id = 7});
  world.carry_out();
  EXPECT_FALSE(world.has_open(7, kDescriptor));
  EXPECT_TRUE(world.has_open(8, kDescriptor));
  EXPECT_EQ(world.sut.size(), 1U);
}

TEST(Responder, keeps_the_wishes_about_progress_of_those_who_want_it) {
  TP_REQ("W296", "W290");
  World world;
  ConsumerHello hello = asking(7, 0, 32'000);
  hello.supports_progress = true;
  hello.progress_interval_us = 500;
  hello.progress_major_delta_units = 8;
  hello.mode = Mode::kRateLimited;
  hello.max_rate_hz = 10;
  world.hear(hello);
  auto seen = world.sut.find({.stream_id = kStream, .consumer_id = 7});
  ASSERT_TRUE(seen.has_value());
  EXPECT_TRUE(seen->supports_progress);
  EXPECT_EQ(seen->progress_interval_us, 500U);
  EXPECT_EQ(seen->progress_bytes_delta, std::nullopt);
  EXPECT_EQ(seen->progress_major_delta_units, 8U);
  EXPECT_EQ(seen->control_stream_id, 32'000U);
  EXPECT_EQ(seen->mode, Mode::kRateLimited);
  EXPECT_EQ(seen->max_rate_hz, 10U);
  const std::uint64_t generation = world.sut.generation();
  world.hear(hello);
  EXPECT_EQ(world.sut.generation(), generation);  // nothing new
  hello.supports_progress = false;
  world.hear(hello);
  EXPECT_GT(world.sut.generation(), generation);
  seen = world.sut.find({.stream_id = kStream, .consumer_id = 7});
  EXPECT_EQ(seen->progress_interval_us, std::nullopt);
}

TEST(Responder, hands_out_ids_of_its_ranges_where_it_has_some) {
  TP_REQ("W303", "D250", "D251", "D252");
  World world({.adds_publications = false,
               .handed_out = Responder::HandedOut{
                   .descriptors = {{31'000, 31'001}, {31'010, 31'010}}, .controls = {}}});
  const auto id_for = [&](std::uint32_t consumer, std::uint32_t wanted) {
    const auto answer = world.answers_to(asking(consumer, wanted));
    EXPECT_EQ(answer.size(), 1U);
    return answer.at(0).config.descriptor_stream_id;
  };
  EXPECT_EQ(id_for(1, 31'010), 31'010U);  // as wished
  EXPECT_EQ(id_for(2, 5), 31'000U);       // outside: the next free one
  EXPECT_EQ(id_for(3, 31'000), 31'001U);  // taken
  EXPECT_EQ(id_for(4, 31'000), 0U);       // none left
  EXPECT_EQ(id_for(2, 5), 31'000U);
  EXPECT_EQ(world.sut.counters().declined_id, 1U);
  const auto control = world.answers_to(asking(1, 31'010, 32'000));
  EXPECT_EQ(control.at(0).config.control_stream_id, 0U);  // no range for those
  world.sut.on_lease_ended({.stream_id = kStream, .consumer_id = 2});
  world.carry_out();
  EXPECT_EQ(id_for(5, 7), 31'000U);
  EXPECT_TRUE(world.asked.empty());  // others open them
}

TEST(Responder, grants_no_stream_that_is_usually_another_s) {
  TP_REQ("W306", "D250");
  const Responder::Taken usual{
      .transport = "aeron:ipc", .stream_id = 1100, .count = 1002, .by_custom = true};
  World world({.taken = {usual}});
  for (const std::uint32_t id : {1100U, 1101U, 2101U}) {
    const auto answer = world.answers_to(asking(7, id));
    ASSERT_EQ(answer.size(), 1U);
    EXPECT_TRUE(assigns_nothing(answer[0])) << id;
  }
  EXPECT_EQ(world.sut.counters().declined_taken, 3U);
  for (const std::uint32_t id : {1099U, 2102U}) {
    EXPECT_EQ(world.answers_to(asking(7, id)).at(0).config.descriptor_stream_id, id);
  }

  World ranged(
      {.adds_publications = false,
       .taken = {usual},
       .handed_out = Responder::HandedOut{.descriptors = {{2'100, 2'103}}, .controls = {}}});
  EXPECT_EQ(ranged.answers_to(asking(1, 2'101)).at(0).config.descriptor_stream_id, 2'102U);
  EXPECT_EQ(ranged.answers_to(asking(2, 2'101)).at(0).config.descriptor_stream_id, 2'103U);
  EXPECT_TRUE(assigns_nothing(ranged.answers_to(asking(3, 2'101)).at(0)));
}

TEST(Responder, that_is_none_counts_whom_it_has_no_room_for) {
  TP_REQ("W317");
  World world({.responds = false, .capacity = 1});
  const auto follow = [&](std::uint32_t consumer) {
    ConsumerConfig config;
    config.stream_id = kStream;
    config.consumer_id = consumer;
    config.descriptor_channel = kIpc;
    config.descriptor_stream_id = 31'000 + consumer;
    world.sut.on_config(config, world.now);
    world.carry_out();
  };
  follow(7);
  follow(8);
  EXPECT_EQ(world.sut.counters().declined_full, 1U);
  EXPECT_TRUE(world.asked.contains({7, OwnKind::kDescriptor}));
  EXPECT_FALSE(world.asked.contains({8, OwnKind::kDescriptor}));
  world.hear(asking(9, 31'009));  // and answers nobody
  EXPECT_TRUE(world.sent.empty());
}

TEST(Responder, answers_from_the_moment_on_when_it_is_told_to) {
  TP_REQ("W293");
  World world({.responds = false});
  EXPECT_TRUE(world.answers_to(asking(7, 31'000)).empty());
  world.sut.set_responds(true);
  world.hear(asking(7, 31'000));
  world.added(7, OwnKind::kDescriptor);
  ASSERT_FALSE(world.sent.empty());
  EXPECT_EQ(world.sent.back().config.descriptor_stream_id, 31'000U);
}

/// What takes a consumer off shared memory, sent by somebody else.
ConsumerConfig falling_back(std::uint32_t consumer) {
  ConsumerConfig config;
  config.stream_id = kStream;
  config.consumer_id = consumer;
  config.mode = Mode::kRateLimited;
  config.use_shm = false;
  config.payload_fallback_uri = "bridge://far";
  return config;
}

TEST(Responder, that_becomes_one_ends_what_the_other_one_has_told) {
  TP_REQ("W293", "W296", "W315");
  World world({.responds = false});
  const auto mode_of_7 = [&] {
    return world.sut.find({.stream_id = kStream, .consumer_id = 7})->mode;
  };
  world.hear(hello_of(7));
  world.hear(hello_of(8));  // is told nothing
  world.sut.on_config(falling_back(7), world.now);
  world.carry_out();
  EXPECT_EQ(mode_of_7(), Mode::kRateLimited);
  const std::uint64_t generation = world.sut.generation();
  world.sut.set_responds(true);
  world.pass(Nanos{0});
  ASSERT_EQ(world.sent.size(), 1U);  // unasked
  EXPECT_EQ(world.sent[0].config.consumer_id, 7U);
  EXPECT_EQ(world.sent[0].config.mode, Mode::kStream);
  EXPECT_TRUE(world.sent[0].config.use_shm);
  EXPECT_EQ(world.sent[0].fallback, "");
  EXPECT_EQ(mode_of_7(), Mode::kStream);
  EXPECT_GT(world.sut.generation(), generation);
  EXPECT_EQ(world.answers_to(hello_of(7)).size(), 1U);  // that one may be lost
}

// Whom the other one has told something may have been silent for a while, and then forgotten.
TEST(Responder, that_becomes_one_answers_the_first_hello_of_everybody) {
  TP_REQ("W315", "W299");
  World world({.responds = false, .capacity = 2});
  world.hear(hello_of(7));
  world.sut.on_config(falling_back(7), world.now);
  world.pass(seconds(5));
  EXPECT_EQ(world.sut.size(), 0U);
  world.hear(hello_of(8));
  world.sut.set_responds(true);
  world.pass(Nanos{0});
  EXPECT_TRUE(world.sent.empty());
  const auto answer = world.answers_to(hello_of(7));
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_TRUE(answer[0].config.use_shm);
  EXPECT_EQ(world.answers_to(hello_of(8)).size(), 1U);
  EXPECT_EQ(world.answers_to(hello_of(9)).size(), 1U);  // for whom there is no room
  for (int again = 0; again < 3; ++again) {
    EXPECT_TRUE(world.answers_to(hello_of(7)).empty());
    EXPECT_TRUE(world.answers_to(hello_of(8)).empty());
    world.sut.set_responds(true);  // as before
  }
}

TEST(Responder, that_is_one_no_longer_answers_nobody_and_opens_what_it_had_refused) {
  TP_REQ("W294", "W317");
  World world;
  world.refuses_to_add = true;
  world.hear(asking(7, 31'000));
  world.adds_at_once = false;
  world.hear(asking(8, 31'001));  // an answer is owed
  world.sent.clear();
  world.sut.set_responds(false);
  world.added(8, kDescriptor);
  world.pass(milliseconds(1));
  EXPECT_TRUE(world.sent.empty());
  world.sut.on_config({.stream_id = kStream,
                       .consumer_id = 7,
                       .descriptor_stream_id = 31'000,
                       .descriptor_channel = kIpc},
                      world.now);
  world.carry_out();
  world.added(7, kDescriptor);
  EXPECT_EQ(world.open.at({7, kDescriptor}), 31'000U);
  EXPECT_EQ(world.open.at({8, kDescriptor}), 31'001U);  // stays as it is
}

TEST(Responder, that_has_stepped_back_and_is_none_any_more_does_not_come_forward) {
  TP_REQ("W294");
  World world;
  world.sut.on_config(falling_back(7), world.now);
  world.carry_out();
  world.sut.set_responds(false);
  for (int k = 0; k < 10; ++k) {
    world.hear(asking(7, 31'000));
    world.pass(seconds(1));
  }
  EXPECT_TRUE(world.sent.empty());
  EXPECT_FALSE(world.sut.responds());
  world.sut.set_responds(true);
  EXPECT_TRUE(world.sut.responds());
}

TEST(Responder, that_is_none_follows_the_configs_of_the_one_that_is) {
  TP_REQ("W294", "W296", "W317", "D257");
  World world({.responds = false});
  ConsumerHello hello = asking(7, 31'000);
  hello.mode = Mode::kRateLimited;
  hello.max_rate_hz = 10;
  world.hear(hello);
  EXPECT_TRUE(world.sent.empty());
  EXPECT_TRUE(world.open.empty());
  EXPECT_EQ(world.sut.find({.stream_id = kStream, .consumer_id = 7})->mode, Mode::kRateLimited);

  ConsumerConfig config;
  config.stream_id = kStream;
  config.consumer_id = 7;
  config.mode = Mode::kStream;  // prevails over the hello
  config.descriptor_channel = kIpc;
  config.descriptor_stream_id = 31'007;
  const auto follow = [&] {
    world.sut.on_config(config, world.now);
    world.carry_out();
  };
  follow();
  EXPECT_EQ(world.open.at({7, kDescriptor}), 31'007U);
  world.hear(hello);
  EXPECT_EQ(world.sut.find({.stream_id = kStream, .consumer_id = 7})->mode, Mode::kStream);
  EXPECT_EQ(world.sut.find({.stream_id = kStream, .consumer_id = 7})->max_rate_hz, 10U);
  follow();
  EXPECT_EQ(world.sut.counters().assigned, 1U);  // the same again: nothing
  config.descriptor_stream_id = 31'008;
  follow();
  EXPECT_EQ(world.open.at({7, kDescriptor}), 31'008U);
  config.descriptor_channel = {};
  follow();  // half
  EXPECT_EQ(world.open.at({7, kDescriptor}), 31'008U);
  config.descriptor_stream_id = 0;
  follow();
  EXPECT_TRUE(world.open.empty());
  config.stream_id = kStream + 1;
  config.descriptor_stream_id = 31'009;
  config.descriptor_channel = kIpc;
  follow();
  EXPECT_TRUE(world.open.empty());
  EXPECT_TRUE(world.sent.empty());
}

/// Says that `consumer` has the descriptor stream `id`.
ConsumerConfig directing(std::uint32_t consumer, std::uint32_t id) {
  ConsumerConfig config;
  config.stream_id = kStream;
  config.consumer_id = consumer;
  config.descriptor_channel = kIpc;
  config.descriptor_stream_id = id;
  return config;
}

// The consumer listens where it was told to listen, whether we could open that or not.
TEST(Responder, that_follows_tries_again_when_it_is_told_again) {
  TP_REQ("W317");
  World world({.responds = false});
  world.refuses_to_add = true;
  world.sut.on_config(directing(7, 31'000), world.now);
  world.carry_out();
  EXPECT_TRUE(world.open.empty());
  world.refuses_to_add = false;
  world.sut.on_config(directing(7, 31'000), world.now);
  world.carry_out();
  EXPECT_EQ(world.open.at({7, kDescriptor}), 31'000U);
}

TEST(Responder, that_follows_tries_again_where_it_found_no_place) {
  TP_REQ("W317", "W306");
  World world({.responds = false});
  ConsumerConfig config = directing(7, 31'000);
  config.control_channel = kIpc;
  const auto follow = [&](std::uint32_t descriptors, std::uint32_t control) {
    config.descriptor_stream_id = descriptors;
    config.control_stream_id = control;
    world.sut.on_config(config, world.now);
    world.carry_out();
  };
  follow(31'000, 31'000);  // makes no sense
  EXPECT_FALSE(world.has_open(7, kControl));
  follow(31'001, 31'000);  // the same control stream
  EXPECT_EQ(world.open.at({7, kDescriptor}), 31'001U);
  EXPECT_EQ(world.open.at({7, kControl}), 31'000U);
  follow(31'000, 31'001);  // one in the place of the other
  EXPECT_EQ(world.open.at({7, kDescriptor}), 31'000U);
  EXPECT_EQ(world.open.at({7, kControl}), 31'001U);
}

TEST(Responder, that_follows_opens_also_what_is_usually_another_s) {
  TP_REQ("W317");
  World world(
      {.responds = false,
       .taken = {{.transport = "aeron:ipc", .stream_id = 1100, .count = 1002, .by_custom = true},
                 {.transport = "aeron:ipc", .stream_id = 1200}}});
  for (const std::uint32_t id : {1500U, 1200U}) {
    world.sut.on_config(directing(id, id), world.now);
    world.carry_out();
  }
  EXPECT_EQ(world.open.at({1500, kDescriptor}), 1500U);
  EXPECT_FALSE(world.has_open(1200, kDescriptor));  // which is known to be somebody else's
  world.sut.set_responds(true);
  world.carry_out();  // checks the invariants
  EXPECT_EQ(world.open.at({1500, kDescriptor}), 1500U);
}

// A responder that has begun anew does not know what it had handed out before.
TEST(Responder, that_follows_takes_a_stream_from_one_consumer_for_another) {
  TP_REQ("W317", "W306");
  World world({.responds = false});
  const auto follow = [&world](std::uint32_t consumer, std::uint32_t id) {
    world.sut.on_config(directing(consumer, id), world.now);
    world.carry_out();
  };
  follow(7, 31'000);
  follow(8, 31'001);
  follow(8, 31'000);
  EXPECT_EQ(world.open.at({8, kDescriptor}), 31'000U);
  EXPECT_FALSE(world.has_open(7, kDescriptor));
  follow(7, 31'001);
  EXPECT_EQ(world.open.at({7, kDescriptor}), 31'001U);
  EXPECT_EQ(world.open.at({8, kDescriptor}), 31'000U);
}

TEST(Responder, that_hears_another_one_steps_back_and_follows) {
  TP_REQ("W293", "W294", "W317");
  World world;
  world.hear(asking(7, 31'000));
  world.adds_at_once = false;
  world.hear(asking(8, 31'001));  // an answer is owed
  world.sent.clear();
  const auto other_says = [&](std::uint32_t consumer, std::uint32_t descriptors) {
    world.sut.on_config({.stream_id = kStream,
                         .consumer_id = consumer,
                         .mode = Mode::kRateLimited,
                         .descriptor_stream_id = descriptors,
                         .descriptor_channel = descriptors != 0 ? kIpc : ""},
                        world.now);
    world.carry_out();
  };
  other_says(7, 0);
  EXPECT_FALSE(world.sut.responds());
  EXPECT_FALSE(world.has_open(7, kDescriptor));
  world.added(8, kDescriptor);
  EXPECT_TRUE(world.sent.empty()) << "the other one answers";
  other_says(8, 31'040);
  world.added(8, kDescriptor);
  EXPECT_EQ(world.open.at({8, kDescriptor}), 31'040U);
  for (int k = 0; k < 30; ++k) {
    world.pass(seconds(1));
    EXPECT_TRUE(world.answers_to(asking(7, 31'000)).empty());
    EXPECT_TRUE(world.answers_to(asking(8, 31'001)).empty());
    other_says(8, 31'040);
  }
  EXPECT_EQ(world.sut.counters().stepped_back, 1U);
}

TEST(Responder, that_steps_back_opens_what_it_had_refused) {
  TP_REQ("W317");
  World world;
  world.refuses_to_add = true;
  world.hear(asking(7, 31'000));
  world.refuses_to_add = false;
  world.sut.on_config(directing(7, 31'000), world.now);
  world.carry_out();
  EXPECT_EQ(world.open.at({7, kDescriptor}), 31'000U);
}

TEST(Responder, that_has_stepped_back_answers_again_when_the_other_one_is_gone) {
  TP_REQ("W293", "W315");
  World world;
  const auto mode_of = [&](std::uint32_t consumer) {
    return world.sut.find({.stream_id = kStream, .consumer_id = consumer})->mode;
  };
  for (const std::uint32_t told : {7U, 8U}) {
    world.sut.on_config({.stream_id = kStream, .consumer_id = told, .mode = Mode::kRateLimited},
                        world.now);
    world.carry_out();
  }
  world.hear(hello_of(9));  // was told nothing and asks for nothing: no answer is missed
  world.pass(seconds(3));
  for (int k = 0; k < 5; ++k) {
    EXPECT_TRUE(world.answers_to(hello_of(8)).empty());
    EXPECT_TRUE(world.answers_to(asking(7, 31'000)).empty());
    EXPECT_EQ(mode_of(7), Mode::kRateLimited);
    world.pass(seconds(1));
  }
  const auto answer = world.answers_to(asking(7, 31'000));
  EXPECT_TRUE(world.sut.responds());
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_EQ(answer[0].config.descriptor_stream_id, 31'000U);
  EXPECT_EQ(answer[0].config.mode, Mode::kStream);
  world.sent.clear();
  world.pass(Nanos{0});
  ASSERT_EQ(world.sent.size(), 1U);  // what the other one has told ends
  EXPECT_EQ(world.sent[0].config.consumer_id, 8U);
  EXPECT_EQ(world.sent[0].config.mode, Mode::kStream);
  EXPECT_EQ(mode_of(7), Mode::kStream);
  EXPECT_EQ(world.answers_to(hello_of(9)).size(), 1U);  // perhaps told something long ago
  EXPECT_TRUE(world.answers_to(hello_of(9)).empty());
}

TEST(Responder, grants_by_rule_where_it_has_one) {
  TP_REQ("D298", "D299", "W306");
  World world({.adds_publications = false,
               .grants = {{{.allowed = true, .channel = "aeron:ipc", .base = 31'000, .count = 2},
                           {.allowed = false}}}});
  EXPECT_EQ(world.answers_to(hello_of(9)).size(), 1U);  // asks for nothing
  const auto answer = world.answers_to(asking(7, 5, 5));
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_EQ(answer[0].config.descriptor_stream_id, 31'001U);
  EXPECT_EQ(answer[0].descriptor_channel, "aeron:ipc");
  EXPECT_EQ(answer[0].config.control_stream_id, 0U);
  EXPECT_TRUE(world.asked.empty());                                    // others open it
  EXPECT_TRUE(assigns_nothing(world.answers_to(asking(9, 5)).at(0)));  // 9 is odd as well
  EXPECT_EQ(world.sut.counters().declined_off, 1U);
  EXPECT_EQ(world.sut.counters().declined_taken, 1U);
}

TEST(Responder, sends_a_config_again_that_could_not_be_sent) {
  World world;
  const auto first = world.answers_to(asking(7, 31'000));
  world.sent.clear();
  world.sut.on_config_unsent({.stream_id = kStream, .consumer_id = 7});
  world.pass(milliseconds(1));
  EXPECT_EQ(world.sent, first);
  world.pass(milliseconds(1));
  EXPECT_EQ(world.sent.size(), 1U);
}

TEST(Responder, refuses_options_that_make_no_sense) {
  EXPECT_FALSE(Responder::create({}));
  EXPECT_FALSE(Responder::create({.transport_of = transport_of, .capacity = 0}));
  EXPECT_FALSE(Responder::create({.transport_of = transport_of, .stale_timeout = Nanos{0}}));
  EXPECT_FALSE(Responder::create(
      {.transport_of = transport_of, .grants = {{{.base = 31'000, .count = 0}, {}}}}));
}

}  // namespace
}  // namespace tensorpool::core::registration
