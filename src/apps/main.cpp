// The tp command: finds the verb that the command line names, and runs it.
#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <string_view>

#include "apps/verbs/command_line.hpp"

namespace {

namespace apps = tensorpool::apps;

bool has_verb(const CLI::App& tp, std::string_view name) {
  return !tp.get_subcommands([&](const CLI::App* verb) {
              return verb->get_name() == name;
            }).empty();
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that has gone is an answer of write(), not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);

  CLI::App tp;
  apps::Action action;
  apps::add_everything(tp, action);
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
