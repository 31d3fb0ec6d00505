// The fields of the messages of schema 901. Spec: §2.2.
//
// Enumerations keep values that they do not know: driver and clients answer or count those
// themselves (D44, D48, D49, D108, D134, D161, D167, D259).
#pragma once

#include "codec/fields.hpp"
#include "codec/fields_900.hpp"
#include "layout/messages_901.hpp"

namespace tensorpool::inline v0::codec {

template <>
struct Fields<layout::ShmAttachRequest> {
  using Message = layout::ShmAttachRequest;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(correlation_id, correlationId),
                      TP_FIELD(stream_id, streamId),
                      TP_FIELD(client_id, clientId),
                      TP_FIELD(role, role, UnknownValue::kKept),
                      TP_FIELD(expected_layout_version, expectedLayoutVersion),
                      TP_FIELD(publish_mode, publishMode, UnknownValue::kKept),
                      TP_FIELD(require_hugepages, requireHugepages, UnknownValue::kKept),
                      TP_FIELD(desired_node_id, desiredNodeId)};
  }
};

template <>
struct Fields<layout::ShmAttachResponse> {
  using Message = layout::ShmAttachResponse;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(correlation_id, correlationId),
                      TP_FIELD(code, code, UnknownValue::kKept),
                      TP_FIELD(lease_id, leaseId),
                      TP_FIELD(lease_expiry_timestamp_ns, leaseExpiryTimestampNs),
                      TP_FIELD(stream_id, streamId),
                      TP_FIELD(epoch, epoch),
                      TP_FIELD(layout_version, layoutVersion),
                      TP_FIELD(header_nslots, headerNslots),
                      TP_FIELD(header_slot_bytes, headerSlotBytes),
                      TP_FIELD(node_id, nodeId),
                      TP_GROUP(payload_pools, payloadPools),
                      TP_DATA(header_region_uri, headerRegionUri, HeaderRegionUri),
                      TP_DATA(error_message, errorMessage, ErrorMessage)};
  }
};

template <>
struct Fields<layout::ShmDetachRequest> {
  using Message = layout::ShmDetachRequest;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(correlation_id, correlationId), TP_FIELD(lease_id, leaseId),
                      TP_FIELD(stream_id, streamId), TP_FIELD(client_id, clientId),
                      TP_FIELD(role, role, UnknownValue::kKept)};
  }
};

template <>
struct Fields<layout::ShmDetachResponse> {
  using Message = layout::ShmDetachResponse;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(correlation_id, correlationId),
                      TP_FIELD(code, code, UnknownValue::kKept),
                      TP_DATA(error_message, errorMessage, ErrorMessage)};
  }
};

template <>
struct Fields<layout::ShmLeaseKeepalive> {
  using Message = layout::ShmLeaseKeepalive;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(lease_id, leaseId), TP_FIELD(stream_id, streamId),
                      TP_FIELD(client_id, clientId), TP_FIELD(role, role, UnknownValue::kKept),
                      TP_FIELD(client_timestamp_ns, clientTimestampNs)};
  }
};

template <>
struct Fields<layout::ShmDriverShutdown> {
  using Message = layout::ShmDriverShutdown;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(timestamp_ns, timestampNs),
                      TP_FIELD(reason, reason, UnknownValue::kKept),
                      TP_DATA(error_message, errorMessage, ErrorMessage)};
  }
};

template <>
struct Fields<layout::ShmLeaseRevoked> {
  using Message = layout::ShmLeaseRevoked;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(timestamp_ns, timestampNs),
                      TP_FIELD(lease_id, leaseId),
                      TP_FIELD(stream_id, streamId),
                      TP_FIELD(client_id, clientId),
                      TP_FIELD(role, role, UnknownValue::kKept),
                      TP_FIELD(reason, reason, UnknownValue::kKept),
                      TP_DATA(error_message, errorMessage, ErrorMessage)};
  }
};

template <>
struct Fields<layout::ShmDriverShutdownRequest> {
  using Message = layout::ShmDriverShutdownRequest;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(correlation_id, correlationId),
                      TP_FIELD(reason, reason, UnknownValue::kKept), TP_DATA(token, token, Token),
                      TP_DATA(error_message, errorMessage, ErrorMessage)};
  }
};

}  // namespace tensorpool::inline v0::codec
