#include "config/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "config/builtin.hpp"
#include "config/key_table.hpp"
#include "core/region/plan.hpp"
#include "support.hpp"
#include "support/requirement.hpp"

namespace tensorpool::config::test {
namespace {

using core::driver::IdRange;
using core::driver::Settings;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Load, takes_the_minimal_example_of_the_spec) {
  const auto loaded = load_text(R"([driver]
instance_id = "driver-01"
announce_stream_id = 1001

[profiles.small]
header_nslots = 64
payload_pools = [ { pool_id = 1, stride_bytes = 1048576 } ]

[streams.first]
stream_id = 10000
profile = "small"
)");
  ASSERT_TRUE(loaded);
  EXPECT_THAT(loaded->warnings, IsEmpty());
  Settings expected;
  expected.announce.stream_id = 1001;
  expected.profiles = {
      {.name = "small", .header_nslots = 64, .pools = {{.pool_id = 1, .stride_bytes = 1048576}}}};
  expected.streams = {{.name = "first", .stream_id = 10000, .profile = "small"}};
  // What the spec derives from other keys.
  expected.shm.allowed_base_dirs = {"/dev/shm"};
  expected.policies.default_profile = "small";
  EXPECT_EQ(loaded->settings, expected);
}

constexpr std::string_view kSharedHost = R"([driver]
group = "camera"
[profiles.small]
numa_node = 1
payload_pools = [ { pool_id = 1, stride_bytes = 64 } ]
[streams.cam]
stream_id = 10000
profile = "small"
owner = "alice"
group = "500"
mode = "640"
producers = [ "alice" ]
consumers = [ "@video", "1001" ]
)";

TEST(Load, takes_users_groups_and_nodes) {
  const auto loaded = load_text(std::string(kSharedHost));
  ASSERT_TRUE(loaded) << to_text(loaded.error().errors.front());
  const Settings& sut = loaded->settings;
  EXPECT_EQ(sut.group, "camera");
  EXPECT_EQ(sut.profiles.front().numa_node, 1U);
  const core::driver::StaticStream& stream = sut.streams.front();
  EXPECT_EQ(stream.owner, "alice");
  EXPECT_EQ(stream.group, "500");
  EXPECT_EQ(stream.mode, 0640U);
  EXPECT_THAT(stream.producers, ElementsAre("alice"));
  EXPECT_THAT(stream.consumers, ElementsAre("@video", "1001"));
  const auto again = load_text(effective_text(*loaded));
  ASSERT_TRUE(again) << to_text(again.error().errors.front());
  EXPECT_EQ(again->settings, sut);
}

TEST(Load, refuses_lists_of_nobody_and_accounts_that_are_no_names) {
  const auto error_of = [](std::string_view line, std::string_view instead) {
    std::string text(kSharedHost);
    text.replace(text.find(line), line.size(), instead);
    const auto errors = errors_of(text);
    return errors.size() == 1 ? errors.front() : std::to_string(errors.size()) + " errors";
  };
  EXPECT_THAT(error_of(R"([ "alice" ])", "[]"), HasSubstr("streams.cam.producers: is empty"));
  EXPECT_THAT(error_of(R"("@video")", R"("@")"), HasSubstr("streams.cam.consumers: \"@\""));
  EXPECT_THAT(error_of(R"(owner = "alice")", R"(owner = "a b")"), HasSubstr("streams.cam.owner"));
  EXPECT_THAT(error_of(R"("500")", R"("a:b")"), HasSubstr("streams.cam.group"));
  EXPECT_THAT(error_of(R"("640")", R"("440")"), HasSubstr("streams.cam.mode"));
  EXPECT_THAT(error_of(R"("640")", R"("9")"), HasSubstr("streams.cam.mode"));
  EXPECT_THAT(error_of("numa_node = 1", "numa_node = -1"), HasSubstr("profiles.small.numa_node"));
}

