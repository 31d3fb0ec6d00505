// What the command line of tp consists of, as plain data: for the man page and the completions.
//
// Read out of CLI11's objects, so it cannot differ from what tp understands.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tensorpool::inline v0::apps::manual {

/// An option or a positional.
struct Parameter {
  std::vector<std::string> long_names;   ///< without dashes; empty for a positional
  std::vector<std::string> short_names;  ///< without dash
  std::string value;                     ///< what follows it: FILE, SECONDS; empty for a flag
  std::vector<std::string> choices;      ///< the values it may have, if they are few
  std::string description;
  std::string default_value;

  [[nodiscard]] bool takes_file() const {
    return value.find("FILE") != std::string::npos || value.find("PATH") != std::string::npos;
  }
  [[nodiscard]] bool takes_directory() const { return value.find("DIR") != std::string::npos; }
};

/// tp itself, a verb, or a word after a verb.
struct Command {
  std::string name;
  std::string description;
  std::string footer;  ///< examples and remarks, with line breaks
  std::vector<Parameter> options;
  std::vector<Parameter> positionals;
  std::vector<Command> commands;
};

/// Hidden options and verbs are left out; options of groups stand among those of their verb.
[[nodiscard]] Command read_command(const CLI::App& app);

[[nodiscard]] std::string man_page(const Command& tp, const std::string& version);
[[nodiscard]] std::string bash_completion(const Command& tp);
[[nodiscard]] std::string zsh_completion(const Command& tp);
[[nodiscard]] std::string fish_completion(const Command& tp);

}  // namespace tensorpool::inline v0::apps::manual
