// tp(1), in the man macros.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "apps/manual/command.hpp"

namespace tensorpool::inline v0::apps::manual {
namespace {

/// Text that troff prints as it stands.
[[nodiscard]] std::string escaped(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) {
      out += "\\&";
    }
    switch (c) {
      case '\\':
        out += "\\e";
        break;
      case '-':
        out += "\\-";
        break;
      case '`':
        out += "\\(ga";
        break;
      case '\'':
        out += "\\(aq";
        break;
      case '"':
        out += "\\(dq";
        break;
      default:
        out += c;
    }
    line_start = c == '\n';
  }
  return out;
}

/// --to FILE, with the names in bold and the value in italics.
[[nodiscard]] std::string heading(const Parameter& parameter) {
  std::string out;
  const auto add = [&out](std::string_view dashes, const std::string& name) {
    out += (out.empty() ? "\\fB" : ", \\fB") + escaped(std::string(dashes) + name) + "\\fR";
  };
  for (const std::string& name : parameter.short_names) {
    add("-", name);
  }
  for (const std::string& name : parameter.long_names) {
    add("--", name);
  }
  if (!parameter.value.empty()) {
    out += (out.empty() ? "\\fI" : " \\fI") + escaped(parameter.value) + "\\fR";
  }
  return out;
}

void add_parameters(std::string& page, const std::vector<Parameter>& parameters, bool help) {
  for (const Parameter& parameter : parameters) {
    if (!help && std::ranges::count(parameter.long_names, "help") != 0) {
      continue;  // every verb has it
    }
    page += ".TP\n" + heading(parameter) + "\n" + escaped(parameter.description);
    if (!parameter.default_value.empty()) {
      page += fmt::format(" [{}]", escaped(parameter.default_value));
    }
    page += "\n";
  }
}

/// Examples keep their line breaks.
void add_footer(std::string& page, const Command& command) {
  if (!command.footer.empty()) {
    page += ".PP\n.nf\n" + escaped(command.footer) + "\n.fi\n";
  }
}

/// A subsection for the command and one for each below it. A footer that a command inherits from
/// its parent is shown once.
void add_command(std::string& page, const Command& command, const std::string& path,
                 const std::string& shown_footer) {
  page += ".SS \"" + escaped(path);
  if (!command.options.empty()) {
    page += " [OPTIONS]";
  }
  for (const Parameter& positional : command.positionals) {
    page += fmt::format(" {}", escaped(positional.value));
  }
  page += "\"\n" + escaped(command.description) + ".\n";
  add_parameters(page, command.positionals, false);
  add_parameters(page, command.options, false);
  if (command.footer != shown_footer) {
    add_footer(page, command);
  }
  for (const Command& sub : command.commands) {
    add_command(page, sub, fmt::format("{} {}", path, sub.name), command.footer);
  }
}

}  // namespace

std::string man_page(const Command& tp, const std::string& version) {
  std::string page = fmt::format(
      ".TH TP 1 \"\" \"tensorpool {}\" \"User Commands\"\n.SH NAME\ntp \\- {}\n"
      ".SH SYNOPSIS\n\\fBtp\\fR \\fIVERB\\fR [\\fIOPTIONS\\fR] ...\n.SH DESCRIPTION\n",
      escaped(version), escaped(tp.description));
  add_footer(page, tp);
  add_parameters(page, tp.options, true);
  page += ".SH VERBS\n";
  for (const Command& verb : tp.commands) {
    add_command(page, verb, "tp " + verb.name, tp.footer);
  }
  return page;
}

}  // namespace tensorpool::inline v0::apps::manual
