// The tp command as its users have it: a process with arguments, standard input, and two outputs.
//
// Outputs go to files, so a test may look at them at any time and no pipe fills up. TP_COMMAND is
// the path of tp.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "support/eventually.hpp"
#include "support/scratch_directory.hpp"

namespace tensorpool::test {

/// Between two looks at another process.
inline constexpr auto kRest = std::chrono::milliseconds(1);

using Arguments = std::vector<std::string>;

/// Where a process finds things, and who it is.
struct Surroundings {
  std::string outputs;    ///< prefix of the files that take standard output and standard error
  std::string aeron_dir;  ///< its AERON_DIR
  std::string input = "/dev/null";
  bool broken_output = false;  ///< standard output is a pipe that nobody reads
  uid_t user = 0;              ///< to become this one; 0: to stay who we are
  std::map<std::string, std::string> environment = {};  ///< besides its own
  std::string program = TP_COMMAND;                     ///< another one takes the same arguments
  std::vector<gid_t> groups = {};  ///< of that user, besides the one with his number
};

/// Exit code of a process that could not be started.
inline constexpr int kNotStarted = 127;

class TpProcess {
 public:
  TpProcess(const Arguments& arguments, const Surroundings& surroundings);
  TpProcess(const TpProcess&) = delete;
  TpProcess& operator=(const TpProcess&) = delete;
  /// Kills it when it still runs.
  ~TpProcess();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] std::string out() const;
  [[nodiscard]] std::string err() const;
  /// Waits until standard error contains `text`, or the process ends.
  [[nodiscard]] bool says(std::string_view text);
  void send(int signal) const;
  /// Stops it, and returns when it stands still.
  void stop() const;
  [[nodiscard]] bool has_ended();
  /// Exit code, minus the number of the signal that killed it, or kNotStarted.
  int wait();

 private:
  Surroundings surroundings_;
  pid_t pid_ = -1;
  int status_ = 0;
  bool ended_ = false;
};

/// Every line of `text` as JSON; a line that is none is null.
[[nodiscard]] std::vector<nlohmann::json> json_lines(const std::string& text);

[[nodiscard]] std::string read_file(const std::string& path);
void write_file(const std::string& path, std::string_view bytes);

/// `count` bytes that follow no pattern, the same ones each time.
[[nodiscard]] std::string noise(std::size_t count);
/// An array file as NumPy writes it; `descr` is `<u2` and the like.
[[nodiscard]] std::string npy_file(const std::string& descr, const std::string& shape,
                                   std::string_view elements, bool fortran = false);

/// A media driver and regions of the test's own.
class TpTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const {
    return scratch_.path() + "/" + name;
  }
  [[nodiscard]] Surroundings surroundings() {
    return {.outputs = path("tp" + std::to_string(++processes_)), .aeron_dir = path("aeron")};
  }
  [[nodiscard]] std::unique_ptr<TpProcess> start(const Arguments& arguments) {
    return std::make_unique<TpProcess>(arguments, surroundings());
  }
  /// `tp pub NAME`, with its frames in the test's own directory.
  [[nodiscard]] std::unique_ptr<TpProcess> publish(const std::string& name,
                                                   const Arguments& arguments,
                                                   const std::string& input = "/dev/null") {
    Arguments all = {"pub", name, "--shm-dir", scratch_.path()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    Surroundings where = surroundings();
    where.input = input;
    return std::make_unique<TpProcess>(all, where);
  }

 private:
  const ScratchDirectory scratch_{"/dev/shm"};
  int processes_ = 0;
};

}  // namespace tensorpool::test
