// What a driver counts and measures, as others see it.
#include <nlohmann/json.hpp>

#include "bus/counters_file.hpp"
#include "core/driver/counters.hpp"
#include "driver_fixture.hpp"

namespace tensorpool::test {
namespace {

using core::driver::kCounterFields;
using core::driver::kCounterTypeIdBase;
using ::testing::SizeIs;

class DriverTelemetry : public DriverTest {
 protected:
  [[nodiscard]] std::vector<bus::CounterReading> counters() const {
    auto all = bus::read_counters(aeron_dir(), kCounterTypeIdBase, kCounterTypeIdBase + 99);
    return all ? std::move(*all) : std::vector<bus::CounterReading>();
  }
  [[nodiscard]] std::int64_t value(std::int32_t number) const {
    for (const bus::CounterReading& each : counters()) {
      if (each.type_id == kCounterTypeIdBase + number) {
        return each.value;
      }
    }
    return -1;
  }
};

TEST_F(DriverTelemetry, counts_where_every_aeron_tool_sees_it) {
  TP_REQ("D336", "D338");
  start(settings());
  ASSERT_TRUE(eventually([&] { return counters().size() == kCounterFields.size(); }));
  const std::vector<bus::CounterReading> shown = counters();
  for (std::size_t k = 0; k < shown.size(); ++k) {
    EXPECT_EQ(shown[k].type_id, kCounterTypeIdBase + static_cast<std::int32_t>(k) + 1);
    EXPECT_EQ(shown[k].key, "e2e");
    EXPECT_EQ(shown[k].label, std::string(kCounterFields[k].name) + ": instance=e2e");
  }
  LeaseHolder client(aeron_dir());
  const auto lease = client.attach(kStream);
  EXPECT_TRUE(client.until([&] { return value(23) == 1; })) << "ActiveLeases";
  EXPECT_EQ(value(3), 1) << "AttachResponses";
  client.detach(*lease);
  EXPECT_TRUE(eventually([&] { return value(23) == 0; }));
  EXPECT_EQ(value(5), 1) << "DetachResponses";
}

TEST_F(DriverTelemetry, goes_on_when_the_media_driver_has_no_room_for_counters) {
  TP_REQ("D338");
  // Somebody takes all the counters there are, and leaves as many as the endpoints of a driver
  // need, which want counters, too.
  auto media = bus::join_or_embed({.driver = {.aeron_dir = aeron_dir()}});
  ASSERT_TRUE(media) << describe(media.error());
  auto hoarder = bus::Client::create({.aeron_dir = aeron_dir()});
  ASSERT_TRUE(hoarder);
  const os::SystemClock clock;
  ASSERT_TRUE(eventually([&] {
    hoarder->do_work(clock.mono());
    return hoarder->is_up();
  }));
  std::vector<std::unique_ptr<bus::Counter>> hoard;
  std::vector<bus::Pending<bus::Counter>> asked;
  bool full = false;
  ASSERT_TRUE(eventually([&] {
    for (int k = 0; k < 64 && !full; ++k) {
      auto one = hoarder->begin_add_counter(7, "", "hoarded");
      if (one) {
        asked.push_back(std::move(*one));
      }
    }
    hoarder->do_work(clock.mono());
    std::erase_if(asked, [&](bus::Pending<bus::Counter>& each) {
      auto answer = each.poll();
      full = full || !answer;
      if (answer && *answer != nullptr) {
        hoard.push_back(std::move(*answer));
        return true;
      }
      return !answer;
    });
    return full && asked.empty();
  }));
  const auto leave = [&](std::size_t count) {
    hoard.resize(hoard.size() - count);
    hoarder->do_work(clock.mono());
  };
  leave(20);
  Result<std::unique_ptr<driver::Host>> host =
      driver::Host::start({.settings = settings(), .media_driver = bus::DriverPolicy::kExternal});
  ASSERT_TRUE(host) << describe(host.error());
  driver_ = std::move(*host);
  leave(100);  // for the client
  LeaseHolder client(aeron_dir());
  const auto lease = client.attach(kStream);
  EXPECT_EQ(driver_->counters().active_leases, 1U);
  EXPECT_THAT(counters(), SizeIs(::testing::Lt(kCounterFields.size())));
  driver_.reset();
}

TEST_F(DriverTelemetry, measures_what_it_does) {
  TP_REQ("D339", "D341");
  core::driver::Settings wanted = settings();
  wanted.telemetry = {.enabled = true, .interval = std::chrono::milliseconds(500)};
  start(std::move(wanted));
  LeaseHolder client(aeron_dir());
  const auto stays = client.attach(kStream);
  std::map<std::string, std::uint64_t> counts;
  const auto look = [&] {
    const Result<std::string> answer = ask(admin::Operation::kCounters);
    if (answer) {
      const auto json = nlohmann::json::parse(*answer);
      for (const auto& [name, summary] : json["histograms"].items()) {
        counts[name] += summary["count"].get<std::uint64_t>();
        EXPECT_LE(summary["p50"], summary["p99"]);
        EXPECT_LE(summary["p99"], summary["max"]);
      }
    }
  };
  ASSERT_TRUE(client.until([&] {
    const auto comes_and_goes = client.attach(kStream);
    client.detach(*comes_and_goes);
    look();
    return counts["driver_poll_ns"] > 0 && counts["attach_latency_ns"] > 0 &&
           counts["detach_latency_ns"] > 0 && counts["keepalive_delta_ns"] > 0 &&
           counts["announce_delta_ns"] > 0;
  }));
  EXPECT_EQ(counts["lease_expire_delay_ns"], 0U);
  {
    LeaseHolder dies(aeron_dir());
    const auto left_behind = dies.attach(kStream);
  }
  EXPECT_TRUE(client.until([&] {
    look();
    return counts["lease_expire_delay_ns"] > 0;
  }));
  EXPECT_EQ(LeaseHolder::state(*stays), AttachState::kAttached);
}

TEST_F(DriverTelemetry, is_off_unless_it_is_wanted) {
  TP_REQ("D339");
  start(settings());
  const Result<std::string> answer = ask(admin::Operation::kCounters);
  ASSERT_TRUE(answer);
  EXPECT_FALSE(nlohmann::json::parse(*answer).contains("histograms"));
}

}  // namespace
}  // namespace tensorpool::test
