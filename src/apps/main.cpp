// The tp command: finds the verb that the command line names, and runs it.
#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <string_view>

#include "apps/verbs.hpp"

namespace {

namespace apps = tensorpool::apps;

constexpr decltype(&apps::add_demo) kVerbs[] = {
    apps::add_demo, apps::add_pub, apps::add_sub,   apps::add_hz,
    apps::add_info, apps::add_uri, apps::add_codec, apps::add_version,
};

constexpr const char* kExamples = R"(Examples:
  tp demo                              a camera of 1 kHz streams between two processes, live
  tp pub cam1 --from my.fits           publish the frames of a file
  tp sub cam1 --to out.npy             receive them, bit for bit
  tp hz cam1                           rate, intervals and losses of a stream

`tp VERB --help` shows the options of a verb, with examples.
Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 data lost (with --require-lossless).)";

bool has_verb(const CLI::App& tp, std::string_view name) {
  return !tp.get_subcommands([&](const CLI::App* verb) {
              return verb->get_name() == name;
            }).empty();
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that has gone is an answer of write(), not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);

  CLI::App tp("Streams tensors between processes through shared memory, without copies.", "tp");
  tp.footer(kExamples);
  tp.require_subcommand(1);
  tp.set_version_flag("--version", TP_VERSION);
  apps::Action action;
  for (const auto add : kVerbs) {
    add(tp, action);
  }
  if (argc > 1 && argv[1][0] != '-' && !has_verb(tp, argv[1])) {
    std::cerr << "tp: there is no verb '" << argv[1] << "'; tp --help shows those there are\n";
    return static_cast<int>(apps::ExitCode::kUsage);
  }
  try {
    tp.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked_for = error.get_exit_code() == 0;  // --help, --version
    tp.exit(error, std::cout, std::cerr);
    return static_cast<int>(asked_for ? apps::ExitCode::kFine : apps::ExitCode::kUsage);
  }
  return static_cast<int>(action());
}
