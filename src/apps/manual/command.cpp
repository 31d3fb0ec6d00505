#include "apps/manual/command.hpp"

#include <CLI/CLI.hpp>
#include <string_view>

namespace tensorpool::inline v0::apps::manual {
namespace {

/// "{camera,ramp}" to camera, ramp.
[[nodiscard]] std::vector<std::string> split_choices(std::string_view braced) {
  return CLI::detail::split(std::string(braced.substr(1, braced.size() - 2)), ',');
}

/// CLI11 says "TYPE:CHECK": the check is what helps a reader, where there is one.
void read_value(const CLI::Option& option, Parameter& parameter) {
  if (option.get_items_expected_max() == 0) {
    return;  // a flag
  }
  const std::string type = option.get_type_name();
  const std::size_t colon = type.find(':');
  parameter.value = colon == std::string::npos ? type : type.substr(colon + 1);
  if (parameter.value.starts_with('{') && parameter.value.ends_with('}')) {
    parameter.choices = split_choices(parameter.value);
    parameter.value = CLI::detail::join(parameter.choices, "|");
  }
  parameter.default_value = option.get_default_str();
}

[[nodiscard]] Parameter read_parameter(const CLI::Option& option) {
  Parameter parameter;
  parameter.long_names = option.get_lnames();
  parameter.short_names = option.get_snames();
  parameter.description = option.get_description();
  read_value(option, parameter);
  if (option.get_positional()) {
    parameter.value = option.get_name(true);
    if (option.get_items_expected_max() > 1) {
      parameter.value += "...";
    }
    if (!option.get_required()) {
      parameter.value = "[" + parameter.value + "]";
    }
  }
  return parameter;
}

void read_options(const CLI::App& app, Command& command) {
  for (const CLI::Option* option : app.get_options()) {
    const bool help_of_group = option == app.get_help_ptr() && app.get_name().empty();
    if (option->get_group().empty() || help_of_group) {
      continue;
    }
    auto& list = option->get_positional() ? command.positionals : command.options;
    list.push_back(read_parameter(*option));
  }
}

}  // namespace

Command read_command(const CLI::App& app) {
  Command command;
  command.name = app.get_name();
  command.description = app.get_description();
  command.footer = app.get_footer();
  read_options(app, command);
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_name().empty()) {
      read_options(*sub, command);  // an option group
    } else if (!sub->get_group().empty()) {
      command.commands.push_back(read_command(*sub));
    }
  }
  return command;
}

}  // namespace tensorpool::inline v0::apps::manual
