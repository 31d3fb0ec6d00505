// What does not fit together, in settings made in code. What each key may be by itself is in
// keys_test.cpp.
#include "core/driver/check_settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "support/requirement.hpp"

namespace tensorpool::core::driver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

[[nodiscard]] Settings minimal() {
  Settings settings;
  settings.profiles = {{.name = "small", .pools = {{.pool_id = 1, .stride_bytes = 64}}}};
  settings.streams = {{.name = "first", .stream_id = 10000, .profile = "small"}};
  return settings;
}

using KeyPair = std::pair<std::string, std::string>;

[[nodiscard]] std::vector<KeyPair> found(const Settings& settings, Finding::Severity severity) {
  std::vector<KeyPair> keys;
  for (const Finding& finding : check_settings(settings, "alice")) {
    if (finding.severity == severity) {
      keys.emplace_back(finding.key, finding.partner);
    }
  }
  return keys;
}
[[nodiscard]] std::vector<KeyPair> errors(const Settings& settings) {
  return found(settings, Finding::Severity::kError);
}
[[nodiscard]] std::vector<KeyPair> warnings(const Settings& settings) {
  return found(settings, Finding::Severity::kWarning);
}

TEST(CheckSettings, finds_nothing_wrong_with_the_defaults) {
  EXPECT_THAT(check_settings(minimal(), "alice"), IsEmpty());
  EXPECT_TRUE(first_error(check_settings(minimal(), "alice")));
}

TEST(CheckSettings, gives_the_first_error_as_such) {
  Settings settings = minimal();
  settings.shm.permissions_mode = 0662;  // a warning is none
  EXPECT_TRUE(first_error(check_settings(settings, "alice")));
  settings.qos.stream_id = 0;
  settings.profiles.clear();
  const Status sut = first_error(check_settings(settings, "alice"));
  ASSERT_FALSE(sut);
  EXPECT_EQ(sut.error().code, Errc::kInvalidArgument);
  EXPECT_TRUE(sut.error().subject_view().starts_with("driver.qos_stream_id: 0 is out of range"));
}

TEST(IdRanges, must_not_overlap_whichever_key_they_belong_to) {
  TP_REQ("D238", "W433");
  Settings settings = minimal();
  settings.stream_ids = {{.first = 20000, .last = 20009}, {.first = 20010, .last = 20019}};
  settings.descriptor_stream_ids = {{.first = 31000, .last = 31999}};
  settings.control_stream_ids = {{.first = 32000, .last = 32999}};
  EXPECT_THAT(errors(settings), IsEmpty());

  settings.stream_ids[1].first = 20009;  // within one key
  EXPECT_THAT(errors(settings),
              ElementsAre(KeyPair("driver.stream_id_range", "driver.stream_id_range")));
  settings.stream_ids[1].first = 20010;
  settings.control_stream_ids[0].first = 31999;
  EXPECT_THAT(errors(settings), ElementsAre(KeyPair("driver.control_stream_id_range",
                                                    "driver.descriptor_stream_id_range")));
  settings.control_stream_ids = {{.first = 20015, .last = 20015}};  // inside of another
  EXPECT_THAT(errors(settings),
              ElementsAre(KeyPair("driver.control_stream_id_range", "driver.stream_id_range")));
}

TEST(IdRanges, that_lie_apart_behind_a_wide_one_are_found_to_overlap_it) {
  TP_REQ("D238");
  Settings settings = minimal();
  settings.stream_ids = {{.first = 20000, .last = 29999},
                         {.first = 20001, .last = 20002},
                         {.first = 20004, .last = 20005}};
  EXPECT_EQ(errors(settings).size(), 2U);
}

