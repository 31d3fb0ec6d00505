#include "core/driver/attach_checks.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string_view>
#include <vector>

#include "support/requirement.hpp"

namespace tensorpool::core::driver {
namespace {

using layout::HugepagesPolicy;
using layout::PublishMode;
using layout::ResponseCode;
using layout::Role;
using Request = layout::ShmAttachRequest;

/// A request for an existing stream, and a driver that has nothing against it.
struct Case {
  Request request{.stream_id = 10000, .client_id = 7, .role = Role::kProducer};
  AttachFacts facts{.stream_exists = true,
                    .profile_exists = true,
                    .profile_has_pools = true,
                    .node_id_available = true};
  bool draining = false;

  [[nodiscard]] std::optional<Refusal> check() const {
    const auto refusal = check_request(request, draining);
    return refusal ? refusal : check_attach(request, facts);
  }
};

/// One reason to refuse, and how a case gets it, whatever other reasons it has already.
struct Rule {
  Refusal refusal;
  std::function<void(Case&)> break_it;
};

/// A request that would create a stream; later rules of the table build on it.
void would_create(Case& c) {
  c.facts.stream_exists = false;
  c.facts.dynamic_streams_allowed = true;
  c.facts.range_configured = true;
  c.facts.id_in_range = true;
  c.facts.id_left = true;
  c.request.publish_mode = PublishMode::kExistingOrCreate;
}

/// In the order of §2.5.
const std::vector<Rule>& rules() {
  static const std::vector<Rule> all = {
      {{ResponseCode::kRejected, "driver draining"}, [](Case& c) { c.draining = true; }},
      {{ResponseCode::kInvalidParams, "invalid role"}, [](Case& c) { c.request.role = Role{255}; }},
      {{ResponseCode::kInvalidParams, "client_id must be non-zero"},
       [](Case& c) { c.request.client_id = 0; }},
      {{ResponseCode::kUnsupported, "unsupported publish_mode"},
       [](Case& c) { c.request.publish_mode = PublishMode{0}; }},
      {{ResponseCode::kInvalidParams, "unknown hugepages policy"},
       [](Case& c) { c.request.require_hugepages = HugepagesPolicy{255}; }},
      {{ResponseCode::kInvalidParams, "invalid stream_id"},
       [](Case& c) { c.request.stream_id = 0xFFFF'FFFF; }},
      {{ResponseCode::kRejected, "client_id already attached"},
       [](Case& c) { c.facts.client_attached = true; }},
      {{ResponseCode::kRejected, "stream not provisioned"},
       [](Case& c) {
         c.facts.stream_exists = false;
         c.facts.dynamic_streams_allowed = false;
       }},
      {{ResponseCode::kInvalidParams, "stream_id_range not configured"},
       [](Case& c) {
         would_create(c);
         c.facts.range_configured = false;
       }},
      {{ResponseCode::kInvalidParams, "stream_id outside stream_id_range"},
       [](Case& c) {
         would_create(c);
         c.request.stream_id = 20000;
         c.facts.id_in_range = false;
       }},
      {{ResponseCode::kInvalidParams, "stream_id_range exhausted"},
       [](Case& c) {
         would_create(c);
         c.request.stream_id = 0;
         c.facts.id_left = false;
       }},
      {{ResponseCode::kRejected, "not permitted without a pass from the admin socket"},
       [](Case& c) { c.facts.pass_missing = true; }},
      {{ResponseCode::kInvalidParams, "profile not found"},
       [](Case& c) { c.facts.profile_exists = false; }},
      {{ResponseCode::kRejected, "layout_version mismatch"},
       [](Case& c) { c.request.expected_layout_version = 2; }},
      {{ResponseCode::kInvalidParams, "stream has no payload pools"},
       [](Case& c) { c.facts.profile_has_pools = false; }},
      {{ResponseCode::kRejected, "hugepages required but unavailable"},
       [](Case& c) {
         c.request.require_hugepages = HugepagesPolicy::kHugepages;
         c.facts.pages = {};
       }},
      {{ResponseCode::kRejected, "hugepages required by driver policy"},
       [](Case& c) {
         c.request.require_hugepages = HugepagesPolicy::kStandard;
         c.facts.pages = {.base_on_hugetlbfs = true, .hugepages_available = true};
       }},
      {{ResponseCode::kRejected, "producer already attached"},
       [](Case& c) { c.facts.producer_attached = true; }},
      {{ResponseCode::kRejected, "node_id unavailable"},
       [](Case& c) {
         c.request.desired_node_id = 5;
         c.facts.node_id_available = false;
       }},
      {{ResponseCode::kRejected, "lease limit reached"},
       [](Case& c) { c.facts.lease_limit_reached = true; }},
  };
  return all;
}

TEST(AttachChecks, a_request_without_fault_passes) {
  EXPECT_EQ(Case().check(), std::nullopt);
  Case creating;
  would_create(creating);
  EXPECT_EQ(creating.check(), std::nullopt);
}

TEST(AttachChecks, each_fault_has_its_code_and_text) {
  TP_REQ("D43", "D44", "D45", "D48", "D49", "D50", "D52", "D53", "D55", "D56", "D57", "D58", "D59",
         "D60", "D61", "D62", "D63", "D64", "D65");
  for (const Rule& rule : rules()) {
    Case c;
    rule.break_it(c);
    EXPECT_EQ(c.check(), rule.refusal) << rule.refusal.text;
  }
}

TEST(AttachChecks, of_two_faults_the_earlier_in_the_list_is_reported) {
  TP_REQ("D41");
  for (auto first = rules().begin(); first != rules().end(); ++first) {
    for (auto second = std::next(first); second != rules().end(); ++second) {
      Case c;
      second->break_it(c);
      first->break_it(c);
      EXPECT_EQ(c.check(), first->refusal) << first->refusal.text << ", " << second->refusal.text;
    }
  }
}

TEST(AttachChecks, roles_and_policies_outside_their_range_are_refused_whatever_the_byte) {
  TP_REQ("D44", "D48", "D49");
  for (int byte = 0; byte <= 255; ++byte) {
    const auto raw = static_cast<std::uint8_t>(byte);
    EXPECT_EQ(known_role(Role{raw}), byte == 1 || byte == 2);
    Case c;
    c.request.require_hugepages = HugepagesPolicy{raw};
    c.facts.pages = {.base_on_hugetlbfs = false, .hugepages_available = true};
    EXPECT_EQ(c.check().has_value(), byte > 2) << byte;
    Case mode;
    mode.request.publish_mode = PublishMode{raw};
    EXPECT_EQ(mode.check().has_value(), byte != 1 && byte != 2) << byte;
  }
}

TEST(AttachChecks, absent_publish_mode_means_require_existing) {
  TP_REQ("D46", "D54");
  Case c;
  would_create(c);
  c.request.publish_mode = std::nullopt;
  EXPECT_EQ(c.check()->text, "stream not provisioned");
  c.facts.stream_exists = true;
  EXPECT_EQ(c.check(), std::nullopt);
}

TEST(AttachChecks, creation_needs_permission_and_the_mode) {
  TP_REQ("D53", "D54", "D240");
  for (const std::uint32_t id : {0U, 20000U}) {
    Case c;
    would_create(c);
    c.request.stream_id = id;
    c.facts.dynamic_streams_allowed = false;
    EXPECT_EQ(c.check()->text, "stream not provisioned");
    c.facts.dynamic_streams_allowed = true;
    c.request.publish_mode = PublishMode::kRequireExisting;
    EXPECT_EQ(c.check()->text, "stream not provisioned");
  }
}

TEST(AttachChecks, an_id_of_the_range_need_not_be_left_when_it_is_asked_for) {
  TP_REQ("D57");
  Case c;
  would_create(c);
  c.facts.id_left = false;
  EXPECT_EQ(c.check(), std::nullopt);
}

TEST(AttachChecks, layout_version_zero_is_no_expectation) {
  TP_REQ("D59");
  Case c;
  for (const std::uint32_t version : {0U, 1U}) {
    c.request.expected_layout_version = version;
    EXPECT_EQ(c.check(), std::nullopt);
  }
}

TEST(AttachChecks, hugepages_by_the_request_or_by_the_policy_of_the_driver) {
  TP_REQ("D61", "D62");
  constexpr std::string_view kMissing = "hugepages required but unavailable";
  constexpr std::string_view kPolicy = "hugepages required by driver policy";
  struct Row {
    HugepagesPolicy requested;
    bool by_default;
    bool on_hugetlbfs;
    bool available;
    std::string_view text;  // empty: passes
  };
  for (const Row& row :
       std::initializer_list<Row>{{HugepagesPolicy::kUnspecified, false, false, false, ""},
                                  {HugepagesPolicy::kUnspecified, false, true, true, ""},
                                  {HugepagesPolicy::kUnspecified, true, false, false, kMissing},
                                  {HugepagesPolicy::kUnspecified, true, true, true, ""},
                                  {HugepagesPolicy::kHugepages, false, true, true, ""},
                                  {HugepagesPolicy::kHugepages, false, true, false, kMissing},
                                  {HugepagesPolicy::kStandard, false, false, false, ""},
                                  {HugepagesPolicy::kStandard, true, false, false, kPolicy},
                                  {HugepagesPolicy::kStandard, false, true, false, kPolicy}}) {
    Case c;
    c.request.require_hugepages = row.requested;
    c.facts.hugepages_by_default = row.by_default;
    c.facts.pages = {.base_on_hugetlbfs = row.on_hugetlbfs, .hugepages_available = row.available};
    EXPECT_EQ(c.check().value_or(Refusal{.text = ""}).text, row.text);
  }
}

TEST(AttachChecks, consumers_may_join_a_producer_and_no_preference_needs_no_node_id) {
  TP_REQ("D63", "D64", "D94", "D176");
  Case c;
  c.request.role = Role::kConsumer;
  c.facts.producer_attached = true;
  c.facts.node_id_available = false;
  for (const std::optional<std::uint32_t> none : {std::optional<std::uint32_t>(), {0U}}) {
    c.request.desired_node_id = none;
    EXPECT_EQ(c.check(), std::nullopt);
  }
}

}  // namespace
}  // namespace tensorpool::core::driver
