// Any bytes as an announce, and on to the plan of what to map: refused, or a plan that names only
// possible regions and announces itself as it came.
#include <algorithm>

#include "codec/codec.hpp"
#include "core/region/plan.hpp"
#include "core/region/uri.hpp"
#include "harness/fuzz.hpp"

namespace {

using namespace tensorpool;

[[nodiscard]] bool possible(const core::region::PlannedRegion& region) {
  return check_shape(region.expected) && region.expected.bytes() <= (1ULL << 40U) &&
         core::region::parse_region_uri(region.uri);
}

}  // namespace

int fuzz_mapping_plan(std::span<const std::byte> input) {
  codec::Scratch scratch;
  const auto announce = codec::decode<layout::ShmPoolAnnounce>(input, scratch);
  if (!announce) {
    return 0;
  }
  const auto plan = core::region::make_mapping_plan(core::region::geometry_of(*announce));
  if (!plan) {
    TP_FUZZ_CHECK(!describe(plan.error()).empty());
    return 0;
  }
  TP_FUZZ_CHECK(possible(plan->header_ring));
  TP_FUZZ_CHECK(std::all_of(plan->pools.begin(), plan->pools.end(), possible));
  const auto pools = announced_pools(*plan);
  TP_FUZZ_CHECK(std::equal(pools.begin(), pools.end(), announce->payload_pools.begin(),
                           announce->payload_pools.end()));
  return 0;
}
