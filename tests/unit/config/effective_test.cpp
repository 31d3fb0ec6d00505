#include "config/effective.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.hpp"
#include "support/requirement.hpp"

namespace tensorpool::config::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Something in every kind of slot.
constexpr std::string_view kRich = R"([driver]
instance_id = "a \"b\" \\ c"
stream_id_range = [ "20000-20099", "21000" ]
descriptor_stream_id_range = [ 31000, 31999 ]
[shm]
allowed_base_dirs = [ "/dev/shm", "/mnt/huge" ]
permissions_mode = "0640"
[policies]
allow_dynamic_streams = true
epoch_gc_min_age_ns = 9223372036854775807
announce_period_ms = 50
[supervisor]
per_consumer_descriptor_base = 33000
per_consumer_descriptor_range = 10
[profiles."4 MiB"]
header_nslots = 8
payload_pools = [ { pool_id = 7, stride_bytes = 4194304 }, { pool_id = 2, stride_bytes = 64 } ]
[profiles.small]
payload_pools = [ { pool_id = 1, stride_bytes = 64 } ]
[streams."first \u0001 one"]
stream_id = 1
profile = "4 MiB"
)";

TEST(EffectiveToml, means_the_same_when_it_is_read_again) {
  const auto loaded = load_text(std::string(kRich));
  ASSERT_TRUE(loaded) << to_text(loaded.error().errors.front());
  const auto again = load_text(effective_text(*loaded));
  ASSERT_TRUE(again) << to_text(again.error().errors.front());
  EXPECT_EQ(again->settings, loaded->settings);
  EXPECT_EQ(again->settings.shm.permissions_mode, 0640U);
  EXPECT_EQ(again->settings.shm.page_size_bytes, std::nullopt);  // not set is not 4096
}

TEST(EffectiveToml, says_where_each_value_comes_from) {
  const auto loaded =
      load_text(std::string(kRich), {{"TELEMETRY_INTERVAL_MS", "5000"}, {"AERON_DIR", "/a"}});
  ASSERT_TRUE(loaded);
  const std::string text = effective_text(*loaded);
  for (const char* line :
       {"\n[profiles.\"4 MiB\"]\n", "\n[[profiles.\"4 MiB\".payload_pools]]\n",
        "interval_ms = 5000  # TELEMETRY_INTERVAL_MS\n", " = \"/a\"  # AERON_DIR\n",
        "pool_id      = 7  # driver.toml:17:31\n", "# page_size_bytes = 4096  # default\n",
        "consumer_capacity", "announce_period_ms           = 50  # driver.toml:11:22\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(EffectiveToml, shows_no_secret) {
  const auto loaded = load_text(with_key("policies.shutdown_token", R"("hidden")"));
  ASSERT_TRUE(loaded);
  const std::string text = effective_text(*loaded);
  EXPECT_THAT(text, Not(HasSubstr("hidden")));
  EXPECT_THAT(text, HasSubstr("is a secret  # driver.toml:2:18\n"));
  EXPECT_TRUE(effective(*loaded, "policies.shutdown_token").hidden);
  EXPECT_TRUE(load_text(text));
}

}  // namespace
}  // namespace tensorpool::config::test
