#include "tp_process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <random>
#include <sstream>

namespace tensorpool::test {
namespace {

/// In the child, between fork and exec.
[[noreturn]] void become_tp(char* const* arguments, const Surroundings& where,
                            const std::string& out, const std::string& err) {
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
  std::array<int, 2> nobody_reads{};
  int output = ::open(out.c_str(), flags, 0600);
  if (where.broken_output && ::pipe2(nobody_reads.data(), O_CLOEXEC) == 0) {
    ::close(nobody_reads[0]);
    output = nobody_reads[1];
  }
  ::dup2(::open(where.input.c_str(), O_RDONLY | O_CLOEXEC), STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(::open(err.c_str(), flags, 0600), STDERR_FILENO);
  const bool is_user =
      where.user == 0 || (::setgroups(where.groups.size(), where.groups.data()) == 0 &&
                          ::setgid(where.user) == 0 && ::setuid(where.user) == 0);
  if (is_user) {
    ::execv(where.program.c_str(), arguments);
  }
  ::_exit(kNotStarted);
}

}  // namespace

TpProcess::TpProcess(const Arguments& arguments, const Surroundings& surroundings)
    : surroundings_(surroundings) {
  std::vector<std::string> texts = {"tp"};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& text : texts) {
    pointers.push_back(text.data());
  }
  pointers.push_back(nullptr);
  ::setenv("AERON_DIR", surroundings.aeron_dir.c_str(), 1);
  pid_ = ::fork();
  if (pid_ == 0) {
    for (const auto& [name, value] : surroundings_.environment) {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
    become_tp(pointers.data(), surroundings_, surroundings_.outputs + ".out",
              surroundings_.outputs + ".err");
  }
  if (pid_ < 0) {
    ADD_FAILURE() << "cannot fork: errno " << errno;
    ended_ = true;
  }
}

TpProcess::~TpProcess() {
  if (!has_ended()) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (::testing::Test::HasFailure()) {
    std::cerr << "--- process " << pid_ << "\n" << err();
  }
}

std::string TpProcess::out() const {
  return read_file(surroundings_.outputs + ".out");
}

std::string TpProcess::err() const {
  return read_file(surroundings_.outputs + ".err");
}

bool TpProcess::says(std::string_view text) {
  const auto has_said = [&] { return err().find(text) != std::string::npos; };
  return eventually([&] { return has_said() || has_ended(); }, kRest) && has_said();
}

void TpProcess::send(int signal) const {
  ::kill(pid_, signal);
}

void TpProcess::stop() const {
  send(SIGSTOP);
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED);
}

bool TpProcess::has_ended() {
  ended_ = ended_ || ::waitpid(pid_, &status_, WNOHANG) == pid_;
  return ended_;
}

int TpProcess::wait() {
  EXPECT_TRUE(eventually([this] { return has_ended(); }, kRest))
      << "process " << pid_ << " goes on";
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
}

std::vector<nlohmann::json> json_lines(const std::string& text) {
  std::vector<nlohmann::json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    nlohmann::json parsed = nlohmann::json::parse(line, nullptr, false);
    lines.push_back(parsed.is_discarded() ? nlohmann::json() : std::move(parsed));
  }
  return lines;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string noise(std::size_t count) {
  std::mt19937 random(1);
  std::string bytes(count, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(random());
  }
  return bytes;
}

std::string npy_file(const std::string& descr, const std::string& shape, std::string_view elements,
                     bool fortran) {
  std::string header = "{'descr': '" + descr +
                       "', 'fortran_order': " + (fortran ? "True" : "False") +
                       ", 'shape': " + shape + ", }";
  constexpr std::size_t kPrefix = 10;
  header.resize((kPrefix + header.size() + 1 + 63) / 64 * 64 - kPrefix - 1, ' ');
  header += '\n';
  const auto length = static_cast<std::uint16_t>(header.size());
  std::string file = "\x93NUMPY\1";
  file += '\0';
  file += static_cast<char>(length & 0xFFU);
  file += static_cast<char>(length >> 8U);
  return file + header + std::string(elements);
}

}  // namespace tensorpool::test
