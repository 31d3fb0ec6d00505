// tp supervise beside publishers and subscribers: who answers, what is seen, what is forced.
#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <optional>
#include <set>

#include "support/requirement.hpp"
#include "tp_process.hpp"

namespace tensorpool::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;
using Variables = std::map<std::string, std::string>;

class Supervise : public TpTest {
 protected:
  [[nodiscard]] std::unique_ptr<TpProcess> supervise(Arguments more = {},
                                                     const Variables& variables = {}) {
    Arguments all = {"supervise", "--json", "--every", "0.1"};
    all.insert(all.end(), more.begin(), more.end());
    Surroundings where = surroundings();
    where.environment = variables;
    auto sut = std::make_unique<TpProcess>(all, where);
    EXPECT_TRUE(sut->says("ready")) << sut->err();
    return sut;
  }
  [[nodiscard]] std::unique_ptr<TpProcess> camera() {
    auto camera = publish("cam1", {"--sim", "ramp", "--shape", "4,4", "--hz", "500", "--no-wait"});
    EXPECT_TRUE(camera->says("publishing")) << camera->err();
    return camera;
  }
  [[nodiscard]] std::unique_ptr<TpProcess> reader(const Arguments& more = {}) {
    Arguments all = {"sub", "cam1", "--standalone", "--shm-dir", path("")};
    all.insert(all.end(), more.begin(), more.end());
    return start(all);
  }
  /// The first line in which there is what is looked for.
  [[nodiscard]] static Json line_with(const TpProcess& sut,
                                      const std::function<bool(const Json&)>& there) {
    Json found;
    EXPECT_TRUE(eventually(
        [&] {
          for (const Json& line : json_lines(sut.out())) {
            if (found.is_null() && line.is_object() && there(line)) {
              found = line;
            }
          }
          return !found.is_null();
        },
        kRest))
        << sut.out() << sut.err();
    return found;
  }
};

TEST_F(Supervise, sees_who_produces_and_who_consumes) {
  TP_REQ("W402", "D284", "D288");
  const auto pub = camera();
  const auto sut = supervise();
  const auto sub = reader({"--max-rate", "50"});
  const Json line = line_with(*sut, [](const Json& each) {
    return each["producers"].size() == 1 && each["consumers"].size() == 1 &&
           each["consumers"][0]["last_seq_seen"] > 0;
  });
  EXPECT_EQ(line["v"], 1);
  EXPECT_EQ(line["producers"][0]["name"], "cam1");
  EXPECT_EQ(line["producers"][0]["stale"], false);
  EXPECT_GT(line["producers"][0]["current_seq"], 0);
  EXPECT_EQ(line["consumers"][0]["stream_id"], line["producers"][0]["stream_id"]);
  EXPECT_EQ(line["consumers"][0]["mode"], "rate_limited");
  EXPECT_EQ(line["consumers"][0]["max_rate_hz"], 50);
  EXPECT_EQ(line["consumers"][0]["may_use_shm"], true);
  EXPECT_GT(line["counters"]["ConfigPublished"], 0);
  sut->send(SIGTERM);
  EXPECT_EQ(sut->wait(), 0) << sut->err();
  EXPECT_THAT(sut->err(), HasSubstr("consumer"));
}

TEST_F(Supervise, ends_with_tables_of_what_it_has_seen) {
  const auto pub = camera();
  const auto sub = reader();
  ASSERT_TRUE(sub->says("mapped epoch")) << sub->err();
  const auto sut = start({"supervise", "--quiet"});
  ASSERT_TRUE(sut->says("ready"));
  const auto second = supervise();
  EXPECT_TRUE(sut->says("one only may serve a stream")) << sut->err();
  sut->send(SIGTERM);
  ASSERT_EQ(sut->wait(), 0) << sut->err();
  EXPECT_THAT(sut->out(), HasSubstr("PRODUCER"));
  EXPECT_THAT(sut->out(), HasSubstr("shared"));
}

