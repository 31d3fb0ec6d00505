// The driver and bare clients of it as processes: leases, epochs, death of either side.
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>

#include "admin/ask.hpp"
#include "support/requirement.hpp"
#include "tp_process.hpp"

namespace tensorpool::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::SizeIs;

using Json = nlohmann::json;

class TpDriver : public TpTest {
 protected:
  void SetUp() override {
    std::ofstream(path("driver.toml"))
        << "[driver]\n"
           "instance_id = \"test\"\n"
           "announce_stream_id = 1001\n"
           "stream_id_range = \"20000-20003\"\n"
           "[shm]\n"
           "base_dir = \"" +
               path("shm") +
               "\"\n"
               "[policies]\n"
               "allow_dynamic_streams = true\n"
               "announce_period_ms = 200\n"
               "lease_keepalive_interval_ms = 200\n"
               "shutdown_timeout_ms = 300\n"
               "shutdown_token = \"please\"\n"
               "epoch_gc_min_age_ns = 1\n"
               "epoch_gc_on_startup = true\n"
               "[profiles.small]\n"
               "header_nslots = 8\n"
               "payload_pools = [ { pool_id = 1, stride_bytes = 4096 } ]\n"
               "[streams.fixed]\n"
               "stream_id = 10000\n"
               "profile = \"small\"\n";
  }

  [[nodiscard]] std::unique_ptr<TpProcess> up() {
    auto driver = start({"up", "--config", path("driver.toml")});
    EXPECT_TRUE(driver->says("is ready")) << driver->err();
    return driver;
  }
  [[nodiscard]] std::unique_ptr<TpProcess> attach(const Arguments& more) {
    Arguments all = {"attach", "--json", "--allowed-dir", path("shm")};
    all.insert(all.end(), more.begin(), more.end());
    return start(all);
  }
  /// Waits until the process has printed an event of this kind for the `nth` time, counted from 1.
  [[nodiscard]] static std::optional<Json> event(const TpProcess& client, const std::string& kind,
                                                 int nth = 1) {
    std::optional<Json> found;
    EXPECT_TRUE(eventually(
        [&] {
          int seen = 0;
          for (const Json& line : json_lines(client.out())) {
            if (line.is_object() && line.value("event", "") == kind && ++seen == nth) {
              found = line;
            }
          }
          return found.has_value();
        },
        kRest))
        << kind << " has not come: " << client.out() << client.err();
    return found;
  }
  [[nodiscard]] std::vector<Json> list(const std::string& verb) {
    const auto sut = start({verb, "--json"});
    EXPECT_EQ(sut->wait(), 0) << sut->err();
    return json_lines(sut->out());
  }
  [[nodiscard]] Json stream(std::uint32_t id) {
    for (const Json& each : list("ls")) {
      if (each["stream_id"] == id) {
        return each;
      }
    }
    return {};
  }
  [[nodiscard]] std::uint64_t counter(const std::string& name) {
    const auto sut = start({"stat", "--json"});
    EXPECT_EQ(sut->wait(), 0);
    return json_lines(sut->out()).at(0)["counters"][name];
  }
  /// Epoch directories of a stream.
  [[nodiscard]] std::vector<std::string> epochs(std::uint32_t id) const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path("shm"))) {
      if (entry.is_directory() && entry.path().parent_path().filename() == std::to_string(id)) {
        found.push_back(entry.path().filename().native());
      }
    }
    return found;
  }
};

TEST_F(TpDriver, grants_a_lease_and_takes_it_back) {
  TP_REQ("D25");
  TP_REQ("D68");
  TP_REQ("D147");
  TP_REQ("D159");
  TP_REQ("D242");
  TP_REQ("D247");
  const auto driver = up();
  const auto sut = attach({"0", "--role", "producer", "--create", "--hold", "0.3"});
  EXPECT_EQ(sut->wait(), 0) << sut->err();
  const std::vector<Json> events = json_lines(sut->out());
  ASSERT_THAT(events, SizeIs(2)) << sut->out();
  EXPECT_EQ(events[0]["event"], "attached");
  EXPECT_EQ(events[0]["stream_id"], 20000);
  EXPECT_EQ(events[0]["node_id"], 1);
  EXPECT_EQ(events[1]["event"], "detached");
  const Json now = stream(20000);
  EXPECT_TRUE(now["producer"].is_null());
  EXPECT_THAT(now["epoch"].get<std::uint64_t>(), Gt(events[0]["epoch"].get<std::uint64_t>()));
  EXPECT_THAT(driver->err(), HasSubstr("attach: producer of stream 20000"));
  EXPECT_THAT(driver->err(), HasSubstr("detach: producer of stream 20000"));
}

