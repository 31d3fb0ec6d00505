#include "config/load.hpp"

#include <algorithm>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include "config/builtin.hpp"
#include "config/key_table.hpp"
#include "config/nearest.hpp"
#include "config/value.hpp"
#include "core/driver/check_settings.hpp"
#include "core/driver/settings_text.hpp"

namespace tensorpool::inline v0::config {
namespace {

using core::driver::Finding;
using core::driver::Profile;
using core::driver::Settings;
using core::driver::StaticStream;
using core::region::PoolGeometry;

constexpr std::string_view kProfile = "profiles.<name>";
constexpr std::string_view kPool = "profiles.<name>.payload_pools[]";
constexpr std::string_view kStream = "streams.<name>";
constexpr std::string_view kTables[] = {"driver",   "shm",     "policies",  "telemetry",
                                        "profiles", "streams", "supervisor"};

[[nodiscard]] std::string in_table(std::string_view table, std::string_view leaf) {
  return std::string(table).append(".").append(leaf);
}

[[nodiscard]] std::string_view leaf_of(std::string_view name) noexcept {
  return name.substr(name.rfind('.') + 1);
}

/// True for `a.b` in `a`, and for `a[0]` in `a`.
[[nodiscard]] bool is_part_of(std::string_view key, std::string_view whole) noexcept {
  return key.starts_with(whole) &&
         (key.size() == whole.size() || key[whole.size()] == '.' || key[whole.size()] == '[');
}

[[nodiscard]] const Node* child(const Node& table, std::string_view name) noexcept {
  const auto found = std::ranges::find(table.children, name, &Node::name);
  return found == table.children.end() ? nullptr : &*found;
}

class Loader {
 public:
  explicit Loader(const Sources& sources)
      : sources_(sources),
        file_(sources.file != nullptr ? *sources.file : builtin_file()),
        supervised_(sources.supervisor_alone) {
    loaded_.settings.supervisor.emplace();  // until it is known that there is none
  }

  [[nodiscard]] tl::expected<Loaded, Refused> run() && {
    if (read_file()) {
      read_environment();
      derive_defaults();
      check();
    }
    for (auto* problems : {&errors_, &loaded_.warnings}) {
      std::ranges::stable_sort(*problems, {}, [](const Problem& problem) {
        return std::tuple(problem.origin.kind, problem.origin.place);
      });
    }
    if (!errors_.empty()) {
      return tl::unexpected<Refused>(
          {.errors = std::move(errors_), .warnings = std::move(loaded_.warnings)});
    }
    return std::move(loaded_);
  }

 private:
  // ------------------------------------------------------------------------------------- the file

  /// False when there is nothing that could be read on.
  [[nodiscard]] bool read_file() {
    if (file_.text.size() > kFileBytesMax) {
      refuse(in_file({}), {},
             "the file has " + std::to_string(file_.text.size()) +
                 " bytes: a configuration has at most 1048576");
      return false;
    }
    const auto root = parse_document(file_.text);
    if (!root) {
      refuse(in_file(root.error().place), {}, "is not TOML: " + root.error().message);
      return false;
    }
    for (const Node& member : root->children) {
      read_root_member(member);
    }
    return true;
  }

  void read_root_member(const Node& member) {
    if (std::ranges::find(kTables, member.name) == std::end(kTables)) {
      warn_unknown(member, core::driver::key_text(member.name), kTables);
    } else if (!is_table(member, member.name)) {
      return;
    } else if (member.name == "profiles") {
      for (const Node& profile : member.children) {
        read_profile(profile);
      }
    } else if (member.name == "streams") {
      for (const Node& stream : member.children) {
        read_stream(stream);
      }
    } else {
      supervised_ = supervised_ || member.name == "supervisor";
      read_table(member, member.name, member.name, loaded_.settings);
    }
  }

  void read_profile(const Node& node) {
    const std::string full = core::driver::profile_key(node.name);
    if (!is_table(node, full)) {
      return;
    }
    Profile profile{.name = node.name, .pools = {}};
    read_table(node, kProfile, full, profile);
    if (const Node* pools = child(node, "payload_pools")) {
      read_pools(*pools, profile);
    }
    loaded_.settings.profiles.push_back(std::move(profile));
  }