TEST_F(Supervise, takes_the_place_of_a_producer_and_gives_it_back) {
  TP_REQ("W293", "W294", "W317");
  const auto pub = camera();
  const auto sub = reader({"--max-rate", "20"});  // with descriptors of its own
  ASSERT_TRUE(sub->says("mapped epoch")) << sub->err();
  const auto configs = start({"listen", "control", "--message", "ConsumerConfig", "--json"});
  /// Who has sent the last `count` configs, once there are more than `after`.
  const auto senders = [&](std::size_t after, std::size_t count) {
    std::set<std::int64_t> sessions;
    EXPECT_TRUE(
        eventually([&] { return json_lines(configs->out()).size() >= after + count; }, kRest));
    const std::vector<Json> lines = json_lines(configs->out());
    for (std::size_t k = lines.size() - count; k < lines.size(); ++k) {
      sessions.insert(lines[k].value("session_id", std::int64_t{0}));
    }
    return sessions;
  };
  const auto heard = [&] { return json_lines(configs->out()).size(); };
  const std::set<std::int64_t> producer = senders(0, 2);
  ASSERT_EQ(producer.size(), 1U);

  auto sut = supervise({}, {{"SUPERVISOR_PER_CONSUMER_ENABLED", "true"}});
  static_cast<void>(senders(heard(), 3));  // both, at first
  const std::set<std::int64_t> supervisor = senders(heard(), 3);
  EXPECT_EQ(supervisor.size(), 1U);
  EXPECT_NE(supervisor, producer);
  const Json line = line_with(*sut, [](const Json& each) {
    return each["consumers"].size() == 1 && each["consumers"][0]["descriptor_stream_id"] != 0;
  });
  EXPECT_GE(line["consumers"][0]["descriptor_stream_id"], 31'000);

  sut->send(SIGTERM);
  EXPECT_EQ(sut->wait(), 0);
  EXPECT_EQ(senders(heard(), 2), producer);  // nobody else answers any more
}

TEST_F(Supervise, tells_consumers_to_do_without_shared_memory_and_where_else_to_look) {
  TP_REQ("W405", "W248", "D295", "D297");
  const auto pub = camera();
  auto sut = supervise({}, {{"SUPERVISOR_FORCE_NO_SHM", "true"},
                            {"SUPERVISOR_PAYLOAD_FALLBACK_URI", "bridge://10.0.0.5:9000"}});
  const auto sub = reader({"--json", "--count", "50"});
  const std::string told = "told not to use shared memory";
  ASSERT_TRUE(sub->says(told)) << sub->err();
  EXPECT_THAT(sub->err(), HasSubstr("the bridge 10.0.0.5:9000"));
  sut.reset();  // killed: when it has been silent for a while, the publisher answers again
  ASSERT_TRUE(eventually(
      [&] {
        const std::string err = sub->err();
        return err.find("mapped epoch", err.find(told)) != std::string::npos;
      },
      kRest))
      << sub->err();
  EXPECT_EQ(sub->wait(), 0) << sub->err();
  EXPECT_FALSE(json_lines(sub->out()).at(0).contains("fallback"));
}

TEST_F(Supervise, holds_up_nobody_when_it_stands_still) {
  TP_REQ("W277");
  const auto pub = camera();
  const auto sut = supervise();
  sut->stop();
  const auto sub = reader({"--count", "2000", "--verify", "--require-lossless"});
  EXPECT_EQ(sub->wait(), 0) << sub->err();
  EXPECT_THAT(sub->err(), HasSubstr("2,000 frames"));
}

TEST_F(Supervise, leaves_a_driver_alone_that_answers_consumers_itself) {
  TP_REQ("D304");
  const std::string toml = "[shm]\nbase_dir = \"" + path("shm") +
                           "\"\n[policies]\nshutdown_timeout_ms = 100\n"
                           "[profiles.small]\nheader_nslots = 8\n"
                           "payload_pools = [ { pool_id = 1, stride_bytes = 4096 } ]\n"
                           "[streams.fixed]\nstream_id = 10000\nprofile = \"small\"\n";
  std::ofstream(path("driver.toml")) << toml << "[supervisor]\n";
  const auto driver = start({"up", "--config", path("driver.toml")});
  ASSERT_TRUE(driver->says("is ready")) << driver->err();
  const auto sut = start({"supervise"});
  EXPECT_EQ(sut->wait(), 1);
  EXPECT_THAT(sut->err(), HasSubstr("answers consumers itself"));
}

TEST_F(Supervise, needs_neither_profiles_nor_streams_and_refuses_what_is_wrong) {
  TP_REQ("D331");
  std::ofstream(path("few.toml")) << "[supervisor]\nforce_mode = 1\n";
  const auto pub = camera();
  const auto sut = supervise({"--config", path("few.toml"), "--for", "0.2"});
  EXPECT_EQ(sut->wait(), 0) << sut->err();
  EXPECT_THAT(sut->err(), Not(HasSubstr("few.toml")));
  std::ofstream(path("bad.toml"))
      << "[supervisor]\nper_consumer_control_base = 1000\nper_consumer_control_range = 1\n";
  const auto bad = start({"supervise", "--config", path("bad.toml")});
  EXPECT_EQ(bad->wait(), 1);
  EXPECT_THAT(bad->err(), HasSubstr("supervisor.per_consumer_control_base"));
}

}  // namespace
}  // namespace tensorpool::test
