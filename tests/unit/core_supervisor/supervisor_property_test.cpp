// A supervisor in random histories, against a second account of the same rules that is kept in the
// plainest way. Replay with TENSORPOOL_TEST_SEED.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/random.hpp"
#include "supervisor_fixture.hpp"
#include "support/requirement.hpp"
#include "support/seed.hpp"

namespace tensorpool::core::supervisor {
namespace {

using namespace testing;
using registration::OwnStream;

constexpr std::uint32_t kConsumers = 60;

/// What one consumer asked for last, of one kind, and what it got; absent: nothing.
struct Decision {
  OwnStream asked;
  OwnStream got;
};

struct Tracked {
  Nanos heard_at{};
  std::uint64_t gap = 0, checked_gap = 0;
  bool any_qos = false;
  Decision descriptors, control;
};

/// The second account.
class Account {
 public:
  explicit Account(SupervisorSettings settings) : settings_(std::move(settings)) {}

  /// The answer to a hello; none: there is no room.
  std::optional<Sent> on_hello(const ConsumerHello& hello, Nanos now) {
    ++counters.hellos;
    if (tracked.count(hello.consumer_id) == 0 && tracked.size() == settings_.consumer_capacity) {
      ++counters.registry_full;
      return std::nullopt;
    }
    Tracked& one = tracked[hello.consumer_id];
    one.heard_at = now;
    // Whatever changes is given up before anything is decided.
    const bool other_descriptors = gives_up(
        one.descriptors, OwnStream::of(hello.descriptor_channel, hello.descriptor_stream_id));
    const bool other_control =
        gives_up(one.control, OwnStream::of(hello.control_channel, hello.control_stream_id));
    if (other_descriptors) {
      decide(one.descriptors, settings_.per_consumer_descriptor, hello.consumer_id);
    }
    if (other_control) {
      decide(one.control, settings_.per_consumer_control, hello.consumer_id);
    }
    Sent sent;
    sent.config.stream_id = kStream;
    sent.config.consumer_id = hello.consumer_id;
    sent.config.use_shm = hello.supports_shm && !settings_.force_no_shm;
    sent.config.mode =
        settings_.force_mode == 0 ? hello.mode : static_cast<Mode>(settings_.force_mode);
    sent.config.descriptor_stream_id = one.descriptors.got.stream_id;
    sent.config.control_stream_id = one.control.got.stream_id;
    sent.fallback = settings_.payload_fallback_uri;
    sent.descriptor_channel = one.descriptors.got.channel;
    sent.control_channel = one.control.got.channel;
    return sent;
  }
  void on_qos(std::uint32_t consumer, std::uint64_t gap, Nanos now) {
    ++counters.qos_consumers;
    if (tracked.count(consumer) == 0 && tracked.size() == settings_.consumer_capacity) {
      return;
    }
    Tracked& one = tracked[consumer];
    one.heard_at = now;
    one.gap = gap;
    if (!one.any_qos) {
      one.checked_gap = gap;
    }
    one.any_qos = true;
  }
  /// Returns how many are told of: stale ones, and those that lose.
  std::size_t check(Nanos now) {
    ++counters.liveness_checks;
    std::size_t told = 0;
    for (auto one = tracked.begin(); one != tracked.end();) {
      if (settings_.consumer_stale != Nanos{0} &&
          now - one->second.heard_at >= settings_.consumer_stale) {
        ++counters.stale_consumers;
        ++told;
        one = tracked.erase(one);
        continue;
      }
      told += one->second.gap != one->second.checked_gap && one->second.gap != 0 ? 1U : 0U;
      one->second.checked_gap = one->second.gap;
      ++one;
    }
    return told;
  }

  std::map<std::uint32_t, Tracked> tracked;
  Counters counters;

 private:
  static bool gives_up(Decision& decision, const OwnStream& asked) {
    if (asked == decision.asked) {
      return false;
    }
    decision = {.asked = asked, .got = {}};
    return true;
  }
  void decide(Decision& decision, const SupervisorSettings::Granted& granted,
              std::uint32_t consumer) {
    const OwnStream& asked = decision.asked;
    if (!asked.is_complete() || !settings_.per_consumer_enabled || !transport_of(asked.channel)) {
      return;
    }
    const OwnStream wanted{
        .channel = granted.channel.empty() ? asked.channel : granted.channel,
        .stream_id = granted.base == 0 ? asked.stream_id : granted.base + consumer % granted.count};
    const bool held = std::any_of(tracked.begin(), tracked.end(), [&](const auto& item) {
      return item.second.descriptors.got.stream_id == wanted.stream_id ||
             item.second.control.got.stream_id == wanted.stream_id;
    });
    if (!held && wanted.stream_id != kShared && wanted.stream_id <= 0x7FFF'FFFF) {
      decision.got = wanted;
    }
  }

