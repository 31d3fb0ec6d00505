// The fields of the messages of schema 910. Spec: §5.2.
#pragma once

#include "codec/fields.hpp"
#include "codec/fields_900.hpp"
#include "layout/messages_910.hpp"

namespace tensorpool::inline v0::codec {

template <>
struct Fields<layout::Tag> {
  using Message = layout::Tag;
  static constexpr auto list() { return std::tuple{TP_DATA(tag, tag, Tag)}; }
};

template <>
struct Fields<layout::DiscoveryRequest> {
  using Message = layout::DiscoveryRequest;
  static constexpr auto list() {
    return std::tuple{
        TP_FIELD(request_id, requestId),
        TP_FIELD(client_id, clientId),
        TP_FIELD(response_stream_id, responseStreamId),
        TP_FIELD(stream_id, streamId),
        TP_FIELD(producer_id, producerId),
        TP_FIELD(data_source_id, dataSourceId),
        TP_GROUP(tags, tags, TailRule::kBareEntries),
        TP_DATA(response_channel, responseChannel, ResponseChannel),
        TP_DATA(data_source_name, dataSourceName, DataSourceName, TailRule::kMayBeMissing)};
  }
};

template <>
struct Fields<layout::DiscoveryResult> {
  using Message = layout::DiscoveryResult;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(stream_id, streamId),
                      TP_FIELD(producer_id, producerId),
                      TP_FIELD(epoch, epoch),
                      TP_FIELD(layout_version, layoutVersion),
                      TP_FIELD(header_nslots, headerNslots),
                      TP_FIELD(header_slot_bytes, headerSlotBytes),
                      TP_FIELD(max_dims, maxDims),
                      TP_FIELD(data_source_id, dataSourceId),
                      TP_FIELD(driver_control_stream_id, driverControlStreamId),
                      TP_GROUP(payload_pools, payloadPools),
                      TP_GROUP(tags, tags, TailRule::kBareEntries),
                      TP_DATA(header_region_uri, headerRegionUri, HeaderRegionUri),
                      TP_DATA(data_source_name, dataSourceName, DataSourceName),
                      TP_DATA(driver_instance_id, driverInstanceId, DriverInstanceId),
                      TP_DATA(driver_control_channel, driverControlChannel, DriverControlChannel)};
  }
};

template <>
struct Fields<layout::DiscoveryResponse> {
  using Message = layout::DiscoveryResponse;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(request_id, requestId), TP_FIELD(status, status),
                      TP_GROUP(results, results),
                      TP_DATA(error_message, errorMessage, ErrorMessage, TailRule::kMayBeMissing)};
  }
};

}  // namespace tensorpool::inline v0::codec