TEST_F(TpDriver, has_one_producer_and_many_consumers_of_a_stream) {
  TP_REQ("D63");
  TP_REQ("D175");
  TP_REQ("D176");
  const auto driver = up();
  const auto producer = attach({"10000", "--role", "producer"});
  const auto attached = event(*producer, "attached");
  ASSERT_TRUE(attached);
  const auto second = attach({"10000", "--role", "producer", "--once"});
  EXPECT_EQ(second->wait(), 1);
  EXPECT_EQ(event(*second, "refused")->value("text", ""), "producer already attached");
  const auto reader = attach({"10000"});
  const auto other = attach({"10000"});
  for (const auto* each : {&reader, &other}) {
    const auto joined = event(**each, "attached");
    ASSERT_TRUE(joined);
    EXPECT_EQ((*joined)["epoch"], (*attached)["epoch"]);
  }
  EXPECT_THAT(stream(10000)["consumers"], SizeIs(2));
  EXPECT_THAT(list("leases"), SizeIs(3));
  EXPECT_EQ(stream(10000)["name"], "fixed");
}

TEST_F(TpDriver, knows_configured_streams_by_name) {
  const auto driver = up();
  const auto sut = attach({"fixed", "--hold", "0.1"});
  EXPECT_EQ(sut->wait(), 0) << sut->err();
  EXPECT_EQ(event(*sut, "attached")->value("stream_id", 0), 10000);
  const auto unknown = attach({"nobody"});
  EXPECT_EQ(unknown->wait(), 1);
  EXPECT_THAT(unknown->err(), HasSubstr("nobody"));
}

TEST_F(TpDriver, ends_the_lease_of_a_producer_that_was_killed) {
  TP_REQ("D139");
  TP_REQ("D151");
  TP_REQ("D225");
  const auto driver = up();
  const auto watcher = attach({"10000"});
  ASSERT_TRUE(event(*watcher, "attached"));
  const auto killed = attach({"10000", "--role", "producer"});
  const auto attached = event(*killed, "attached");
  ASSERT_TRUE(attached);
  killed->send(SIGKILL);
  killed->wait();
  EXPECT_TRUE(driver->says("EXPIRED lease expired"));
  const auto next = attach({"10000", "--role", "producer"});
  const auto again = event(*next, "attached");
  ASSERT_TRUE(again);
  EXPECT_THAT((*again)["epoch"].get<std::uint64_t>(),
              Gt((*attached)["epoch"].get<std::uint64_t>()));
  EXPECT_THAT(list("leases"), SizeIs(2));  // the watcher's, and the new one
  EXPECT_TRUE(eventually([&] { return epochs(10000).size() <= 2; }, kRest));
}

TEST_F(TpDriver, is_followed_by_its_clients_when_it_was_killed_and_comes_back) {
  TP_REQ("D157");
  TP_REQ("D178");
  TP_REQ("D272");
  TP_REQ("D273");
  TP_REQ("D274");
  auto driver = start({"up", "--config", path("driver.toml"), "--media-driver", "external"});
  EXPECT_EQ(driver->wait(), 1);  // there is none
  const auto media = start({"pub", "other", "--sim", "ramp", "--hz", "1", "--shm-dir", path("")});
  ASSERT_TRUE(media->says("publishing other")) << media->err();
  driver = up();
  const auto client = attach({"10000", "--role", "producer"});
  const auto first = event(*client, "attached");
  ASSERT_TRUE(first);
  driver->send(SIGKILL);
  driver->wait();
  const auto successor = up();
  ASSERT_TRUE(event(*client, "lost"));
  const auto second = event(*client, "attached", 2);
  ASSERT_TRUE(second);
  EXPECT_THAT((*second)["epoch"].get<std::uint64_t>(), Gt((*first)["epoch"].get<std::uint64_t>()));
  EXPECT_NE((*second)["lease_id"], (*first)["lease_id"]);
}

TEST_F(TpDriver, tells_the_holder_of_a_revoked_lease) {
  TP_REQ("D155");
  TP_REQ("D168");
  const auto driver = up();
  const auto client = attach({"10000", "--role", "producer"});
  const auto attached = event(*client, "attached");
  ASSERT_TRUE(attached);
  const auto sut = start({"revoke", (*attached)["lease_id"].dump(), "--text", "maintenance"});
  EXPECT_EQ(sut->wait(), 0) << sut->err();
  const auto lost = event(*client, "lost");
  ASSERT_TRUE(lost);
  EXPECT_EQ((*lost)["text"], "maintenance");
  EXPECT_TRUE(event(*client, "attached", 2));
  EXPECT_EQ(start({"revoke", "1"})->wait(), 1);  // no such lease
}

