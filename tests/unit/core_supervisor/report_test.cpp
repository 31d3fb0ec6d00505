// What a supervisor tells people.
#include "core/supervisor/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/requirement.hpp"

namespace tensorpool::core::supervisor {
namespace {

using ::testing::HasSubstr;
using Kind = Report::Kind;

TEST(SupervisorReport, says_who_it_was_and_what) {
  TP_REQ("D291", "D292", "D304");
  const auto text = [](Kind kind) {
    return to_text({.kind = kind,
                    .stream_id = 10000,
                    .id = 7,
                    .silence = std::chrono::milliseconds(5200),
                    .drops_gap = 10,
                    .drops_late = 2});
  };
  EXPECT_EQ(text(Kind::kProducerCame), "stream 10000: producer 7 has come");
  EXPECT_EQ(text(Kind::kProducerStale), "stream 10000: producer 7 is stale: silent for 5200 ms");
  EXPECT_EQ(text(Kind::kProducerBack), "stream 10000: producer 7 is back");
  EXPECT_EQ(text(Kind::kConsumerCame), "stream 10000: consumer 7 has come");
  EXPECT_EQ(text(Kind::kConsumerStale),
            "stream 10000: consumer 7 is stale, and forgotten: silent for 5200 ms");
  EXPECT_EQ(text(Kind::kConsumerLoses),
            "stream 10000: consumer 7 has lost 12 frames more (10 gap, 2 late)");
  EXPECT_THAT(text(Kind::kRegistryFull), HasSubstr("supervisor.consumer_capacity is reached"));
  EXPECT_THAT(text(Kind::kOtherResponder), HasSubstr("one only may serve a stream"));
}

TEST(SupervisorReport, is_a_warning_where_somebody_may_have_to_do_something) {
  for (const Kind kind : {Kind::kProducerCame, Kind::kProducerBack, Kind::kConsumerCame}) {
    EXPECT_FALSE(is_warning(kind));
  }
  for (const Kind kind : {Kind::kProducerStale, Kind::kConsumerStale, Kind::kConsumerLoses,
                          Kind::kRegistryFull, Kind::kOtherResponder}) {
    EXPECT_TRUE(is_warning(kind));
  }
}

}  // namespace
}  // namespace tensorpool::core::supervisor
