#include "core/driver/attach_checks.hpp"

#include "core/driver/node_ids.hpp"
#include "layout/limits.hpp"

namespace tensorpool::inline v0::core::driver {
namespace {

using layout::HugepagesPolicy;
using layout::PublishMode;
using layout::ResponseCode;
using Request = layout::ShmAttachRequest;

/// A check fails when `applies` says so.
template <class Facts>
struct Check {
  bool (*applies)(const Request& request, const Facts& facts);
  Refusal refusal;
};

[[nodiscard]] bool would_create(const AttachFacts& facts) noexcept {
  return !facts.stream_exists;  // what D53 and D54 leave over
}

[[nodiscard]] bool wants_hugepages(const Request& request, const AttachFacts& facts) noexcept {
  return request.require_hugepages == HugepagesPolicy::kHugepages ||
         (request.require_hugepages == HugepagesPolicy::kUnspecified && facts.hugepages_by_default);
}

constexpr Check<bool> kRequestChecks[] = {
    {[](const Request&, const bool& draining) { return draining; }, refusals::kDraining},
    {[](const Request& r, const bool&) { return !known_role(r.role); }, refusals::kInvalidRole},
    {[](const Request& r, const bool&) { return r.client_id == 0; },  // D45
     {ResponseCode::kInvalidParams, "client_id must be non-zero"}},
    {[](const Request& r, const bool&) {  // D46, D48
       return r.publish_mode && *r.publish_mode != PublishMode::kRequireExisting &&
              *r.publish_mode != PublishMode::kExistingOrCreate;
     },
     {ResponseCode::kUnsupported, "unsupported publish_mode"}},
    {[](const Request& r, const bool&) {  // D49
       return r.require_hugepages > HugepagesPolicy::kHugepages;
     },
     {ResponseCode::kInvalidParams, "unknown hugepages policy"}},
    {[](const Request& r, const bool&) { return r.stream_id > layout::kStreamIdMax; },  // D50
     {ResponseCode::kInvalidParams, "invalid stream_id"}},
};

constexpr Check<AttachFacts> kAttachChecks[] = {
    {[](const Request&, const AttachFacts& f) { return f.client_attached; },  // D52
     {ResponseCode::kRejected, "client_id already attached"}},
    {[](const Request& r, const AttachFacts& f) {  // D53, D54
       return would_create(f) &&
              (!f.dynamic_streams_allowed || r.publish_mode != PublishMode::kExistingOrCreate);
     },
     {ResponseCode::kRejected, "stream not provisioned"}},
    {[](const Request&, const AttachFacts& f) {  // D55
       return would_create(f) && !f.range_configured;
     },
     {ResponseCode::kInvalidParams, "stream_id_range not configured"}},
    {[](const Request& r, const AttachFacts& f) {  // D56
       return would_create(f) && r.stream_id != 0 && !f.id_in_range;
     },
     {ResponseCode::kInvalidParams, "stream_id outside stream_id_range"}},
    {[](const Request& r, const AttachFacts& f) {  // D57
       return would_create(f) && r.stream_id == 0 && !f.id_left;
     },
     {ResponseCode::kInvalidParams, "stream_id_range exhausted"}},
    {[](const Request&, const AttachFacts& f) { return f.pass_missing; },  // an addition: ADR 22
     {ResponseCode::kRejected, "not permitted without a pass from the admin socket"}},
    {[](const Request&, const AttachFacts& f) { return !f.profile_exists; },  // D58
     {ResponseCode::kInvalidParams, "profile not found"}},
    {[](const Request& r, const AttachFacts&) {  // D59
       return r.expected_layout_version != 0 && r.expected_layout_version != layout::kLayoutVersion;
     },
     {ResponseCode::kRejected, "layout_version mismatch"}},
    {[](const Request&, const AttachFacts& f) { return !f.profile_has_pools; },  // D60
     {ResponseCode::kInvalidParams, "stream has no payload pools"}},
    {[](const Request& r, const AttachFacts& f) {  // D61
       return wants_hugepages(r, f) && !f.pages.hugepages_available;
     },
     {ResponseCode::kRejected, "hugepages required but unavailable"}},
    {[](const Request& r, const AttachFacts& f) {  // D62
       return r.require_hugepages == HugepagesPolicy::kStandard &&
              (f.hugepages_by_default || f.pages.base_on_hugetlbfs);
     },
     {ResponseCode::kRejected, "hugepages required by driver policy"}},
    {[](const Request& r, const AttachFacts& f) {  // D63
       return r.role == layout::Role::kProducer && f.producer_attached;
     },
     {ResponseCode::kRejected, "producer already attached"}},
    {[](const Request& r, const AttachFacts& f) {  // D64
       return NodeIds::preference(r.desired_node_id) && !f.node_id_available;
     },
     {ResponseCode::kRejected, "node_id unavailable"}},
    {[](const Request&, const AttachFacts& f) { return f.lease_limit_reached; },  // D65
     {ResponseCode::kRejected, "lease limit reached"}},
};

template <class Checks, class Facts>
[[nodiscard]] std::optional<Refusal> first_failure(const Checks& checks, const Request& request,
                                                   const Facts& facts) noexcept {
  for (const auto& check : checks) {
    if (check.applies(request, facts)) {
      return check.refusal;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> check_request(const Request& request, bool draining) noexcept {
  return first_failure(kRequestChecks, request, draining);
}

std::optional<Refusal> check_attach(const Request& request, const AttachFacts& facts) noexcept {
  return first_failure(kAttachChecks, request, facts);
}

}  // namespace tensorpool::inline v0::core::driver
