// The fields of the messages of schema 902. Spec: §3.2.
#pragma once

#include "codec/fields.hpp"
#include "layout/messages_902.hpp"

namespace tensorpool::inline v0::codec {

template <>
struct Fields<layout::BridgeFrameChunk> {
  using Message = layout::BridgeFrameChunk;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(stream_id, streamId),
                      TP_FIELD(epoch, epoch),
                      TP_FIELD(seq, seq),
                      TP_FIELD(trace_id, traceId),
                      TP_FIELD(chunk_index, chunkIndex),
                      TP_FIELD(chunk_count, chunkCount),
                      TP_FIELD(chunk_offset, chunkOffset),
                      TP_FIELD(chunk_length, chunkLength),
                      TP_FIELD(payload_length, payloadLength),
                      TP_FIELD(payload_crc32c, payloadCrc32c),
                      TP_FIELD(header_included, headerIncluded),
                      TP_DATA(header_bytes, headerBytes, HeaderBytes),
                      TP_DATA(payload_bytes, payloadBytes, PayloadBytes)};
  }
};

}  // namespace tensorpool::inline v0::codec
