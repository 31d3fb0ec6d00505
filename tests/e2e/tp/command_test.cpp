// What tp tells people and shells: exit codes, streams, JSON, messages while it waits.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "support/requirement.hpp"
#include "tp_process.hpp"

namespace tensorpool::test {
namespace {

using ::testing::AllOf;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr uid_t kNobody = 65'534;
/// More than twice what tp gathers before it writes to a file.
constexpr std::uintmax_t kBuffers = 600'000;

class TpCommand : public TpTest {
 protected:
  /// A ramp of small frames at 1 kHz, without end.
  std::unique_ptr<TpProcess> ramp(const std::string& name, const Arguments& more = {}) {
    Arguments arguments = {"--sim", "ramp", "--shape", "32,32", "--hz", "1000"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return publish(name, arguments);
  }
  int exit_code(const Arguments& arguments) { return start(arguments)->wait(); }
  /// Returns once `count` more frames of the stream have gone by.
  void let_pass(const std::string& name, int count) {
    EXPECT_EQ(exit_code({"sub", name, "--count", std::to_string(count)}), 0);
  }
  /// Returns once the file that a subscriber is writing has got longer than `bytes`.
  [[nodiscard]] bool grows_beyond(const std::string& file, std::uintmax_t bytes) {
    return eventually([&] { return part_size(file) > bytes; }, kRest);
  }
  [[nodiscard]] std::uintmax_t part_size(const std::string& file) const {
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(path(file + ".part"), error);
    return error ? 0 : size;
  }
  [[nodiscard]] static nlohmann::json last_json(const TpProcess& process) {
    const auto lines = json_lines(process.out());
    EXPECT_FALSE(lines.empty());
    return lines.empty() ? nlohmann::json::object() : lines.back();
  }
};

TEST_F(TpCommand, exits_with_2_when_it_is_used_wrongly) {
  for (const Arguments& wrong :
       std::vector<Arguments>{{},
                              {"no-such-verb"},
                              {"pub"},
                              {"pub", "cam1"},
                              {"pub", "cam1", "--sim", "no-such-one"},
                              {"pub", "cam1", "--sim", "ramp", "--slots", "12"},
                              {"sub", "cam1", "--no-such-option"},
                              {"sub", "cam1", "--wait", "hybrid:x"},
                              {"sub", "cam1", "--json", "--to", "-"},
                              {"codec", "sideways"}}) {
    const auto sut = start(wrong);
    EXPECT_EQ(sut->wait(), 2) << ::testing::PrintToString(wrong);
    EXPECT_EQ(sut->out(), "");
    EXPECT_NE(sut->err(), "");
  }
}

TEST_F(TpCommand, shows_examples_in_the_help_of_every_verb) {
  for (const char* verb : {"demo", "pub", "sub", "hz", "info", "size", "doctor", "config", "uri",
                           "codec", "version"}) {
    const auto sut = start({verb, "--help"});
    EXPECT_EQ(sut->wait(), 0) << verb;
    EXPECT_THAT(sut->out(), HasSubstr("Examples:\n  tp " + std::string(verb)));
  }
}

TEST_F(TpCommand, exits_with_1_and_a_sentence_when_the_input_is_wrong) {
  write_file(path("short.npy"), npy_file("<u2", "(4, 8, 8)", noise(100)));
  write_file(path("short.raw"), noise(100));
  write_file(path("text"), "this is no image");
  const std::string missing = path("missing.npy");
  const std::vector<Arguments> rows = {
      {"--from", missing},
      {"--from", path("short.npy")},
      {"--from", path("text")},
      {"--from", path("short.raw")},
      {"--from", path("short.raw"), "--shape", "8,8", "--dtype", "u2"},
      {"--from", path("short.raw"), "--shape", "8,x", "--dtype", "u2"},
      {"--from", path("short.raw"), "--shape", "8,8", "--dtype", "c8"},
      {"--from", "-"},
      {"--from", "-", "--shape", "8,8", "--dtype", "u2", "--wait", "--loop", "--no-wait"},
  };
  for (const Arguments& row : rows) {
    const bool usage = row.size() > 6;  // the last row contradicts itself
    const auto sut = publish("cam1", row);
    EXPECT_EQ(sut->wait(), usage ? 2 : 1) << ::testing::PrintToString(row);
    EXPECT_EQ(sut->out(), "");
    EXPECT_THAT(sut->err(), usage ? HasSubstr("--no-wait") : HasSubstr("Fix: "));
  }
}

TEST_F(TpCommand, publishes_the_whole_frames_of_input_that_ends_inside_one) {
  const std::string raw = noise(3UL * 128 + 5);
  write_file(path("in.raw"), raw);
  const auto sub = start({"sub", "cam1", "--to", "-"});
  const auto pub =
      publish("cam1", {"--from", "-", "--shape", "8,8", "--dtype", "u2"}, path("in.raw"));
  EXPECT_EQ(pub->wait(), 1);
  EXPECT_THAT(pub->err(), HasSubstr("truncated_input"));
  EXPECT_EQ(sub->wait(), 0);
  EXPECT_EQ(sub->out(), raw.substr(0, 3UL * 128));
}

TEST_F(TpCommand, says_that_no_media_driver_runs) {
  const auto sut = start({"sub", "cam1"});
  EXPECT_TRUE(sut->says("waiting for a media driver: none runs in " + path("aeron")));
  EXPECT_THAT(sut->err(), HasSubstr("tp pub cam1"));
  sut->send(SIGINT);
  EXPECT_EQ(sut->wait(), 1);  // stopped before any data
}

TEST_F(TpCommand, says_that_nobody_announces_the_stream) {
  const auto other = ramp("other");
  ASSERT_TRUE(other->says("publishing other"));
  const auto sut = start({"sub", "cam1"});
  EXPECT_TRUE(sut->says("waiting for stream cam1: nobody announces it"));
  EXPECT_THAT(sut->err(),
              AllOf(HasSubstr("announced there: other ("), Not(HasSubstr("none runs"))));
}

TEST_F(TpCommand, says_that_the_media_driver_may_not_be_used) {
  const auto pub = ramp("cam1");
  ASSERT_TRUE(pub->says("publishing cam1"));
  Surroundings where = surroundings();
  if (::geteuid() == 0) {
    where.user = kNobody;
  } else {
    ASSERT_EQ(::chmod(path("aeron").c_str(), 0), 0);
  }
  TpProcess sut({"sub", "cam1"}, where);
  const bool said = sut.says("waiting for permission");
  static_cast<void>(::chmod(path("aeron").c_str(), S_IRWXU));
  if (!said && sut.wait() == kNotStarted) {
    GTEST_SKIP() << "needs: a build directory that other users may read";
  }
  EXPECT_TRUE(said);
  EXPECT_THAT(sut.err(), AllOf(Not(HasSubstr("none runs")), Not(HasSubstr("nobody announces"))));
}

TEST_F(TpCommand, gives_up_after_the_time_out) {
  const auto sut = start({"sub", "cam1", "--timeout", "0.2"});
  EXPECT_EQ(sut->wait(), 1);
  EXPECT_THAT(sut->err(), HasSubstr("timeout"));
}

TEST_F(TpCommand, refuses_a_name_that_is_being_published) {
  const auto first = ramp("cam1");
  let_pass("cam1", 1);
  const auto sut = ramp("cam1");
  EXPECT_EQ(sut->wait(), 1);
  EXPECT_THAT(sut->err(), HasSubstr("cam1 is being published already"));
}

TEST_F(TpCommand, ends_with_a_summary_at_ctrl_c) {
  const auto pub = ramp("cam1", {"--json"});
  const auto sub = start({"sub", "cam1", "--json", "--to", path("out.npy")});
  ASSERT_TRUE(grows_beyond("out.npy", 0));
  sub->send(SIGINT);
  sub->send(SIGINT);  // as from a terminal and from a wrapper, at once
  EXPECT_EQ(sub->wait(), 0);
  pub->send(SIGINT);
  EXPECT_EQ(pub->wait(), 0);

  const nlohmann::json received = last_json(*sub);
  const auto frames = received.value("frames", std::uint64_t{0});
  EXPECT_GT(frames, 0U);
  EXPECT_EQ(std::filesystem::file_size(path("out.npy")), 128 + frames * 32 * 32 * 2);
  EXPECT_THAT(read_file(path("out.npy")),
              HasSubstr("'shape': (" + std::to_string(frames) + ", 32, 32), }"));
  EXPECT_FALSE(std::filesystem::exists(path("out.npy.part")));
  EXPECT_THAT(last_json(*pub).value("frames", std::uint64_t{0}), Gt(0U));
  EXPECT_THAT(sub->err(), HasSubstr("received in"));
  EXPECT_THAT(pub->err(), HasSubstr("published in"));
}

TEST_F(TpCommand, leaves_the_old_file_when_it_is_killed) {
  const std::string old = npy_file("<u2", "(1, 2, 2)", noise(8));
  write_file(path("out.npy"), old);
  const auto pub = ramp("cam1");
  {
    const auto sut = start({"sub", "cam1", "--to", path("out.npy")});
    ASSERT_TRUE(grows_beyond("out.npy", 0));
    sut->send(SIGKILL);
    EXPECT_EQ(sut->wait(), -SIGKILL);
  }
  EXPECT_EQ(read_file(path("out.npy")), old);
  EXPECT_EQ(exit_code({"sub", "cam1", "--to", path("out.npy"), "--count", "3"}), 0);
  EXPECT_THAT(read_file(path("out.npy")), HasSubstr("(3, 32, 32)"));
}

TEST_F(TpCommand, ends_quietly_when_its_reader_has_gone) {
  const auto pub = ramp("cam1");
  Surroundings where = surroundings();
  where.broken_output = true;
  TpProcess sut({"sub", "cam1", "--to", "-"}, where);
  EXPECT_EQ(sut.wait(), 0);
  EXPECT_THAT(sut.err(), AllOf(Not(HasSubstr("error")), Not(HasSubstr("lost"))));
}

TEST_F(TpCommand, verifies_a_ramp_in_both_modes) {
  const auto pub = ramp("cam1");
  for (const char* mode : {"--verify", "--direct", "--latest"}) {
    Arguments arguments = {"sub", "cam1", "--json", "--count", "200", "--verify"};
    if (std::string_view(mode) != "--verify") {
      arguments.emplace_back(mode);
    }
    const auto sut = start(arguments);
    EXPECT_EQ(sut->wait(), 0) << mode;
    const nlohmann::json summary = last_json(*sut);
    EXPECT_EQ(summary["v"], 1);
    EXPECT_EQ(summary["frames"], 200) << mode;
    EXPECT_EQ(summary["verified"], 200) << mode;
    EXPECT_EQ(summary["torn"], 0) << mode;
    EXPECT_EQ(summary["misnumbered"], 0) << mode;
  }
}

TEST_F(TpCommand, exits_with_1_when_a_frame_is_not_what_was_promised) {
  const auto pub = publish("cam1", {"--sim", "noise", "--shape", "32,32"});
  const auto sut = start({"sub", "cam1", "--count", "5", "--verify", "--json"});
  EXPECT_EQ(sut->wait(), 1);
  EXPECT_EQ(last_json(*sut)["torn"], 5);
}

TEST_F(TpCommand, exits_with_3_when_frames_were_lost_that_were_required) {
  const auto pub = ramp("cam1", {"--slots", "8"});
  const auto sut =
      start({"sub", "cam1", "--require-lossless", "--to", path("out.npy"), "--count", "1000000"});
  ASSERT_TRUE(grows_beyond("out.npy", 0));
  sut->stop();
  const std::uintmax_t before = part_size("out.npy");
  let_pass("cam1", 200);  // many rounds of the ring
  sut->send(SIGCONT);
  EXPECT_TRUE(grows_beyond("out.npy", before + kBuffers));
  sut->send(SIGINT);
  EXPECT_EQ(sut->wait(), 3);
  EXPECT_THAT(sut->err(), HasSubstr("overwritten before"));
}

TEST_F(TpCommand, waits_for_frames_in_every_way) {
  const auto pub = ramp("cam1");
  for (const char* const way : {"spin", "yield", "backoff", "park", "hybrid", "hybrid:5"}) {
    const auto sut = start({"sub", "cam1", "--wait", way, "--count", "200", "--json"});
    EXPECT_EQ(sut->wait(), 0) << way;
    const bool sleeps = std::string_view(way) == "park";
    EXPECT_TRUE(!sleeps || last_json(*sut)["counters"]["sleeps"] > 0) << way;
  }
}

TEST_F(TpCommand, measures_how_consumers_best_wait) {
  const auto sut = start({"doctor", "wake", "--seconds", "0.05", "--json"});
  EXPECT_EQ(sut->wait(), 0);
  const auto lines = json_lines(sut->out());
  ASSERT_EQ(lines.size(), 11U) << "a futex, and five ways in two modes";
  EXPECT_EQ(lines[0]["wait"], "futex");
  for (const nlohmann::json& line : lines) {
    EXPECT_GT(line["frames"], 0) << line;
    EXPECT_GT(line["latency_p50_ns"], 0) << line;
  }
}

TEST_F(TpCommand, measures_a_stream) {
  const auto pub = ramp("cam1");
  const auto sut = start({"hz", "cam1", "--seconds", "1.5", "--json"});
  EXPECT_EQ(sut->wait(), 0);
  const auto lines = json_lines(sut->out());
  ASSERT_GE(lines.size(), 2U);
  EXPECT_EQ(lines.front()["kind"], "interval");
  EXPECT_EQ(lines.back()["kind"], "summary");
  for (const nlohmann::json& line : lines) {
    EXPECT_EQ(line["v"], 1);
    EXPECT_THAT(line["rate_hz"].get<double>(), Gt(0));
    EXPECT_THAT(line["frames"].get<int>(), Gt(0));
    EXPECT_LE(line["interval_p50_ns"], line["interval_p99_ns"]);
    EXPECT_LE(line["interval_p99_ns"], line["interval_max_ns"]);
  }
}

TEST_F(TpCommand, measures_this_machine_with_and_without_a_driver) {
  for (const bool driver : {false, true}) {
    Arguments arguments = {"bench", "--test", "latency", "--rate", "200", "--seconds", "0.2"};
    if (driver) {
      arguments.push_back("--driver");
    }
    const auto bench = start(arguments);
    EXPECT_EQ(bench->wait(), 0) << bench->err();
    const nlohmann::json line = last_json(*bench);
    EXPECT_EQ(line["driver"], driver);
    EXPECT_EQ(line["lost"], 0);
    EXPECT_GT(line["samples"], 0);
  }
}

TEST_F(TpCommand, describes_a_stream_by_name_path_and_uri) {
  const auto pub = ramp("cam1", {"--slots", "16"});
  const auto named = start({"info", "cam1", "--json"});
  ASSERT_EQ(named->wait(), 0);
  const auto lines = json_lines(named->out());
  ASSERT_EQ(lines.size(), 3U);  // the stream, its header ring, its pool
  EXPECT_EQ(lines[0]["stream"], "cam1");
  EXPECT_EQ(lines[0]["nslots"], 16);
  EXPECT_EQ(lines[1]["region"], "header_ring");
  EXPECT_EQ(lines[1]["owner_alive"], true);
  EXPECT_EQ(lines[2]["region"], "payload_pool");

  const std::string uri = lines[0]["header_region_uri"];
  for (const std::string& target : {uri, lines[1]["path"].get<std::string>()}) {
    Surroundings nowhere = surroundings();
    nowhere.aeron_dir = path("nowhere");
    TpProcess sut({"info", target, "--json"}, nowhere);
    EXPECT_EQ(sut.wait(), 0) << target;
    EXPECT_EQ(last_json(sut)["stream_id"], lines[0]["stream_id"]);
  }
  EXPECT_EQ(exit_code({"info", path("nowhere")}), 1);
  EXPECT_EQ(exit_code({"info", "shm:file?path=relative"}), 1);
}

TEST_F(TpCommand, tells_how_much_memory_a_stream_needs) {
  TP_REQ("W276");
  const auto sut = start(
      {"size", "--shape", "512,640", "--dtype", "u2", "--hz", "1000", "--hold", "0.05", "--json"});
  ASSERT_EQ(sut->wait(), 0);
  const nlohmann::json answer = last_json(*sut);
  EXPECT_EQ(answer["frame_bytes"], 640 * 1024);
  EXPECT_EQ(answer["stride_bytes"], 1U << 20U);
  EXPECT_GE(answer["lap_s"].get<double>(), 0.05);
  EXPECT_EQ(answer["nslots"].get<double>() / 1000, answer["lap_s"].get<double>());
  EXPECT_EQ(answer["total_bytes"], answer["nslots"].get<int>() * ((1 << 20) + 256) + 2 * 64);
  EXPECT_EQ(exit_code({"size", "--shape", "512,640", "--dtype", "u2", "--hz", "0"}), 2);
  EXPECT_EQ(exit_code({"size", "--shape", "512,-1", "--dtype", "u2", "--hz", "1"}), 1);
}

TEST_F(TpCommand, takes_a_uri_apart) {
  const auto fine = start({"uri", "--json", "shm:file?path=/dev/shm/a|require_hugepages=true"});
  EXPECT_EQ(fine->wait(), 0);
  EXPECT_EQ(last_json(*fine)["path"], "/dev/shm/a");
  EXPECT_EQ(last_json(*fine)["require_hugepages"], true);
  EXPECT_EQ(last_json(*fine)["canonical"], "shm:file?path=/dev/shm/a|require_hugepages=true");
  const auto refused = start({"uri", "http://x"});
  EXPECT_EQ(refused->wait(), 1);
  EXPECT_EQ(refused->out(), "uri_unsupported_scheme\n");
}

TEST_F(TpCommand, turns_messages_to_json_and_back) {
  // The first golden message of schema 900: {"name":…, "hex":…, …} on each line.
  const nlohmann::json golden = json_lines(read_file(TP_GOLDEN_DIR "/wire-900.jsonl")).at(0);
  const std::string hex = golden.at("hex");
  const auto decoded = start({"codec", "decode", hex});
  EXPECT_EQ(decoded->wait(), 0);
  write_file(path("messages"), decoded->out());
  Surroundings where = surroundings();
  where.input = path("messages");
  TpProcess encoded({"codec", "encode"}, where);
  EXPECT_EQ(encoded.wait(), 0);
  EXPECT_EQ(encoded.out(), hex + "\n");

  const auto malformed = start({"codec", "decode", hex.substr(0, hex.size() - 2), hex});
  EXPECT_EQ(malformed->wait(), 1);
  const auto lines = json_lines(malformed->out());
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[0].contains("error"));
  EXPECT_FALSE(lines[1].contains("error"));
}

}  // namespace
}  // namespace tensorpool::test
