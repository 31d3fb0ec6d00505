// tp top and tp consumers beside streams that run: what they print, and what they do to a terminal.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "support/requirement.hpp"
#include "tp_process.hpp"

namespace tensorpool::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using Json = nlohmann::json;

class TpTop : public TpTest {
 protected:
  [[nodiscard]] std::unique_ptr<TpProcess> camera(const std::string& name,
                                                  const Arguments& more = {}) {
    Arguments all = {"--sim", "ramp", "--shape", "64", "--dtype", "u2", "--hz", "500", "--no-wait"};
    all.insert(all.end(), more.begin(), more.end());
    auto process = publish(name, all);
    EXPECT_TRUE(process->says("publishing")) << process->err();
    return process;
  }
  [[nodiscard]] std::unique_ptr<TpProcess> reader(const std::string& name,
                                                  const Arguments& more = {}) {
    Arguments all = {"sub", name, "--shm-dir", path("")};
    all.insert(all.end(), more.begin(), more.end());
    auto process = start(all);
    EXPECT_TRUE(process->says("mapped epoch")) << process->err();
    return process;
  }
  /// What one look says; null where it says nothing.
  [[nodiscard]] Json look() {
    const auto top = start({"top", "--once", "--json", "--delay", "0.3"});
    top->wait();
    const std::vector<Json> lines = json_lines(top->out());
    return lines.size() == 1 ? lines.front() : Json();
  }
  /// Looks until `is_it(json)`.
  template <class IsIt>
  [[nodiscard]] bool sees(IsIt&& is_it) {
    return eventually(
        [&] {
          last_ = look();
          return last_.is_object() && is_it(last_);
        },
        kRest);
  }
  [[nodiscard]] static Json stream(const Json& view, const std::string& name) {
    for (const Json& one : view["streams"]) {
      if (one["name"] == name) {
        return one;
      }
    }
    return {{"consumers", Json::array()}};
  }

  Json last_;
};

TEST_F(TpTop, shows_who_produces_and_who_reads_and_how_fast) {
  const auto producer = camera("cam1");
  const auto consumer = reader("cam1");
  ASSERT_TRUE(sees([](const Json& view) {
    const Json cam = stream(view, "cam1");
    return cam["consumers"].size() == 1 && cam.value("rate_hz", 0.0) > 100 &&
           cam["consumers"][0]["rate_hz"].is_number() && cam["consumers"][0]["rate_hz"] > 100 &&
           cam["consumers"][0]["margin"].is_number();
  })) << last_;
  const Json sut = stream(last_, "cam1");
  EXPECT_EQ(sut["pid"], producer->pid());
  EXPECT_EQ(sut["program"], "tp");
  EXPECT_TRUE(sut["interval_p50_ns"].is_number()) << sut;
  EXPECT_TRUE(sut["age_ns"].is_number());
  EXPECT_TRUE(sut["cpu"].is_number());
  EXPECT_TRUE(sut["lease_id"].is_null()) << "there is no driver";
  const Json& who = sut["consumers"][0];
  EXPECT_EQ(who["pid"], consumer->pid());
  EXPECT_EQ(who["state"], "mapped");
  EXPECT_EQ(who["epoch"], sut["epoch"]);
  EXPECT_GT(who["counters"]["frames_ok"], 0);
}

TEST_F(TpTop, names_one_who_has_stopped_and_what_it_lost) {
  TP_REQ("W281");
  const auto producer = camera("cam1", {"--slots", "64"});
  const auto consumer = reader("cam1");
  const auto other = reader("cam1");
  ASSERT_TRUE(sees([](const Json& view) {
    const Json cam = stream(view, "cam1");
    return cam["consumers"].size() == 2 && cam["consumers"][0]["margin"].is_number() &&
           cam["consumers"][1]["margin"].is_number();
  })) << last_;
  consumer->stop();
  const auto of = [&](const Json& view, pid_t pid) {
    const Json cam = stream(view, "cam1");
    for (const Json& one : cam["consumers"]) {
      if (one["pid"] == pid) {
        return one;
      }
    }
    return Json();
  };
  ASSERT_TRUE(sees([&](const Json& view) {
    const Json stopped = of(view, consumer->pid());
    return stopped.is_object() && stopped["margin"] == 0.0 && stopped["slow"].is_string();
  })) << last_;
  EXPECT_THAT(of(last_, consumer->pid())["slow"].get<std::string>(),
              AllOf(HasSubstr("has not polled for"), HasSubstr("lapped")));
  consumer->send(SIGCONT);
  ASSERT_TRUE(sees([&](const Json& view) {
    const Json back = of(view, consumer->pid());
    return back.is_object() && back["lost_frames"].is_number() && back["lost_frames"] > 0;
  })) << last_;
  const Json counters = of(last_, consumer->pid())["counters"];
  EXPECT_GT(counters["drops_gap"].get<std::uint64_t>() +
                counters["drops_seq_mismatch"].get<std::uint64_t>(),
            0U);
}

