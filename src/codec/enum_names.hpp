// The values of every enumeration of the wire and their names. A value that is not listed is
// unknown, and a message with it malformed (W88). Spec: §1.3, §1.5.3, §2.2, §5.2.2, §6.2.1.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <type_traits>

#include "layout/messages_900.hpp"
#include "layout/messages_901.hpp"
#include "layout/messages_903.hpp"
#include "layout/messages_910.hpp"

namespace tensorpool::inline v0::codec {

template <class E>
struct EnumName {
  E value;
  std::string_view name;
};

template <class E>
inline constexpr std::array<EnumName<E>, 0> kEnumNames{};

template <>
inline constexpr auto kEnumNames<layout::Mode> = std::to_array<EnumName<layout::Mode>>({
    {layout::Mode::kStream, "STREAM"},
    {layout::Mode::kRateLimited, "RATE_LIMITED"},
});
template <>
inline constexpr auto kEnumNames<layout::FrameProgressState> =
    std::to_array<EnumName<layout::FrameProgressState>>({
        {layout::FrameProgressState::kUnknown, "UNKNOWN"},
        {layout::FrameProgressState::kStarted, "STARTED"},
        {layout::FrameProgressState::kProgress, "PROGRESS"},
        {layout::FrameProgressState::kComplete, "COMPLETE"},
    });
template <>
inline constexpr auto kEnumNames<layout::ClockDomain> =
    std::to_array<EnumName<layout::ClockDomain>>({
        {layout::ClockDomain::kMonotonic, "MONOTONIC"},
        {layout::ClockDomain::kRealtimeSynced, "REALTIME_SYNCED"},
    });
template <>
inline constexpr auto kEnumNames<layout::ResponseCode> =
    std::to_array<EnumName<layout::ResponseCode>>({
        {layout::ResponseCode::kOk, "OK"},
        {layout::ResponseCode::kUnsupported, "UNSUPPORTED"},
        {layout::ResponseCode::kInvalidParams, "INVALID_PARAMS"},
        {layout::ResponseCode::kRejected, "REJECTED"},
        {layout::ResponseCode::kInternalError, "INTERNAL_ERROR"},
    });
template <>
inline constexpr auto kEnumNames<layout::RegionType> = std::to_array<EnumName<layout::RegionType>>({
    {layout::RegionType::kHeaderRing, "HEADER_RING"},
    {layout::RegionType::kPayloadPool, "PAYLOAD_POOL"},
});
template <>
inline constexpr auto kEnumNames<Dtype> = std::to_array<EnumName<Dtype>>({
    {Dtype::kUnknown, "UNKNOWN"},
    {Dtype::kUint8, "UINT8"},
    {Dtype::kInt8, "INT8"},
    {Dtype::kUint16, "UINT16"},
    {Dtype::kInt16, "INT16"},
    {Dtype::kUint32, "UINT32"},
    {Dtype::kInt32, "INT32"},
    {Dtype::kUint64, "UINT64"},
    {Dtype::kInt64, "INT64"},
    {Dtype::kFloat32, "FLOAT32"},
    {Dtype::kFloat64, "FLOAT64"},
    {Dtype::kBoolean, "BOOLEAN"},
    {Dtype::kBytes, "BYTES"},
    {Dtype::kBit, "BIT"},
});
template <>
inline constexpr auto kEnumNames<MajorOrder> = std::to_array<EnumName<MajorOrder>>({
    {MajorOrder::kUnknown, "UNKNOWN"},
    {MajorOrder::kRow, "ROW"},
    {MajorOrder::kColumn, "COLUMN"},
});
template <>
inline constexpr auto kEnumNames<ProgressUnit> = std::to_array<EnumName<ProgressUnit>>({
    {ProgressUnit::kNone, "NONE"},
    {ProgressUnit::kRows, "ROWS"},
    {ProgressUnit::kColumns, "COLUMNS"},
});
template <>
inline constexpr auto kEnumNames<layout::Role> = std::to_array<EnumName<layout::Role>>({
    {layout::Role::kProducer, "PRODUCER"},
    {layout::Role::kConsumer, "CONSUMER"},
});
template <>
inline constexpr auto kEnumNames<layout::PublishMode> =
    std::to_array<EnumName<layout::PublishMode>>({
        {layout::PublishMode::kRequireExisting, "REQUIRE_EXISTING"},
        {layout::PublishMode::kExistingOrCreate, "EXISTING_OR_CREATE"},
    });
template <>
inline constexpr auto kEnumNames<layout::HugepagesPolicy> =
    std::to_array<EnumName<layout::HugepagesPolicy>>({
        {layout::HugepagesPolicy::kUnspecified, "UNSPECIFIED"},
        {layout::HugepagesPolicy::kStandard, "STANDARD"},
        {layout::HugepagesPolicy::kHugepages, "HUGEPAGES"},
    });
template <>
inline constexpr auto kEnumNames<layout::LeaseRevokeReason> =
    std::to_array<EnumName<layout::LeaseRevokeReason>>({
        {layout::LeaseRevokeReason::kDetached, "DETACHED"},
        {layout::LeaseRevokeReason::kExpired, "EXPIRED"},
        {layout::LeaseRevokeReason::kRevoked, "REVOKED"},
    });
template <>
inline constexpr auto kEnumNames<layout::ShutdownReason> =
    std::to_array<EnumName<layout::ShutdownReason>>({
        {layout::ShutdownReason::kNormal, "NORMAL"},
        {layout::ShutdownReason::kAdmin, "ADMIN"},
        {layout::ShutdownReason::kError, "ERROR"},
    });
template <>
inline constexpr auto kEnumNames<layout::TimestampSource> =
    std::to_array<EnumName<layout::TimestampSource>>({
        {layout::TimestampSource::kFrameDescriptor, "FRAME_DESCRIPTOR"},
        {layout::TimestampSource::kSlotHeader, "SLOT_HEADER"},
    });
template <>
inline constexpr auto kEnumNames<layout::MergeRuleType> =
    std::to_array<EnumName<layout::MergeRuleType>>({
        {layout::MergeRuleType::kOffset, "OFFSET"},
        {layout::MergeRuleType::kWindow, "WINDOW"},
    });
template <>
inline constexpr auto kEnumNames<layout::MergeTimeRuleType> =
    std::to_array<EnumName<layout::MergeTimeRuleType>>({
        {layout::MergeTimeRuleType::kOffsetNs, "OFFSET_NS"},
        {layout::MergeTimeRuleType::kWindowNs, "WINDOW_NS"},
    });
template <>
inline constexpr auto kEnumNames<layout::DiscoveryStatus> =
    std::to_array<EnumName<layout::DiscoveryStatus>>({
        {layout::DiscoveryStatus::kOk, "OK"},
        {layout::DiscoveryStatus::kNotFound, "NOT_FOUND"},
        {layout::DiscoveryStatus::kError, "ERROR"},
    });
template <>
inline constexpr auto kEnumNames<bool> = std::to_array<EnumName<bool>>({
    {false, "FALSE"},
    {true, "TRUE"},
});

/// Whether values of T go by name. A Bool of the wire is a bool in the structs.
template <class T>
inline constexpr bool kIsNamed = std::is_enum_v<T> || std::is_same_v<T, bool>;

/// What stands on the wire for `value`.
template <class E>
[[nodiscard]] constexpr auto enum_raw(E value) noexcept {
  if constexpr (std::is_same_v<E, bool>) {
    return static_cast<std::uint8_t>(value);
  } else {
    return static_cast<std::underlying_type_t<E>>(value);
  }
}

/// The value that `raw` stands for, if it is one of the table.
template <class E, class Raw>
[[nodiscard]] constexpr std::optional<E> enum_from_raw(Raw raw) noexcept {
  for (const EnumName<E>& known : kEnumNames<E>) {
    if (enum_raw(known.value) == raw) {
      return known.value;
    }
  }
  return std::nullopt;
}

template <class E>
[[nodiscard]] constexpr std::optional<E> enum_from_name(std::string_view name) noexcept {
  for (const EnumName<E>& known : kEnumNames<E>) {
    if (known.name == name) {
      return known.value;
    }
  }
  return std::nullopt;
}

/// "" when `value` is not of the table.
template <class E>
[[nodiscard]] constexpr std::string_view enum_name(E value) noexcept {
  for (const EnumName<E>& known : kEnumNames<E>) {
    if (known.value == value) {
      return known.name;
    }
  }
  return {};
}

}  // namespace tensorpool::inline v0::codec