TEST(Load, tells_all_errors_at_once_in_the_order_of_the_file) {
  TP_REQ("D320");
  EXPECT_THAT(
      errors_of(R"([driver]
control_stream_id = "1000"
qos_stream_id = 0
[streams.first]
stream_id = 10000
profile = "large"
[profiles.small]
header_nslots = 48
payload_pools = [ { pool_id = 1, stride_bytes = 100 }, { pool_id = 1 } ]
)",
                {{"POLICIES_MLOCK_SHM", "maybe"}}),
      ElementsAre("driver.toml:2:21: driver.control_stream_id: is a string, not an integer; "
                  "allowed: 1 to 2147483647",
                  "driver.toml:3:17: driver.qos_stream_id: 0 is out of range: use 1 to 2147483647",
                  "driver.toml:6:11: streams.first.profile: \"large\" is no profile: name one of "
                  "[profiles]",
                  "driver.toml:8:17: profiles.small.header_nslots: 48: use a power of two, 1 to "
                  "2147483648",
                  "driver.toml:9:49: profiles.small.payload_pools[0].stride_bytes: 100: use a "
                  "power of two, at least 64",
                  "driver.toml:9:56: profiles.small.payload_pools[1].stride_bytes: is missing; "
                  "allowed: a power of two, at least 64",
                  "driver.toml:9:68: profiles.small.payload_pools[1].pool_id: 1 is the id of "
                  "payload_pools[0] already: number pools differently",
                  "POLICIES_MLOCK_SHM: policies.mlock_shm: \"maybe\" is no boolean; allowed: true "
                  "or false"));
}

TEST(Load, names_the_file_where_something_is_missing_altogether) {
  TP_REQ("D320", "D322");
  EXPECT_THAT(errors_of(""),
              ElementsAre("driver.toml: profiles: there is none: add a table [profiles.NAME] with "
                          "payload_pools",
                          "driver.toml: streams: there is none: add a table [streams.NAME], or set "
                          "policies.allow_dynamic_streams"));
  EXPECT_THAT(errors_of("[profiles.a]\n[streams.b]\n"),
              ElementsAre(HasSubstr(":1:11: profiles.a.payload_pools: 0 pools"),
                          HasSubstr(":2:10: streams.b.stream_id: is missing"),
                          HasSubstr(":2:10: streams.b.profile: is missing")));
}

TEST(Load, refuses_what_is_no_toml_with_its_place) {
  TP_REQ("D319");
  EXPECT_THAT(errors_of("[driver]\ninstance_id = driver-01\n"),
              ElementsAre(HasSubstr("driver.toml:2:")));
  EXPECT_THAT(errors_of(std::string(kFileBytesMax + 1, '\n')),
              ElementsAre("driver.toml: the file has 1048577 bytes: a configuration has at most "
                          "1048576"));
}

TEST(Load, refuses_values_in_the_place_of_tables) {
  TP_REQ("D320");
  for (const char* text :
       {"driver = 1", "shm = []", "profiles = \"x\"", "streams = true", "supervisor = 1.5",
        "profiles.small = 3", "streams.first = 3", "[[policies]]",
        "[profiles.a]\npayload_pools = 3", "[profiles.a]\npayload_pools = [3]",
        "[profiles.a]\npayload_pools = {}"}) {
    const std::vector<std::string> errors = errors_of(text);
    EXPECT_THAT(errors, Contains(HasSubstr(", not a"))) << text;
  }
}

TEST(Load, does_not_blame_what_only_follows_from_another_error) {
  // No word about a missing pool, an unknown profile, a clash with the default of a wrong value.
  EXPECT_THAT(errors_of("streams.a.stream_id = 5\nstreams.a.profile = 'b'\nprofiles = 3\n"),
              ElementsAre(HasSubstr(":3:12: profiles: is an integer, not a table")));
  EXPECT_THAT(errors_of("[driver]\nstream_id_range = '900-1100'\ncontrol_stream_id = -1\n"
                        "announce_stream_id = 5\n" +
                        std::string(kTables)),
              ElementsAre(HasSubstr(":3:21: driver.control_stream_id: -1 is out of range")));
}

