#include "core/driver/counters.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "support/requirement.hpp"

namespace tensorpool::core::driver {
namespace {

TEST(Counters, stand_in_the_order_of_their_numbers) {
  Counters counters;
  ASSERT_EQ(kCounterFields.size(), 24U);
  const auto* const words = reinterpret_cast<const std::uint64_t*>(&counters);
  for (std::size_t i = 0; i < kCounterFields.size(); ++i) {
    EXPECT_EQ(&(counters.*kCounterFields[i].value), words + i) << kCounterFields[i].name;
  }
  EXPECT_EQ(kCounterFields[3 - 1].name, "AttachResponses");
  EXPECT_EQ(kCounterFields[12 - 1].name, "ControlMalformed");
  EXPECT_EQ(kCounterFields[24 - 1].name, "ProvisionedStreams");
}

/// What a message changes, by name.
std::map<std::string, std::uint64_t> changes(void (*count)(Counters&, MessageKind) noexcept,
                                             MessageKind kind) {
  Counters counters;
  count(counters, kind);
  std::map<std::string, std::uint64_t> changed;
  for (const CounterField& field : kCounterFields) {
    if (counters.*field.value != 0) {
      changed.emplace(field.name, counters.*field.value);
    }
  }
  return changed;
}
using Changes = std::map<std::string, std::uint64_t>;

TEST(Counters, count_what_was_published) {
  TP_REQ("D78", "D162", "D223");
  EXPECT_EQ(changes(count_published, kind_of(layout::ShmAttachResponse{})),
            (Changes{{"AttachResponses", 1}}));
  EXPECT_EQ(
      changes(count_published,
              kind_of(layout::ShmAttachResponse{.code = layout::ResponseCode::kInternalError})),
      (Changes{{"AttachResponses", 1}, {"AttachRejects", 1}}));
  EXPECT_EQ(changes(count_published, kind_of(layout::ShmDetachResponse{})),
            (Changes{{"DetachResponses", 1}}));
  EXPECT_EQ(changes(count_published, kind_of(layout::ShmLeaseRevoked{})),
            (Changes{{"LeaseRevoked", 1}}));
  EXPECT_EQ(changes(count_published, kind_of(layout::ShmPoolAnnounce{})),
            (Changes{{"Announces", 1}}));
  EXPECT_EQ(changes(count_published, kind_of(layout::ShmDriverShutdown{})), Changes{});
}

TEST(Counters, count_what_could_not_be_sent) {
  TP_REQ("D22", "D23");
  for (const MessageKind attach : {MessageKind::kAttachResponse, MessageKind::kAttachReject}) {
    EXPECT_EQ(changes(count_given_up, attach), (Changes{{"AttachResponseDrops", 1}}));
    EXPECT_EQ(changes(count_unheard, attach), (Changes{{"AttachResponseDrops", 1}}));
  }
  for (const MessageKind other : {MessageKind::kDetachResponse, MessageKind::kLeaseRevoked,
                                  MessageKind::kAnnounce, MessageKind::kShutdown}) {
    EXPECT_EQ(changes(count_given_up, other), (Changes{{"ControlSendDrops", 1}}));
    EXPECT_EQ(changes(count_unheard, other), Changes{});
  }
}

}  // namespace
}  // namespace tensorpool::core::driver
