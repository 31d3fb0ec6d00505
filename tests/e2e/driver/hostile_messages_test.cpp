// Somebody on the host sends a driver everything but what he should, as fast as the bus takes it,
// while clients hold leases: they keep them, nothing grows, and every message is accounted for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agents/attach_group.hpp"
#include "agents/control_bus.hpp"
#include "base/random.hpp"
#include "driver/host.hpp"
#include "e2e/bus/bus_fixture.hpp"
#include "os/clock.hpp"
#include "support/eventually.hpp"
#include "support/golden.hpp"
#include "support/random_message.hpp"
#include "support/requirement.hpp"
#include "support/seed.hpp"

namespace tensorpool::test {
namespace {

namespace attach = core::attach;
using bus::testing::PrivateDir;
using core::driver::Counters;

constexpr std::uint32_t kStream = 10000;
constexpr std::uint64_t kMessages = 1'000'000;
constexpr std::uint64_t kWarmUp = 50'000;
constexpr std::uint64_t kChunk = 100'000;  ///< by one sender
constexpr std::size_t kLeasesMax = 64;
constexpr std::uint64_t kGrowthMax = 16U << 20U;  ///< of memory, by arenas and the like

using Bytes = std::vector<std::byte>;

/// What a message has to be counted as.
enum class Effect : std::uint8_t {
  kNone,
  kMalformed,
  kUnsupported,
  kAttach,
  kDetach,
  kKeepalive,
  kShutdown,
  kEnd,
};
using Sent = std::array<std::uint64_t, static_cast<std::size_t>(Effect::kEnd)>;

/// By the rules of the protocol, D3 and D10 to D13.
[[nodiscard]] Effect effect_of(const Bytes& bytes, codec::Scratch& scratch) {
  const auto request = codec::decode<codec::DriverRequest>(bytes, scratch);
  if (request) {
    return std::visit(
        []<class M>(const M&) {
          return std::is_same_v<M, layout::ShmAttachRequest>    ? Effect::kAttach
                 : std::is_same_v<M, layout::ShmDetachRequest>  ? Effect::kDetach
                 : std::is_same_v<M, layout::ShmLeaseKeepalive> ? Effect::kKeepalive
                                                                : Effect::kShutdown;
        },
        *request);
  }
  const bool answered =
      codec::peek_header(bytes) &&
      codec::peek_header(bytes)->template_id == layout::ShmAttachRequest::kType.template_id &&
      codec::peek_correlation_id(bytes);
  switch (request.error().code) {
    case Errc::kMalformedMessage:
      return Effect::kMalformed;
    case Errc::kUnsupportedVersion:
      return answered ? Effect::kAttach : Effect::kUnsupported;
    default:
      return Effect::kNone;
  }
}

/// Notices and announces of a driver bind every client (D168, D192, D270); whoever forges them ends
/// leases, and nothing on the bus can keep him from it. They are not what this test is about
/// (docs/adr/0022).
[[nodiscard]] bool poses_as_driver(const Bytes& bytes) {
  const auto header = codec::peek_header(bytes);
  if (header && header->schema_id == layout::ShmPoolAnnounce::kType.schema_id) {
    return true;
  }
  return header && header->schema_id == layout::ShmDriverShutdown::kType.schema_id &&
         (header->template_id == layout::ShmDriverShutdown::kType.template_id ||
          header->template_id == layout::ShmLeaseRevoked::kType.template_id);
}

/// Requests that are valid, and what becomes of them when they are changed, cut and made up.
class HostileMessages {
 public:
  explicit HostileMessages(std::uint64_t seed) : random_(seed), valid_(seed) {
    for (const nlohmann::json& line : golden_lines("wire-901.jsonl")) {
      golden_.push_back(bytes_of_hex(line["hex"]));
    }
    while (all_.size() < 20'000) {
      Bytes bytes = make();
      if (!poses_as_driver(bytes)) {
        all_.push_back({.effect = effect_of(bytes, scratch_), .bytes = std::move(bytes)});
      }
    }
  }

