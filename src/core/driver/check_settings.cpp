#include "core/driver/check_settings.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/reason.hpp"
#include "core/driver/settings_text.hpp"
#include "core/naming/stream_names.hpp"
#include "core/region/directories.hpp"
#include "core/region/uri.hpp"
#include "layout/limits.hpp"

namespace tensorpool::inline v0::core::driver {
namespace {

constexpr std::uint32_t kAeronStreamIdMax = 0x7FFF'FFFF;
constexpr std::size_t kInstanceIdBytesMax = 112;
constexpr std::size_t kShutdownTokenBytesMax = 1024;
constexpr std::size_t kUriBytesMaxOfDriver = 4095;  // D20
constexpr std::size_t kAccountBytesMax = 256;
constexpr std::uint32_t kPageBytesMin = 4096;
constexpr std::uint32_t kPoolIdMin = 1;

/// Collects findings.
class Findings {
 public:
  void refuse(std::string key, std::string message, std::string partner = {}) {
    found_.push_back({.severity = Finding::Severity::kError,
                      .key = std::move(key),
                      .partner = std::move(partner),
                      .message = std::move(message)});
  }
  void warn(std::string key, std::string message) {
    found_.push_back({.severity = Finding::Severity::kWarning,
                      .key = std::move(key),
                      .partner = {},
                      .message = std::move(message)});
  }
  [[nodiscard]] std::vector<Finding> take() && { return std::move(found_); }

