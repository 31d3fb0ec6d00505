// What a producer owes to those who listen to it: its files, its epochs, its announces.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client_fixture.hpp"
#include "layout/messages_900.hpp"
#include "layout/slot.hpp"
#include "layout/superblock.hpp"
#include "raw_listener.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

using layout::ShmPoolAnnounce;

[[nodiscard]] std::vector<char> content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
[[nodiscard]] layout::Superblock superblock_of(const std::string& path) {
  layout::Superblock block{};
  const std::vector<char> bytes = content(path);
  EXPECT_GE(bytes.size(), sizeof(block));
  std::memcpy(&block, bytes.data(), std::min(bytes.size(), sizeof(block)));
  return block;
}
[[nodiscard]] std::uint64_t steady_ns() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

class Owner : public ClientTest {
 protected:
  /// The file of that name of the newest epoch.
  [[nodiscard]] std::string file(const Producer& producer, const char* name) const {
    for (const std::string& path : region_files()) {
      if (path.ends_with(std::to_string(producer.epoch()) + "/" + name)) {
        return path;
      }
    }
    return {};
  }
  /// Waits for some announces, each of which goes to `check`.
  template <class Check>
  [[nodiscard]] static bool hear_announces(RawListener& listener, int count, Check&& check) {
    return eventually([&] {
      listener.hear<ShmPoolAnnounce>([&](const ShmPoolAnnounce& announce) {
        check(announce);
        --count;
      });
      return count <= 0;
    });
  }
};

TEST_F(Owner, starts_every_epoch_with_new_files_and_the_number_0_and_raises_it_for_any_change) {
  TP_REQ("W163", "W408", "W411");
  Client client = connect();
  const std::vector<StreamOptions> shapes = [&] {
    std::vector<StreamOptions> made(5, stream());
    made[1].nslots = 32;
    made[2].pools = {{.pool_id = 1, .stride_bytes = 64}};
    made[3].pools = {{.pool_id = 1, .stride_bytes = 64}, {.pool_id = 2, .stride_bytes = 4096}};
    made[4].pools = {{.pool_id = 7, .stride_bytes = 64}};
    return made;
  }();
  std::vector<Producer> lives;  // all at a time: none may touch what another one has
  std::set<std::string> files;
  for (const StreamOptions& shape : shapes) {
    lives.push_back(produce(client, shape));
    const Producer& sut = lives.back();
    EXPECT_EQ(sut.stream_id(), lives.front().stream_id());
    EXPECT_EQ(sut.next_seq(), 0U);
    for (const Producer& other : lives) {
      EXPECT_TRUE(&other == &sut || other.epoch() < sut.epoch());
    }
    const auto all = region_files();
    EXPECT_EQ(all.size(), files.size() + 1 + shape.pools.size());
    for (const std::string& path : all) {
      if (files.insert(path).second) {
        const std::vector<char> bytes = content(path);
        EXPECT_TRUE(std::all_of(bytes.begin() + layout::kSuperblockBytes, bytes.end(),
                                [](char byte) { return byte == 0; }));
      }
    }
  }
  const auto sizes = [&] {
    std::vector<std::uintmax_t> found;
    for (const std::string& path : files) {
      found.push_back(std::filesystem::file_size(path));
    }
    return found;
  };
  const auto sizes_before = sizes();
  for (Producer& sut : lives) {
    ASSERT_EQ(sut.publish(TensorInfo::packed(Dtype::kUint8, {64}), payload_of(0, 64)),
              PublishStatus::kPublished);
    EXPECT_EQ(sut.next_seq(), 1U);
  }
  EXPECT_EQ(sizes(), sizes_before);
}

TEST_F(Owner, takes_any_stride_as_it_is_and_numbers_pools_from_1) {
  TP_REQ("W41", "W43");
  Client client = connect();
  const auto page = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
  for (const std::uint32_t stride : {64U, 128U, page / 2, page, 2 * page}) {
    StreamOptions options = stream();
    options.pools = {PoolOptions{}};
    options.pools[0].stride_bytes = stride;
    Producer sut = produce(client, options);
    ASSERT_TRUE(eventually([&] {
      const auto known = client.streams();
      return known.size() == 1 && known[0].epoch == sut.epoch() && known[0].nslots == 16;
    }));
    const StreamInfo announced = client.streams().at(0);
    ASSERT_EQ(announced.pools.size(), 1U);
    EXPECT_EQ(announced.pools[0].pool_id, 1U);
    EXPECT_EQ(announced.pools[0].stride_bytes, stride);
    EXPECT_EQ(std::filesystem::file_size(file(sut, "1.pool")),
              layout::kSuperblockBytes + 16 * stride);
    EXPECT_EQ(superblock_of(file(sut, "1.pool")).stride_bytes, stride);
    EXPECT_EQ(superblock_of(file(sut, "header.ring")).pool_id, 0U);
  }
}