TEST(Load, warns_of_unknown_keys_at_every_level_and_ignores_them) {
  TP_REQ("D321");
  const auto loaded = load_text(R"(version = 1
[drivr]
control_stream_id = "not looked at"
[profiles.small]
payload_pools = [ { pool_id = 1, stride_bytes = 64, name = "a" } ]
colour = 0
"payload_pools[].pool_id" = 1
[streams.first]
stream_id = 10000
profile = "small"
"strange key".x = 1
)");
  ASSERT_TRUE(loaded);
  EXPECT_THAT(
      texts_of(loaded->warnings),
      ElementsAre(
          "driver.toml:1:11: version: is not known and has no effect",
          "driver.toml:2:2: drivr: is not known and has no effect; did you mean driver?",
          "driver.toml:5:60: profiles.small.payload_pools[0].name: is not known and has no effect",
          "driver.toml:6:10: profiles.small.colour: is not known and has no effect",
          "driver.toml:7:29: profiles.small.\"payload_pools[].pool_id\": is not known and has no "
          "effect",
          "driver.toml:11:1: streams.first.\"strange key\": is not known and has no effect"));
}

TEST(Load, takes_profiles_and_streams_in_the_order_of_the_file) {
  TP_REQ("D322");
  const auto loaded = load_text(R"(
[streams.zulu]
stream_id = 2
profile = "beta"
[streams.alpha]
stream_id = 1
profile = "alpha"
[profiles.beta]
payload_pools = [ { pool_id = 9, stride_bytes = 64 }, { pool_id = 3, stride_bytes = 128 } ]
[profiles.alpha]
payload_pools = [ { pool_id = 1, stride_bytes = 64 } ]
)");
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->settings.policies.default_profile, "beta");
  EXPECT_EQ(loaded->settings.profiles.at(0).name, "beta");
  EXPECT_EQ(loaded->settings.profiles.at(0).header_nslots, 1024U);
  EXPECT_EQ(loaded->settings.profiles.at(0).pools.at(0).pool_id, 9U);
  EXPECT_EQ(loaded->settings.profiles.at(1).name, "alpha");
  EXPECT_EQ(loaded->settings.streams.at(0).name, "zulu");
}

TEST(Load, takes_pools_as_inline_tables_and_under_repeated_headers_alike) {
  TP_REQ("D333");
  const auto array = load_text(R"(
[profiles.small]
payload_pools = [ { pool_id = 1, stride_bytes = 64 }, { pool_id = 2, stride_bytes = 4096 } ]
[streams.first]
stream_id = 10000
profile = "small"
)");
  const auto headers = load_text(R"(
[[profiles.small.payload_pools]]
pool_id = 1
stride_bytes = 64
[[profiles.small.payload_pools]]
pool_id = 2
stride_bytes = 4096
[streams.first]
stream_id = 10000
profile = "small"
)");
  ASSERT_TRUE(array);
  ASSERT_TRUE(headers);
  EXPECT_EQ(array->settings, headers->settings);
  ASSERT_EQ(array->settings.profiles.at(0).pools.size(), 2U);
}

TEST(Load, refuses_header_slots_of_another_size) {
  TP_REQ("D320");
  EXPECT_THAT(errors_of("profiles.small.header_slot_bytes = 256\n" + std::string(kTables)),
              Contains(HasSubstr("is not TOML")));  // a table is defined once
  const auto text = [](const char* bytes) {
    return std::string("[profiles.a]\nheader_slot_bytes = ") + bytes +
           "\npayload_pools = [{pool_id = 1, stride_bytes = 64}]\n[streams.s]\nstream_id = 1\n"
           "profile = 'a'\n";
  };
  EXPECT_TRUE(load_text(text("256")));
  EXPECT_THAT(errors_of(text("512")),
              ElementsAre("driver.toml:2:21: profiles.a.header_slot_bytes: 512 is out of range; "
                          "allowed: 256"));
}

