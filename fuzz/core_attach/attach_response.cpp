// Any bytes as the answer to an attach request, and on through the checks and the machine: refused,
// or a grant of a possible lease with possible regions; afterwards the machine is in one of the
// states that its table allows.
#include <algorithm>

#include "codec/codec.hpp"
#include "core/attach/attach_machine.hpp"
#include "core/region/uri.hpp"
#include "harness/fuzz.hpp"

namespace {

using namespace tensorpool;
using core::attach::AttachMachine;
using layout::ResponseCode;

constexpr Nanos kNow = std::chrono::seconds(1000);

[[nodiscard]] bool possible(const core::region::PlannedRegion& region) {
  return check_shape(region.expected) && region.expected.bytes() <= (1ULL << 40U) &&
         core::region::parse_region_uri(region.uri);
}

void check_grant(const core::attach::AttachGrant& grant, const layout::ShmAttachRequest& request) {
  TP_FUZZ_CHECK(grant.lease_id != 0);
  TP_FUZZ_CHECK(layout::valid_epoch(grant.plan.epoch()));
  TP_FUZZ_CHECK(layout::valid_stream_id(grant.plan.stream_id()));
  TP_FUZZ_CHECK(request.stream_id == 0 || grant.plan.stream_id() == request.stream_id);
  TP_FUZZ_CHECK(!grant.plan.pools.empty() && grant.plan.pools.size() <= layout::kPoolsMax);
  TP_FUZZ_CHECK(possible(grant.plan.header_ring));
  TP_FUZZ_CHECK(std::all_of(grant.plan.pools.begin(), grant.plan.pools.end(), possible));
}

/// Sends and maps whatever the machine asks for.
void carry_out(AttachMachine& machine, const layout::ShmAttachRequest& request) {
  while (const auto action = machine.next_action()) {
    if (std::holds_alternative<core::attach::MapRegions>(*action)) {
      check_grant(machine.grant(), request);
      machine.on_mapped({}, kNow);
    } else if (!std::holds_alternative<core::attach::UnmapRegions>(*action) &&
               !std::holds_alternative<core::attach::AttachReport>(*action)) {
      machine.on_sent(core::attach::SendResult::kOk, kNow);
    }
  }
  TP_FUZZ_CHECK(machine.check_invariants());
}

}  // namespace

int fuzz_attach_response(std::span<const std::byte> input) {
  const auto id = codec::peek_correlation_id(input);
  if (!id || *id <= 0) {
    return 0;
  }
  codec::Scratch scratch;
  const auto response = codec::decode<layout::ShmAttachResponse>(input, scratch);

  // The request that this may answer: of the same number, for the same stream or for any.
  const std::uint32_t stream_id = response ? response->stream_id.value_or(0) : 0;
  core::attach::CorrelationIds ids(static_cast<std::uint64_t>(*id) - 1);
  AttachMachine machine({.stream_id = layout::valid_stream_id(stream_id) ? stream_id : 0}, ids,
                        base::Random(1));
  machine.on_connection(true);
  machine.want_attach(kNow);
  carry_out(machine, {});
  TP_FUZZ_CHECK(machine.expects(*id));

  if (response) {
    machine.on_response(*response, kNow);
  } else {
    machine.on_malformed_response(*id, codec::peek_response_code(input), response.error(), kNow);
  }
  carry_out(machine, {.stream_id = machine.stream_id()});
  TP_FUZZ_CHECK(machine.state() != AttachState::kAttaching);
  TP_FUZZ_CHECK(machine.text().size() <= 1024);
  TP_FUZZ_CHECK((machine.state() == AttachState::kAttached) == (machine.grant().lease_id != 0));
  TP_FUZZ_CHECK(machine.state() != AttachState::kAttached ||
                (response && response->code == ResponseCode::kOk));
  return 0;
}
