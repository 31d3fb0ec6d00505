#include "config/reference.hpp"

#include <string_view>

#include "config/builtin.hpp"
#include "config/key_table.hpp"

namespace tensorpool::inline v0::config {
namespace {

struct Section {
  std::string_view table;
  std::string_view title;
  std::string_view about;
};

constexpr Section kSections[] = {
    {"driver", "[driver]", "Who the driver is, and the Aeron streams it is reached by."},
    {"shm", "[shm]", "Where regions lie, and what they are made of."},
    {"policies", "[policies]", "What the driver allows, and how long it waits."},
    {"telemetry", "[telemetry]", ""},
    {"profiles", "[profiles.NAME]",
     "The shape of streams. Pools are written as an array of inline tables or under repeated "
     "headers\n`[[profiles.NAME.payload_pools]]`."},
    {"streams", "[streams.NAME]",
     "Streams that exist from the start. Without dynamic streams there is at least one."},
    {"supervisor", "[supervisor]",
     "Who answers consumers. The table turns the supervisor on; it may be empty. Its streams "
     "follow "
     "those of\n`[driver]` unless they are named."},
};

constexpr std::string_view kIntroduction =
    R"(<!-- Written by tp config explain --markdown; a test compares the two. -->
# Configuration

The driver reads one TOML file at its start. Only `profiles` has no default. A value of the wrong kind or out of range keeps the driver from starting, and all such
errors are told at once, each with its line; keys that it does not know are warned of and have no effect.

```sh
tp config check                          # the built-in configuration; --config FILE for one of yours
tp config show                           # every value in effect, and where it comes from
tp config explain shm.base_dir           # one key, or all of a table, or all
```

Variables of the environment beat the file. They hold strings as they are, numbers in decimal, `true`, `false`, `1` or `0`, ranges as `a-b`, and lists with `:` between the entries.

Without a file the driver uses this one:

```toml
)";

[[nodiscard]] std::string_view root_of(std::string_view name) noexcept {
  return name.substr(0, name.find('.'));
}

[[nodiscard]] std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out.append(c == '|' ? "\\" : "") += c;
  }
  return out;
}

/// A value stands in code, a remark about it does not.
[[nodiscard]] std::string default_cell(const Key& key) {
  const std::string_view text = key.default_text;
  if (text.empty()) {
    return "empty";
  }
  const bool remark =
      text.find(' ') != std::string_view::npos || text == "unset" || text == "required";
  return remark ? std::string(text) : std::string("`").append(text).append("`");
}

[[nodiscard]] std::string variable_cell(const Key& key) {
  const std::string variable = variable_of(key);
  if (variable.empty()) {
    return {};
  }
  std::string cell = "`" + variable + "`";
  if (!key.alias.empty()) {
    cell.append(", `").append(key.alias);
    cell.append(key.alias_only.empty() ? "" : "=").append(key.alias_only).append("`");
  }
  return cell;
}

[[nodiscard]] std::string row_of(const Key& key) {
  std::string row = "| `" + cell(key.name) + "`" + (key.addition ? " (x)" : "") + " | ";
  row.append(key.type).append(" | ").append(default_cell(key)).append(" | ");
  row.append(cell(key.meaning)).append(" | ").append(cell(allowed_text(key))).append(" | ");
  return row.append(variable_cell(key)).append(" |\n");
}

}  // namespace

std::string reference_page() {
  std::string page(kIntroduction);
  page.append(builtin_file().text).append("```\n");
  for (const auto& [table, title, about] : kSections) {
    page.append("\n## ").append(title).append("\n\n");
    page.append(about).append(about.empty() ? "" : "\n\n");
    page += "| key | type | default | meaning | allowed | variable |\n";
    page += "| --- | --- | --- | --- | --- | --- |\n";
    for (const Key& key : all_keys()) {
      page += root_of(key.name) == table ? row_of(key) : "";
    }
  }
  return page += "\nKeys marked (x) are ours; other drivers of the protocol may not know them.\n";
}

}  // namespace tensorpool::inline v0::config