TEST_F(TpDriver, drains_and_tells_its_clients_when_it_goes_down) {
  TP_REQ("D263");
  TP_REQ("D267");
  TP_REQ("D269");
  TP_REQ("D270");
  const auto driver = up();
  const auto client = attach({"10000", "--once"});
  ASSERT_TRUE(event(*client, "attached"));
  const auto sut = start({"down"});
  EXPECT_EQ(sut->wait(), 0) << sut->err();
  EXPECT_EQ(driver->wait(), 0);
  const auto lost = event(*client, "lost");
  ASSERT_TRUE(lost);
  EXPECT_EQ((*lost)["loss"], "driver_shutdown");
  EXPECT_EQ(client->wait(), 0);
  EXPECT_FALSE(epochs(10000).empty());
  EXPECT_EQ(start({"ls"})->wait(), 1);  // nobody listens
}

TEST_F(TpDriver, is_found_by_publisher_and_subscriber_who_go_by_name) {
  const auto driver = up();
  const auto publisher = publish("cam1", {"--sim", "ramp", "--shape", "16,32", "--hz", "500",
                                          "--count", "200", "--wait", "--json"});
  const auto sut = start({"sub", "cam1", "--shm-dir", path("shm"), "--verify", "--json"});
  EXPECT_EQ(publisher->wait(), 0) << publisher->err();
  EXPECT_EQ(sut->wait(), 0) << sut->err();
  const Json summary = json_lines(sut->out()).at(0);
  EXPECT_EQ(summary["stream"], "cam1");
  EXPECT_EQ(summary["stream_id"], 20000);
  EXPECT_EQ(summary["frames"], 200);
  EXPECT_EQ(summary["torn"], 0);
  EXPECT_EQ(json_lines(publisher->out()).at(0)["stream_id"], 20000);
  EXPECT_EQ(stream(20000)["name"], "cam1");
  EXPECT_EQ(stream(20000)["pools"][0]["stride_bytes"], 1024);  // what the frames need
}

TEST_F(TpDriver, lets_the_next_publisher_in_when_one_was_killed_and_subscribers_go_on) {
  const auto driver = up();
  auto publisher = publish("cam1", {"--sim", "ramp", "--shape", "16,32", "--hz", "200"});
  const auto sut = start({"sub", "cam1", "--shm-dir", path("shm"), "--verify"});
  ASSERT_TRUE(publisher->says("attached")) << publisher->err();
  ASSERT_TRUE(sut->says("mapped epoch")) << sut->err();
  const auto second =
      publish("cam1", {"--sim", "ramp", "--shape", "16,32", "--hz", "200", "--count", "50"});
  ASSERT_TRUE(second->says("producer already attached")) << second->err();
  publisher->send(SIGKILL);
  publisher->wait();
  ASSERT_TRUE(second->says("attached, epoch")) << second->err();
  ASSERT_TRUE(sut->says("discontinuity")) << sut->err();
  EXPECT_EQ(second->wait(), 0) << second->err();
  EXPECT_EQ(sut->wait(), 0) << sut->err();  // the publisher has closed the stream
  EXPECT_THAT(sut->err(), HasSubstr("0 torn, 0 misnumbered"));
}

TEST_F(TpDriver, is_passed_over_by_those_who_want_no_driver) {
  const auto driver = up();
  const auto publisher =
      publish("cam1", {"--sim", "ramp", "--hz", "500", "--count", "100", "--wait", "--standalone"});
  const auto sut = start({"sub", "cam1", "--shm-dir", path(""), "--standalone"});
  EXPECT_EQ(publisher->wait(), 0) << publisher->err();
  EXPECT_EQ(sut->wait(), 0) << sut->err();
  EXPECT_TRUE(list("leases").empty());
}

TEST_F(TpDriver, ends_at_ctrl_c) {
  const auto driver = up();
  driver->send(SIGINT);
  EXPECT_EQ(driver->wait(), 0);
  EXPECT_THAT(driver->err(), HasSubstr("stopped"));
}

TEST_F(TpDriver, goes_down_by_a_message_with_its_token_and_by_no_other) {
  TP_REQ("D259", "D260", "D266");
  std::ofstream(path("wrong")) << "plea5e\n";
  std::ofstream(path("right")) << "please\n";
  const auto driver = up();
  EXPECT_EQ(start({"down", "--token-file", path("nowhere")})->wait(), 1);
  EXPECT_EQ(start({"down", "--token-file", path("wrong"), "--wait", "0.5"})->wait(), 1);
  EXPECT_EQ(counter("ShutdownRequestRejects"), 1U);
  EXPECT_FALSE(driver->has_ended());
  const auto sut = start({"down", "--token-file", path("right"), "--json"});
  EXPECT_EQ(sut->wait(), 0) << sut->err();
  EXPECT_EQ(json_lines(sut->out()).at(0)["stopped"], true);
  EXPECT_EQ(driver->wait(), 0);
}