 private:
  std::vector<Finding> found_;
};

/// A value of the user in a message: in quotes, and not longer than a line bears.
[[nodiscard]] std::string shown(std::string_view value) {
  constexpr std::size_t kBytesMax = 60;
  return value.size() <= kBytesMax ? quoted(value) : quoted(value.substr(0, kBytesMax)) + "…";
}

struct Limits {
  std::uint64_t lowest;
  std::uint64_t highest;
};
constexpr Limits kAeronStreamIds{.lowest = 1, .highest = kAeronStreamIdMax};
constexpr Limits kStreamIds{.lowest = 1, .highest = layout::kStreamIdMax};
constexpr Limits kPeriodMs{.lowest = 1, .highest = 3'600'000};

void check_number(Findings& findings, std::string key, std::uint64_t value, Limits limits) {
  if (value < limits.lowest || value > limits.highest) {
    findings.refuse(std::move(key), std::to_string(value) + " is out of range: use " +
                                        std::to_string(limits.lowest) + " to " +
                                        std::to_string(limits.highest));
  }
}

void check_at_least_one(Findings& findings, std::string key, std::uint32_t value) {
  if (value == 0) {
    findings.refuse(std::move(key), "0 is out of range: use at least 1");
  }
}

void check_ms(Findings& findings, std::string key, Nanos value, Limits limits) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(value).count();
  if (ms < 0) {
    findings.refuse(std::move(key), "negative: use " + std::to_string(limits.lowest) + " to " +
                                        std::to_string(limits.highest));
  } else {
    check_number(findings, std::move(key), static_cast<std::uint64_t>(ms), limits);
  }
}

void check_not_negative(Findings& findings, std::string key, Nanos value) {
  if (value < Nanos{0}) {
    findings.refuse(std::move(key), "negative: use 0 or more");
  }
}

void check_endpoint(Findings& findings, const std::string& prefix, const Endpoint& endpoint) {
  if (!endpoint.channel.starts_with("aeron:")) {
    findings.refuse(prefix + "_channel",
                    shown(endpoint.channel) + " is no channel: it has to begin with aeron:");
  }
  check_number(findings, prefix + "_stream_id", endpoint.stream_id, kAeronStreamIds);
}

// ------------------------------------------------------------------------------------ stream ids

/// An id that something else has already.
struct TakenId {
  std::uint32_t id = 0;
  std::string key;
};

[[nodiscard]] std::vector<TakenId> ids_of_driver(const Settings& settings) {
  return {{settings.control.stream_id, "driver.control_stream_id"},
          {settings.announce.stream_id, "driver.announce_stream_id"},
          {settings.qos.stream_id, "driver.qos_stream_id"}};
}

void add_static_ids(const Settings& settings, std::vector<TakenId>& taken) {
  for (const StaticStream& stream : settings.streams) {
    taken.push_back({stream.stream_id, stream_key(stream.name, "stream_id")});
  }
}

/// Names each id once, however many have it.
void refuse_taken(Findings& findings, const std::string& key, const IdRange& range,
                  const std::vector<TakenId>& taken) {
  std::set<std::uint32_t> named;
  for (const auto& [id, owner] : taken) {
    if (range.contains(id) && named.insert(id).second) {
      findings.refuse(key,
                      text_of(range) + " contains " + std::to_string(id) + ", which is " + owner +
                          ": choose ranges apart from it",
                      owner);
    }
  }
}

/// W306. Which of them there are, only producers know.
void warn_of_shared(Findings& findings, const std::string& key, const IdRange& range) {
  constexpr IdRange kShared{.first = naming::kSharedStreamIdFirst,
                            .last = naming::kSharedStreamIdLast};
  if (range.first <= kShared.last && kShared.first <= range.last) {
    findings.warn(key, text_of(range) + " and " + text_of(kShared) +
                           ", where streams have their shared descriptors, have ids in common, "
                           "which no consumer gets: choose ranges apart from those");
  }
}

/// D237.
[[nodiscard]] bool check_range(Findings& findings, const std::string& key, const IdRange& range,
                               Limits limits) {
  std::string what;
  if (range.first > range.last) {
    what = "begins above its end";
  } else if (range.first < limits.lowest) {
    what = "begins with 0";
  } else if (range.last > limits.highest) {
    what = "ends too high";
  } else {
    return true;
  }
  findings.refuse(key, text_of(range) + " " + what + ": use ids of " +
                           std::to_string(limits.lowest) + " to " + std::to_string(limits.highest));
  return false;
}

/// D237, D238.
void check_ranges(Findings& findings, const Settings& settings) {
  struct Keyed {
    IdRange range;
    const char* key;
  };
  std::vector<Keyed> sorted;
  const auto add = [&](const char* key, const std::vector<IdRange>& ranges, Limits limits) {
    for (const IdRange& range : ranges) {
      if (check_range(findings, key, range, limits)) {
        sorted.push_back({range, key});
      }
    }
  };
  add("driver.stream_id_range", settings.stream_ids, kStreamIds);
  add("driver.descriptor_stream_id_range", settings.descriptor_stream_ids, kAeronStreamIds);
  add("driver.control_stream_id_range", settings.control_stream_ids, kAeronStreamIds);

  std::vector<TakenId> taken = ids_of_driver(settings);
  if (settings.supervisor) {
    taken.push_back({settings.supervisor->metadata.stream_id, "supervisor.metadata_stream_id"});
  }
  add_static_ids(settings, taken);
  for (const auto& [range, key] : sorted) {
    refuse_taken(findings, key, range, taken);
  }
  for (const auto& [key, ranges] :
       {std::pair("driver.descriptor_stream_id_range", &settings.descriptor_stream_ids),
        std::pair("driver.control_stream_id_range", &settings.control_stream_ids)}) {
    for (const IdRange& range : *ranges) {
      warn_of_shared(findings, key, range);
    }
  }

  std::ranges::stable_sort(sorted, {}, [](const Keyed& keyed) { return keyed.range.first; });
  for (std::size_t at = 1, widest = 0; at < sorted.size(); ++at) {
    if (sorted[at].range.first <= sorted[widest].range.last) {
      findings.refuse(sorted[at].key,
                      text_of(sorted[at].range) + " overlaps " + text_of(sorted[widest].range) +
                          " of " + sorted[widest].key + ": give each id to one range",
                      sorted[widest].key);
    }
    if (sorted[at].range.last > sorted[widest].range.last) {
      widest = at;
    }
  }
}

// --------------------------------------------------------------------------------------- tables

/// Whether there is such an account, only the system knows.
[[nodiscard]] bool is_account(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kAccountBytesMax &&
         std::ranges::all_of(name, [](char c) { return c > 0x20 && c < 0x7F && c != ':'; });
}

void check_account(Findings& findings, std::string key, std::string_view name) {
  if (!name.empty() && !is_account(name)) {
    findings.refuse(std::move(key), shown(name) + ": use the name or the number of an account");
  }
}

void check_driver(Findings& findings, const Settings& settings) {
  const std::string& id = settings.instance_id;
  if (id.empty() || id.size() > kInstanceIdBytesMax ||
      !std::ranges::all_of(id, [](char c) { return c >= 0x20 && c < 0x7F; })) {
    findings.refuse("driver.instance_id", shown(id) + " (" + std::to_string(id.size()) +
                                              " bytes): use 1 to 112 bytes of printable ASCII");
  }
  check_account(findings, "driver.group", settings.group);
  check_endpoint(findings, "driver.control", settings.control);
  check_endpoint(findings, "driver.announce", settings.announce);
  check_endpoint(findings, "driver.qos", settings.qos);
  check_ranges(findings, settings);
}

/// Without `.`, `..`, doubled and trailing slashes. Follows no link: nothing is touched here.
[[nodiscard]] std::string normal_path(const std::string& path) {
  std::string normal = std::filesystem::path(path).lexically_normal().native();
  if (normal.size() > 1 && normal.ends_with('/')) {
    normal.pop_back();
  }
  return normal;
}

[[nodiscard]] bool lies_in(const std::string& path, const std::string& base) {
  const std::string below = normal_path(base) + "/";
  return (normal_path(path) + "/").starts_with(below == "//" ? "/" : below);
}

void check_allowed_base_dirs(Findings& findings, const ShmSettings& shm) {
  constexpr const char* kKey = "shm.allowed_base_dirs";
  bool fine = true;
  for (const std::string& dir : shm.allowed_base_dirs) {
    fine = fine && dir.starts_with('/') && normal_path(dir) != "/";
    if (!dir.starts_with('/')) {
      findings.refuse(kKey, shown(dir) + " is not absolute: begin it with /");
    } else if (normal_path(dir) == "/") {
      findings.refuse(kKey, shown(dir) +
                                " is the root, which would allow every file: name the "
                                "directories that hold regions");
    }
  }
  if (fine && !shm.allowed_base_dirs.empty() &&
      std::ranges::none_of(shm.allowed_base_dirs, [&](const std::string& allowed) {
        return lies_in(shm.base_dir, allowed);
      })) {
    findings.refuse("shm.base_dir",
                    shown(shm.base_dir) +
                        " lies in none of shm.allowed_base_dirs: add it there, "
                        "or leave that key out",
                    kKey);
  }
}

/// The longest URI that a region of these settings can have.
[[nodiscard]] std::size_t longest_uri_bytes(const Settings& settings, std::string_view user) {
  std::uint32_t highest_id = 0;
  for (const IdRange& range : settings.stream_ids) {
    highest_id = std::max(highest_id, range.last);
  }
  for (const StaticStream& stream : settings.streams) {
    highest_id = std::max(highest_id, stream.stream_id);
  }
  const region::StreamPlace place{
      .user = std::string(user), .name_space = settings.shm.name_space, .stream_id = highest_id};
  std::string path = settings.shm.base_dir;
  for (const std::string& level : place.levels()) {
    path.append("/").append(level);
  }
  // No name of a pool is longer than that of the ring.
  path.append("/").append(std::to_string(region::kDriverEpochMax));
  path.append("/").append(region::region_file_name({.type = layout::RegionType::kHeaderRing}));
  return region::format_region_uri({.path = path, .require_hugepages = true}).size();
}

void check_base_dir(Findings& findings, const Settings& settings, std::string_view user) {
  constexpr const char* kKey = "shm.base_dir";
  const std::string& dir = settings.shm.base_dir;
  if (!dir.starts_with('/')) {
    findings.refuse(kKey, shown(dir) + " is not absolute: begin it with /");
  } else if (normal_path(dir) == "/") {
    findings.refuse(kKey, shown(dir) + " is the root: name a directory for regions");
  } else if (!std::ranges::all_of(
                 dir, [](char c) { return c > 0x20 && c < 0x7F && c != '?' && c != '|'; })) {
    findings.refuse(kKey, shown(dir) +
                              " cannot stand in a URI: use visible ASCII without blank, "
                              "? and |");
  } else if (const std::size_t bytes = longest_uri_bytes(settings, user);
             bytes > kUriBytesMaxOfDriver) {
    findings.refuse(kKey, "URIs of regions would get " + std::to_string(bytes) +
                              " bytes, and 4095 are allowed: choose a shorter base_dir or "
                              "namespace");  // D20
  }
}

void check_mode(Findings& findings, std::string key, std::uint32_t mode) {
  constexpr std::uint32_t kOwnerReadsAndWrites = 0600;
  constexpr std::uint32_t kOthersWrite = 0002;
  if (mode > 0777 || (mode & kOwnerReadsAndWrites) != kOwnerReadsAndWrites) {
    findings.refuse(std::move(key),
                    octal(mode) + ": use octal digits, at most 777, with 600 among them");
  } else if ((mode & kOthersWrite) != 0) {
    findings.warn(std::move(key),
                  octal(mode) + " lets others write, and clients refuse such files: use 660");
  }
}

void check_shm(Findings& findings, const Settings& settings, std::string_view user) {
  const ShmSettings& shm = settings.shm;
  check_base_dir(findings, settings, user);
  if (!region::check_namespace(shm.name_space)) {
    findings.refuse("shm.namespace",
                    shown(shm.name_space) + ": use one or more of A-Z a-z 0-9 - _");
  }
  if (const auto page = shm.page_size_bytes.value_or(kPageBytesMin);
      page < kPageBytesMin || !layout::is_power_of_two(page)) {
    findings.refuse("shm.page_size_bytes",
                    std::to_string(page) + ": use a power of two, at least 4096");
  }
  check_mode(findings, "shm.permissions_mode", shm.permissions_mode);
  check_allowed_base_dirs(findings, shm);
}

void check_policies(Findings& findings, const Settings& settings) {
  const PolicySettings& policies = settings.policies;
  if (policies.allow_dynamic_streams && settings.stream_ids.empty()) {
    findings.warn("policies.allow_dynamic_streams",
                  "without driver.stream_id_range no dynamic stream can be made; set it, to "
                  "\"20000-29999\" for instance");
  }
  const bool named = std::ranges::any_of(settings.profiles, [&](const Profile& profile) {
    return profile.name == policies.default_profile;
  });
  if (!policies.default_profile.empty() && !named) {
    findings.refuse("policies.default_profile",
                    shown(policies.default_profile) + " is no profile: name one of [profiles]",
                    "profiles");
  }
  check_ms(findings, "policies.announce_period_ms", policies.announce_period, kPeriodMs);
  check_ms(findings, "policies.lease_keepalive_interval_ms", policies.lease_keepalive_interval,
           kPeriodMs);
  check_number(findings, "policies.lease_expiry_grace_intervals",
               policies.lease_expiry_grace_intervals, {.lowest = 1, .highest = 1000});
  check_at_least_one(findings, "policies.epoch_gc_keep", policies.epoch_gc_keep);
  check_not_negative(findings, "policies.epoch_gc_min_age_ns", policies.epoch_gc_min_age);
  check_ms(findings, "policies.shutdown_timeout_ms", policies.shutdown_timeout,
           {.lowest = 0, .highest = 600'000});
  if (policies.shutdown_token.size() > kShutdownTokenBytesMax) {  // never shown: it is a secret
    findings.refuse("policies.shutdown_token",
                    std::to_string(policies.shutdown_token.size()) + " bytes: use at most 1024");
  }
  check_not_negative(findings, "policies.node_id_reuse_cooldown_ms",
                     policies.node_id_reuse_cooldown);
  check_ms(findings, "telemetry.interval_ms", settings.telemetry.interval,
           {.lowest = 100, .highest = 3'600'000});
}

void check_pools(Findings& findings, const Profile& profile) {
  const std::size_t count = profile.pools.size();
  if (count == 0 || count > layout::kPoolsMax) {
    findings.refuse(profile_key(profile.name, "payload_pools"),
                    std::to_string(count) + " pools: a profile has 1 to 256");
  }
  std::map<std::uint16_t, std::size_t> first_with;
  for (std::size_t at = 0; at < count; ++at) {
    const auto& [id, stride] = profile.pools[at];
    const std::string id_key = pool_key(profile.name, at, "pool_id");
    check_number(findings, id_key, id,
                 {.lowest = kPoolIdMin, .highest = layout::kPoolIdInvalid - 1U});
    if (const auto [holder, is_new] = first_with.emplace(id, at); !is_new) {
      findings.refuse(id_key,
                      std::to_string(id) + " is the id of payload_pools[" +
                          std::to_string(holder->second) + "] already: number pools differently",
                      pool_key(profile.name, holder->second, "pool_id"));
    }
    if (stride < layout::kStrideGranularity || !layout::is_power_of_two(stride)) {
      findings.refuse(pool_key(profile.name, at, "stride_bytes"),
                      std::to_string(stride) + ": use a power of two, at least 64");
    }
  }
}

void check_profiles(Findings& findings, const Settings& settings) {
  if (settings.profiles.empty()) {
    findings.refuse("profiles", "there is none: add a table [profiles.NAME] with payload_pools");
  }
  std::set<std::string_view> names;
  for (const Profile& profile : settings.profiles) {
    if (profile.name.empty() || !names.insert(profile.name).second) {
      findings.refuse(profile_key(profile.name),
                      profile.name.empty() ? "has an empty name: give it one"
                                           : "is there twice: name each profile differently");
    }
    if (!layout::is_power_of_two(profile.header_nslots)) {
      findings.refuse(
          profile_key(profile.name, "header_nslots"),
          std::to_string(profile.header_nslots) + ": use a power of two, 1 to 2147483648");
    }
    check_pools(findings, profile);
  }
}

void check_access(Findings& findings, const StaticStream& stream) {
  check_account(findings, stream_key(stream.name, "owner"), stream.owner);
  check_account(findings, stream_key(stream.name, "group"), stream.group);
  if (stream.mode) {
    check_mode(findings, stream_key(stream.name, "mode"), *stream.mode);
  }
  for (const auto& [leaf, parties] :
       {std::pair("producers", &stream.producers), std::pair("consumers", &stream.consumers)}) {
    for (const std::string& party : *parties) {
      if (!is_account(party.starts_with('@') ? std::string_view(party).substr(1) : party)) {
        findings.refuse(stream_key(stream.name, leaf),
                        shown(party) + ": use a user, or a group with @ in front");
      }
    }
  }
}

void check_streams(Findings& findings, const Settings& settings) {
  if (settings.streams.empty() && !settings.policies.allow_dynamic_streams) {
    findings.refuse("streams",
                    "there is none: add a table [streams.NAME], or set "
                    "policies.allow_dynamic_streams",
                    "policies.allow_dynamic_streams");
  }
  std::set<std::string_view> profiles;
  for (const Profile& profile : settings.profiles) {
    profiles.insert(profile.name);
  }
  std::map<std::uint32_t, std::string_view> first_with;
  std::set<std::string_view> names;
  for (const StaticStream& stream : settings.streams) {
    const auto& [name, id, profile] = std::tie(stream.name, stream.stream_id, stream.profile);
    check_access(findings, stream);
    const std::string id_key = stream_key(name, "stream_id");
    if (!names.insert(name).second) {
      findings.refuse(stream_key(name), "is there twice: name each stream differently");
    }
    check_number(findings, id_key, id, kStreamIds);
    if (const auto [holder, is_new] = first_with.emplace(id, name); !is_new) {
      const std::string other = stream_key(holder->second, "stream_id");
      findings.refuse(id_key,
                      std::to_string(id) + " is " + other +
                          " already: give each stream "
                          "an id of its own",
                      other);
    }
    if (!profiles.contains(profile)) {
      findings.refuse(stream_key(name, "profile"),
                      shown(profile) + " is no profile: name one of [profiles]", "profiles");
    }
  }
}

// ------------------------------------------------------------------------------------ supervisor

/// The ids that a supervisor grants, where it has a range of its own that is in order.
[[nodiscard]] std::optional<IdRange> granted_ids(Findings& findings, const std::string& prefix,
                                                 const SupervisorSettings::Granted& granted) {
  if (!granted.channel.empty() && !granted.channel.starts_with("aeron:")) {
    findings.refuse(prefix + "_channel", shown(granted.channel) +
                                             " is no channel: it has to begin with aeron:, or to "
                                             "be empty");
  }
  if (granted.base == 0) {
    return std::nullopt;
  }
  if (granted.count == 0) {
    findings.refuse(prefix + "_range", "0 ids from a base on: use at least 1", prefix + "_base");
    return std::nullopt;
  }
  const std::uint64_t last = std::uint64_t{granted.base} + granted.count - 1;
  if (last > kAeronStreamIdMax) {
    findings.refuse(prefix + "_base",
                    "the last id would be " + std::to_string(last) + ": 2147483647 is the highest",
                    prefix + "_range");
    return std::nullopt;
  }
  return IdRange{.first = granted.base, .last = static_cast<std::uint32_t>(last)};
}

/// D331.
void check_granted(Findings& findings, const Settings& settings,
                   const SupervisorSettings& supervisor) {
  constexpr const char* kDescriptor = "supervisor.per_consumer_descriptor";
  constexpr const char* kControl = "supervisor.per_consumer_control";
  const auto descriptor = granted_ids(findings, kDescriptor, supervisor.per_consumer_descriptor);
  const auto control = granted_ids(findings, kControl, supervisor.per_consumer_control);
  const std::string descriptor_key = std::string(kDescriptor) + "_base";
  const std::string control_key = std::string(kControl) + "_base";

  std::vector<TakenId> taken = ids_of_driver(settings);
  taken.push_back({supervisor.control.stream_id, "supervisor.control_stream_id"});
  taken.push_back({supervisor.announce.stream_id, "supervisor.announce_stream_id"});
  taken.push_back({supervisor.metadata.stream_id, "supervisor.metadata_stream_id"});
  taken.push_back({supervisor.qos.stream_id, "supervisor.qos_stream_id"});
  add_static_ids(settings, taken);
  if (descriptor) {
    refuse_taken(findings, descriptor_key, *descriptor, taken);
    warn_of_shared(findings, descriptor_key, *descriptor);
  }
  if (control) {
    refuse_taken(findings, control_key, *control, taken);
    warn_of_shared(findings, control_key, *control);
  }
  if (descriptor && control && descriptor->first <= control->last &&
      control->first <= descriptor->last) {
    findings.refuse(control_key,
                    text_of(*control) + " overlaps " + text_of(*descriptor) +
                        " of the descriptor streams: give each id to one range",
                    descriptor_key);
  }
}

void check_supervisor(Findings& findings, const Settings& settings,
                      const SupervisorSettings& supervisor) {
  check_endpoint(findings, "supervisor.control", supervisor.control);
  check_endpoint(findings, "supervisor.announce", supervisor.announce);
  check_endpoint(findings, "supervisor.metadata", supervisor.metadata);
  check_endpoint(findings, "supervisor.qos", supervisor.qos);
  check_at_least_one(findings, "supervisor.consumer_capacity", supervisor.consumer_capacity);
  check_not_negative(findings, "supervisor.consumer_stale_ms", supervisor.consumer_stale);
  check_not_negative(findings, "supervisor.producer_stale_ms", supervisor.producer_stale);
  check_ms(findings, "supervisor.liveness_check_interval_ms", supervisor.liveness_check_interval,
           kPeriodMs);
  check_granted(findings, settings, supervisor);
  if (supervisor.force_mode > 2) {
    findings.refuse("supervisor.force_mode",
                    std::to_string(supervisor.force_mode) +
                        " is no mode: use 0 (as asked), 1 (STREAM) or 2 (RATE_LIMITED)");
  }
  const std::string& fallback = supervisor.payload_fallback_uri;
  if (!fallback.empty() && !fallback.starts_with("aeron:") && !fallback.starts_with("bridge://")) {
    findings.refuse("supervisor.payload_fallback_uri",
                    shown(fallback) + ": begin it with aeron: or bridge://, or leave it empty");
  }
}

}  // namespace

std::vector<Finding> check_settings(const Settings& settings, std::string_view user) {
  Findings findings;
  check_driver(findings, settings);
  check_shm(findings, settings, user);
  check_policies(findings, settings);
  check_profiles(findings, settings);
  check_streams(findings, settings);
  if (settings.supervisor) {
    check_supervisor(findings, settings, *settings.supervisor);
  }
  return std::move(findings).take();
}

Status first_error(std::span<const Finding> findings) noexcept {
  for (const Finding& finding : findings) {
    if (finding.severity == Finding::Severity::kError) {
      return fail(base::make_reason(Errc::kInvalidArgument, finding.key, finding.message));
    }
  }
  return {};
}

}  // namespace tensorpool::inline v0::core::driver
