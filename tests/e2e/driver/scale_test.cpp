// What must not grow, and what must not wait: attach and detach again and again, and a large
// provisioning beside leases that want to live.
#include <dirent.h>
#include <malloc.h>

#include <fstream>

#include "driver_fixture.hpp"

namespace tensorpool::test {
namespace {

[[nodiscard]] std::size_t entries(const char* directory) {
  std::size_t count = 0;
  if (DIR* const open = ::opendir(directory)) {
    while (::readdir(open) != nullptr) {
      ++count;
    }
    ::closedir(open);
  }
  return count;
}

/// What this process, driver and client, has of everything.
struct Holdings {
  std::size_t descriptors = entries("/proc/self/fd");
  std::size_t mappings = 0;
  std::size_t heap_bytes = ::mallinfo2().uordblks;

  Holdings() {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      ++mappings;
    }
  }
};

using DriverScale = DriverTest;

TEST_F(DriverScale, holds_no_more_after_a_thousand_leases_than_before) {
  TP_REQ("D98");
  core::driver::Settings wanted = settings();
  wanted.policies.epoch_gc_keep = 1;
  wanted.policies.node_id_reuse_cooldown = std::chrono::milliseconds(1);
  // All in this thread, so that one heap has it all.
  start(std::move(wanted), driver::Host::Threading::kInvoked);
  LeaseHolder client(aeron_dir());
  client.invoked_driver = driver_.get();
  int without_node_id = 0;
  const auto cycles = [&](int count) {
    for (int k = 0; k < count; ++k) {
      const auto lease =
          client.attach(kStream, k % 8 == 0 ? layout::Role::kProducer : layout::Role::kConsumer);
      without_node_id += lease->agent.machine().node_id() == 0 ? 1 : 0;
      client.detach(*lease);
    }
    // Until the last epochs are made, and the ones before them are collected.
    EXPECT_TRUE(client.until([&] {
      const core::driver::Counters& counters = driver_->counters();
      return counters.active_leases == 0 && counters.epochs_collected + 4 >= counters.epoch_bumps;
    }));
  };
  cycles(100);
  const Holdings before;
  cycles(1000);  // more than there are node ids
  const Holdings after;
  // An epoch that is being retired may be held at either look.
  EXPECT_LE(after.descriptors, before.descriptors + 4);
  EXPECT_LE(after.mappings, before.mappings + 8);
  EXPECT_LE(after.heap_bytes, before.heap_bytes + 64 * 1024);
  EXPECT_EQ(without_node_id, 0) << "ids of those who went are given to others";
  EXPECT_EQ(driver_->snapshot().leases.size(), 0U);
  EXPECT_EQ(driver_->snapshot().streams.size(), 1U);
}

/// How many announces of a stream came, and the largest pause between two of them.
class AnnounceWatch final : public agents::ControlListener {
 public:
  explicit AnnounceWatch(std::uint32_t stream_id) : stream_id_(stream_id) {}
  void on_announce(const layout::ShmPoolAnnounce& announce, Nanos, const base::Now& now) override {
    if (announce.stream_id == stream_id_) {
      ++count;
      pause_max = last_ ? std::max(pause_max, now.mono - *last_) : pause_max;
      last_ = now.mono;
    }
  }
  int count = 0;
  Nanos pause_max{};

 private:
  std::uint32_t stream_id_;
  std::optional<Nanos> last_;
};

/// Figures for 4 GiB: `make bench-driver`.
TEST_F(DriverScale, keeps_leases_and_announces_while_it_provisions) {
  TP_REQ("D345", "D136");
  constexpr std::uint32_t kLarge = 10001;
  core::driver::Settings wanted = settings();
  wanted.profiles.push_back({.name = "large",
                             .header_nslots = 256,
                             .pools = {{.pool_id = 1, .stride_bytes = 1U << 20U}}});
  wanted.streams.push_back({.name = "large", .stream_id = kLarge, .profile = "large"});
  wanted.policies.announce_period = std::chrono::milliseconds(500);
  wanted.policies.lease_keepalive_interval = std::chrono::milliseconds(500);
  const Nanos fresh = 3 * wanted.policies.announce_period;
  start(std::move(wanted));
  LeaseHolder client(aeron_dir());
  const auto held = client.attach(kStream);
  AnnounceWatch watch(kStream);
  client.listener = &watch;
  const auto large = client.want(kLarge, layout::Role::kProducer);
  EXPECT_TRUE(client.until([&] { return LeaseHolder::state(*large) == AttachState::kAttached; }));
  EXPECT_TRUE(client.until([&, heard = watch.count] { return watch.count >= heard + 2; }));
  EXPECT_EQ(held->lost, 0);
  EXPECT_EQ(LeaseHolder::state(*held), AttachState::kAttached);
  EXPECT_LT(watch.pause_max, fresh) << "consumers take older announces for stale (W219)";
}

}  // namespace
}  // namespace tensorpool::test
