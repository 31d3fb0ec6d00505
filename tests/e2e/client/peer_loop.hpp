// The loop of a process that a test talks to: works, and answers each line of its standard input,
// until that is closed.
#pragma once

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>

namespace tensorpool::test {

inline constexpr auto kPeerIdle = std::chrono::microseconds(50);  // peers share few processors

enum class Input : std::uint8_t { kNothing, kAsked, kClosed };

[[nodiscard]] inline Input look_at_input() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  if (::poll(&input, 1, 0) <= 0) {
    return Input::kNothing;
  }
  char byte = 0;
  return ::read(STDIN_FILENO, &byte, 1) == 1 ? Input::kAsked : Input::kClosed;
}

/// Calls `step`, which says whether there was work, and answers until the input is closed.
template <class Step, class Report>
int serve(Step&& step, Report&& report) {
  for (;;) {
    const bool busy = step();
    switch (look_at_input()) {
      case Input::kNothing:
        break;
      case Input::kAsked: {
        const auto answer = report();
        std::fwrite(&answer, sizeof(answer), 1, stdout);
        std::fflush(stdout);
        break;
      }
      case Input::kClosed:
        return 0;
    }
    if (!busy) {
      std::this_thread::sleep_for(kPeerIdle);
    }
  }
}

inline void say(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

}  // namespace tensorpool::test
