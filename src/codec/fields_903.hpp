// The fields of the messages of schema 903. Spec: §6.2.
#pragma once

#include "codec/fields.hpp"
#include "layout/messages_903.hpp"

namespace tensorpool::inline v0::codec {

template <>
struct Fields<layout::SequenceMergeRule> {
  using Message = layout::SequenceMergeRule;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(input_stream_id, inputStreamId), TP_FIELD(rule_type, ruleType),
                      TP_FIELD(offset, offset), TP_FIELD(window_size, windowSize)};
  }
};

template <>
struct Fields<layout::SequenceMergeMapAnnounce> {
  using Message = layout::SequenceMergeMapAnnounce;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(out_stream_id, outStreamId), TP_FIELD(epoch, epoch),
                      TP_FIELD(stale_timeout_ns, staleTimeoutNs), TP_GROUP(rules, rules)};
  }
};

template <>
struct Fields<layout::SequenceMergeMapRequest> {
  using Message = layout::SequenceMergeMapRequest;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(out_stream_id, outStreamId), TP_FIELD(epoch, epoch)};
  }
};

template <>
struct Fields<layout::TimestampMergeRule> {
  using Message = layout::TimestampMergeRule;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(input_stream_id, inputStreamId), TP_FIELD(rule_type, ruleType),
                      TP_FIELD(timestamp_source, timestampSource), TP_FIELD(offset_ns, offsetNs),
                      TP_FIELD(window_ns, windowNs)};
  }
};

template <>
struct Fields<layout::TimestampMergeMapAnnounce> {
  using Message = layout::TimestampMergeMapAnnounce;
  static constexpr auto list() {
    return std::tuple{
        TP_FIELD(out_stream_id, outStreamId),       TP_FIELD(epoch, epoch),
        TP_FIELD(stale_timeout_ns, staleTimeoutNs), TP_FIELD(clock_domain, clockDomain),
        TP_FIELD(lateness_ns, latenessNs),          TP_GROUP(rules, rules)};
  }
};

template <>
struct Fields<layout::TimestampMergeMapRequest> {
  using Message = layout::TimestampMergeMapRequest;
  static constexpr auto list() {
    return std::tuple{TP_FIELD(out_stream_id, outStreamId), TP_FIELD(epoch, epoch)};
  }
};

}  // namespace tensorpool::inline v0::codec
