// Streams that a driver hands out to consumers: who gets one, and for how long.
#include "driver/consumer_streams.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "core/driver/check_settings.hpp"
#include "support/consumer_messages.hpp"
#include "support/requirement.hpp"

namespace tensorpool::driver {
namespace {

using core::driver::IdRange;
using core::registration::ConsumerKey;
using test::asking;
using test::kStream;
using test::Sent;
using ::testing::ElementsAre;

[[nodiscard]] core::driver::Settings with_range(IdRange descriptors) {
  core::driver::Settings settings;
  settings.descriptor_stream_ids = {descriptors};
  return settings;
}

class World {
 public:
  explicit World(IdRange descriptors = {.first = 31'000, .last = 31'001})
      : sut(with_range(descriptors), counters,
            [this](ConsumerKey key) { return holders.contains(key); }) {}

  void attach(std::uint32_t consumer) {
    holders.insert({.stream_id = kStream, .consumer_id = consumer});
  }
  void detach(std::uint32_t consumer) {
    holders.erase({.stream_id = kStream, .consumer_id = consumer});
  }
  /// A notice about a lease that is said to be this client's.
  void notify(std::uint32_t client, layout::Role role = layout::Role::kConsumer) {
    sut.on_lease_notice({.stream_id = kStream,
                         .client_id = client,
                         .role = role,
                         .reason = layout::LeaseRevokeReason::kRevoked});
  }
  /// The descriptor streams that are assigned in answer to this consumer.
  std::vector<std::uint32_t> answers_to(std::uint32_t consumer) {
    std::vector<std::uint32_t> ids;
    sut.on_hello(asking(consumer, 31'000), Nanos{1}, [&ids](const layout::ConsumerConfig& config) {
      ids.push_back(config.descriptor_stream_id);
    });
    return ids;
  }

  core::driver::Counters counters;
  std::set<ConsumerKey> holders;
  ConsumerStreams sut;
};

TEST(ConsumerStreams, are_for_those_who_hold_a_lease) {
  TP_REQ("D249");
  World world;
  EXPECT_THAT(world.answers_to(7), ElementsAre());
  world.attach(7);
  EXPECT_THAT(world.answers_to(7), ElementsAre(31'000U));
}

TEST(ConsumerStreams, end_with_the_lease) {
  TP_REQ("D251");
  World world;
  world.attach(7);
  world.attach(8);
  EXPECT_THAT(world.answers_to(7), ElementsAre(31'000U));
  world.detach(7);
  world.notify(7);
  EXPECT_THAT(world.answers_to(8), ElementsAre(31'000U));
}

// A keepalive of a lease that never was is answered by a notice about it (D157).
TEST(ConsumerStreams, do_not_end_when_somebody_names_another_lease) {
  TP_REQ("D250", "D251");
  World world;
  world.attach(7);
  world.attach(8);
  EXPECT_THAT(world.answers_to(7), ElementsAre(31'000U));
  world.notify(7);
  world.notify(7, layout::Role::kProducer);
  EXPECT_THAT(world.answers_to(8), ElementsAre(31'001U));
  EXPECT_THAT(world.answers_to(7), ElementsAre(31'000U));
  EXPECT_EQ(world.counters.consumer_streams_assigned, 2U);
}

TEST(ConsumerStreams, are_not_where_others_have_their_shared_descriptors) {
  TP_REQ("W306", "D252");
  World world({.first = 2'101, .last = 2'102});
  world.attach(7);
  world.attach(8);
  EXPECT_THAT(world.answers_to(7), ElementsAre(2'102U));
  EXPECT_THAT(world.answers_to(8), ElementsAre(0U));
  EXPECT_EQ(world.counters.consumer_streams_declined, 1U);
}

/// The keys of ranges that a person is warned of.
[[nodiscard]] std::vector<std::string> warned_of(const core::driver::Settings& settings) {
  std::vector<std::string> keys;
  for (const core::driver::Finding& finding : core::driver::check_settings(settings, "alice")) {
    if (finding.severity == core::driver::Finding::Severity::kWarning) {
      keys.push_back(finding.key);
    }
  }
  return keys;
}

TEST(ConsumerStreams, are_warned_of_where_their_ranges_hold_shared_descriptors) {
  TP_REQ("W306");
  core::driver::Settings settings = with_range({.first = 31'000, .last = 31'999});
  settings.control_stream_ids = {{.first = 1000, .last = 1099}, {.first = 2102, .last = 2200}};
  settings.supervisor.emplace();
  settings.supervisor->per_consumer_descriptor = {.base = 31'000, .count = 1000};
  EXPECT_THAT(warned_of(settings), ElementsAre());
  settings.descriptor_stream_ids = {{.first = 1000, .last = 1100}};
  settings.control_stream_ids = {{.first = 2101, .last = 2200}};
  settings.supervisor->per_consumer_descriptor = {.base = 1500, .count = 1};
  settings.supervisor->per_consumer_control = {.base = 1000, .count = 2000};
  EXPECT_THAT(warned_of(settings),
              ElementsAre("driver.descriptor_stream_id_range", "driver.control_stream_id_range",
                          "supervisor.per_consumer_descriptor_base",
                          "supervisor.per_consumer_control_base"));
}

}  // namespace
}  // namespace tensorpool::driver