  struct Message {
    Effect effect = Effect::kNone;
    Bytes bytes;
  };
  /// Number `n`. Attach requests differ in their correlation ids, so that none repeats another.
  [[nodiscard]] const Message& get(std::uint64_t n) {
    Message& message = all_[n % all_.size()];
    if (message.effect == Effect::kAttach) {
      std::memcpy(message.bytes.data() + 8, &n, sizeof(n));
    }
    return message;
  }

 private:
  [[nodiscard]] Bytes make() {
    switch (random_.below(8)) {
      case 0:
        return attach_that_may_succeed();
      case 1:
        return encoded(valid_.make<layout::ShmAttachRequest>());
      case 2:
        return encoded(valid_.make<layout::ShmLeaseKeepalive>());
      case 3:
        return encoded(valid_.make<layout::ShmDetachRequest>());
      case 4:
        return encoded(valid_.make<layout::ShmDriverShutdownRequest>());
      case 5: {
        Bytes bytes(random_.between(1, 80));  // Aeron sends none without a byte
        std::ranges::generate(bytes, [&] { return static_cast<std::byte>(random_.next()); });
        return bytes;
      }
      default:
        return mutated(golden_[random_.below(golden_.size())]);
    }
  }
  [[nodiscard]] Bytes attach_that_may_succeed() {
    layout::ShmAttachRequest request;
    request.stream_id =
        random_.chance(1, 2) ? kStream : static_cast<std::uint32_t>(20000 + random_.below(4));
    request.client_id = static_cast<std::uint32_t>(random_.between(1, 1000));
    request.role = random_.chance(1, 2) ? layout::Role::kProducer : layout::Role::kConsumer;
    request.publish_mode = layout::PublishMode::kExistingOrCreate;
    return encoded(request);
  }
  [[nodiscard]] Bytes mutated(Bytes bytes) {
    if (random_.chance(1, 4)) {
      bytes.resize(random_.between(1, bytes.size()));
    }
    if (random_.chance(1, 4) && bytes.size() >= 8) {  // version or schema
      bytes[random_.chance(2, 3) ? 6 : 4] = static_cast<std::byte>(random_.below(5));
    }
    for (std::uint64_t n = random_.below(4); n > 0; --n) {
      bytes[random_.below(bytes.size())] = static_cast<std::byte>(random_.next());
    }
    return bytes;
  }

  base::Random random_;
  RandomMessages valid_;
  codec::Scratch scratch_;
  std::vector<Bytes> golden_;
  std::vector<Message> all_;
};

/// A client with a lease, in the thread that drives it.
class RealClient {
 public:
  RealClient(bus::Client& connection, layout::Role role)
      : control_(std::move(*agents::ControlBus::create(connection, {.announce_stream_id = 1001}))),
        group_(*control_),
        agent_(group_, {.role = role, .stream_id = kStream},
               {.map = [](const core::region::MappingPlan&, Nanos) { return Status(); },
                .unmap = [](UnmapReason, Nanos) {},
                .report =
                    [this](const attach::AttachReport& report, std::string_view text) {
                      losses_ += report.kind == attach::AttachReport::Kind::kLost ? 1 : 0;
                      EXPECT_NE(report.kind, attach::AttachReport::Kind::kLost) << text;
                    }}) {
    agent_.want_attach(clock_.mono());
  }
  int do_work() {
    const base::Now now = clock_.now();
    const int work = control_->do_work(now, [&](auto&& give) { give(group_); });
    return work + group_.do_work(now.mono);
  }
  [[nodiscard]] bool is_attached() const {
    return agent_.machine().state() == AttachState::kAttached;
  }
  [[nodiscard]] std::uint64_t lease_id() const { return agent_.machine().grant().lease_id; }
  [[nodiscard]] int losses() const { return losses_; }
  void close() { agent_.close(clock_.mono()); }

 private:
  os::SystemClock clock_;
  int losses_ = 0;
  std::unique_ptr<agents::ControlBus> control_;
  agents::AttachGroup group_;
  agents::AttachAgent agent_;
};

struct Footprint {
  std::uint64_t resident_bytes = 0;  ///< of its own: the bus keeps logs mapped for a while
  std::size_t descriptors = 0;
  std::size_t mappings = 0;