TEST_F(TpTop, prints_a_table_where_there_is_no_terminal) {
  const auto producer = camera("cam1");
  const auto consumer = reader("cam1");
  ASSERT_TRUE(sees([](const Json& view) { return stream(view, "cam1")["consumers"].size() == 1; }));
  const auto sut = start({"top", "--delay", "0.2", "--columns", "80"});
  EXPECT_EQ(sut->wait(), 0) << sut->err();
  EXPECT_THAT(sut->out(),
              AllOf(HasSubstr("1 stream, 1 consumer"), HasSubstr("\nSTREAM "), HasSubstr("\ncam1 "),
                    HasSubstr("\n  tp "), Not(HasSubstr("\x1b"))));
}

TEST_F(TpTop, says_where_it_looks_in_vain) {
  const auto sut = start({"top", "--once", "--delay", "0.1"});
  EXPECT_EQ(sut->wait(), 1);
  EXPECT_THAT(sut->out(), HasSubstr("media_driver_unavailable"));
  EXPECT_EQ(start({"top", "--sort", "colour"})->wait(), 2);
}

TEST_F(TpTop, shows_leases_under_a_driver) {
  write_file(path("driver.toml"),
             "[driver]\n"
             "stream_id_range = \"20000-20003\"\n"
             "[shm]\n"
             "base_dir = \"" +
                 path("shm") +
                 "\"\n"
                 "[policies]\n"
                 "allow_dynamic_streams = true\n"
                 "[profiles.small]\n"
                 "header_nslots = 64\n"
                 "payload_pools = [ { pool_id = 1, stride_bytes = 4096 } ]\n");
  const auto driver = start({"up", "--config", path("driver.toml")});
  ASSERT_TRUE(driver->says("is ready")) << driver->err();
  const auto producer = start({"pub", "cam1", "--sim", "ramp", "--shape", "64", "--dtype", "u2",
                               "--hz", "500", "--no-wait", "--shm-dir", path("shm")});
  const auto consumer = start({"sub", "cam1", "--shm-dir", path("shm")});
  ASSERT_TRUE(consumer->says("mapped epoch")) << consumer->err() << driver->err();
  ASSERT_TRUE(sees([](const Json& view) {
    const Json cam = stream(view, "cam1");
    return cam["consumers"].size() == 1 && cam.value("lease_id", Json()).is_number() &&
           cam["consumers"][0]["lease_id"].is_number() &&
           cam["consumers"][0]["counters"].is_object() && cam["rate_hz"].is_number();
  })) << last_;
  EXPECT_NE(stream(last_, "cam1")["lease_id"], stream(last_, "cam1")["consumers"][0]["lease_id"]);
}

