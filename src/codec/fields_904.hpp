// The fields of the messages of schema 904. Spec: §7.5.
#pragma once

#include "codec/fields.hpp"
#include "layout/messages_904.hpp"

namespace tensorpool::inline v0::codec {

template <>
struct Fields<layout::TraceLinkParent> {
  using Message = layout::TraceLinkParent;
  static constexpr auto list() { return std::tuple{TP_FIELD(trace_id, traceId)}; }
};

template <>
struct Fields<layout::TraceLinkSet> {
  using Message = layout::TraceLinkSet;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(stream_id, streamId), TP_FIELD(epoch, epoch), TP_FIELD(seq, seq),
                      TP_FIELD(trace_id, traceId), TP_GROUP(parents, parents, TailRule::kNotEmpty)};
  }
};

}  // namespace tensorpool::inline v0::codec