  void read_pools(const Node& node, Profile& profile) {
    if (node.kind != Node::Kind::kArray) {
      refuse(in_file(node.place), core::driver::profile_key(profile.name, "payload_pools"),
             std::string("is ").append(to_string(node.kind)) +
                 ", not an array; write [ { pool_id = 1, stride_bytes = 1048576 } ]");
      return;
    }
    for (std::size_t at = 0; at < node.children.size(); ++at) {
      const std::string full = core::driver::pool_key(profile.name, at);
      if (is_table(node.children[at], full)) {
        read_table(node.children[at], kPool, full, profile.pools.emplace_back());
      }
    }
  }

  void read_stream(const Node& node) {
    const std::string full = core::driver::stream_key(node.name);
    if (is_table(node, full)) {
      StaticStream stream{.name = node.name, .stream_id = 0, .profile = {}};
      read_table(node, kStream, full, stream);
      loaded_.settings.streams.push_back(std::move(stream));
    }
  }

  /// Reads the keys of one table. `pattern` is its name in the key table, `full` the real one.
  template <class Owner>
  void read_table(const Node& table, std::string_view pattern, const std::string& full,
                  Owner& owner) {
    for (const Node& member : table.children) {
      const std::string full_key = in_table(full, core::driver::key_text(member.name));
      const Key* key = find_key(in_table(pattern, member.name));
      if (key == nullptr || table_of(key->name) != pattern) {
        warn_unknown(member, full_key, leaves_of(pattern));
        continue;
      }
      loaded_.origins.emplace(full_key, in_file(member.place));
      if (const auto* slot = std::get_if<SlotOf<Owner>>(&key->slot)) {
        take(*key, full_key, (*slot)(owner), member);
      }
    }
    for (const Key& key : all_keys()) {
      if (key.required && table_of(key.name) == pattern &&
          child(table, leaf_of(key.name)) == nullptr) {
        refuse(in_file(table.place), in_table(full, leaf_of(key.name)),
               std::string("is missing; allowed: ").append(allowed_text(key)));
      }
    }
  }

  [[nodiscard]] bool is_table(const Node& node, const std::string& full) {
    loaded_.origins.emplace(full, in_file(node.place));
    if (node.kind != Node::Kind::kTable) {
      refuse(in_file(node.place), full,
             std::string("is ").append(to_string(node.kind)).append(", not a table"));
    }
    return node.kind == Node::Kind::kTable;
  }

  // ------------------------------------------------------------------------------ the environment

  /// The variable that speaks for the key, and what it says.
  [[nodiscard]] const Environment::value_type* variable_for(const Key& key) const {
    const auto& variables = sources_.environment;
    if (const auto found = variables.find(variable_of(key)); found != variables.end()) {
      return &*found;
    }
    const auto found = key.alias.empty() ? variables.end() : variables.find(key.alias);
    const bool counts =
        found != variables.end() && (key.alias_only.empty() || found->second == key.alias_only);
    return counts ? &*found : nullptr;
  }

  void read_environment() {
    for (const Key& key : all_keys()) {
      const auto* slot = std::get_if<SlotOf<Settings>>(&key.slot);
      const auto* variable = slot != nullptr ? variable_for(key) : nullptr;
      if (variable == nullptr) {
        continue;
      }
      const std::string full(key.name);
      const Origin origin{.kind = Origin::Kind::kVariable, .name = variable->first};
      loaded_.origins.insert_or_assign(full, origin);
      take(key, full, (*slot)(loaded_.settings), std::string_view(variable->second));
      if (!supervised_ && table_of(key.name) == "supervisor") {
        warn(origin, full, "has no effect: there is no table [supervisor]");
      }
    }
  }

  // ------------------------------------------------------------------------------------- the rest

  void derive_defaults() {
    for (const Key& key : all_keys()) {
      if (key.derive != nullptr && !loaded_.origins.contains(key.name)) {
        key.derive(loaded_.settings);
      }
    }
    if (!supervised_) {
      loaded_.settings.supervisor.reset();
    }
  }

  void check() {
    for (Finding& finding : core::driver::check_settings(loaded_.settings, sources_.user)) {
      if (sources_.supervisor_alone && (finding.key == "profiles" || finding.key == "streams")) {
        continue;  // there is none, and nobody needs one
      }
      if (finding.severity == Finding::Severity::kWarning) {
        warn(blame(finding), finding.key, std::move(finding.message));
      } else if (!follows_from_another(finding)) {
        errors_.push_back({blame(finding), finding.key, std::move(finding.message)});
      }
    }
  }