  SupervisorSettings settings_;
};

[[nodiscard]] SupervisorSettings some_settings(base::Random& random) {
  SupervisorSettings settings;
  settings.consumer_capacity = static_cast<std::uint32_t>(random.between(1, kConsumers));
  settings.consumer_stale = random.chance(1, 8) ? Nanos{0} : Nanos(milliseconds(1500));
  settings.liveness_check_interval = milliseconds(random.between(50, 1000));
  settings.per_consumer_enabled = random.chance(3, 4);
  if (random.chance(1, 2)) {
    settings.per_consumer_descriptor.base = 31'000;
    settings.per_consumer_descriptor.count = static_cast<std::uint32_t>(random.between(1, 40));
  }
  if (random.chance(1, 2)) {
    settings.per_consumer_control.channel = "aeron:ipc";
    settings.per_consumer_control.base = 31'100;
    settings.per_consumer_control.count = static_cast<std::uint32_t>(random.between(1, 40));
  }
  settings.force_no_shm = random.chance(1, 3);
  settings.force_mode = static_cast<std::uint32_t>(random.below(3));
  settings.payload_fallback_uri = random.chance(1, 2) ? "bridge://far" : "";
  return settings;
}

void change_mind(ConsumerHello& hello, base::Random& random) {
  constexpr const char* kChannels[] = {kIpc, kIpc, kIpc, "", "aeron:udp?endpoint=localhost:1"};
  constexpr std::uint32_t kIds[] = {0, 1100, 0x8000'0000, 0xFFFF'FFFF};
  const auto some_id = [&] {
    return random.chance(1, 4) ? kIds[random.below(std::size(kIds))]
                               : static_cast<std::uint32_t>(random.between(31'000, 31'120));
  };
  hello.descriptor_channel = kChannels[random.below(std::size(kChannels))];
  hello.descriptor_stream_id = some_id();
  hello.control_channel = kChannels[random.below(std::size(kChannels))];
  hello.control_stream_id = some_id();
  hello.supports_shm = random.chance(1, 2);
  hello.mode = random.chance(1, 2) ? Mode::kStream : Mode::kRateLimited;
}

void run_history(base::Random& random) {
  const SupervisorSettings settings = some_settings(random);
  World world(settings);
  Account account(settings);
  std::map<std::uint32_t, ConsumerHello> hellos;
  for (std::uint32_t id = 1; id <= kConsumers; ++id) {
    hellos[id] = hello_of(id);
  }
  Nanos check_at = kStart + settings.liveness_check_interval;
  for (int step = 0; step < 2'000 && !::testing::Test::HasFailure(); ++step) {
    ConsumerHello& hello = hellos[static_cast<std::uint32_t>(random.between(1, kConsumers))];
    switch (random.below(6)) {
      case 0:
        change_mind(hello, random);
        break;
      case 1: {
        world.told.clear();
        world.pass(milliseconds(random.below(300)));
        const bool due = world.now >= check_at;
        check_at = due ? world.now + settings.liveness_check_interval : check_at;
        EXPECT_EQ(world.told.size(), due ? account.check(world.now) : 0U);
        break;
      }
      case 2: {
        const std::uint64_t gap = random.below(3);
        world.hear(qos_of(hello.consumer_id, gap));
        account.on_qos(hello.consumer_id, gap, world.now);
        break;
      }
      default: {
        const auto expected = account.on_hello(hello, world.now);
        const std::vector<Sent> answers = world.answers_to(hello);
        ASSERT_EQ(answers.size(), expected ? 1U : 0U);
        EXPECT_TRUE(!expected || answers[0] == *expected) << "consumer " << hello.consumer_id;
        break;
      }
    }
    EXPECT_EQ(world.sut.counters(), account.counters);
  }
  // Nobody shares a stream with another, and both accounts know the same consumers.
  std::map<std::uint32_t, int> users;
  const std::vector<ConsumerSeen> seen = world.sut.consumers();
  EXPECT_EQ(seen.size(), account.tracked.size());
  for (const ConsumerSeen& one : seen) {
    const Tracked& other = account.tracked[one.consumer_id];
    EXPECT_EQ(one.descriptor_stream_id, other.descriptors.got.stream_id);
    EXPECT_EQ(one.control_stream_id, other.control.got.stream_id);
    for (const std::uint32_t id : {one.descriptor_stream_id, one.control_stream_id}) {
      EXPECT_TRUE(id == 0 || ++users[id] == 1) << id;
    }
  }
}

TEST(SupervisorHistory, is_the_same_in_a_second_account) {
  TP_REQ("W406", "D290", "D294", "D298", "D299", "D300", "D301");
  base::Random random(test::announced_seed());
  for (int history = 0; history < 60 && !HasFailure(); ++history) {
    run_history(random);
  }
}

}  // namespace
}  // namespace tensorpool::core::supervisor