TEST(Load, takes_every_key_at_its_default) {
  TP_REQ("D332");
  std::string text;
  std::string_view table;
  for (const Key& key : all_keys()) {
    if (variable_of(key).empty()) {
      continue;
    }
    if (table_of(key.name) != table) {
      table = table_of(key.name);
      text.append("[").append(table).append("]\n");
    }
    std::string value(key.default_text);
    if (value.starts_with("value of ")) {  // another key
      value = find_key(std::string_view(value).substr(9))->default_text;
    } else if (value == "3 x announce period") {
      value = "3000000000";
    } else if (value == "5 x announce period") {
      value = "5000";
    } else if (value == "first profile in the file") {
      value = "small";
    } else if (value == "[shm.base_dir]") {
      value = R"(["/dev/shm"])";
    } else if (value == "unset") {
      value = "";
    }
    if (value.starts_with("value of ")) {  // and that of a third one
      value = find_key(std::string_view(value).substr(9))->default_text;
    }
    const bool quoted = key.type == "string" || key.type == "range";
    text.append(key.name.substr(table.size() + 1)).append(" = ");
    text.append(quoted ? '"' + value + '"' : value).append("\n");
  }
  const auto loaded = load_text(text + std::string(kTables));
  ASSERT_TRUE(loaded) << to_text(loaded.error().errors.front());
  EXPECT_THAT(texts_of(loaded->warnings), IsEmpty());
  Settings expected;
  expected.supervisor.emplace();
  expected.shm.allowed_base_dirs = {"/dev/shm"};
  expected.shm.page_size_bytes = 4096;
  expected.policies.default_profile = "small";
  expected.policies.epoch_gc_min_age = std::chrono::seconds(3);
  expected.profiles = loaded->settings.profiles;
  expected.streams = loaded->settings.streams;
  EXPECT_EQ(loaded->settings, expected);
}

TEST(Load, lets_defaults_follow_the_keys_that_they_name) {
  TP_REQ("D322");
  const auto loaded = load_text(R"([driver]
control_channel = "aeron:ipc?alias=a"
control_stream_id = 5
qos_stream_id = 6
[policies]
announce_period_ms = 100
[supervisor]
qos_stream_id = 7
)" + std::string(kTables));
  ASSERT_TRUE(loaded);
  const Settings& settings = loaded->settings;
  EXPECT_EQ(settings.announce, settings.control);
  ASSERT_TRUE(settings.supervisor);
  EXPECT_EQ(settings.supervisor->control, settings.control);
  EXPECT_EQ(settings.supervisor->announce, settings.control);
  EXPECT_EQ(settings.supervisor->metadata.channel, "aeron:ipc?alias=a");
  EXPECT_EQ(settings.supervisor->metadata.stream_id, 1300U);
  EXPECT_EQ(settings.supervisor->qos.stream_id, 7U);
  EXPECT_EQ(settings.supervisor->producer_stale, std::chrono::milliseconds(500));
  EXPECT_EQ(settings.policies.gc_min_age(), std::chrono::milliseconds(300));
}

TEST(Load, has_a_supervisor_exactly_when_the_file_has_its_table) {
  EXPECT_FALSE(load_text(std::string(kTables))->settings.supervisor);
  EXPECT_TRUE(load_text("[supervisor]\n" + std::string(kTables))->settings.supervisor);

  const auto loaded = load_text(std::string(kTables), {{"SUPERVISOR_CONSUMER_CAPACITY", "3"}});
  ASSERT_TRUE(loaded);
  EXPECT_FALSE(loaded->settings.supervisor);
  EXPECT_THAT(texts_of(loaded->warnings),
              ElementsAre("SUPERVISOR_CONSUMER_CAPACITY: supervisor.consumer_capacity: has no "
                          "effect: there is no table [supervisor]"));
  EXPECT_THAT(errors_of(std::string(kTables), {{"SUPERVISOR_CONSUMER_CAPACITY", "many"}}),
              ElementsAre(HasSubstr("SUPERVISOR_CONSUMER_CAPACITY: ")));
}

