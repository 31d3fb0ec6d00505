// The verbs of the tp command: what each puts on the command line, and what main() runs of it.
//
// A new verb is a file in verbs/ with one of these functions, and a line in its command_line.cpp.
// Conventions (docs/ARCHITECTURE.md): standard output carries data only, everything else goes to
// standard error; JSON keys are snake_case with units last, and every line carries "v": 1.
#pragma once

#include <cstdint>
#include <functional>

namespace CLI {
class App;
}

namespace tensorpool::inline v0::apps {

/// What tp tells the shell.
enum class ExitCode : std::uint8_t {
  kFine = 0,  ///< also after Ctrl-C once data flowed, and when the reader of a pipe has gone
  kFailed = 1,
  kUsage = 2,
  kDataLost = 3,  ///< under --require-lossless
};

/// What the command line asks for. Set by the callback of the verb that was named.
using Action = std::function<ExitCode()>;

void add_attach(CLI::App& tp, Action& action);
void add_bench(CLI::App& tp, Action& action);
void add_codec(CLI::App& tp, Action& action);
void add_config(CLI::App& tp, Action& action);
void add_conform(CLI::App& tp, Action& action);
void add_consumers(CLI::App& tp, Action& action);
void add_demo(CLI::App& tp, Action& action);
void add_doctor(CLI::App& tp, Action& action);
void add_down(CLI::App& tp, Action& action);
void add_driver(CLI::App& tp, Action& action);
void add_gc(CLI::App& tp, Action& action);
void add_hz(CLI::App& tp, Action& action);
void add_info(CLI::App& tp, Action& action);
void add_leases(CLI::App& tp, Action& action);
void add_listen(CLI::App& tp, Action& action);
void add_ls(CLI::App& tp, Action& action);
void add_meta(CLI::App& tp, Action& action);
void add_pub(CLI::App& tp, Action& action);
void add_revoke(CLI::App& tp, Action& action);
void add_size(CLI::App& tp, Action& action);
void add_stat(CLI::App& tp, Action& action);
void add_sub(CLI::App& tp, Action& action);
void add_supervise(CLI::App& tp, Action& action);
void add_top(CLI::App& tp, Action& action);
void add_up(CLI::App& tp, Action& action);
void add_uri(CLI::App& tp, Action& action);
void add_version(CLI::App& tp, Action& action);
void add_view(CLI::App& tp, Action& action);

}  // namespace tensorpool::inline v0::apps
