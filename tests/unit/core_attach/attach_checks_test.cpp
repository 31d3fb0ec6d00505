// Each field of an OK response wrong once, and the order in which faults are found.
#include "core/attach/attach_checks.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "good_response.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::attach {
namespace {

constexpr layout::ShmAttachRequest kRequest{
    .correlation_id = 1, .stream_id = kStream, .client_id = 77, .expected_layout_version = 1};

struct Fault {
  const char* name;
  void (*add)(GoodResponse&);
  Errc code;
  Field field;
};

/// In the order of §2.9.
const Fault kFaults[] = {
    {"lease id absent", [](auto& r) { r.message.lease_id.reset(); }, Errc::kMalformedMessage,
     Field::kNone},
    {"lease id 0", [](auto& r) { r.message.lease_id = 0; }, Errc::kMalformedMessage, Field::kNone},
    {"stream id absent", [](auto& r) { r.message.stream_id.reset(); }, Errc::kMalformedMessage,
     Field::kStreamId},
    {"stream id 0", [](auto& r) { r.message.stream_id = 0; }, Errc::kMalformedMessage,
     Field::kStreamId},
    {"another stream", [](auto& r) { r.message.stream_id = kStream + 1; }, Errc::kMalformedMessage,
     Field::kStreamId},
    {"epoch absent", [](auto& r) { r.message.epoch.reset(); }, Errc::kMalformedMessage,
     Field::kEpoch},
    {"epoch 0", [](auto& r) { r.message.epoch = 0; }, Errc::kMalformedMessage, Field::kEpoch},
    {"layout version absent", [](auto& r) { r.message.layout_version.reset(); },
     Errc::kLayoutUnsupported, Field::kLayoutVersion},
    {"layout version 2", [](auto& r) { r.message.layout_version = 2; }, Errc::kLayoutUnsupported,
     Field::kLayoutVersion},
    {"slot count absent", [](auto& r) { r.message.header_nslots.reset(); }, Errc::kAnnounceInvalid,
     Field::kHeaderNslots},
    {"slot count 0", [](auto& r) { r.message.header_nslots = 0; }, Errc::kAnnounceInvalid,
     Field::kHeaderNslots},
    {"slot count 6", [](auto& r) { r.message.header_nslots = 6; }, Errc::kAnnounceInvalid,
     Field::kHeaderNslots},
    {"slot size absent", [](auto& r) { r.message.header_slot_bytes.reset(); },
     Errc::kAnnounceInvalid, Field::kHeaderSlotBytes},
    {"slot size 512", [](auto& r) { r.message.header_slot_bytes = 512; }, Errc::kAnnounceInvalid,
     Field::kHeaderSlotBytes},
    {"no pool", [](auto& r) { r.message.payload_pools = {}; }, Errc::kAnnounceInvalid,
     Field::kPayloadPools},
    {"pool id 65535", [](auto& r) { r.pools[1].pool_id = 65535; }, Errc::kAnnounceInvalid,
     Field::kPoolId},
    {"pool id repeated", [](auto& r) { r.pools[1].pool_id = 1; }, Errc::kAnnounceInvalid,
     Field::kPoolId},
    {"pool of 16 slots", [](auto& r) { r.pools[1].pool_nslots = 16; }, Errc::kAnnounceInvalid,
     Field::kPoolNslots},
    {"stride absent", [](auto& r) { r.pools[1].stride_bytes = 0xFFFF'FFFF; }, Errc::kStrideInvalid,
     Field::kStrideBytes},
    {"stride 0", [](auto& r) { r.pools[1].stride_bytes = 0; }, Errc::kStrideInvalid,
     Field::kStrideBytes},
    {"stride 100", [](auto& r) { r.pools[1].stride_bytes = 100; }, Errc::kStrideInvalid,
     Field::kStrideBytes},
    {"ring without URI", [](auto& r) { r.message.header_region_uri = {}; }, Errc::kAnnounceInvalid,
     Field::kRegionUri},
    {"pool without URI", [](auto& r) { r.pools[1].region_uri = {}; }, Errc::kAnnounceInvalid,
     Field::kRegionUri},
    {"blank URI", [](auto& r) { r.message.header_region_uri = "   "; }, Errc::kUriUnsupportedScheme,
     Field::kRegionUri},
    {"foreign URI", [](auto& r) { r.pools[0].region_uri = "file:///dev/shm/x"; },
     Errc::kUriUnsupportedScheme, Field::kRegionUri},
    {"relative path", [](auto& r) { r.pools[1].region_uri = "shm:file?path=x/2.pool"; },
     Errc::kUriInvalid, Field::kRegionUri},
};

TEST(AttachChecks, a_response_without_fault_names_the_lease_and_what_to_map) {
  TP_REQ("D110", "D111", "D112", "D113", "D114", "D115", "D116", "D117", "D118", "D119", "D31");
  const GoodResponse response;
  const auto grant = check_attach_response(response.message, kRequest);
  ASSERT_TRUE(grant);
  EXPECT_EQ(grant->lease_id, kLease);
  EXPECT_EQ(grant->node_id, kNode);
  EXPECT_EQ(grant->expiry_timestamp_ns, response.message.lease_expiry_timestamp_ns);
  EXPECT_EQ(grant->plan.stream_id(), kStream);
  EXPECT_EQ(grant->plan.epoch(), kEpoch);
  EXPECT_EQ(grant->plan.nslots(), 8U);
  ASSERT_EQ(grant->plan.pools.size(), 2U);
  EXPECT_EQ(grant->plan.pools[1].uri, "shm:file?path=/dev/shm/x/2.pool");
}

TEST(AttachChecks, each_fault_is_refused_with_the_field_that_is_wrong) {
  TP_REQ("D110", "D111", "D112", "D113", "D114", "D115", "D116", "D117", "D118", "D119", "D127");
  for (const Fault& fault : kFaults) {
    GoodResponse response;
    fault.add(response);
    const auto grant = check_attach_response(response.message, kRequest);
    ASSERT_FALSE(grant) << fault.name;
    EXPECT_EQ(grant.error().code, fault.code) << fault.name;
    EXPECT_EQ(grant.error().field, fault.field) << fault.name;
  }
}

TEST(AttachChecks, of_two_faults_the_first_of_the_list_is_named) {
  TP_REQ("D110", "D111", "D112", "D113", "D114", "D115", "D116", "D117", "D118", "D119");
  for (std::size_t first = 0; first < std::size(kFaults); ++first) {
    for (std::size_t second = first + 1; second < std::size(kFaults); ++second) {
      if (kFaults[first].field == kFaults[second].field) {
        continue;  // one would undo the other
      }
      GoodResponse response;
      kFaults[second].add(response);
      kFaults[first].add(response);
      const auto grant = check_attach_response(response.message, kRequest);
      ASSERT_FALSE(grant);
      EXPECT_EQ(grant.error().field, kFaults[first].field)
          << kFaults[first].name << " and " << kFaults[second].name;
    }
  }
}

TEST(AttachChecks, any_stream_is_right_when_none_was_asked_for) {
  TP_REQ("D111");
  layout::ShmAttachRequest request = kRequest;
  request.stream_id = 0;
  GoodResponse response;
  response.message.stream_id = 4242;
  const auto grant = check_attach_response(response.message, request);
  ASSERT_TRUE(grant);
  EXPECT_EQ(grant->plan.stream_id(), 4242U);
}

TEST(AttachChecks, the_expected_layout_version_counts_only_when_there_is_one) {
  TP_REQ("D113");
  const GoodResponse response;
  layout::ShmAttachRequest request = kRequest;
  request.expected_layout_version = 2;
  const auto refused = check_attach_response(response.message, request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kLayoutUnsupported);
  request.expected_layout_version = 0;
  EXPECT_TRUE(check_attach_response(response.message, request));
}

TEST(AttachChecks, one_to_256_pools_are_right) {
  TP_REQ("D116");
  std::vector<layout::PayloadPool> pools;
  for (std::uint16_t id = 0; id < 257; ++id) {
    pools.push_back({.pool_id = id,
                     .pool_nslots = 8,
                     .stride_bytes = 64,
                     .region_uri = "shm:file?path=/dev/shm/x/pool"});
  }
  GoodResponse response;
  for (const std::size_t count : {1U, 256U, 257U}) {
    response.message.payload_pools = {pools.data(), count};
    EXPECT_EQ(check_attach_response(response.message, kRequest).has_value(), count <= 256);
  }
}

TEST(AttachChecks, one_slot_is_a_power_of_two) {
  TP_REQ("D114");
  GoodResponse response;
  response.message.header_nslots = 1;
  response.pools[0].pool_nslots = response.pools[1].pool_nslots = 1;
  EXPECT_TRUE(check_attach_response(response.message, kRequest));
}

TEST(AttachChecks, a_uri_of_4096_bytes_is_right_and_a_longer_one_is_not) {
  TP_REQ("D119");
  const std::string start = "shm:file?path=/dev/shm/";
  for (const std::size_t size : {4096U, 4097U}) {
    const std::string uri = start + std::string(size - start.size(), 'x');
    GoodResponse response;
    response.message.header_region_uri = uri;
    EXPECT_EQ(check_attach_response(response.message, kRequest).has_value(), size == 4096);
  }
}

TEST(AttachChecks, node_id_and_expiry_may_be_absent) {
  TP_REQ("D103", "D121");
  for (const std::optional<std::uint32_t> none :
       {std::optional<std::uint32_t>(), std::optional<std::uint32_t>(0)}) {
    GoodResponse response;
    response.message.node_id = none;
    response.message.lease_expiry_timestamp_ns.reset();
    const auto grant = check_attach_response(response.message, kRequest);
    ASSERT_TRUE(grant);
    EXPECT_EQ(grant->node_id, 0U);
    EXPECT_FALSE(grant->expiry_timestamp_ns);
  }
}

}  // namespace
}  // namespace tensorpool::core::attach
