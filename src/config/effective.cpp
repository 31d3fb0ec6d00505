#include "config/effective.hpp"

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "core/driver/settings_text.hpp"

namespace tensorpool::inline v0::config {
namespace {

using core::driver::Settings;

class Collector {
 public:
  explicit Collector(const Loaded& loaded) : loaded_(loaded), settings_(loaded.settings) {}

  [[nodiscard]] std::vector<EffectiveValue> run() && {
    add_tables(false);
    for (auto& profile : settings_.profiles) {
      add("profiles.<name>", core::driver::profile_key(profile.name), profile);
      for (std::size_t at = 0; at < profile.pools.size(); ++at) {
        add("profiles.<name>.payload_pools[]", core::driver::pool_key(profile.name, at),
            profile.pools[at]);
      }
    }
    for (auto& stream : settings_.streams) {
      add("streams.<name>", core::driver::stream_key(stream.name), stream);
    }
    if (settings_.supervisor) {
      add_tables(true);
    }
    return std::move(values_);
  }

 private:
  void add_tables(bool supervisor) {
    for (const Key& key : all_keys()) {
      if (const auto* slot = std::get_if<SlotOf<Settings>>(&key.slot);
          slot != nullptr && (table_of(key.name) == "supervisor") == supervisor) {
        add_value(key, std::string(key.name), (*slot)(settings_));
      }
    }
  }

  /// The keys of a table that the user names.
  template <class Owner>
  void add(std::string_view pattern, const std::string& full, Owner& owner) {
    for (const Key& key : all_keys()) {
      if (const auto* slot = std::get_if<SlotOf<Owner>>(&key.slot);
          slot != nullptr && table_of(key.name) == pattern) {
        add_value(key, full + std::string(key.name.substr(pattern.size())), (*slot)(owner));
      }
    }
  }

  void add_value(const Key& key, std::string full, const Slot& slot) {
    EffectiveValue& added = values_.emplace_back();
    added.key = &key;
    added.value = value_of(slot);
    added.origin = loaded_.origin_of(full);
    added.hidden = key.secret && !is_empty(added.value);
    if (added.hidden) {
      added.value = std::monostate();
    }
    added.full_key = std::move(full);
  }

  const Loaded& loaded_;
  Settings settings_;  ///< a copy, because slots can be written to
  std::vector<EffectiveValue> values_;
};

/// `[shm]`, or `[[profiles.small.payload_pools]]`.
[[nodiscard]] std::string header_of(std::string_view table) {
  return table.ends_with(']')
             ? std::string("[[").append(table.substr(0, table.rfind('['))).append("]]")
             : std::string("[").append(table).append("]");
}

[[nodiscard]] CommentedLine line_of(const EffectiveValue& value, std::size_t name_width) {
  const std::string_view table = table_of(value.full_key);
  std::string name = (is_set(value.value) ? "" : "# ") + value.full_key.substr(table.size() + 1);
  name.resize(std::max(name.size(), name_width), ' ');
  if (value.hidden) {
    return {name + " is a secret", to_text(value.origin)};
  }
  // A default that is not set would not mean the same once it is.
  return {name + " = " +
              (is_set(value.value) ? toml_text(value.value) : std::string(value.key->default_text)),
          to_text(value.origin)};
}

}  // namespace

std::vector<EffectiveValue> effective_values(const Loaded& loaded) {
  return Collector(loaded).run();
}

std::vector<CommentedLine> effective_toml(const Loaded& loaded) {
  const std::vector<EffectiveValue> values = effective_values(loaded);
  std::vector<CommentedLine> lines;
  for (auto begin = values.begin(); begin != values.end();) {
    const std::string_view table = table_of(begin->full_key);
    const auto end = std::find_if(begin, values.end(), [&](const EffectiveValue& value) {
      return table_of(value.full_key) != table;
    });
    std::size_t width = 0;
    for (const EffectiveValue& value : std::span(begin, end)) {
      width = std::max(width, value.full_key.size() - table.size() - 1);
    }
    if (!lines.empty()) {
      lines.emplace_back();
    }
    lines.push_back({header_of(table), {}});
    for (; begin != end; ++begin) {
      lines.push_back(line_of(*begin, width));
    }
  }
  return lines;
}

}  // namespace tensorpool::inline v0::config
