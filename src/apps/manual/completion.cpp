// Completions of tp for bash, zsh and fish. Each gives verbs, options and the values that are
// known; a shell completes file names where an option takes one.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "apps/manual/command.hpp"

namespace tensorpool::inline v0::apps::manual {
namespace {

/// Text without the characters of `special`, which get a backslash.
[[nodiscard]] std::string backslashed(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    out += special.find(c) == std::string_view::npos ? "" : "\\";
    out += c;
  }
  return out;
}

/// A word in single quotes, of bash and zsh.
[[nodiscard]] std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return out + "'";
}

[[nodiscard]] std::vector<std::string> dashed_names(const Parameter& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.short_names) {
    names.push_back("-" + name);
  }
  for (const std::string& name : option.long_names) {
    names.push_back("--" + name);
  }
  return names;
}

[[nodiscard]] std::string joined(const std::vector<std::string>& words, std::string_view between) {
  std::string out;
  for (const std::string& word : words) {
    out += (out.empty() ? "" : std::string(between)) + word;
  }
  return out;
}

/// Calls `visit(path, command)` for the command and all below it; path is " sub", " codec decode".
template <class Visit>
void for_each_command(const Command& command, const std::string& path, const Visit& visit) {
  visit(path, command);
  for (const Command& sub : command.commands) {
    for_each_command(sub, path + " " + sub.name, visit);
  }
}

[[nodiscard]] std::string bash_reply(const Parameter& option) {
  std::string kinds;
  if (!option.choices.empty()) {
    kinds = "-W '" + joined(option.choices, " ") + "'";
  } else if (option.takes_file()) {
    kinds = "-f";
  } else if (option.takes_directory()) {
    kinds = "-d";
  } else {
    return "return ;;\n";
  }
  return "_tp_reply " + kinds + "; return ;;\n";
}

[[nodiscard]] std::string zsh_value(const Parameter& parameter) {
  const std::string what = backslashed(parameter.value, ":[]");
  if (!parameter.choices.empty()) {
    return ":" + what + ":(" + joined(parameter.choices, " ") + ")";
  }
  if (parameter.takes_file()) {
    return ":" + what + ":_files";
  }
  return ":" + what + ":" + (parameter.takes_directory() ? "_files -/" : " ");
}

[[nodiscard]] std::string zsh_option(const Parameter& option) {
  const std::vector<std::string> names = dashed_names(option);
  const std::string rest = quoted("[" + backslashed(option.description, ":[]") + "]" +
                                  (option.value.empty() ? "" : zsh_value(option)));
  if (names.size() == 1) {
    return names.front() + rest;
  }
  return quoted("(" + joined(names, " ") + ")") + "{" + joined(names, ",") + "}" + rest;
}

[[nodiscard]] std::string zsh_function(const std::string& path) {
  std::string name = "_tp";
  for (const char c : path) {
    name += c == ' ' ? '_' : c;
  }
  return name;
}

[[nodiscard]] std::string zsh_commands(const Command& command, const std::string& path) {
  std::string words;
  std::string cases;
  for (const Command& sub : command.commands) {
    words += (words.empty() ? "" : " ") + sub.name +
             "\\:" + quoted(backslashed(sub.description, ":()\\"));
    cases += "    " + sub.name + ") " + zsh_function(path + " " + sub.name) + " ;;\n";
  }
  return " \\\n    " + quoted("1:verb:((" + words + "))") +
         " '*:: :->rest' && return\n  case $line[1] in\n" + cases + "  esac\n";
}

/// A word in single quotes, of fish.
[[nodiscard]] std::string fish_quoted(std::string_view text) {
  return fmt::format("'{}'", backslashed(text, "'\\"));
}

