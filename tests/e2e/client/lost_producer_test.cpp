// The producing process is killed, and another one started.
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include "client_fixture.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

class LostProducer : public ClientTest, public ::testing::WithParamInterface<FollowMode> {
 protected:
  /// Publishes at 1 kHz. Its epoch is put into `epoch`.
  [[nodiscard]] ChildProcess start(std::uint64_t& epoch) const {
    ChildProcess peer(TP_CLIENT_PEER, {"produce", options().aeron_dir, scratch_.path(), "1000"});
    epoch = std::strtoull(peer.read_line().c_str(), nullptr, 10);
    return peer;
  }
  [[nodiscard]] std::set<std::string> epoch_directories() const {
    std::set<std::string> found;
    for (const std::string& file : region_files()) {
      found.insert(std::filesystem::path(file).parent_path().filename());
    }
    return found;
  }
  /// Files of any kind below the private directory.
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch_.path())) {
      if (!entry.is_directory()) {
        found.push_back(entry.path());
      }
    }
    return found;
  }
};
INSTANTIATE_TEST_SUITE_P(Both, LostProducer,
                         ::testing::Values(FollowMode::kDescriptors, FollowMode::kDirect));

TEST_P(LostProducer, is_told_and_its_successor_followed_and_what_it_left_is_cleaned_up) {
  TP_REQ("W247", "W251", "W423");
  using Kind = ConsumerEvent::Kind;
  {
    Client client = connect();
    EventLog events;
    ConsumerOptions wanted = reader(GetParam());
    wanted.on_event = events.sink();
    Consumer sut = consume(client, wanted);
    std::uint64_t wrong = 0;
    std::optional<FrameLease> lease;  // of the first frame of an epoch
    const auto follow = [&](std::uint64_t epoch) {
      return eventually([&] {
        sut.poll([&](const FrameView& view) {
          EXPECT_EQ(view.epoch(), sut.epoch());
          wrong += is_numbered(view) ? 0U : 1U;
          if (!lease || lease->view().epoch() != epoch) {
            lease.emplace(view.keep());
          }
        });
        return sut.epoch() == epoch && lease && sut.last_seq() >= lease->seq() + 100;
      });
    };

    std::uint64_t epochs[3] = {};
    ChildProcess first = start(epochs[0]);
    ASSERT_TRUE(follow(epochs[0]));
    const std::uint64_t last_of_first = sut.last_seq();
    const std::uint64_t ok_of_first = sut.counters().frames_ok;
    first.kill();
    ChildProcess second = start(epochs[1]);  // at once
    EXPECT_GT(epochs[1], epochs[0]);
    ASSERT_TRUE(follow(epochs[1]));
    EXPECT_GE(sut.counters().frames_ok, ok_of_first + 100);
    ASSERT_TRUE(eventually([&] { return events.count(Kind::kDiscontinuity) != 0; }));
    const auto told = events.of(Kind::kDiscontinuity);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].epoch, epochs[0]);
    EXPECT_TRUE(told[0].any_frame);
    EXPECT_GE(told[0].last_seq, last_of_first);

    second.kill();  // and nobody follows for a while
    const FrameView kept = lease->view();
    ASSERT_TRUE(eventually([&] {
      sut.poll([](const FrameView&) {});
      return events.count(Kind::kDiscontinuity) == 2;
    }));
    EXPECT_EQ(events.of(Kind::kDiscontinuity)[1].reason, UnmapReason::kActivityStale);
    EXPECT_EQ(events.of(Kind::kDiscontinuity)[1].epoch, epochs[1]);
    EXPECT_EQ(sut.state(), MappingState::kUnmapped);
    EXPECT_FALSE(kept.still_valid());
    EXPECT_EQ(kept.bytes().size(), sizeof(PeerPayload));

    ChildProcess third = start(epochs[2]);
    ASSERT_TRUE(follow(epochs[2]));
    ASSERT_TRUE(eventually([&] {
      sut.poll([](const FrameView&) {});
      return epoch_directories() == std::set<std::string>{std::to_string(epochs[2])};
    }));
    EXPECT_EQ(events.count(Kind::kMapped), 3U);
    EXPECT_EQ(third.finish(), 0);
    EXPECT_TRUE(region_files().empty());
    EXPECT_EQ(wrong, 0U);
    ASSERT_TRUE(eventually([&] {
      sut.poll([](const FrameView&) {});
      return sut.state() == MappingState::kUnmapped;
    }));
  }
  EXPECT_EQ(files(), std::vector<std::string>{});
}

}  // namespace
}  // namespace tensorpool::test