TEST(Ranges, have_the_same_meaning_in_every_form) {
  TP_REQ("D236");
  const auto ranges = [](std::string_view value) {
    const auto loaded = load_text(with_key("driver.stream_id_range", value));
    return loaded ? loaded->settings.stream_ids
                  : std::vector<IdRange>{{.first = 0, .last = 0}};  // refused
  };
  constexpr IdRange kRange{.first = 20, .last = 29};
  for (const char* text : {R"("20-29")", R"("20,29")", R"(" 20 - 29 ")", R"("20 ,\t29")",
                           "[20, 29]", R"(["20-29"])"}) {
    EXPECT_THAT(ranges(text), ElementsAre(kRange)) << text;
  }
  constexpr IdRange kOne{.first = 20, .last = 20};
  EXPECT_THAT(ranges(R"("20")"), ElementsAre(kOne));
  EXPECT_THAT(ranges(R"(["20", "30,39"])"), ElementsAre(kOne, IdRange{.first = 30, .last = 39}));
  EXPECT_THAT(ranges(R"("")"), IsEmpty());
  EXPECT_THAT(ranges("[]"), IsEmpty());

  for (const char* text : {"20-29", "20,29", " 20 - 29"}) {
    const auto loaded = load_text(std::string(kTables), {{"DRIVER_STREAM_ID_RANGE", text}});
    ASSERT_TRUE(loaded) << text;
    EXPECT_THAT(loaded->settings.stream_ids, ElementsAre(kRange)) << text;
  }
  const auto unset =
      load_text(with_key("driver.stream_id_range", "[20, 29]"), {{"DRIVER_STREAM_ID_RANGE", ""}});
  ASSERT_TRUE(unset);
  EXPECT_THAT(unset->settings.stream_ids, IsEmpty());
}

TEST(Variables, of_aeron_and_the_aliases_count_where_the_driver_s_own_are_not_set) {
  TP_REQ("D327", "D328");
  const auto loaded = load_text(with_key("driver.aeron_dir", R"("/file")"),
                                {{"AERON_DIR", "/aeron"},
                                 {"TP_CONTROL_CHANNEL", "aeron:ipc?alias=tp"},
                                 {"TP_CONTROL_STREAM_ID", "77"}});
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->settings.aeron_dir, "/aeron");
  EXPECT_EQ(loaded->settings.control.channel, "aeron:ipc?alias=tp");
  EXPECT_EQ(loaded->settings.control.stream_id, 77U);
  EXPECT_EQ(to_text(loaded->origin_of("driver.aeron_dir")), "AERON_DIR");

  const auto both = load_text(std::string(kTables), {{"AERON_DIR", "/aeron"},
                                                     {"DRIVER_AERON_DIR", "/driver"},
                                                     {"TP_CONTROL_CHANNEL", "aeron:ipc?alias=tp"},
                                                     {"DRIVER_CONTROL_CHANNEL", "aeron:ipc"},
                                                     {"TP_CONTROL_STREAM_ID", "77"},
                                                     {"DRIVER_CONTROL_STREAM_ID", "78"}});
  ASSERT_TRUE(both);
  EXPECT_EQ(both->settings.aeron_dir, "/driver");
  EXPECT_EQ(both->settings.control.channel, "aeron:ipc");
  EXPECT_EQ(both->settings.control.stream_id, 78U);

  EXPECT_THAT(errors_of(std::string(kTables), {{"TP_CONTROL_STREAM_ID", "no"}}),
              ElementsAre(HasSubstr("TP_CONTROL_STREAM_ID: driver.control_stream_id: ")));
}

TEST(Variables, for_telemetry_turn_it_on_by_1_only) {
  const auto enabled = [](Environment environment) {
    return load_text(std::string(kTables), std::move(environment))->settings.telemetry.enabled;
  };
  EXPECT_TRUE(enabled({{"TP_TELEMETRY", "1"}}));
  EXPECT_FALSE(enabled({{"TP_TELEMETRY", "0"}}));
  EXPECT_FALSE(enabled({{"TP_TELEMETRY", ""}}));
  EXPECT_TRUE(enabled({{"TELEMETRY_ENABLED", "true"}}));
}

TEST(Variables, hold_strings_as_they_are_and_an_empty_one_is_an_empty_string) {
  TP_REQ("D325");
  const auto loaded = load_text(with_key("driver.aeron_dir", R"("/file")"),
                                {{"DRIVER_AERON_DIR", ""},
                                 {"POLICIES_SHUTDOWN_TOKEN", " a\\n\"b "},
                                 {"SHM_ALLOWED_BASE_DIRS", "/dev/shm:/mnt/huge"}});
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->settings.aeron_dir, "");
  EXPECT_EQ(loaded->settings.policies.shutdown_token, " a\\n\"b ");
  EXPECT_THAT(loaded->settings.shm.allowed_base_dirs, ElementsAre("/dev/shm", "/mnt/huge"));
}