  [[nodiscard]] static Footprint take() {
    Footprint taken;
    std::ifstream status("/proc/self/status");
    for (std::string key; status >> key && key != "RssAnon:";) {
    }
    status >> taken.resident_bytes;
    taken.resident_bytes *= 1024;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      static_cast<void>(entry);
      ++taken.descriptors;
    }
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      ++taken.mappings;
    }
    return taken;
  }
};

class HostileDriverMessages : public ::testing::Test {
 protected:
  void SetUp() override {
    core::driver::Settings settings;
    settings.announce.stream_id = 1001;
    settings.aeron_dir = dir_.aeron();
    settings.shm.base_dir = dir_.path();
    settings.stream_ids = {{.first = 20000, .last = 20003}};
    settings.policies.allow_dynamic_streams = true;
    settings.policies.shutdown_token = "nobody knows";
    settings.policies.max_leases = kLeasesMax;
    settings.policies.epoch_gc_min_age = Nanos{1};
    settings.profiles = {
        {.name = "small", .header_nslots = 8, .pools = {{.pool_id = 1, .stride_bytes = 4096}}}};
    settings.streams = {{.name = "cam", .stream_id = kStream, .profile = "small"}};
    auto started =
        driver::Host::start({.settings = settings, .log = [this](LogLevel, std::string_view line) {
                               const std::lock_guard lock(log_mutex_);
                               lines_.emplace_back(line);
                             }});
    ASSERT_TRUE(started) << describe(started.error());
    sut_ = std::move(*started);
    connection_ = std::make_unique<bus::Client>(bus::testing::make_client(dir_.aeron()));
    ASSERT_TRUE(bus::testing::bring_up(*connection_));
    for (const layout::Role role :
         {layout::Role::kProducer, layout::Role::kConsumer, layout::Role::kConsumer}) {
      clients_.push_back(std::make_unique<RealClient>(*connection_, role));
      ASSERT_TRUE(until([&] { return clients_.back()->is_attached(); }));
    }
  }

  /// Drives the clients until `condition` holds.
  template <class Condition>
  [[nodiscard]] bool until(Condition&& condition) {
    return eventually([&] {
      for (int work = 1; work > 0;) {  // a yield may cost a whole slice of a busy machine
        work = connection_->do_work(clock_.mono());
        for (const auto& client : clients_) {
          work += client->do_work();
        }
        if (condition()) {
          return true;
        }
      }
      return false;
    });
  }
  /// Sends messages `first` to `last` from a thread of its own while the clients live on.
  void flood(std::uint64_t first, std::uint64_t last) {
    std::atomic<bool> done = false;
    std::thread sender([&] {
      auto client = bus::testing::make_client(dir_.aeron());
      EXPECT_TRUE(bus::testing::bring_up(client));
      auto made = bus::testing::wait_for(
          client,
          client.begin_add_publication(bus::testing::channel("aeron:ipc?term-length=4m"), 1000));
      EXPECT_TRUE(made);
      EXPECT_TRUE(bus::testing::eventually([&] {
        client.do_work(clock_.mono());
        return (*made)->is_connected();
      }));
      for (std::uint64_t n = first; made && n < last; ++n) {
        const HostileMessages::Message& message = messages_.get(n);
        ++sent_[static_cast<std::size_t>(message.effect)];
        for (auto offered = (*made)->offer(message.bytes); offered != bus::OfferStatus::kOk;
             offered = (*made)->offer(message.bytes)) {
          ASSERT_NE(offered, bus::OfferStatus::kError) << message.bytes.size() << " bytes";
          client.do_work(clock_.mono());
          std::this_thread::yield();  // the readers' turn
        }
        if (n % 1024 == 0) {
          client.do_work(clock_.mono());
        }
      }
      // What was sent is not gone with the publication: whoever reads it takes his time.
      EXPECT_TRUE(bus::testing::eventually([&] {
        client.do_work(clock_.mono());
        return accounted();
      }));
      done = true;
    });
    EXPECT_TRUE(until([&] { return done.load(); }));
    sender.join();
  }
  [[nodiscard]] std::uint64_t sent(Effect effect) const {
    return sent_[static_cast<std::size_t>(effect)];
  }
  /// Every message has been counted as what it is, and every attach answered or its answer counted.
  [[nodiscard]] bool accounted() {
    const Counters now = sut_->counters();
    return now.control_malformed == sent(Effect::kMalformed) &&
           now.control_unsupported == sent(Effect::kUnsupported) &&
           now.keepalive_rejects == sent(Effect::kKeepalive) &&
           now.shutdown_request_rejects == sent(Effect::kShutdown) &&
           now.attach_responses + now.attach_response_drops ==
               sent(Effect::kAttach) + clients_.size() &&
           now.detach_responses <= sent(Effect::kDetach) &&
           now.detach_responses + now.control_send_drops >= sent(Effect::kDetach);
  }
  /// The hostile leases have run out, and what followed from them is done.
  [[nodiscard]] bool at_rest() {
    const core::driver::Snapshot now = sut_->snapshot();
    return now.leases.size() == clients_.size() &&
           std::ranges::none_of(now.streams, [](const auto& stream) {
             return stream.provisioning || stream.waiting != 0;
           });
  }
  [[nodiscard]] std::size_t lines() {
    const std::lock_guard lock(log_mutex_);
    return lines_.size();
  }

