// A responder among 300 consumers that come, ask, change their minds and fall silent: what must
// hold in every run. Replay with TENSORPOOL_TEST_SEED.
#include <gtest/gtest.h>

#include <map>

#include "base/random.hpp"
#include "responder_fixture.hpp"
#include "support/requirement.hpp"
#include "support/seed.hpp"

namespace tensorpool::core::registration {
namespace {

using namespace testing;

constexpr std::uint32_t kConsumers = 300;

/// A consumer, and what it was told last.
struct Peer {
  ConsumerHello hello;
  Nanos heard_at{};
  bool listed = false;
};

[[nodiscard]] std::uint32_t some_id(base::Random& random, std::uint32_t base) {
  const std::uint64_t kind = random.below(10);
  return kind == 0   ? 0
         : kind == 1 ? 0xFFFF'FFFF
         : kind == 2 ? 1100
                     : base + static_cast<std::uint32_t>(random.below(400));
}
[[nodiscard]] const char* some_channel(base::Random& random) {
  constexpr const char* kChannels[] = {
      kIpc, kIpc, "aeron:ipc", kIpc, "", "rubbish", "aeron:udp?endpoint=localhost:1"};
  return kChannels[random.below(std::size(kChannels))];
}

TEST(ResponderAmong300, assigns_each_stream_once_and_answers_who_is_owed_an_answer) {
  TP_REQ("W297", "W302", "W306", "W309", "W310", "W319");
  base::Random random(test::announced_seed());
  const auto capacity = static_cast<std::size_t>(random.between(50, 320));
  World world({.taken = {{.transport = "aeron:ipc", .stream_id = 1100}}, .capacity = capacity});
  world.adds_at_once = false;
  std::map<std::uint32_t, Peer> peers;
  for (std::uint32_t id = 1; id <= kConsumers; ++id) {
    peers[id].hello = hello_of(id);
  }
  for (int step = 0; step < 20'000 && !HasFailure(); ++step) {
    Peer& peer = peers[static_cast<std::uint32_t>(random.between(1, kConsumers))];
    const std::uint32_t id = peer.hello.consumer_id;
    switch (random.below(8)) {
      case 0:
        peer.hello.descriptor_stream_id = some_id(random, 31'000);
        peer.hello.descriptor_channel = some_channel(random);
        break;
      case 1:
        peer.hello.control_stream_id = some_id(random, 31'200);
        peer.hello.control_channel = some_channel(random);
        break;
      case 2:
        world.pass(milliseconds(random.below(200)));
        break;
      case 3:
        world.sut.on_qos({.stream_id = kStream, .consumer_id = id}, world.now);
        break;
      case 4:
        while (!world.adding.empty()) {
          const auto [consumer, which] = world.adding.begin()->first;
          world.added(consumer, which, !random.chance(1, 10));
        }
        break;
      default: {
        const auto answers = world.answers_to(peer.hello);
        const bool adds = world.adding.count({id, OwnKind::kDescriptor}) != 0 ||
                          world.adding.count({id, OwnKind::kControl}) != 0;
        const bool asks = peer.hello.descriptor_stream_id % 0xFFFF'FFFF != 0 ||
                          peer.hello.control_stream_id % 0xFFFF'FFFF != 0 ||
                          !peer.hello.descriptor_channel.empty() ||
                          !peer.hello.control_channel.empty();
        EXPECT_LE(answers.size(), 1U);
        EXPECT_TRUE(!asks || adds || answers.size() == 1U) << "consumer " << id;
        break;
      }
    }
    // What is open is assigned to one and no other, and never a shared stream.
    std::map<std::uint32_t, int> users;
    for (const auto& [key, stream_id] : world.open) {
      EXPECT_EQ(++users[stream_id], 1);
      EXPECT_NE(stream_id, 1100U);
    }
    std::size_t assigned = 0;
    world.sut.for_each([&](const LiveConsumer& one) {
      assigned +=
          (one.descriptor_stream_id != 0 ? 1U : 0U) + (one.control_stream_id != 0 ? 1U : 0U);
    });
    EXPECT_EQ(assigned, world.open.size());
    EXPECT_LE(world.sut.size(), capacity);
  }
  world.pass(seconds(5));
  EXPECT_EQ(world.sut.size(), 0U);
  EXPECT_TRUE(world.open.empty());
  EXPECT_TRUE(world.adding.empty());
}

}  // namespace
}  // namespace tensorpool::core::registration