TEST(Variables, never_reach_profiles_and_streams) {
  TP_REQ("D329");
  const auto loaded = load_text(std::string(kTables), {{"PROFILES_SMALL_HEADER_NSLOTS", "128"},
                                                       {"PROFILES_<NAME>_HEADER_NSLOTS", "128"},
                                                       {"STREAMS_FIRST_STREAM_ID", "7"},
                                                       {"STREAMS_FIRST_PROFILE", "x"}});
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->settings, load_text(std::string(kTables))->settings);
}

TEST(Secrets, are_in_no_message) {
  const std::string secret(1025, 's');
  for (const auto& [text, environment] : std::vector<std::pair<std::string, Environment>>{
           {with_key("policies.shutdown_token", '"' + secret + '"'), {}},
           {with_key("policies.shutdown_token", "[\"ssss\"]"), {}},
           {std::string(kTables), {{"POLICIES_SHUTDOWN_TOKEN", secret}}}}) {
    EXPECT_THAT(errors_of(text, environment), ElementsAre(Not(HasSubstr("ssss"))));
  }
}

TEST(BuiltInConfiguration, needs_no_file_and_leaves_room_for_aeron_in_64_mib) {
  const auto loaded = load({.user = "alice"});
  ASSERT_TRUE(loaded);
  EXPECT_THAT(texts_of(loaded->warnings), IsEmpty());
  const Settings& settings = loaded->settings;
  EXPECT_TRUE(settings.policies.allow_dynamic_streams);
  EXPECT_THAT(settings.stream_ids, ElementsAre(IdRange{.first = 20000, .last = 29999}));
  EXPECT_EQ(settings.announce.stream_id, 1001U);
  ASSERT_EQ(settings.profiles.size(), 1U);
  std::uint64_t bytes = 0;
  for (const auto& region : core::region::regions_of({.stream_id = 1,
                            .nslots = settings.profiles[0].header_nslots,
                            .pools = settings.profiles[0].pools},
                                                     1)) {
    bytes += region.bytes();
  }
  const std::uint64_t epochs = settings.policies.epoch_gc_keep + 1U;
  EXPECT_LE(bytes * epochs, 49ULL << 20U);
  EXPECT_EQ(to_text(loaded->origin_of("driver.announce_stream_id")), "built-in:2:22");
}

TEST(SupervisorAlone, needs_no_profiles_and_no_table_and_is_checked_all_the_same) {
  const auto load_alone = [](const std::string& text, Environment environment = {}) {
    const File file{.name = "supervisor.toml", .text = text};
    return load({.file = &file,
                 .environment = std::move(environment),
                 .user = "alice",
                 .supervisor_alone = true});
  };
  const auto empty =
      load_alone("[driver]\ncontrol_stream_id = 1500\n", {{"SUPERVISOR_FORCE_MODE", "2"}});
  ASSERT_TRUE(empty);
  EXPECT_THAT(texts_of(empty->warnings), IsEmpty());
  ASSERT_TRUE(empty->settings.supervisor);
  EXPECT_EQ(empty->settings.supervisor->control.stream_id, 1500U);
  EXPECT_EQ(empty->settings.supervisor->force_mode, 2U);
  EXPECT_TRUE(load_alone(std::string(kTables)));
  EXPECT_FALSE(load_alone("[supervisor]\nforce_mode = 3\n"));
  EXPECT_FALSE(load_alone("[profiles.small]\nheader_nslots = 3\n"));
  EXPECT_FALSE(load_text("[supervisor]\n")) << "a driver needs both";
  const auto built_in = load({.user = "alice", .supervisor_alone = true});
  ASSERT_TRUE(built_in);
  EXPECT_TRUE(built_in->settings.supervisor);
}

}  // namespace
}  // namespace tensorpool::config::test