TEST_F(Owner, writes_plain_data_that_is_the_same_wherever_it_is_mapped) {
  TP_REQ("W9");
  Client client = connect();
  Producer first = produce(client, stream("cam1"));
  Producer second = produce(client, stream("cam2"));  // in the same process, so elsewhere
  for (Producer* sut : {&first, &second}) {
    for (std::uint64_t seq = 0; seq < 40; ++seq) {
      ASSERT_EQ(sut->publish(info(), payload_of(seq), 1000 + seq), PublishStatus::kPublished);
    }
    auto open = sut->claim(100);
    ASSERT_TRUE(open);
    open->abort();
  }
  for (const char* name : {"header.ring", "1.pool"}) {
    std::vector<char> bytes[2] = {content(file(first, name)), content(file(second, name))};
    for (std::vector<char>& one : bytes) {
      layout::Superblock block;
      std::memcpy(&block, one.data(), sizeof(block));
      EXPECT_EQ(block.pid, static_cast<std::uint64_t>(::getpid()));
      block.stream_id = 0U;
      block.epoch = 0U;
      block.start_timestamp_ns = 0U;
      block.activity_timestamp_ns = 0U;
      std::memcpy(one.data(), &block, sizeof(block));
    }
    EXPECT_EQ(bytes[0], bytes[1]) << name;
  }
}

TEST_F(Owner, stamps_each_announce_with_the_monotonic_clock_when_it_is_sent) {
  TP_REQ("W207", "W208", "W209", "W426");
  Client client = connect();
  RawListener listener(client.aeron_dir());
  StreamOptions stamped = stream();
  stamped.stamp_descriptors = true;
  const std::uint64_t began = steady_ns();
  Producer producer = produce(client, stamped);
  std::uint64_t last = began;
  ASSERT_TRUE(hear_announces(listener, 4, [&](const ShmPoolAnnounce& announce) {
    EXPECT_EQ(announce.announce_clock_domain, layout::ClockDomain::kMonotonic);
    EXPECT_GT(announce.announce_timestamp_ns, last);
    last = announce.announce_timestamp_ns;
    EXPECT_LE(last, steady_ns());
  }));
  // The stamps of frames are of the announced domain as well.
  RawListener descriptors(client.aeron_dir(), kDescriptorStream);
  Consumer sut = consume(client, reader(FollowMode::kDirect));
  ASSERT_TRUE(joined(producer, sut, FollowMode::kDirect));
  ASSERT_TRUE(eventually([&] { return producer.has_subscribers(); }));
  const std::uint64_t before = steady_ns();
  publish(producer);
  const std::uint64_t after = steady_ns();
  const auto view = wait_next(sut);
  ASSERT_TRUE(view.has_value());
  EXPECT_GE(view->timestamp_ns(), before);
  EXPECT_LE(view->timestamp_ns(), after);
  std::optional<std::uint64_t> described;
  ASSERT_TRUE(eventually([&] {
    descriptors.hear<layout::FrameDescriptor>(
        [&](const layout::FrameDescriptor& one) { described = one.timestamp_ns; });
    return described.has_value();
  }));
  EXPECT_GE(*described, before);
  EXPECT_LE(*described, after);
}

TEST_F(Owner, gives_an_announce_that_is_sent_late_the_time_at_which_it_is_sent) {
  TP_REQ("W207", "W211");
  ClientOptions waiting = options();
  waiting.media_driver = MediaDriverPolicy::kExternal;
  Result<Client> client = Client::create(waiting);
  ASSERT_TRUE(client);
  Producer producer = produce(*client, stream());
  ASSERT_TRUE(eventually([&] { return producer.counters().announces_failed >= 3; }));
  EXPECT_EQ(producer.counters().announces_sent, 0U);
  const std::uint64_t driver_began = steady_ns();
  const Client host = connect();
  RawListener listener(host.aeron_dir());
  ASSERT_TRUE(hear_announces(listener, 1, [&](const ShmPoolAnnounce& announce) {
    EXPECT_GE(announce.announce_timestamp_ns, driver_began);
  }));
}

