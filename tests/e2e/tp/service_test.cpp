// The driver under a service manager: what it tells it, and when.
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include "support/requirement.hpp"
#include "tp_process.hpp"

namespace tensorpool::test {
namespace {

/// Takes what services say, as systemd does.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;
  ~NotifySocket() {
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
    ::close(socket_);
  }

  /// The next message; "" when none has come within `patience`.
  [[nodiscard]] std::string next(std::chrono::milliseconds patience = kPatience) const {
    pollfd watched{.fd = socket_, .events = POLLIN, .revents = 0};
    if (::poll(&watched, 1, static_cast<int>(patience.count())) != 1) {
      return "";
    }
    std::array<char, 256> buffer{};
    const ssize_t bytes = ::recv(socket_, buffer.data(), buffer.size(), 0);
    return {buffer.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0};
  }
  /// Until this one comes; false when it does not.
  [[nodiscard]] bool says(std::string_view wanted) const {
    std::string message = "-";
    while (!message.empty() && message != wanted) {
      message = next();
    }
    return message == wanted;
  }
  void forget() const {
    while (!next(std::chrono::milliseconds(0)).empty()) {
    }
  }

 private:
  int socket_;
};

/// One thread of another process stands still, while the others go on.
class StoppedThread {
 public:
  explicit StoppedThread(pid_t thread) : thread_(thread) {
    stopped_ = ::ptrace(PTRACE_SEIZE, thread_, nullptr, nullptr) == 0 &&
               ::ptrace(PTRACE_INTERRUPT, thread_, nullptr, nullptr) == 0 &&
               ::waitpid(thread_, nullptr, __WALL) == thread_;
  }
  StoppedThread(const StoppedThread&) = delete;
  StoppedThread& operator=(const StoppedThread&) = delete;
  ~StoppedThread() { ::ptrace(PTRACE_DETACH, thread_, nullptr, nullptr); }
  [[nodiscard]] bool stands_still() const noexcept { return stopped_; }

 private:
  pid_t thread_;
  bool stopped_;
};

class TpService : public TpTest {
 protected:
  void SetUp() override {
    std::ofstream(path("driver.toml")) << "[driver]\n"
                                          "announce_stream_id = 1001\n"
                                          "[shm]\n"
                                          "base_dir = \"" +
                                              path("shm") +
                                              "\"\n"
                                              "[profiles.small]\n"
                                              "header_nslots = 8\n"
                                              "payload_pools = [ { pool_id = 1, stride_bytes = "
                                              "4096 } ]\n"
                                              "[streams.fixed]\n"
                                              "stream_id = 10000\n"
                                              "profile = \"small\"\n";
  }
  [[nodiscard]] std::unique_ptr<TpProcess> up() {
    return start({"driver", "--media-driver", "embedded", "--config", path("driver.toml")});
  }
  const NotifySocket manager_{path("notify")};
};

TEST_F(TpService, is_ready_when_a_client_can_attach) {
  const auto sut = up();
  ASSERT_TRUE(manager_.says("READY=1")) << sut->err();
  // Not refused, and not once in vain.
  const auto client = start(
      {"attach", "fixed", "--once", "--hold", "0.01", "--json", "--allowed-dir", path("shm")});
  EXPECT_EQ(client->wait(), 0) << client->err();
  EXPECT_EQ(json_lines(client->out()).at(0)["event"], "attached");
}

TEST_F(TpService, is_never_ready_when_it_cannot_start) {
  const auto sut = start({"driver", "--media-driver", "external", "--config", path("driver.toml")});
  EXPECT_EQ(sut->wait(), 1);
  EXPECT_EQ(manager_.next(std::chrono::milliseconds(0)), "");
}

TEST_F(TpService, feeds_the_watchdog_from_its_duty_cycle) {
  ::setenv("WATCHDOG_USEC", "100000", 1);
  const auto sut = up();
  ASSERT_TRUE(manager_.says("READY=1")) << sut->err();
  ASSERT_TRUE(manager_.says("WATCHDOG=1"));
  {
    const StoppedThread duty_cycle(sut->pid());  // the first thread
    if (!duty_cycle.stands_still()) {
      TP_SKIP_WITHOUT("ptrace");
    }
    manager_.forget();
    // The media driver's thread, in the same process, lives.
    EXPECT_EQ(start({"stat", "--aeron"})->wait(), 0);
    EXPECT_EQ(manager_.next(std::chrono::milliseconds(500)), "") << "ten periods";
  }
  EXPECT_TRUE(manager_.says("WATCHDOG=1"));
}

TEST_F(TpService, says_that_it_stops) {
  const auto sut = up();
  ASSERT_TRUE(manager_.says("READY=1")) << sut->err();
  sut->send(SIGTERM);
  EXPECT_TRUE(manager_.says("STOPPING=1"));
  EXPECT_EQ(sut->wait(), 0);
}

}  // namespace
}  // namespace tensorpool::test
