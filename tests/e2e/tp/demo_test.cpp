// tp demo: two processes that end by themselves and leave nothing behind.
#include <gmock/gmock.h>

#include <csignal>

#include "support/requirement.hpp"
#include "tp_process.hpp"

namespace tensorpool::test {
namespace {

using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::Lt;
using ::testing::Not;

class TpDemo : public TpTest {
 protected:
  /// Directories of the demo with this process id.
  static std::vector<std::string> workspaces(pid_t pid) {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("tensorpool-") && name.ends_with("-demo-" + std::to_string(pid))) {
        found.push_back(entry.path().string());
      }
    }
    return found;
  }
  /// As /proc shows it: R, S, T, Z and others; `?` for a process that is gone.
  static char state_of(pid_t pid) {
    const std::string status = read_file("/proc/" + std::to_string(pid) + "/status");
    const std::size_t at = status.find("State:\t");
    return at == std::string::npos ? '?' : status.at(at + 7);
  }
  /// The process that publishes for this demo; 0: none so far.
  static pid_t child_of(pid_t pid) {
    const std::string id = std::to_string(pid);
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string status = read_file((entry.path() / "status").string());
      if (status.find("\nPPid:\t" + id + "\n") != std::string::npos) {
        return static_cast<pid_t>(std::stol(entry.path().filename().string()));
      }
    }
    return 0;
  }
};

TEST_F(TpDemo, shows_frames_and_none_of_them_torn) {
  TP_REQ("W429");  // stamps of two clocks would be years apart
  const auto sut = start({"demo", "--seconds", "2", "--json"});
  EXPECT_EQ(sut->wait(), 0);
  const auto lines = json_lines(sut->out());
  ASSERT_FALSE(lines.empty());
  const nlohmann::json& summary = lines.back();
  EXPECT_EQ(summary["v"], 1);
  EXPECT_EQ(summary["kind"], "summary");
  EXPECT_EQ(summary["torn"], 0);
  EXPECT_THAT(summary["frames"].get<int>(), Gt(0));
  EXPECT_THAT(summary["latency_p50_ns"].get<std::int64_t>(), Gt(0));
  EXPECT_THAT(summary["latency_max_ns"].get<std::int64_t>(), Lt(60'000'000'000));
  EXPECT_EQ(summary["frames_published"].get<int>(),
            summary["frames"].get<int>() + summary["gaps"].get<int>() + summary["late"].get<int>());
  EXPECT_TRUE(workspaces(sut->pid()).empty());
}

TEST_F(TpDemo, is_plain_where_no_terminal_is) {
  const auto sut = start({"demo", "--seconds", "1"});
  EXPECT_EQ(sut->wait(), 0);
  EXPECT_THAT(sut->out() + sut->err(), Not(HasSubstr("\x1b")));
  EXPECT_THAT(sut->out(), HasSubstr("latency"));
  EXPECT_THAT(sut->err(), Not(HasSubstr("warning")));
}

TEST_F(TpDemo, ends_cleanly_at_ctrl_c) {
  const auto sut = start({"demo"});
  ASSERT_TRUE(sut->says("Hz"));  // the line of the first second
  sut->send(SIGINT);
  EXPECT_EQ(sut->wait(), 0);
  EXPECT_THAT(sut->out(), HasSubstr("received of"));
  EXPECT_TRUE(workspaces(sut->pid()).empty());
}

TEST_F(TpDemo, leaves_nothing_behind_when_it_is_killed) {
  const auto sut = start({"demo"});
  ASSERT_TRUE(sut->says("Hz"));
  const pid_t child = child_of(sut->pid());
  ASSERT_GT(child, 0);
  ASSERT_FALSE(workspaces(sut->pid()).empty());
  sut->send(SIGKILL);
  EXPECT_EQ(sut->wait(), -SIGKILL);
  EXPECT_TRUE(eventually([&] { return state_of(child) == 'Z' || state_of(child) == '?'; }, kRest));
  EXPECT_TRUE(workspaces(sut->pid()).empty());
}

TEST_F(TpDemo, cleans_up_after_one_that_was_killed_with_its_child) {
  std::string left;
  {
    const auto killed = start({"demo"});
    ASSERT_TRUE(killed->says("Hz"));
    const pid_t child = child_of(killed->pid());
    ASSERT_GT(child, 0);
    ::kill(child, SIGSTOP);  // so that it cannot clean up before it is killed, too
    ASSERT_TRUE(eventually([&] { return state_of(child) == 'T'; }, kRest));
    killed->send(SIGKILL);
    EXPECT_EQ(killed->wait(), -SIGKILL);
    ::kill(child, SIGKILL);
    ASSERT_FALSE(workspaces(killed->pid()).empty());
    left = workspaces(killed->pid()).front();
  }
  EXPECT_EQ(start({"demo", "--seconds", "0.2"})->wait(), 0);
  EXPECT_FALSE(std::filesystem::exists(left));
}

}  // namespace
}  // namespace tensorpool::test