TEST(IdRanges, must_not_contain_an_id_that_is_in_use) {
  TP_REQ("D238");
  Settings base = minimal();
  base.announce.stream_id = 1001;
  base.supervisor.emplace();
  const std::vector<std::pair<std::uint32_t, std::string>> taken = {
      {1000, "driver.control_stream_id"},
      {1001, "driver.announce_stream_id"},
      {1200, "driver.qos_stream_id"},
      {1300, "supervisor.metadata_stream_id"},
      {10000, "streams.first.stream_id"}};
  for (const auto& [id, owner] : taken) {
    for (auto [key, ranges] :
         {std::pair("driver.stream_id_range", &Settings::stream_ids),
          std::pair("driver.descriptor_stream_id_range", &Settings::descriptor_stream_ids),
          std::pair("driver.control_stream_id_range", &Settings::control_stream_ids)}) {
      Settings settings = base;
      (settings.*ranges) = {{.first = id, .last = id}};
      EXPECT_THAT(errors(settings), ElementsAre(KeyPair(key, owner)));
    }
  }
  base.supervisor.reset();  // then nobody has the metadata stream
  base.stream_ids = {{.first = 1300, .last = 1300}};
  EXPECT_THAT(errors(base), IsEmpty());
}

TEST(IdRanges, have_their_own_limits) {
  TP_REQ("D237");
  Settings settings = minimal();
  settings.stream_ids = {{.first = 0x8000'0000, .last = 0xFFFF'FFFE}};
  EXPECT_THAT(errors(settings), IsEmpty());
  settings.stream_ids = {{.first = 5, .last = 0xFFFF'FFFF}};
  settings.descriptor_stream_ids = {{.first = 5, .last = 0x8000'0000}};
  settings.control_stream_ids = {{.first = 0, .last = 3}, {.first = 9, .last = 8}};
  EXPECT_THAT(errors(settings), ElementsAre(KeyPair("driver.stream_id_range", ""),
                                            KeyPair("driver.descriptor_stream_id_range", ""),
                                            KeyPair("driver.control_stream_id_range", ""),
                                            KeyPair("driver.control_stream_id_range", "")));
}

TEST(Supervisor, grants_no_id_that_is_in_use) {
  TP_REQ("D331");
  Settings base = minimal();
  base.announce.stream_id = 1001;
  base.supervisor.emplace();
  base.supervisor->control.stream_id = 2000;
  base.supervisor->announce.stream_id = 2001;
  base.supervisor->qos.stream_id = 2200;
  for (const std::uint32_t id : {1000U, 1001U, 1200U, 1300U, 2000U, 2001U, 2200U, 10000U}) {
    Settings settings = base;
    settings.supervisor->per_consumer_descriptor = {.base = id, .count = 1};
    EXPECT_EQ(errors(settings).size(), 1U) << id;
    EXPECT_EQ(errors(settings).at(0).first, "supervisor.per_consumer_descriptor_base") << id;
    settings.supervisor->per_consumer_descriptor = {};
    settings.supervisor->per_consumer_control = {.base = id - 1, .count = 2};
    EXPECT_EQ(errors(settings).at(0).first, "supervisor.per_consumer_control_base") << id;
    settings.supervisor->per_consumer_control = {.base = 0,
                                                 .count = id + 1};  // grants what is asked
    EXPECT_THAT(errors(settings), IsEmpty()) << id;
  }
}

TEST(Supervisor, has_two_ranges_that_lie_apart_from_each_other_but_not_from_the_driver_s) {
  TP_REQ("D331");
  Settings settings = minimal();
  settings.descriptor_stream_ids = {{.first = 31000, .last = 31999}};
  settings.supervisor.emplace();
  settings.supervisor->per_consumer_descriptor = {.base = 31000, .count = 1000};
  settings.supervisor->per_consumer_control = {.base = 32000, .count = 1000};
  EXPECT_THAT(errors(settings), IsEmpty());
  settings.supervisor->per_consumer_control.base = 31999;
  EXPECT_THAT(errors(settings), ElementsAre(KeyPair("supervisor.per_consumer_control_base",
                                                    "supervisor.per_consumer_descriptor_base")));
}

TEST(Supervisor, has_ranges_that_are_not_empty_and_end_where_aeron_ends) {
  TP_REQ("D320");
  Settings settings = minimal();
  settings.supervisor.emplace();
  auto& granted = settings.supervisor->per_consumer_descriptor;
  granted = {.base = 0x7FFF'FFFF, .count = 1};
  EXPECT_THAT(errors(settings), IsEmpty());
  granted.count = 0xFFFF'FFFF;
  EXPECT_THAT(errors(settings), ElementsAre(KeyPair("supervisor.per_consumer_descriptor_base",
                                                    "supervisor.per_consumer_descriptor_range")));
  granted.count = 0;
  EXPECT_THAT(errors(settings), ElementsAre(KeyPair("supervisor.per_consumer_descriptor_range",
                                                    "supervisor.per_consumer_descriptor_base")));
}

TEST(BaseDir, lies_in_an_allowed_directory_whatever_way_it_is_written) {
  TP_REQ("D320");
  Settings settings = minimal();
  settings.shm.base_dir = "/dev/shm/a/";
  for (const char* allowed : {"/dev/shm", "/dev/shm/", "/dev//shm/./a", "/dev/shm/x/../a"}) {
    settings.shm.allowed_base_dirs = {"/mnt", allowed};
    EXPECT_THAT(errors(settings), IsEmpty()) << allowed;
  }
  for (const char* allowed : {"/dev/shm/ab", "/dev/sh", "/dev/shm/a/b"}) {
    settings.shm.allowed_base_dirs = {allowed};
    EXPECT_THAT(errors(settings), ElementsAre(KeyPair("shm.base_dir", "shm.allowed_base_dirs")))
        << allowed;
  }
}

TEST(BaseDir, is_so_short_that_every_uri_has_4095_bytes_at_most) {
  TP_REQ("D20");
  Settings settings = minimal();
  // shm:file?path=<base>/tensorpool-alice/default/10000/<19 digits>/header.ring
  // |require_hugepages=true
  const std::size_t rest = std::string_view(
                               "shm:file?path=/tensorpool-alice/default/10000/"
                               "9223372036854775807/header.ring"
                               "|require_hugepages=true")
                               .size();
  settings.shm.base_dir = "/" + std::string(4094 - rest, 'x');
  EXPECT_THAT(errors(settings), IsEmpty());
  settings.stream_ids = {{.first = 100000, .last = 100000}};  // one digit more
  EXPECT_THAT(errors(settings), ElementsAre(KeyPair("shm.base_dir", "")));
  settings.stream_ids.clear();
  EXPECT_THAT(check_settings(settings, "alicia"),
              ElementsAre(::testing::Field(&Finding::message, HasSubstr("4096 bytes, and 4095"))));
}

TEST(CheckSettings, refuses_names_that_lead_nowhere_or_to_two_things) {
  TP_REQ("D320");
  Settings settings = minimal();
  settings.policies.default_profile = "large";
  settings.profiles.push_back({.name = "", .pools = {{.pool_id = 1, .stride_bytes = 64}}});
  settings.profiles.push_back({.name = "small", .pools = {{.pool_id = 1, .stride_bytes = 64}}});
  settings.streams.push_back({.name = "second", .stream_id = 10000, .profile = "none"});
  EXPECT_THAT(errors(settings),
              ElementsAre(KeyPair("policies.default_profile", "profiles"),
                          KeyPair("profiles.\"\"", ""), KeyPair("profiles.small", ""),
                          KeyPair("streams.second.stream_id", "streams.first.stream_id"),
                          KeyPair("streams.second.profile", "profiles")));
}

TEST(CheckSettings, refuses_pools_that_the_spec_does_not_allow) {
  TP_REQ("D320");
  const auto with_pools = [](std::vector<region::PoolGeometry> pools) {
    Settings settings = minimal();
    settings.profiles[0].pools = std::move(pools);
    return errors(settings);
  };
  EXPECT_THAT(with_pools({}), ElementsAre(KeyPair("profiles.small.payload_pools", "")));
  EXPECT_THAT(with_pools({{.pool_id = 0, .stride_bytes = 64}}),
              ElementsAre(KeyPair("profiles.small.payload_pools[0].pool_id", "")));
  EXPECT_THAT(with_pools({{.pool_id = 65535, .stride_bytes = 64}}),
              ElementsAre(KeyPair("profiles.small.payload_pools[0].pool_id", "")));
  EXPECT_THAT(with_pools({{.pool_id = 65534, .stride_bytes = 1U << 31U},
                          {.pool_id = 2, .stride_bytes = 32},
                          {.pool_id = 65534, .stride_bytes = 192}}),
              ElementsAre(KeyPair("profiles.small.payload_pools[1].stride_bytes", ""),
                          KeyPair("profiles.small.payload_pools[2].pool_id",
                                  "profiles.small.payload_pools[0].pool_id"),
                          KeyPair("profiles.small.payload_pools[2].stride_bytes", "")));
  std::vector<region::PoolGeometry> many(257);
  for (std::size_t at = 0; at < many.size(); ++at) {
    many[at] = {.pool_id = static_cast<std::uint16_t>(at + 1), .stride_bytes = 64};
  }
  EXPECT_THAT(with_pools(many), ElementsAre(KeyPair("profiles.small.payload_pools", "")));
  many.pop_back();
  EXPECT_THAT(with_pools(many), IsEmpty());
}

TEST(CheckSettings, refuses_slot_counts_and_stream_ids_that_the_spec_does_not_allow) {
  TP_REQ("D320");
  Settings settings = minimal();
  for (const std::uint32_t nslots : {0U, 3U, 0xFFFF'FFFFU}) {
    settings.profiles[0].header_nslots = nslots;
    EXPECT_THAT(errors(settings), ElementsAre(KeyPair("profiles.small.header_nslots", "")));
  }
  for (const std::uint32_t nslots : {1U, 1U << 31U}) {
    settings.profiles[0].header_nslots = nslots;
    EXPECT_THAT(errors(settings), IsEmpty());
  }
  for (const std::uint32_t id : {0U, 0xFFFF'FFFFU}) {
    settings.streams[0].stream_id = id;
    EXPECT_THAT(errors(settings), ElementsAre(KeyPair("streams.first.stream_id", "")));
  }
  settings.streams[0].stream_id = 0xFFFF'FFFE;
  EXPECT_THAT(errors(settings), IsEmpty());
}

TEST(CheckSettings, needs_streams_only_where_none_can_be_made) {
  TP_REQ("D320");
  Settings settings = minimal();
  settings.streams.clear();
  EXPECT_THAT(errors(settings), ElementsAre(KeyPair("streams", "policies.allow_dynamic_streams")));
  settings.policies.allow_dynamic_streams = true;
  settings.stream_ids = {{.first = 20000, .last = 29999}};
  EXPECT_THAT(check_settings(settings, "alice"), IsEmpty());
}

TEST(CheckSettings, warns_of_what_is_allowed_and_unlikely_to_be_meant) {
  Settings settings = minimal();
  settings.policies.allow_dynamic_streams = true;  // without a range
  settings.shm.permissions_mode = 0662;
  EXPECT_THAT(errors(settings), IsEmpty());
  EXPECT_THAT(warnings(settings),
              UnorderedElementsAre(KeyPair("policies.allow_dynamic_streams", ""),
                                   KeyPair("shm.permissions_mode", "")));
}

TEST(CheckSettings, refuses_times_that_no_file_could_hold) {
  Settings settings = minimal();
  settings.policies.announce_period = Nanos(-1);
  settings.policies.lease_keepalive_interval = Nanos(999'999);  // below a millisecond
  settings.policies.epoch_gc_min_age = Nanos(-1);
  settings.policies.node_id_reuse_cooldown = Nanos(-1);
  EXPECT_THAT(errors(settings), ElementsAre(KeyPair("policies.announce_period_ms", ""),
                                            KeyPair("policies.lease_keepalive_interval_ms", ""),
                                            KeyPair("policies.epoch_gc_min_age_ns", ""),
                                            KeyPair("policies.node_id_reuse_cooldown_ms", "")));
}

}  // namespace
}  // namespace tensorpool::core::driver