  PrivateDir dir_;
  os::SystemClock clock_;
  std::mutex log_mutex_;
  std::vector<std::string> lines_;
  std::unique_ptr<driver::Host> sut_;
  std::unique_ptr<bus::Client> connection_;
  std::vector<std::unique_ptr<RealClient>> clients_;
  HostileMessages messages_{announced_seed()};
  Sent sent_{};
};

TEST_F(HostileDriverMessages, a_million_of_them_cost_nobody_a_lease_and_the_driver_nothing) {
  TP_REQ("D3", "D10", "D13", "D40", "D133", "D260");
  std::vector<std::uint64_t> leases;
  for (const auto& client : clients_) {
    leases.push_back(client->lease_id());
  }
  flood(0, kWarmUp);
  ASSERT_TRUE(until([&] { return at_rest(); }));
  const Footprint before = Footprint::take();
  const std::size_t lines_before = lines();
  const Nanos began = clock_.mono();

  for (std::uint64_t n = kWarmUp; n < kMessages; n += kChunk) {
    flood(n, std::min(n + kChunk, kMessages));
  }

  const double seconds = std::chrono::duration<double>(clock_.mono() - began).count();
  std::printf("%.0f messages/s\n", static_cast<double>(kMessages - kWarmUp) / seconds);
  ASSERT_TRUE(until([&] { return at_rest(); }));
  const Footprint after = Footprint::take();
  EXPECT_LE(after.resident_bytes, before.resident_bytes + kGrowthMax);
  // Each of the dynamic streams may have come by a spare epoch.
  EXPECT_LE(after.descriptors, before.descriptors + 4 * 2);
  EXPECT_LE(after.mappings, before.mappings + 4 * 2 + 8);  // and arenas
  for (std::size_t k = 0; k < clients_.size(); ++k) {
    EXPECT_TRUE(clients_[k]->is_attached());
    EXPECT_EQ(clients_[k]->lease_id(), leases[k]);
    EXPECT_EQ(clients_[k]->losses(), 0);
  }
  const core::driver::Snapshot snapshot = sut_->snapshot();
  EXPECT_EQ(snapshot.state, core::driver::DriverState::kRunning);
  EXPECT_EQ(snapshot.streams.size(), 5U);
  // Far fewer lines than decisions, by the budgets of the audit log.
  const Nanos rest = clock_.mono() - began;
  const auto whole =
      static_cast<std::size_t>(std::chrono::ceil<std::chrono::seconds>(rest).count());
  EXPECT_LE(lines() - lines_before, 20'000 + 200 + (100 + 10 + 1) * (whole + 1));
}

}  // namespace
}  // namespace tensorpool::test
