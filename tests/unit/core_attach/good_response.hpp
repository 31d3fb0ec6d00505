// An attach response without a fault, for tests to add one.
#pragma once

#include <array>

#include "layout/messages_901.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::core::attach {

inline constexpr std::uint32_t kStream = 10000;
inline constexpr std::uint64_t kLease = 71;
inline constexpr std::uint64_t kEpoch = 7;
inline constexpr std::uint32_t kNode = 5;

/// Two pools of 8 slots. A test changes `message` or `pools`; not to be copied.
struct GoodResponse {
  GoodResponse() = default;
  GoodResponse(const layout::ShmAttachRequest& request, Nanos now, Nanos duration) {
    message.correlation_id = request.correlation_id;
    message.lease_expiry_timestamp_ns = static_cast<std::uint64_t>((now + duration).count());
  }
  GoodResponse(const GoodResponse&) = delete;
  GoodResponse& operator=(const GoodResponse&) = delete;

  std::array<layout::PayloadPool, 2> pools = {{{.pool_id = 1,
                                                .pool_nslots = 8,
                                                .stride_bytes = 64,
                                                .region_uri = "shm:file?path=/dev/shm/x/1.pool"},
                                               {.pool_id = 2,
                                                .pool_nslots = 8,
                                                .stride_bytes = 4096,
                                                .region_uri = "shm:file?path=/dev/shm/x/2.pool"}}};
  layout::ShmAttachResponse message{.correlation_id = 1,
                                    .code = layout::ResponseCode::kOk,
                                    .lease_id = kLease,
                                    .lease_expiry_timestamp_ns = 1'003'000'000'000,
                                    .stream_id = kStream,
                                    .epoch = kEpoch,
                                    .layout_version = 1,
                                    .header_nslots = 8,
                                    .header_slot_bytes = 256,
                                    .node_id = kNode,
                                    .payload_pools = {pools.data(), pools.size()},
                                    .header_region_uri = "shm:file?path=/dev/shm/x/header.ring"};
};

}  // namespace tensorpool::core::attach
