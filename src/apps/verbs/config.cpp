// tp config: checks a driver's configuration, shows what is in effect, explains keys.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/console.hpp"
#include "apps/output.hpp"
#include "apps/text.hpp"
#include "apps/verbs.hpp"
#include "client/driver_configuration.hpp"
#include "config/builtin.hpp"
#include "config/effective.hpp"
#include "config/key_table.hpp"
#include "config/nearest.hpp"
#include "config/reference.hpp"
#include "core/driver/settings_text.hpp"

namespace tensorpool::inline v0::apps {
namespace {

using Json = nlohmann::ordered_json;
using Problems = std::vector<config::Problem>;

struct ConfigOptions {
  std::string file;  ///< empty: the built-in configuration
  bool json = false;
};

struct ExplainOptions : ConfigOptions {
  std::string key;  ///< or a table; empty: all
  bool markdown = false;
};

[[nodiscard]] const std::string& name_of(const ConfigOptions& options) {
  return options.file.empty() ? config::builtin_file().name : options.file;
}

// ----------------------------------------------------------------------------------------- JSON

void put_origin(Json& json, const config::Origin& origin) {
  switch (origin.kind) {
    case config::Origin::Kind::kDefault:
      json["origin"] = "default";
      break;
    case config::Origin::Kind::kFile:
      json["origin"] = "file";
      json["file"] = origin.name;
      if (origin.place.line != 0) {
        json["line"] = origin.place.line;
        json["column"] = origin.place.column;
      }
      break;
    case config::Origin::Kind::kVariable:
      json["origin"] = "variable";
      json["variable"] = origin.name;
      break;
  }
}

[[nodiscard]] Json to_json(const Problems& problems) {
  Json list = Json::array();
  for (const config::Problem& problem : problems) {
    Json& entry = list.emplace_back(Json::object());
    put_origin(entry, problem.origin);
    entry["key"] = problem.key;
    entry["message"] = problem.message;
  }
  return list;
}

[[nodiscard]] Json value_json(const config::Value& value) {
  if (const auto* ranges = std::get_if<std::vector<core::driver::IdRange>>(&value)) {
    Json list = Json::array();
    for (const core::driver::IdRange& range : *ranges) {
      list.push_back(core::driver::text_of(range));
    }
    return list;
  }
  Json json;
  std::visit(
      [&](const auto& plain) {
        using Plain = std::decay_t<decltype(plain)>;
        if constexpr (!std::is_same_v<Plain, std::monostate> &&
                      !std::is_same_v<Plain, std::vector<core::driver::IdRange>>) {
          json = plain;
        }
      },
      value);
  return json;
}

[[nodiscard]] Json to_json(const config::EffectiveValue& value) {
  Json json = {{"key", value.full_key}, {"value", value_json(value.value)}};
  if (value.hidden) {
    json["hidden"] = true;
  }
  put_origin(json, value.origin);
  return json;
}

// ---------------------------------------------------------------------------------------- check

[[nodiscard]] std::string problem_line(const config::Problem& problem, bool is_warning) {
  return styled_output(Style::kBold, to_text(problem.origin) + ":") + " " +
         (is_warning ? styled_output(Style::kYellow, "warning:") + " " : "") +
         (problem.key.empty() ? "" : styled_output(Style::kCyan, problem.key + ":") + " ") +
         problem.message;
}

[[nodiscard]] std::string verdict(const Problems& errors, const Problems& warnings) {
  std::string text = errors.empty() ? styled_output(Style::kGreen, "ok")
                                    : styled_output(Style::kRed, counted(errors.size(), "error"));
  return warnings.empty() ? text : text + ", " + counted(warnings.size(), "warning");
}

ExitCode run_check(const ConfigOptions& options) {
  const auto loaded = detail::load_configuration(options.file);
  const Problems errors = loaded ? Problems() : loaded.error().errors;
  const Problems& warnings = loaded ? loaded->warnings : loaded.error().warnings;
  if (options.json) {
    static_cast<void>(put_json({{"v", 1},
                                {"ok", errors.empty()},
                                {"file", name_of(options)},
                                {"errors", to_json(errors)},
                                {"warnings", to_json(warnings)}}));
  } else {
    std::string text;
    for (const config::Problem& error : errors) {
      text += problem_line(error, false) + '\n';
    }
    for (const config::Problem& warning : warnings) {
      text += problem_line(warning, true) + '\n';
    }
    static_cast<void>(put_line(text + name_of(options) + ": " + verdict(errors, warnings)));
  }
  return errors.empty() ? ExitCode::kFine : ExitCode::kFailed;
}

/// Tells on standard error what is wrong, as the verbs do that need a configuration.
void report(const config::Refused& refused) {
  Console console("config");
  for (const config::Problem& warning : refused.warnings) {
    console.warn(to_text(warning));
  }
  for (const config::Problem& error : refused.errors) {
    console.error(to_text(error));
  }
}

// ----------------------------------------------------------------------------------------- show

[[nodiscard]] std::string padded(std::string_view text, std::size_t width) {
  std::string out(text);
  out.resize(std::max(out.size(), width), ' ');
  return out;
}

/// Comments stand below each other, but not behind one very long value.
[[nodiscard]] std::string aligned(const std::vector<config::CommentedLine>& lines) {
  constexpr std::size_t kWidthMax = 60;
  std::size_t width = 0;
  for (const auto& [text, comment] : lines) {
    if (!comment.empty() && text.size() <= kWidthMax) {
      width = std::max(width, text.size());
    }
  }
  std::string out;
  for (const auto& [text, comment] : lines) {
    out += out.empty() ? "" : "\n";
    if (text.starts_with('[')) {
      out += styled_output(Style::kBold, text);
    } else if (comment.empty()) {
      out += text;
    } else {
      out += padded(text, width) + "  " + styled_output(Style::kDim, "# " + comment);
    }
  }
  return out;
}

ExitCode run_show(const ConfigOptions& options) {
  const auto loaded = detail::load_configuration(options.file);
  if (!loaded) {
    report(loaded.error());
    return ExitCode::kFailed;
  }
  if (!options.json) {
    static_cast<void>(put_line(aligned(effective_toml(*loaded))));
    return ExitCode::kFine;
  }
  Json values = Json::array();
  for (const config::EffectiveValue& value : effective_values(*loaded)) {
    values.push_back(to_json(value));
  }
  static_cast<void>(put_json({{"v", 1}, {"file", name_of(options)}, {"values", values}}));
  return ExitCode::kFine;
}

// -------------------------------------------------------------------------------------- explain

/// The keys that a word stands for: one, all of a table, all.
[[nodiscard]] std::vector<const config::Key*> keys_named(
    std::string_view word, const std::vector<config::EffectiveValue>& values) {
  std::vector<const config::Key*> keys;
  for (const config::Key& key : config::all_keys()) {
    const bool below =
        key.name.starts_with(word) && key.name.size() > word.size() && key.name[word.size()] == '.';
    if (word.empty() || key.name == word || below) {
      keys.push_back(&key);
    }
  }
  if (keys.empty()) {  // as it stands in the file: profiles.small.header_nslots
    for (const config::EffectiveValue& value : values) {
      if (value.full_key == word) {
        keys.push_back(value.key);
      }
    }
  }
  return keys;
}

[[nodiscard]] std::vector<std::string> variables_of(const config::Key& key) {
  std::vector<std::string> variables;
  if (std::string variable = variable_of(key); !variable.empty()) {
    variables.push_back(std::move(variable));
  }
  if (!key.alias.empty()) {
    variables.push_back(std::string(key.alias) + (key.alias_only.empty() ? "" : "=") +
                        std::string(key.alias_only));
  }
  return variables;
}

[[nodiscard]] std::string present_value(const config::EffectiveValue& value) {
  const std::string text = value.hidden                   ? "a secret"
                           : !config::is_set(value.value) ? "not set"
                                                          : config::toml_text(value.value);
  return fmt::format("{}  {}", text, styled_output(Style::kDim, "# " + to_text(value.origin)));
}

/// One key as a paragraph.
[[nodiscard]] std::string paragraph(const config::Key& key,
                                    const std::vector<config::EffectiveValue>& values) {
  const auto row = [](std::string_view label, std::string_view text) {
    return fmt::format("\n  {}  {}", styled_output(Style::kDim, padded(label, 8)), text);
  };
  std::string text = styled_output(Style::kBold, key.name) + "\n  " + std::string(key.meaning);
  text += row("type", key.type);
  text += row("default", key.default_text.empty() ? "empty" : key.default_text);
  text += row("allowed", allowed_text(key));
  if (const std::vector<std::string> variables = variables_of(key); !variables.empty()) {
    text += row("variable", CLI::detail::join(variables, ", "));
  }
  for (const config::EffectiveValue& value : values) {
    if (value.key == &key) {
      const bool named = value.full_key != key.name;
      text += row("now", (named ? value.full_key + " = " : "") + present_value(value));
    }
  }
  return text;
}

[[nodiscard]] Json to_json(const config::Key& key,
                           const std::vector<config::EffectiveValue>& values) {
  Json present = Json::array();
  for (const config::EffectiveValue& value : values) {
    if (value.key == &key) {
      present.push_back(to_json(value));
    }
  }
  return {{"v", 1},
          {"key", key.name},
          {"type", key.type},
          {"default", key.default_text},
          {"meaning", key.meaning},
          {"allowed", allowed_text(key)},
          {"variables", variables_of(key)},
          {"addition", key.addition},
          {"now", present}};
}

ExitCode refuse_key(std::string_view word) {
  std::vector<std::string_view> names;
  for (const config::Key& key : config::all_keys()) {
    names.push_back(key.name);
    names.push_back(config::table_of(key.name));
  }
  const std::string_view meant = config::nearest(word, names);
  Console("config").error(fmt::format(
      "there is no key '{}'{}", word,
      meant.empty() ? "; tp config explain shows all" : fmt::format("; did you mean {}?", meant)));
  return ExitCode::kUsage;
}

ExitCode run_explain(const ExplainOptions& options) {
  if (options.markdown) {
    std::string page = config::reference_page();
    page.pop_back();  // put_line ends the last line
    static_cast<void>(put_line(std::move(page)));
    return ExitCode::kFine;
  }
  const auto loaded = detail::load_configuration(options.file);
  std::vector<config::EffectiveValue> values;
  if (loaded) {
    values = effective_values(*loaded);
  } else {  // who corrects a file may want to know what a key means
    report(loaded.error());
  }
  const std::vector<const config::Key*> keys = keys_named(options.key, values);
  if (keys.empty()) {
    return refuse_key(options.key);
  }
  std::string text;
  for (const config::Key* key : keys) {
    if (options.json) {
      static_cast<void>(put_json(to_json(*key, values)));
    } else {
      text += (text.empty() ? "" : "\n\n") + paragraph(*key, values);
    }
  }
  if (!options.json) {
    static_cast<void>(put_line(std::move(text)));
  }
  return loaded ? ExitCode::kFine : ExitCode::kFailed;
}

// ---------------------------------------------------------------------------------------- words

template <class Options>
CLI::App& add_word(CLI::App& verb, const char* name, const char* about, Action& action,
                   ExitCode (*run)(const Options&), const std::shared_ptr<Options>& options) {
  CLI::App& word = *verb.add_subcommand(name, about);
  word.add_option("--config", options->file, "Configuration file [built in]")->type_name("FILE");
  word.add_flag("--json", options->json, "Print JSON");
  word.callback([options, run, &action] { action = [options, run] { return run(*options); }; });
  return word;
}

}  // namespace

void add_config(CLI::App& tp, Action& action) {
  CLI::App& verb = *tp.add_subcommand("config", "Check and explain the configuration of a driver");
  verb.require_subcommand(1);
  verb.footer(R"(Examples:
  tp config check --config driver.toml       every error with its line, or ok
  tp config show                             all values in effect, and where each comes from
  tp config explain policies                 the keys of a table
  tp config explain driver.stream_id_range   one key

Variables as DRIVER_STREAM_ID_RANGE count. Nothing is started, and no directory is touched.)");
  add_word(verb, "check", "Say whether a driver would start with it, and if not, why", action,
           run_check, std::make_shared<ConfigOptions>());
  add_word(verb, "show", "Print what is in effect as TOML, with where each value comes from",
           action, run_show, std::make_shared<ConfigOptions>());
  const auto explained = std::make_shared<ExplainOptions>();
  CLI::App& explain = add_word(verb, "explain", "Say what a key means, and what it may be", action,
                               run_explain, explained);
  explain.add_option("KEY", explained->key, "A key, or a table [all]");
  explain.add_flag("--markdown", explained->markdown, "Print the page of the guide")->group("");
}

}  // namespace tensorpool::inline v0::apps
