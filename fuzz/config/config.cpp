// Any text as a configuration file: refused with places inside of it, or settings that pass their
// own check and come out of their own TOML text again.
#include <algorithm>
#include <string>

#include "config/effective.hpp"
#include "config/load.hpp"
#include "core/driver/check_settings.hpp"
#include "harness/fuzz.hpp"

namespace {

using namespace tensorpool;

constexpr const char* kUser = "alice";

void check_problems(const std::vector<config::Problem>& problems, const config::File& file) {
  const auto lines =
      1 + static_cast<std::uint32_t>(std::count(file.text.begin(), file.text.end(), '\n'));
  for (const config::Problem& problem : problems) {
    TP_FUZZ_CHECK(problem.origin.kind == config::Origin::Kind::kFile);
    TP_FUZZ_CHECK(problem.origin.place.line <= lines);
    TP_FUZZ_CHECK(!problem.message.empty());
    TP_FUZZ_CHECK(!describe(config::to_error(problem)).empty());
  }
}

[[nodiscard]] std::string text_of(const config::Loaded& loaded) {
  std::string text;
  for (const auto& [line, comment] : config::effective_toml(loaded)) {
    text.append(line).append("\n");
  }
  return text;
}

}  // namespace

int fuzz_config(std::span<const std::byte> input) {
  const config::File file{
      .name = "fuzz.toml",
      .text = std::string(reinterpret_cast<const char*>(input.data()), input.size())};
  const auto loaded = config::load({.file = &file, .environment = {}, .user = kUser});
  if (!loaded) {
    TP_FUZZ_CHECK(!loaded.error().errors.empty());
    check_problems(loaded.error().errors, file);
    check_problems(loaded.error().warnings, file);
    return 0;
  }
  check_problems(loaded->warnings, file);
  const auto findings = core::driver::check_settings(loaded->settings, kUser);
  TP_FUZZ_CHECK(core::driver::first_error(findings).has_value());

  core::driver::Settings expected = loaded->settings;
  expected.policies.shutdown_token.clear();  // secrets are not written
  const config::File again_file{.name = "again.toml", .text = text_of(*loaded)};
  const auto again = config::load({.file = &again_file, .environment = {}, .user = kUser});
  TP_FUZZ_CHECK(again.has_value());
  TP_FUZZ_CHECK(again->settings == expected);
  return 0;
}