TEST_F(TpTop, lists_the_consumers_of_one_stream) {
  const auto producer = camera("cam1");
  const auto elsewhere = camera("cam2");
  const auto consumer = reader("cam1");
  const auto limited = reader("cam1", {"--max-rate", "50"});
  const auto another = reader("cam2");
  ASSERT_TRUE(sees([](const Json& view) {
    const Json cam = stream(view, "cam1");
    return cam["consumers"].size() == 2 && cam["consumers"][0]["state"] == "mapped" &&
           cam["consumers"][1]["state"] == "mapped";
  })) << last_;
  const auto sut = start({"consumers", "cam1", "--json", "--span", "0.5"});
  EXPECT_EQ(sut->wait(), 0) << sut->err();
  const std::vector<Json> lines = json_lines(sut->out());
  ASSERT_THAT(lines, SizeIs(2)) << sut->out();
  const Json& slower = lines[0]["pid"] == limited->pid() ? lines[0] : lines[1];
  EXPECT_EQ(slower["pid"], limited->pid());
  EXPECT_EQ(slower["max_rate_hz"], 50);
  EXPECT_EQ(slower["v"], 1);

  const auto table = start({"consumers", "cam1"});
  EXPECT_EQ(table->wait(), 0);
  EXPECT_THAT(table->out(), AllOf(HasSubstr("BY CAUSE"), HasSubstr("50 Hz"),
                                  HasSubstr(std::to_string(consumer->pid()))));
  EXPECT_EQ(start({"consumers", "nobody", "--span", "0.2"})->wait(), 1);
}

// -- On a terminal -------------------------------------------------------------------------------

/// tp with a terminal of its own.
class OnTerminal {
 public:
  OnTerminal(const Arguments& arguments, const std::string& aeron_dir, winsize size) {
    pid_ = ::forkpty(&terminal_, nullptr, nullptr, &size);
    if (pid_ == 0) {
      ::setenv("AERON_DIR", aeron_dir.c_str(), 1);
      ::setenv("TERM", "xterm", 1);
      std::vector<const char*> all = {TP_COMMAND};
      for (const std::string& argument : arguments) {
        all.push_back(argument.c_str());
      }
      all.push_back(nullptr);
      ::execv(TP_COMMAND, const_cast<char**>(all.data()));
      ::_exit(kNotStarted);
    }
    ::tcgetattr(terminal_, &before_);
  }
  OnTerminal(const OnTerminal&) = delete;
  OnTerminal& operator=(const OnTerminal&) = delete;
  ~OnTerminal() {
    if (!ended_) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    hang_up();
  }

