#include "role.hpp"

#include <dirent.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

#include "os/clock.hpp"

namespace tensorpool::bench {
namespace {

constexpr int kNoWait = 0;
constexpr int kPatienceMs = 600'000;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "driver_bench: %s\n", what.c_str());
  std::_Exit(1);
}

/// The next line of `read`, filled up from the socket; nothing when none has come in time.
[[nodiscard]] std::optional<std::string> next_line(int socket, std::string& read, int wait_ms) {
  for (;;) {
    if (const std::size_t end = read.find('\n'); end != std::string::npos) {
      std::string line = read.substr(0, end);
      read.erase(0, end + 1);
      return line;
    }
    pollfd watched{.fd = socket, .events = POLLIN, .revents = 0};
    if (::poll(&watched, 1, wait_ms) <= 0) {
      return std::nullopt;
    }
    std::array<char, 65536> buffer;
    const ssize_t bytes = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (bytes <= 0) {
      return "end";
    }
    read.append(buffer.data(), static_cast<std::size_t>(bytes));
  }
}

void send_all(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t bytes = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (bytes < 0 && errno != EINTR) {
      give_up("a process of the benchmark has gone");
    }
    text.remove_prefix(bytes < 0 ? 0 : static_cast<std::size_t>(bytes));
  }
}

[[nodiscard]] std::size_t entries(const std::string& directory) {
  std::size_t count = 0;
  if (DIR* const open = ::opendir(directory.c_str())) {
    while (::readdir(open) != nullptr) {
      ++count;
    }
    ::closedir(open);
  }
  return count;
}

[[nodiscard]] std::size_t lines(const std::string& file) {
  std::ifstream in(file);
  std::size_t count = 0;
  for (std::string line; std::getline(in, line);) {
    ++count;
  }
  return count;
}

/// `VmRSS:  1234 kB` and the like.
[[nodiscard]] std::uint64_t status_bytes(const std::string& process, const std::string& key) {
  std::ifstream in(process + "/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(key + ":")) {
      return std::strtoull(line.c_str() + key.size() + 1, nullptr, 10) * 1024;
    }
  }
  return 0;
}

[[nodiscard]] Nanos processor_time(const std::string& process) {
  std::ifstream in(process + "/stat");
  std::string text((std::istreambuf_iterator<char>(in)), {});
  std::istringstream fields(text.substr(std::min(text.rfind(')') + 2, text.size())));
  std::vector<std::string> words;
  for (std::string word; fields >> word;) {
    words.push_back(word);
  }
  if (words.size() < 13) {
    return {};
  }
  // Fields 14 and 15 of proc(5), counted here from the third.
  const auto ticks =
      std::strtoll(words[11].c_str(), nullptr, 10) + std::strtoll(words[12].c_str(), nullptr, 10);
  return std::chrono::nanoseconds(1'000'000'000 / ::sysconf(_SC_CLK_TCK)) * ticks;
}

}  // namespace

std::optional<std::string> Orders::next() {
  return next_line(socket_, read_, kNoWait);
}

void Orders::answer(const Json& json) const {
  send_all(socket_, json.dump() + "\n");
}

double load_between(const Usage& before, const Usage& after) noexcept {
  return std::chrono::duration<double>(after.processor - before.processor) /
         std::chrono::duration<double>(after.at - before.at);
}

Role::Role(std::string name, const std::function<void(Orders&)>& work) : name_(std::move(name)) {
  std::array<int, 2> sockets{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
    give_up("socketpair");
  }
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(sockets[0]);
    Orders orders(sockets[1]);
    work(orders);
    std::_Exit(0);
  }
  ::close(sockets[1]);
  socket_ = sockets[0];
}

Role::~Role() {
  // Said, since processes that were made later hold this end of the socket, too.
  ::send(socket_, "end\n", 4, MSG_NOSIGNAL);
  ::close(socket_);
  ::waitpid(pid_, nullptr, 0);
}

Json Role::ask(std::string_view order_text) {
  order(order_text);
  return answer();
}

void Role::order(std::string_view order) const {
  send_all(socket_, std::string(order) + "\n");
}

Json Role::answer() {
  const std::optional<std::string> line = next_line(socket_, read_, kPatienceMs);
  if (!line || *line == "end") {
    give_up(name_ + " does not answer");
  }
  Json json = Json::parse(*line);
  if (json.contains("error")) {
    give_up(name_ + ": " + json["error"].get<std::string>());
  }
  return json;
}

Usage Role::usage() const {
  const std::string process = "/proc/" + std::to_string(pid_);
  return {.processor = processor_time(process),
          .at = os::SystemClock().mono(),
          .anonymous_bytes = status_bytes(process, "RssAnon"),
          .shared_bytes = status_bytes(process, "RssShmem"),
          .descriptors = entries(process + "/fd"),
          .mappings = lines(process + "/maps")};
}

}  // namespace tensorpool::bench
