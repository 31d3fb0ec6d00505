#include "client/client_uri.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <set>
#include <string>

#include "config/nearest.hpp"

namespace tensorpool::inline v0::detail {
namespace {

constexpr std::string_view kScheme = "tensorpool:";

[[nodiscard]] tl::unexpected<Error> refuse(std::string_view what, std::string_view hint) {
  return fail(Errc::kInvalidArgument, std::string(what) + ": " + std::string(hint));
}

/// One value of a key that is one of a few words.
template <class Value, std::size_t N>
[[nodiscard]] Status set_word(Value& to, std::string_view key, std::string_view text,
                              const std::array<std::pair<std::string_view, Value>, N>& words) {
  std::string known;
  for (const auto& [word, value] : words) {
    if (word == text) {
      to = value;
      return {};
    }
    known += (known.empty() ? "" : ", ") + std::string(word);
  }
  return refuse(std::string(key) + "=" + std::string(text), "use " + known);
}

[[nodiscard]] Status set_number(std::int32_t& to, std::string_view key, std::string_view text,
                                std::int32_t least) {
  std::int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least) {
    return refuse(std::string(key) + "=" + std::string(text),
                  "use " + std::to_string(least) + " to " +
                      std::to_string(std::numeric_limits<std::int32_t>::max()));
  }
  to = value;
  return {};
}

struct Key {
  std::string_view name;
  Status (*set)(ClientOptions& options, std::string_view key, std::string_view value);
};

constexpr std::array kKeys = {
    Key{"aeron-dir",
        [](ClientOptions& options, std::string_view, std::string_view value) -> Status {
          options.aeron_dir = value;
          return {};
        }},
    Key{"media-driver",
        [](ClientOptions& options, std::string_view key, std::string_view value) -> Status {
          return set_word(
              options.media_driver, key, value,
              std::array{std::pair{std::string_view("external"), MediaDriverPolicy::kExternal},
                         std::pair{std::string_view("auto"), MediaDriverPolicy::kAuto},
                         std::pair{std::string_view("embedded"), MediaDriverPolicy::kEmbedded}});
        }},
    Key{"threading",
        [](ClientOptions& options, std::string_view key, std::string_view value) -> Status {
          return set_word(
              options.threading, key, value,
              std::array{std::pair{std::string_view("background"), Threading::kBackground},
                         std::pair{std::string_view("invoked"), Threading::kInvoked}});
        }},
    Key{"allowed-dir",
        [](ClientOptions& options, std::string_view, std::string_view value) -> Status {
          options.allowed_base_dirs.emplace_back(value);
          return {};
        }},
    Key{"control-stream",
        [](ClientOptions& options, std::string_view key, std::string_view value) -> Status {
          return set_number(options.channels.control_stream_id, key, value, 1);
        }},
    Key{"announce-stream",
        [](ClientOptions& options, std::string_view key, std::string_view value) -> Status {
          return set_number(options.channels.announce_stream_id, key, value, 1);
        }},
    Key{"config",
        [](ClientOptions& options, std::string_view, std::string_view value) -> Status {
          if (options.mode != DeploymentMode::kEmbedded) {
            return refuse("config", "a driver that runs has its own; use tensorpool:embedded");
          }
          options.driver.config_file = value;
          return {};
        }},
};

[[nodiscard]] Status unknown_key(std::string_view key) {
  std::array<std::string_view, kKeys.size()> names;
  for (std::size_t k = 0; k < kKeys.size(); ++k) {
    names[k] = kKeys[k].name;
  }
  const std::string_view meant = config::nearest(key, names);
  return refuse("key " + std::string(key),
                meant.empty() ? "see ClientOptions" : "did you mean " + std::string(meant) + "?");
}

[[nodiscard]] Status set_parameter(ClientOptions& options, std::string_view text,
                                   std::set<std::string_view>& seen) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0 || equals + 1 == text.size()) {
    return refuse(text.empty() ? "nothing" : text, "write key=value");
  }
  const std::string_view name = text.substr(0, equals);
  for (const Key& key : kKeys) {
    if (key.name == name) {
      if (!seen.insert(name).second && name != "allowed-dir") {
        return refuse("key " + std::string(name), "give it once");
      }
      return key.set(options, name, text.substr(equals + 1));
    }
  }
  return unknown_key(name);
}

}  // namespace

Result<ClientOptions> parse_client_uri(std::string_view uri) {
  if (!uri.starts_with(kScheme)) {
    return refuse(uri.substr(0, 40), "begin with tensorpool:driver, :embedded or :standalone");
  }
  const std::string_view rest = uri.substr(kScheme.size());
  const std::size_t query = rest.find('?');
  ClientOptions options;
  const Status mode =
      set_word(options.mode, "mode", rest.substr(0, query),
               std::array{std::pair{std::string_view("driver"), DeploymentMode::kDriver},
                          std::pair{std::string_view("embedded"), DeploymentMode::kEmbedded},
                          std::pair{std::string_view("standalone"), DeploymentMode::kStandalone}});
  if (!mode) {
    return fail(mode.error());
  }
  if (query == std::string_view::npos) {
    return options;
  }
  const std::vector<std::string> usual_dirs = std::exchange(options.allowed_base_dirs, {});
  std::set<std::string_view> seen;
  for (std::string_view left = rest.substr(query + 1);;) {
    const std::size_t bar = left.find('|');
    if (const Status set = set_parameter(options, left.substr(0, bar), seen); !set) {
      return fail(set.error());
    }
    if (bar == std::string_view::npos) {
      break;
    }
    left.remove_prefix(bar + 1);
  }
  if (options.allowed_base_dirs.empty()) {
    options.allowed_base_dirs = usual_dirs;
  }
  return options;
}

}  // namespace tensorpool::inline v0::detail