TEST_F(TpDriver, says_which_epochs_stay_and_why) {
  TP_REQ("D228");
  const auto driver = up();
  EXPECT_EQ(attach({"10000", "--role", "producer", "--hold", "0.1"})->wait(), 0);
  const auto sut = start({"gc", "fixed", "--dry-run", "--json"});
  ASSERT_EQ(sut->wait(), 0) << sut->err();
  const Json streams = json_lines(sut->out()).at(0)["streams"];
  ASSERT_THAT(streams, SizeIs(1));
  EXPECT_EQ(streams[0]["stream_id"], 10000);
  EXPECT_THAT(streams[0]["kept"], SizeIs(2));
  EXPECT_EQ(streams[0]["kept"][0]["reason"], "rank");
  EXPECT_EQ(start({"gc", "nobody"})->wait(), 1);
}

TEST_F(TpDriver, shows_how_fast_its_streams_run) {
  const auto driver = up();
  const auto camera = start({"pub", "fixed", "--sim", "ramp", "--shape", "64", "--dtype", "u2",
                             "--hz", "500", "--no-wait", "--shm-dir", path("shm")});
  ASSERT_TRUE(eventually([&] { return stream(10000).value("rate_hz", 0.0) > 0; }, kRest));
  const Json first = stream(10000);
  const Json second = stream(10000);
  EXPECT_GT(second["frames"], first["frames"]);
  EXPECT_NEAR(second["throughput_mb_per_s"].get<double>(),
              second["rate_hz"].get<double>() * 128 / 1e6, 1e-9);
  const auto table = start({"ls"});
  EXPECT_EQ(table->wait(), 0);
  EXPECT_THAT(table->out(), AllOf(HasSubstr("RATE"), HasSubstr(" Hz"), HasSubstr(" MB/s")));
  camera->send(SIGSTOP);
  EXPECT_TRUE(eventually([&] { return stream(10000).value("rate_hz", 1.0) == 0; }, kRest));
  const auto still = start({"ls"});
  EXPECT_EQ(still->wait(), 0);
  EXPECT_THAT(still->out(), HasSubstr("quiet for "));
  camera->send(SIGCONT);
}

TEST_F(TpDriver, is_seen_by_the_doctor_with_the_version_of_its_media_driver) {
  const auto driver = up();
  const auto sut = start({"doctor"});
  EXPECT_NE(sut->wait(), 2);
  EXPECT_THAT(sut->out(), ::testing::ContainsRegex("media_driver +Aeron [0-9]+[.][0-9]+[.]"));
}

TEST_F(TpDriver, counts_what_it_does) {
  TP_REQ("D78");
  const auto driver = up();
  EXPECT_EQ(attach({"10000", "--hold", "0.1"})->wait(), 0);
  EXPECT_EQ(attach({"30000", "--create", "--once"})->wait(), 1);  // outside the range
  EXPECT_EQ(counter("AttachResponses"), 2U);
  EXPECT_EQ(counter("AttachRejects"), 1U);
  EXPECT_EQ(counter("EpochBumps"), 1U);
  EXPECT_EQ(counter("ActiveLeases"), 0U);
}

TEST_F(TpDriver, says_everything_that_is_wrong_with_its_configuration) {
  TP_REQ("D319");
  TP_REQ("D320");
  EXPECT_EQ(start({"up", "--config", path("missing.toml")})->wait(), 1);
  std::ofstream(path("wrong.toml")) << "[driver]\ncontrol_stream_id = 0\n[policies]\n"
                                       "epoch_gc_keep = \"two\"\n";
  const auto sut = start({"up", "--config", path("wrong.toml")});
  EXPECT_EQ(sut->wait(), 1);
  EXPECT_THAT(sut->err(), HasSubstr("driver.control_stream_id"));
  EXPECT_THAT(sut->err(), HasSubstr("policies.epoch_gc_keep"));
  EXPECT_FALSE(std::filesystem::exists(path("aeron")));
}

TEST_F(TpDriver, shows_its_configuration_to_those_who_ask) {
  const auto driver = up();
  const Result<std::string> answer =
      admin::ask(admin::socket_path(path("aeron"), 1000), {.operation = admin::Operation::kConfig});
  ASSERT_TRUE(answer) << describe(answer.error());
  EXPECT_THAT(json_lines(*answer).at(0)["toml"].get<std::string>(),
              ::testing::ContainsRegex("instance_id *= \"test\""));
}

TEST_F(TpDriver, is_alone_on_its_control_endpoint) {
  TP_REQ("D26");
  const auto driver = up();
  const auto second = start({"up", "--config", path("driver.toml")});
  EXPECT_EQ(second->wait(), 1);
  EXPECT_THAT(second->err(), HasSubstr("already"));
}

}  // namespace
}  // namespace tensorpool::test
