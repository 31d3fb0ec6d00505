// Messages of schema 901: attach, leases and shutdown of the driver. Spec: §2.2.
#pragma once

#include <cstdint>
#include <optional>

#include "layout/message.hpp"
#include "layout/messages_900.hpp"

namespace tensorpool::inline v0::layout {

inline constexpr std::uint16_t kDriverSchemaId = 901;

enum class Role : std::uint8_t { kProducer = 1, kConsumer = 2 };
enum class PublishMode : std::uint8_t { kRequireExisting = 1, kExistingOrCreate = 2 };
enum class HugepagesPolicy : std::uint8_t { kUnspecified = 0, kStandard = 1, kHugepages = 2 };
enum class LeaseRevokeReason : std::uint8_t { kDetached = 1, kExpired = 2, kRevoked = 3 };
enum class ShutdownReason : std::uint8_t { kNormal = 0, kAdmin = 1, kError = 2 };

/// A client asks for a lease.
struct ShmAttachRequest {
  static constexpr MessageType kType{kDriverSchemaId, 1, 27, "ShmAttachRequest"};

  std::int64_t correlation_id = 0;
  std::uint32_t stream_id = 0;  ///< 0: the driver allocates one
  std::uint32_t client_id = 0;
  Role role = Role::kConsumer;
  std::uint32_t expected_layout_version = 0;  ///< 0: no expectation
  std::optional<PublishMode> publish_mode{};  ///< absent means kRequireExisting
  HugepagesPolicy require_hugepages = HugepagesPolicy::kUnspecified;
  std::optional<std::uint32_t> desired_node_id{};

  friend bool operator==(const ShmAttachRequest&, const ShmAttachRequest&) = default;
};

/// The lease and the regions, or why there is none.
struct ShmAttachResponse {
  static constexpr MessageType kType{kDriverSchemaId, 2, 54, "ShmAttachResponse"};

  std::int64_t correlation_id = 0;
  ResponseCode code = ResponseCode::kOk;
  std::optional<std::uint64_t> lease_id{};
  std::optional<std::uint64_t> lease_expiry_timestamp_ns{};
  std::optional<std::uint32_t> stream_id{};
  std::optional<std::uint64_t> epoch{};
  std::optional<std::uint32_t> layout_version{};
  std::optional<std::uint32_t> header_nslots{};
  std::optional<std::uint16_t> header_slot_bytes{};
  std::optional<std::uint32_t> node_id{};
  ListView<PayloadPool> payload_pools{};
  Text header_region_uri{};
  Text error_message{};

  friend bool operator==(const ShmAttachResponse&, const ShmAttachResponse&) = default;
};

/// A client ends its lease.
struct ShmDetachRequest {
  static constexpr MessageType kType{kDriverSchemaId, 3, 25, "ShmDetachRequest"};

  std::int64_t correlation_id = 0;
  std::uint64_t lease_id = 0;
  std::uint32_t stream_id = 0;
  std::uint32_t client_id = 0;
  Role role = Role::kConsumer;

  friend bool operator==(const ShmDetachRequest&, const ShmDetachRequest&) = default;
};

struct ShmDetachResponse {
  static constexpr MessageType kType{kDriverSchemaId, 4, 12, "ShmDetachResponse"};

  std::int64_t correlation_id = 0;
  ResponseCode code = ResponseCode::kOk;
  Text error_message{};

  friend bool operator==(const ShmDetachResponse&, const ShmDetachResponse&) = default;
};

/// A client is alive and wants to keep its lease.
struct ShmLeaseKeepalive {
  static constexpr MessageType kType{kDriverSchemaId, 5, 25, "ShmLeaseKeepalive"};

  std::uint64_t lease_id = 0;
  std::uint32_t stream_id = 0;
  std::uint32_t client_id = 0;
  Role role = Role::kConsumer;
  std::uint64_t client_timestamp_ns = 0;

  friend bool operator==(const ShmLeaseKeepalive&, const ShmLeaseKeepalive&) = default;
};

/// The driver goes down.
struct ShmDriverShutdown {
  static constexpr MessageType kType{kDriverSchemaId, 6, 9, "ShmDriverShutdown"};

  std::uint64_t timestamp_ns = 0;
  ShutdownReason reason = ShutdownReason::kNormal;
  Text error_message{};

  friend bool operator==(const ShmDriverShutdown&, const ShmDriverShutdown&) = default;
};

/// A lease has ended.
struct ShmLeaseRevoked {
  static constexpr MessageType kType{kDriverSchemaId, 7, 26, "ShmLeaseRevoked"};

  std::uint64_t timestamp_ns = 0;
  std::uint64_t lease_id = 0;
  std::uint32_t stream_id = 0;
  std::uint32_t client_id = 0;
  Role role = Role::kConsumer;
  LeaseRevokeReason reason = LeaseRevokeReason::kDetached;
  Text error_message{};

  friend bool operator==(const ShmLeaseRevoked&, const ShmLeaseRevoked&) = default;
};

/// An administrator asks the driver to go down.
struct ShmDriverShutdownRequest {
  static constexpr MessageType kType{kDriverSchemaId, 8, 9, "ShmDriverShutdownRequest"};

  std::int64_t correlation_id = 0;
  ShutdownReason reason = ShutdownReason::kNormal;
  Text token{};
  Text error_message{};

  friend bool operator==(const ShmDriverShutdownRequest&,
                         const ShmDriverShutdownRequest&) = default;
};

}  // namespace tensorpool::inline v0::layout