[[nodiscard]] std::string fish_option(const Parameter& option) {
  std::string out;
  for (const std::string& name : option.short_names) {
    out += " -s " + name;
  }
  for (const std::string& name : option.long_names) {
    out += " -l " + name;
  }
  if (!option.choices.empty()) {
    out += " -x -a " + fish_quoted(joined(option.choices, " "));
  } else if (option.takes_file()) {
    out += " -r -F";
  } else if (option.takes_directory()) {
    out += " -x -a '(__fish_complete_directories)'";
  } else if (!option.value.empty()) {
    out += " -x";
  }
  return out + " -d " + fish_quoted(option.description);
}

/// True where the words of the command have been typed and none that leads further.
[[nodiscard]] std::string fish_condition(const Command& command, const std::string& path) {
  std::string condition;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find(' ', at + 1), path.size());
    condition += (at == 0 ? "" : "; and ");
    condition += "__fish_seen_subcommand_from" + path.substr(at, end - at);
    at = end;
  }
  std::string further;
  for (const Command& sub : command.commands) {
    further += " " + sub.name;
  }
  if (!further.empty()) {
    condition += (path.empty() ? "" : "; and ") + std::string("not __fish_seen_subcommand_from");
  }
  return fish_quoted(condition + further);
}

}  // namespace

std::string bash_completion(const Command& tp) {
  std::string paths;
  std::string values;
  std::string words;
  for_each_command(tp, "", [&](const std::string& path, const Command& command) {
    paths += path.empty() ? "" : (paths.empty() ? "" : " | ") + quoted(path);
    std::string list;
    for (const Command& sub : command.commands) {
      list += sub.name + " ";
    }
    for (const Parameter& option : command.options) {
      const std::vector<std::string> names = dashed_names(option);
      list += joined(names, " ") + " ";
      for (const std::string& name : option.value.empty() ? std::vector<std::string>{} : names) {
        values += "    " + quoted(path + " " + name) + ") " + bash_reply(option);
      }
    }
    words += "    " + quoted(path) + ") _tp_reply -W " + quoted(list) + " ;;\n";
  });
  return R"(# Completion of tp for bash.
_tp_reply() {
  mapfile -t COMPREPLY < <(compgen "$@" -- "$word")
  [[ $1 == -W ]] || compopt -o filenames 2>/dev/null
}
_tp() {
  local word=$2 before=$3 path='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "$path ${COMP_WORDS[i]}" in
      )" +
         paths +
         R"() path+=" ${COMP_WORDS[i]}" ;;
    esac
  done
  case "$path $before" in
)" + values +
         R"(  esac
  case $path in
)" + words +
         R"(  esac
}
complete -F _tp tp
)";
}

std::string zsh_completion(const Command& tp) {
  std::string out = "#compdef tp\n# Completion of tp for zsh.\n";
  for_each_command(tp, "", [&](const std::string& path, const Command& command) {
    out += "\n" + zsh_function(path) + "() {\n  local context state line\n  _arguments";
    out += command.commands.empty() ? "" : " -C";
    for (const Parameter& option : command.options) {
      out += " \\\n    " + zsh_option(option);
    }
    for (const Parameter& positional : command.positionals) {
      out += " \\\n    " + quoted(zsh_value(positional));
    }
    out += command.commands.empty() ? "\n" : zsh_commands(command, path);
    out += "}\n";
  });
  return out + "\n_tp \"$@\"\n";
}

std::string fish_completion(const Command& tp) {
  std::string out = "# Completion of tp for fish.\ncomplete -c tp -f\n";
  for_each_command(tp, "", [&](const std::string& path, const Command& command) {
    const std::string condition = fish_condition(command, path);
    for (const Command& sub : command.commands) {
      out += "complete -c tp -n " + condition + " -a " + sub.name + " -d " +
             fish_quoted(sub.description) + "\n";
    }
    for (const Parameter& option : command.options) {
      out += "complete -c tp -n " + condition + fish_option(option) + "\n";
    }
  });
  return out;
}

}  // namespace tensorpool::inline v0::apps::manual