TEST_F(Owner, that_has_given_up_an_epoch_neither_announces_nor_refreshes_it) {
  TP_REQ("W152", "W153", "W412");
  Client client = connect();
  RawListener listener(client.aeron_dir());
  std::optional<Producer> producer(produce(client, stream()));
  ASSERT_TRUE(hear_announces(listener, 2, [](const ShmPoolAnnounce&) {}));
  const int ring = ::open(file(*producer, "header.ring").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(ring, 0);
  const auto activity = [&] {
    layout::Superblock block;
    EXPECT_EQ(::pread(ring, &block, sizeof(block), 0), ssize_t{sizeof(block)});
    return std::uint64_t{block.activity_timestamp_ns};
  };
  const std::uint64_t first_activity = activity();
  ASSERT_TRUE(eventually([&] { return activity() > first_activity; }));

  producer.reset();
  const std::uint64_t ended = steady_ns();
  const std::uint64_t last_activity = activity();
  EXPECT_TRUE(region_files().empty());
  const auto end = std::chrono::steady_clock::now() + 3 * kAnnouncePeriod;
  ASSERT_TRUE(eventually([&] {
    listener.hear<ShmPoolAnnounce>(
        [&](const ShmPoolAnnounce& announce) { EXPECT_LE(announce.announce_timestamp_ns, ended); });
    return std::chrono::steady_clock::now() > end;
  }));
  EXPECT_EQ(activity(), last_activity);
  ::close(ring);
}

TEST_F(Owner, that_nobody_subscribes_to_publishes_all_the_same) {
  TP_REQ("W201");
  Client client = connect();
  Producer producer = produce(client, stream());
  Consumer direct = consume(client, reader(FollowMode::kDirect));
  ASSERT_TRUE(joined(producer, direct, FollowMode::kDirect));
  ASSERT_TRUE(eventually([&] {
    publish(producer);  // asserts kPublished
    return producer.counters().descriptor_not_connected >= 10;
  }));
  auto claim = producer.claim(1000);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->commit(info()), CommitStatus::kCommitted);
  const std::uint64_t last = producer.next_seq() - 1;
  ASSERT_TRUE(eventually([&] {
    direct.poll([](const FrameView&) {});
    return direct.last_seq() == last;
  }));
}

TEST_F(Owner, loses_no_descriptor_to_the_turn_of_a_term) {
  TP_REQ("W200");
  Client client = connect();
  StreamOptions options = stream();
  options.descriptor_channel = "aeron:ipc?term-length=64k";  // 682 descriptors
  Producer producer = produce(client, options);
  ConsumerOptions wanted = reader();
  wanted.descriptor_channel = options.descriptor_channel;
  wanted.recover_gaps = false;
  wanted.max_outstanding_seq_gap = 0;
  Consumer sut = consume(client, wanted);
  ASSERT_TRUE(joined(producer, sut));
  publish(producer);
  ASSERT_TRUE(wait_next(sut).has_value());
  for (int k = 0; k < 3000; ++k) {
    ASSERT_TRUE(eventually([&] {  // until one is not blocked by the media driver's slowness
      const std::uint64_t blocked = producer.counters().descriptor_backpressured;
      publish(producer);
      return producer.counters().descriptor_backpressured == blocked;
    }));
    const std::uint64_t seq = producer.next_seq() - 1;
    ASSERT_TRUE(eventually([&] {
      sut.poll([](const FrameView&) {});
      return sut.last_seq() == seq;
    }));
  }
  EXPECT_EQ(producer.counters().descriptor_admin_action, 0U);
  EXPECT_EQ(sut.counters().drops_gap, producer.counters().descriptor_backpressured);
}

TEST_F(Owner, sends_no_descriptor_before_its_frame_is_committed) {
  TP_REQ("W159");
  Client client = connect();
  StreamOptions wide = stream();
  wide.nslots = 1U << 18U;
  wide.pools = {{.stride_bytes = 64}};
  Producer producer = produce(client, wide);
  ConsumerOptions wanted = reader();
  wanted.recover_gaps = false;
  wanted.max_outstanding_seq_gap = 0;
  Consumer sut = consume(client, wanted);
  ASSERT_TRUE(joined(producer, sut));
  constexpr std::uint64_t kFrames = 200'000;  // fewer than slots: nobody is lapped
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (std::uint64_t k = 0; k < kFrames; ++k) {
      publish_numbered(producer);
    }
    done = true;
  });
  std::uint64_t wrong = 0;
  EXPECT_TRUE(eventually([&] {
    const PollResult result =
        sut.poll([&](const FrameView& view) { wrong += is_numbered(view) ? 0U : 1U; });
    return result.frames == 0 && done;
  }));
  writer.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_GT(sut.counters().frames_ok, kFrames / 10);
  EXPECT_EQ(sut.counters().drops_late, 0U);  // in progress, or another number
}

TEST_F(Owner, is_the_only_one_who_removes_files) {
  TP_REQ("W415");
  Client client = connect();
  StreamOptions kept = stream();
  kept.unlink_on_close = false;
  std::optional<Producer> producer(produce(client, kept));
  std::optional<Client> reading(connect());
  for (const FollowMode mode : {FollowMode::kDescriptors, FollowMode::kDirect}) {
    Consumer sut = consume(*reading, reader(mode));
    ASSERT_TRUE(joined(*producer, sut, mode));
  }
  Consumer left = consume(*reading, reader());
  ASSERT_TRUE(joined(*producer, left));
  producer.reset();
  ASSERT_TRUE(eventually([&] {
    left.poll([](const FrameView&) {});
    return left.state() == MappingState::kUnmapped;  // its owner has been silent for long
  }));
  EXPECT_EQ(region_files().size(), 2U);
  reading.reset();
  EXPECT_EQ(region_files().size(), 2U);
}

}  // namespace
}  // namespace tensorpool::test
