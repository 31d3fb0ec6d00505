// Every key of the table: its default, a value of its own, values that it must not have, its
// variable. A key without a line here fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/key_table.hpp"
#include "core/region/directories.hpp"
#include "support.hpp"
#include "support/requirement.hpp"

namespace tensorpool::config::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct KeyCase {
  std::string_view key;
  std::string_view initial;  ///< its default as TOML, empty where it is no value
  std::string_view other;    ///< a value that it may have, as TOML
  std::vector<std::string_view> refused;

  friend void PrintTo(const KeyCase& one, std::ostream* out) { *out << one.key; }
};

constexpr std::string_view kIpc = R"("aeron:ipc?term-length=4m")";
const std::string kLong = '"' + std::string(113, 'x') + '"';
const std::string kLongToken = '"' + std::string(1025, 'x') + '"';

const std::vector<KeyCase>& cases() {
  static const std::vector<std::string_view> channels = {R"("")", R"("ipc")", R"("udp:aeron:")"};
  static const std::vector<std::string_view> granted = {R"("ipc")"};
  static const std::vector<std::string_view> modes = {
      R"("")", R"("6a0")", R"("680")", R"("1660")", R"("460")", R"("260")", R"("-660")"};
  static const std::vector<std::string_view> ranges = {
      R"("0-5")",          R"("9-5")",   R"("a-b")",
      R"("5-")",           R"("-5")",    R"("1-2-3")",
      R"("0x10")",         R"("+5")",    R"(" ")",
      R"("1 2")",          R"([5])",     R"([1, 2, 3])",
      R"([9, 5])",         R"([-1, 5])", R"(["5-6", 7])",
      R"([""])",           R"([0, 5])",  R"("1-99999999999")",
      R"([1, 4294967296])"};
  static std::vector<std::string_view> aeron_ranges = [] {
    std::vector<std::string_view> list = ranges;
    list.insert(list.end(), {R"("1-2147483648")", R"([1, 4294967295])"});
    return list;
  }();
  static std::vector<std::string_view> stream_ranges = [] {
    std::vector<std::string_view> list = ranges;
    list.push_back(R"("1-4294967295")");
    return list;
  }();
  static const std::vector<KeyCase> list = {
      {"driver.instance_id", R"("driver-01")", R"("d 2")", {R"("")", R"("ü")", R"("a\nb")", kLong}},
      {"driver.aeron_dir", R"("")", R"("/dev/shm/aeron")", {}},
      {"driver.group", R"("")", R"("camera")", {R"("a b")", R"("a:b")", R"("ü")"}},
      {"driver.control_channel", kIpc, R"("aeron:udp?endpoint=localhost:4000")", channels},
      {"driver.control_stream_id", "1000", "7", {}},
      {"driver.announce_channel", kIpc, R"("aeron:ipc")", channels},
      {"driver.announce_stream_id", "1000", "1001", {}},
      {"driver.qos_channel", kIpc, R"("aeron:ipc")", channels},
      {"driver.qos_stream_id", "1200", "8", {}},
      {"driver.stream_id_range", R"("")", R"("20000-29999")", stream_ranges},
      {"driver.descriptor_stream_id_range", R"("")", R"("31000-31999")", aeron_ranges},
      {"driver.control_stream_id_range", R"("")", R"(["3-4", "32000-32999"])", aeron_ranges},
      {"shm.base_dir",
       R"("/dev/shm")",
       R"("/mnt/huge")",
       {R"("")", R"("dev/shm")", R"("/dev/a b")", R"("/a?b")", R"("/a|b")", R"("/ü")", R"("/a\tb")",
        R"("/")", R"("/dev/..")"}},
      {"shm.namespace", R"("default")", R"("Camera_1-b")", {R"("")", R"("a.b")", R"("a/b")"}},
      {"shm.require_hugepages", "false", "true", {}},
      {"shm.page_size_bytes", "", "2097152", {"0", "2048", "4097", "12288"}},
      {"shm.permissions_mode", R"("660")", R"("600")", modes},
      {"shm.allowed_base_dirs",
       R"(["/dev/shm"])",
       R"(["/mnt", "/dev"])",
       {"[]", R"(["dev"])", R"(["/dev", ""])", R"(["/"])", R"(["/dev/.."])", R"(["/dev", 1])"}},
      {"policies.allow_dynamic_streams", "false", "true", {}},
      {"policies.default_profile", R"("small")", R"("small")", {R"("")", R"("large")"}},
      {"policies.announce_period_ms", "1000", "20", {}},
      {"policies.lease_keepalive_interval_ms", "1000", "20", {}},
      {"policies.lease_expiry_grace_intervals", "3", "4", {}},
      {"policies.prefault_shm", "true", "false", {}},
      {"policies.mlock_shm", "false", "true", {}},
      {"policies.epoch_gc_enabled", "true", "false", {}},
      {"policies.epoch_gc_keep", "2", "1", {"0"}},
      {"policies.epoch_gc_min_age_ns", "0", "9223372036854775807", {"-1"}},
      {"policies.epoch_gc_on_startup", "false", "true", {}},
      {"policies.shutdown_timeout_ms", "2000", "0", {}},
      {"policies.shutdown_token", R"("")", R"("")", {kLongToken}},
      {"policies.node_id_reuse_cooldown_ms", "1000", "0", {}},
      {"policies.reuse_existing_shm", "false", "true", {}},
      {"policies.cleanup_shm_on_exit", "false", "true", {}},
      {"policies.max_leases", "65536", "0", {}},
      {"telemetry.enabled", "false", "true", {}},
      {"telemetry.interval_ms", "10000", "100", {}},
      {"supervisor.control_channel", kIpc, R"("aeron:ipc")", channels},
      {"supervisor.control_stream_id", "1000", "7", {}},
      {"supervisor.announce_channel", kIpc, R"("aeron:ipc")", channels},
      {"supervisor.announce_stream_id", "1000", "7", {}},
      {"supervisor.metadata_channel", kIpc, R"("aeron:ipc")", channels},
      {"supervisor.metadata_stream_id", "1300", "7", {}},
      {"supervisor.qos_channel", kIpc, R"("aeron:ipc")", channels},
      {"supervisor.qos_stream_id", "1200", "7", {}},
      {"supervisor.consumer_capacity", "256", "1", {"0"}},
      {"supervisor.consumer_stale_ms", "5000", "0", {}},
      {"supervisor.producer_stale_ms", "5000", "0", {}},
      {"supervisor.liveness_check_interval_ms", "1000", "1", {}},
      {"supervisor.per_consumer_enabled", "false", "true", {}},
      {"supervisor.per_consumer_descriptor_channel", R"("")", R"("aeron:ipc")", granted},
      {"supervisor.per_consumer_descriptor_base", "0", "0", {}},
      {"supervisor.per_consumer_descriptor_range", "0", "5", {}},
      {"supervisor.per_consumer_control_channel", R"("")", R"("aeron:ipc")", granted},
      {"supervisor.per_consumer_control_base", "0", "0", {}},
      {"supervisor.per_consumer_control_range", "0", "5", {}},
      {"supervisor.force_no_shm", "false", "true", {}},
      {"supervisor.force_mode", "0", "2", {"3"}},
      {"supervisor.payload_fallback_uri", R"("")", R"("bridge://a")", {R"("http://a")"}},
  };
  return list;
}

/// The one entry of the table `supervisor`, so that there is one.
[[nodiscard]] std::string base_text(std::string_view key) {
  return (key.starts_with("supervisor.") ? "[supervisor]\n" : "") + std::string(kTables);
}

/// A value of another type, as TOML.
[[nodiscard]] std::string_view wrong_type(const Key& key) {
  return key.type == "string" || key.type == "range" ? "1.5" : R"("text")";
}

[[nodiscard]] std::string plain(std::string_view toml) {
  const bool quoted = toml.size() >= 2 && toml.front() == '"' && toml.back() == '"';
  return std::string(quoted ? toml.substr(1, toml.size() - 2) : toml);
}

/// What a variable would hold for the TOML text: nullopt where no variable can say it.
[[nodiscard]] std::optional<std::string> as_variable(const Key& key, std::string_view toml) {
  if (key.name == "shm.allowed_base_dirs") {
    std::string list(toml);
    std::erase_if(
        list, [](char c) { return std::string_view("[]\" ").find(c) != std::string_view::npos; });
    std::ranges::replace(list, ',', ':');
    return list;
  }
  if (toml.starts_with('[') || toml.find('\\') != std::string_view::npos) {
    return std::nullopt;
  }
  return plain(toml);
}

class EveryKey : public ::testing::TestWithParam<KeyCase> {
 protected:
  [[nodiscard]] const KeyCase& given() const { return GetParam(); }
  [[nodiscard]] const Key& key() const { return *find_key(given().key); }
  [[nodiscard]] std::string name() const { return std::string(given().key); }
};

TEST(KeyTable, has_a_case_here_for_each_key_with_a_variable) {
  std::set<std::string_view> tested;
  for (const KeyCase& one : cases()) {
    EXPECT_NE(find_key(one.key), nullptr) << one.key;
    EXPECT_TRUE(tested.insert(one.key).second) << one.key;
  }
  for (const Key& key : all_keys()) {
    EXPECT_EQ(tested.contains(key.name), !variable_of(key).empty()) << key.name;
  }
}

TEST(KeyTable, names_each_key_and_each_variable_once_and_says_what_they_are) {
  TP_REQ("D323", "D329");
  std::set<std::string> seen;
  for (const Key& key : all_keys()) {
    EXPECT_TRUE(seen.insert(std::string(key.name)).second) << key.name;
    EXPECT_FALSE(key.type.empty()) << key.name;
    EXPECT_FALSE(allowed_text(key).empty()) << key.name;
    EXPECT_TRUE(key.meaning.ends_with('.')) << key.name;
    EXPECT_LE(key.meaning.size(), 78U) << key.name;
    const bool overridable =
        !key.name.starts_with("profiles.") && !key.name.starts_with("streams.");
    const std::string variable = variable_of(key);
    EXPECT_EQ(!variable.empty(), overridable) << key.name;
    EXPECT_TRUE(variable.empty() || seen.insert(variable).second) << variable;
  }
  EXPECT_EQ(variable_of(*find_key("driver.control_stream_id")), "DRIVER_CONTROL_STREAM_ID");
}

TEST_P(EveryKey, has_its_default_where_nobody_names_it) {
  TP_REQ("D322");
  const auto loaded = load_text(base_text(given().key));
  ASSERT_TRUE(loaded);
  const EffectiveValue value = effective(*loaded, given().key);
  EXPECT_EQ(toml_text(value.value), given().initial);
  EXPECT_EQ(value.origin.kind, Origin::Kind::kDefault);
  // The table tells the same; where it speaks of another key or of the order, it does so in words.
  const std::string_view told = key().default_text;
  if (!given().initial.empty() && told != "unset" && told.find(' ') == std::string_view::npos &&
      told != "[shm.base_dir]") {
    EXPECT_EQ(plain(given().initial), told);
  }
}

TEST_P(EveryKey, takes_a_value_from_the_file_and_knows_its_place) {
  const auto loaded = load_text(with_key(given().key, given().other));
  ASSERT_TRUE(loaded) << loaded.error().errors.front().message;
  const EffectiveValue value = effective(*loaded, given().key);
  EXPECT_EQ(toml_text(value.value), given().other);
  const auto leaf = static_cast<std::uint32_t>(given().key.size() - given().key.rfind('.') - 1);
  EXPECT_EQ(to_text(value.origin), "driver.toml:2:" + std::to_string(leaf + 4));
}

TEST_P(EveryKey, refuses_a_value_of_another_type) {
  TP_REQ("D320");
  const auto loaded = load_text(with_key(given().key, wrong_type(key())));
  ASSERT_FALSE(loaded);
  ASSERT_EQ(loaded.error().errors.size(), 1U);
  const Problem& error = loaded.error().errors.front();
  EXPECT_EQ(error.key, given().key);
  EXPECT_EQ(error.origin.place.line, 2U);
  EXPECT_THAT(error.message, HasSubstr(std::string(allowed_text(key()))));
  const Error first = to_error(error);
  EXPECT_EQ(first.code, Errc::kInvalidArgument);
  EXPECT_TRUE(first.subject_view().starts_with("driver.toml:2:"));
}

TEST_P(EveryKey, refuses_what_it_must_not_be) {
  TP_REQ("D320", "D237");
  for (const std::string_view bad : given().refused) {
    const auto loaded = load_text(with_key(given().key, bad));
    ASSERT_FALSE(loaded) << bad;
    for (const Problem& error : loaded.error().errors) {
      EXPECT_EQ(error.key, given().key) << bad;
      EXPECT_EQ(error.origin.place.line, 2U) << bad;
    }
  }
}

/// The numbers of `1 to 3600000`, where the text is no more than that.
[[nodiscard]] std::optional<std::pair<std::uint64_t, std::uint64_t>> limits_in(
    std::string_view text) {
  const std::size_t middle = text.find(" to ");
  const auto lowest = core::region::parse_decimal(text.substr(0, middle));
  const auto highest = middle == std::string_view::npos
                           ? std::nullopt
                           : core::region::parse_decimal(text.substr(middle + 4));
  return lowest && highest ? std::optional(std::pair(*lowest, *highest)) : std::nullopt;
}

/// The words of the table against what is really done.
TEST(KeyTable, tells_the_limits_that_numbers_have) {
  TP_REQ("D320");
  int compared = 0;
  for (const KeyCase& one : cases()) {
    SCOPED_TRACE(one.key);
    const Key& key = *find_key(one.key);
    const auto limits = limits_in(allowed_text(key));
    if (!limits) {
      continue;
    }
    ++compared;
    const auto [lowest, highest] = *limits;
    for (const std::uint64_t fine : {lowest, highest}) {
      EXPECT_THAT(errors_of(with_key(one.key, std::to_string(fine))), IsEmpty()) << fine;
    }
    std::vector<std::string> beyond = {lowest == 0 ? "-1" : std::to_string(lowest - 1)};
    if (key.type == "u32") {  // of 64 bits TOML has no more
      beyond.push_back(std::to_string(highest + 1));
    }
    for (const std::string& bad : beyond) {
      const auto loaded = load_text(with_key(one.key, bad));
      ASSERT_FALSE(loaded) << bad;
      EXPECT_EQ(keys_of(loaded.error().errors), std::vector{std::string(one.key)}) << bad;
      EXPECT_THAT(loaded.error().errors.front().message,
                  AllOf(HasSubstr(bad), HasSubstr(std::to_string(highest))));
    }
  }
  EXPECT_GE(compared, 18);
}

TEST_P(EveryKey, is_overridden_by_its_variable) {
  TP_REQ("D323", "D324", "D325");
  const std::optional<std::string> variable = as_variable(key(), given().other);
  if (!variable) {
    return;  // several ranges
  }
  const std::string in_file(given().initial.empty() ? given().other : given().initial);
  const auto loaded = load_text(with_key(given().key, in_file), {{variable_of(key()), *variable}});
  ASSERT_TRUE(loaded) << loaded.error().errors.front().message;
  const EffectiveValue value = effective(*loaded, given().key);
  EXPECT_EQ(toml_text(value.value), given().other);
  EXPECT_EQ(to_text(value.origin), variable_of(key()));
}

TEST_P(EveryKey, refuses_what_its_variable_must_not_be) {
  TP_REQ("D326");
  std::vector<std::string> bad;
  for (const std::string_view value : given().refused) {
    if (const auto variable = as_variable(key(), value)) {
      bad.push_back(*variable);
    }
  }
  if (key().type == "u32" || key().type == "u64") {
    bad.insert(bad.end(), {"", "ten", "1_000", "0x10", " 5", "-1", "99999999999999999999"});
  } else if (key().type == "bool") {
    bad.insert(bad.end(), {"", "yes", "2", " true", "on"});
  }
  for (const std::string& value : bad) {
    if (key().type == "range" && value.empty()) {
      continue;  // unset
    }
    const auto loaded = load_text(base_text(given().key), {{variable_of(key()), value}});
    ASSERT_FALSE(loaded) << value;
    const Problem& error = loaded.error().errors.front();
    EXPECT_EQ(error.key, given().key) << value;
    EXPECT_TRUE(to_text(error).starts_with(variable_of(key()) + ": ")) << to_text(error);
  }
}

TEST_P(EveryKey, that_is_misspelt_is_warned_of_and_ignored) {
  TP_REQ("D321");
  const auto loaded = load_text(with_key(name() + "x", given().other));
  ASSERT_TRUE(loaded);
  ASSERT_EQ(loaded->warnings.size(), 1U);
  EXPECT_EQ(loaded->warnings.front().key, name() + "x");
  EXPECT_THAT(loaded->warnings.front().message,
              HasSubstr("did you mean " + name().substr(name().rfind('.') + 1) + "?"));
  EXPECT_EQ(toml_text(effective(*loaded, given().key).value), given().initial);
}

INSTANTIATE_TEST_SUITE_P(Config, EveryKey, ::testing::ValuesIn(cases()), [](const auto& one) {
  std::string name(one.param.key);
  std::ranges::replace(name, '.', '_');
  return name;
});

TEST(BooleanVariables, are_read_in_any_case) {
  TP_REQ("D325");
  for (const auto& [text, expected] : std::map<std::string, bool>{{"true", true},
                                                                  {"TRUE", true},
                                                                  {"True", true},
                                                                  {"1", true},
                                                                  {"false", false},
                                                                  {"False", false},
                                                                  {"0", false}}) {
    const auto loaded = load_text(std::string(kTables), {{"POLICIES_PREFAULT_SHM", text}});
    ASSERT_TRUE(loaded) << text;
    EXPECT_EQ(loaded->settings.policies.prefault_shm, expected) << text;
  }
}

}  // namespace
}  // namespace tensorpool::config::test