  /// True where the value in question is a copy of another that is wrong as well; or was refused
  /// already, and a default stands in for it.
  [[nodiscard]] bool follows_from_another(const Finding& finding) const {
    const Key* key = find_key(finding.key);
    if (key != nullptr && key->derive != nullptr && !loaded_.origins.contains(finding.key)) {
      return true;
    }
    return std::ranges::any_of(refused_, [&](const std::string& refused) {
      return is_part_of(finding.key, refused) || is_part_of(refused, finding.key) ||
             (!finding.partner.empty() && is_part_of(finding.partner, refused));
    });
  }

  /// Where to look: at the key, else at what it does not go together with, else at their table.
  [[nodiscard]] Origin blame(const Finding& finding) const {
    for (const std::string& key : {finding.key, finding.partner}) {
      if (const auto found = loaded_.origins.find(key); found != loaded_.origins.end()) {
        return found->second;
      }
    }
    for (std::string_view key = finding.key; key.find_first_of(".[") != std::string_view::npos;) {
      key = key.substr(0, key.find_last_of(".["));
      if (const auto found = loaded_.origins.find(key); found != loaded_.origins.end()) {
        return found->second;
      }
    }
    return in_file({});
  }

  /// `From` is a Node or the text of a variable.
  template <class From>
  void take(const Key& key, const std::string& full, const Slot& slot, const From& value) {
    Refusal refusal = assign(slot, value);
    if (!refusal && key.nonempty && is_empty(value_of(slot))) {
      refusal = "is empty";
    }
    if (refusal) {
      refuse(loaded_.origins.at(full), full,
             refusal->append("; allowed: ").append(allowed_text(key)));
    }
  }

  [[nodiscard]] Origin in_file(Place place) const {
    return {.kind = Origin::Kind::kFile, .name = file_.name, .place = place};
  }

  [[nodiscard]] static std::vector<std::string_view> leaves_of(std::string_view pattern) {
    std::vector<std::string_view> leaves;
    for (const Key& key : all_keys()) {
      if (table_of(key.name) == pattern) {
        leaves.push_back(leaf_of(key.name));
      }
    }
    return leaves;
  }

  void warn_unknown(const Node& member, const std::string& full,
                    std::span<const std::string_view> known) {
    const std::string_view meant = nearest(member.name, known);
    std::string message = "is not known and has no effect";
    if (!meant.empty()) {
      message.append("; did you mean ").append(meant).append("?");
    }
    warn(in_file(member.place), full, std::move(message));
  }

  void warn(Origin origin, std::string key, std::string message) {
    loaded_.warnings.push_back({std::move(origin), std::move(key), std::move(message)});
  }
  void refuse(Origin origin, std::string key, std::string message) {
    refused_.insert(key);
    errors_.push_back({std::move(origin), std::move(key), std::move(message)});
  }

  const Sources& sources_;
  const File& file_;
  Loaded loaded_;
  std::vector<Problem> errors_;
  std::set<std::string> refused_;  ///< keys whose values could not be taken
  bool supervised_;
};

}  // namespace

std::string to_text(const Origin& origin) {
  switch (origin.kind) {
    case Origin::Kind::kDefault:
      return "default";
    case Origin::Kind::kFile:
      break;
    case Origin::Kind::kVariable:
      return origin.name;
  }
  std::string text = origin.name;
  if (origin.place.line != 0) {
    text += ":" + std::to_string(origin.place.line) + ":" + std::to_string(origin.place.column);
  }
  return text;
}

std::string to_text(const Problem& problem) {
  std::string text = to_text(problem.origin) + ": ";
  if (!problem.key.empty()) {
    text += problem.key + ": ";
  }
  return text + problem.message;
}

Error to_error(const Problem& problem) {
  return make_error(Errc::kInvalidArgument, to_text(problem));
}

Origin Loaded::origin_of(std::string_view key) const {
  const auto found = origins.find(key);
  return found == origins.end() ? Origin{} : found->second;
}

tl::expected<Loaded, Refused> load(const Sources& sources) {
  return Loader(sources).run();
}

}  // namespace tensorpool::inline v0::config