  /// Waits until `text` has been written behind what was found last.
  [[nodiscard]] bool shows(std::string_view text) {
    return eventually(
        [&] {
          read_some();
          const std::size_t at = written_.find(text, seen_);
          seen_ = at == std::string::npos ? seen_ : at + text.size();
          return at != std::string::npos;
        },
        kRest);
  }
  void type(std::string_view keys) const {
    ASSERT_EQ(::write(terminal_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  void resize(winsize size) const { ::ioctl(terminal_, TIOCSWINSZ, &size); }
  void send(int signal) const { ::kill(pid_, signal); }
  void hang_up() {
    if (terminal_ >= 0) {
      ::close(terminal_);
      terminal_ = -1;
    }
  }
  /// Exit code, or minus the number of the signal.
  [[nodiscard]] int wait() {
    EXPECT_TRUE(eventually(
        [&] {
          if (terminal_ >= 0) {
            read_some();
          }
          return ::waitpid(pid_, &status_, WNOHANG) == pid_;
        },
        kRest));
    ended_ = true;
    if (terminal_ >= 0) {
      read_some();
    }
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
  }
  [[nodiscard]] bool is_stopped() {
    int status = 0;
    return ::waitpid(pid_, &status, WNOHANG | WUNTRACED) == pid_ && WIFSTOPPED(status);
  }

  /// The terminal is in the alternate screen, and echoes nothing.
  [[nodiscard]] bool is_taken() const {
    termios now{};
    ::tcgetattr(terminal_, &now);
    return written_.rfind("\x1b[?1049h") != std::string::npos && !was_left() &&
           (now.c_lflag & ECHO) == 0;
  }
  [[nodiscard]] bool is_as_before() const {
    termios now{};
    ::tcgetattr(terminal_, &now);
    return was_left() && now.c_lflag == before_.c_lflag &&
           written_.rfind("\x1b[?25h") > written_.rfind("\x1b[?25l");
  }

 private:
  [[nodiscard]] bool was_left() const {
    const std::size_t left = written_.rfind("\x1b[?1049l");
    return left != std::string::npos && left > written_.rfind("\x1b[?1049h");
  }
  void read_some() {
    std::array<char, 65536> bytes;
    pollfd waited{.fd = terminal_, .events = POLLIN, .revents = 0};
    while (::poll(&waited, 1, 0) > 0) {
      const ssize_t got = ::read(terminal_, bytes.data(), bytes.size());
      if (got <= 0) {
        return;
      }
      written_.append(bytes.data(), static_cast<std::size_t>(got));
    }
  }

  pid_t pid_ = -1;
  int terminal_ = -1;
  int status_ = 0;
  bool ended_ = false;
  termios before_{};
  std::string written_;
  std::size_t seen_ = 0;
};

class TpTopOnTerminal : public TpTop {
 protected:
  [[nodiscard]] std::unique_ptr<OnTerminal> top(unsigned short columns = 80) {
    auto process = std::make_unique<OnTerminal>(
        Arguments{"top", "--delay", "0.2"}, path("aeron"),
        winsize{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0});
    EXPECT_TRUE(process->shows("q quit"));
    EXPECT_TRUE(process->is_taken());
    return process;
  }
};

TEST_F(TpTopOnTerminal, follows_streams_and_keys) {
  const auto producer = camera("cam1");
  const auto sut = top();
  EXPECT_TRUE(sut->shows("cam1"));
  const auto consumer = reader("cam1");
  EXPECT_TRUE(sut->shows("1 consumer"));
  EXPECT_TRUE(sut->shows("  tp "));
  sut->type("p");
  EXPECT_TRUE(sut->shows("PAUSED"));
  sut->type("p/nobody\r");
  EXPECT_TRUE(sut->shows("nothing is called nobody"));
  sut->type("\x1b");
  EXPECT_TRUE(sut->shows("cam1"));
  sut->type("s");
  EXPECT_TRUE(sut->shows("by hz"));
  sut->type("\x1b[B");
  EXPECT_TRUE(sut->shows("behind"));
  sut->type("h");
  EXPECT_TRUE(sut->shows("part of the ring between"));
  sut->type("q");
  EXPECT_EQ(sut->wait(), 0);
  EXPECT_TRUE(sut->is_as_before());
}

TEST_F(TpTopOnTerminal, draws_anew_when_the_terminal_has_another_size) {
  const auto producer = camera("cam1");
  const auto sut = top(80);
  ASSERT_TRUE(sut->shows("cam1"));
  sut->resize({.ws_row = 40, .ws_col = 200, .ws_xpixel = 0, .ws_ypixel = 0});
  EXPECT_TRUE(sut->shows("EPOCH"));
}

TEST_F(TpTopOnTerminal, leaves_the_terminal_as_it_was_whatever_ends_it) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    const auto sut = top();
    sut->send(signal);
    EXPECT_EQ(sut->wait(), 0) << signal;
    EXPECT_TRUE(sut->is_as_before()) << signal;
  }
  for (const int signal : {SIGQUIT, SIGABRT, SIGSEGV}) {
    const auto sut = top();
    sut->send(signal);
    EXPECT_EQ(sut->wait(), -signal);
    EXPECT_TRUE(sut->is_as_before()) << signal;
  }
  const auto by_key = top();
  by_key->type("\x03");
  EXPECT_EQ(by_key->wait(), 0);
  EXPECT_TRUE(by_key->is_as_before());
}

TEST_F(TpTopOnTerminal, lends_the_terminal_to_others_while_it_is_stopped) {
  const auto sut = top();
  sut->type("\x1a");
  ASSERT_TRUE(eventually([&] { return sut->is_stopped(); }, kRest));
  EXPECT_TRUE(sut->shows("\x1b[?1049l"));
  EXPECT_TRUE(sut->is_as_before());
  sut->send(SIGCONT);
  EXPECT_TRUE(sut->shows("\x1b[?1049h"));
  EXPECT_TRUE(sut->shows("q quit"));
  EXPECT_TRUE(sut->is_taken());
  sut->type("q");
  EXPECT_EQ(sut->wait(), 0);
}

TEST_F(TpTopOnTerminal, ends_when_the_terminal_goes) {
  const auto sut = top();
  sut->hang_up();
  EXPECT_EQ(sut->wait(), 0);
}

}  // namespace
}  // namespace tensorpool::test
