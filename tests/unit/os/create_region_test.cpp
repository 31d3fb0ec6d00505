#include "os/create_region.hpp"

#include <gtest/gtest.h>

#include "support/requirement.hpp"
#include "unit/os/fixture.hpp"

namespace tensorpool::os {
namespace {

using CreateRegion = test::RegionTest;

TEST_F(CreateRegion, what_an_owner_creates_a_client_can_open) {
  TP_REQ("W111", "W115", "W134", "W231");
  const OwnedStream owned = create(test::small_geometry());
  const auto mapped =
      open_stream(system_calls(), policy(allow_base()), owned.plan(), Access::kReadOnly);
  ASSERT_TRUE(mapped.has_value()) << describe(mapped.error());
  EXPECT_TRUE(mapped->recheck(system_calls(), owned.plan()).has_value());
}

}  // namespace
}  // namespace tensorpool::os
