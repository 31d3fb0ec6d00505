// Run by the build: writes the man page of tp, or its completion for a shell, to standard output.
//
//     tp-manual man|bash|zsh|fish
#include <CLI/CLI.hpp>
#include <iostream>
#include <string>
#include <string_view>

#include "apps/manual/command.hpp"
#include "apps/verbs/command_line.hpp"

int main(int argc, char** argv) {
  namespace apps = tensorpool::apps;
  apps::Action action;
  CLI::App app;
  apps::add_everything(app, action);
  const apps::manual::Command tp = apps::manual::read_command(app);
  const std::string_view form = argc == 2 ? argv[1] : "";
  if (form == "man") {
    std::cout << apps::manual::man_page(tp, TP_VERSION);
  } else if (form == "bash") {
    std::cout << apps::manual::bash_completion(tp);
  } else if (form == "zsh") {
    std::cout << apps::manual::zsh_completion(tp);
  } else if (form == "fish") {
    std::cout << apps::manual::fish_completion(tp);
  } else {
    std::cerr << "usage: tp-manual man|bash|zsh|fish\n";
    return 2;
  }
  return std::cout.flush() ? 0 : 1;
}
