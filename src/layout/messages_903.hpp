// Messages of schema 903: merge maps of join barriers. Spec: §6.2.
#pragma once

#include <cstdint>
#include <optional>

#include "layout/message.hpp"
#include "layout/messages_900.hpp"

namespace tensorpool::inline v0::layout {

inline constexpr std::uint16_t kMergeSchemaId = 903;

enum class TimestampSource : std::uint8_t { kFrameDescriptor = 1, kSlotHeader = 2 };
enum class MergeRuleType : std::uint8_t { kOffset = 0, kWindow = 1 };
enum class MergeTimeRuleType : std::uint8_t { kOffsetNs = 0, kWindowNs = 1 };

struct SequenceMergeRule {
  static constexpr std::uint16_t kBlockLength = 13;

  std::uint32_t input_stream_id = 0;
  MergeRuleType rule_type = MergeRuleType::kOffset;
  std::optional<std::int32_t> offset{};
  std::optional<std::uint32_t> window_size{};

  friend bool operator==(const SequenceMergeRule&, const SequenceMergeRule&) = default;
};

/// How the sequences of the inputs make up the sequence of the output. Spec: §6.2.2.
struct SequenceMergeMapAnnounce {
  static constexpr MessageType kType{kMergeSchemaId, 1, 20, "SequenceMergeMapAnnounce"};

  std::uint32_t out_stream_id = 0;
  std::uint64_t epoch = 0;
  std::optional<std::uint64_t> stale_timeout_ns{};
  ListView<SequenceMergeRule> rules{};

  friend bool operator==(const SequenceMergeMapAnnounce&,
                         const SequenceMergeMapAnnounce&) = default;
};

struct SequenceMergeMapRequest {
  static constexpr MessageType kType{kMergeSchemaId, 2, 12, "SequenceMergeMapRequest"};

  std::uint32_t out_stream_id = 0;
  std::uint64_t epoch = 0;

  friend bool operator==(const SequenceMergeMapRequest&, const SequenceMergeMapRequest&) = default;
};

struct TimestampMergeRule {
  static constexpr std::uint16_t kBlockLength = 22;

  std::uint32_t input_stream_id = 0;
  MergeTimeRuleType rule_type = MergeTimeRuleType::kOffsetNs;
  TimestampSource timestamp_source = TimestampSource::kFrameDescriptor;
  std::optional<std::int64_t> offset_ns{};
  std::optional<std::uint64_t> window_ns{};

  friend bool operator==(const TimestampMergeRule&, const TimestampMergeRule&) = default;
};

/// How the capture times of the inputs make up the time of the output. Spec: §6.2.4.
struct TimestampMergeMapAnnounce {
  static constexpr MessageType kType{kMergeSchemaId, 3, 29, "TimestampMergeMapAnnounce"};

  std::uint32_t out_stream_id = 0;
  std::uint64_t epoch = 0;
  std::optional<std::uint64_t> stale_timeout_ns{};
  ClockDomain clock_domain = ClockDomain::kMonotonic;
  std::optional<std::uint64_t> lateness_ns{};
  ListView<TimestampMergeRule> rules{};

  friend bool operator==(const TimestampMergeMapAnnounce&,
                         const TimestampMergeMapAnnounce&) = default;
};

struct TimestampMergeMapRequest {
  static constexpr MessageType kType{kMergeSchemaId, 4, 12, "TimestampMergeMapRequest"};

  std::uint32_t out_stream_id = 0;
  std::uint64_t epoch = 0;

  friend bool operator==(const TimestampMergeMapRequest&,
                         const TimestampMergeMapRequest&) = default;
};

}  // namespace tensorpool::inline v0::layout
