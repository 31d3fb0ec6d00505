// The checks of an attach request, in the order in which they are made. The first that fails is the
// answer; none of them changes anything.
//
// For the driver's machine, which collects the facts. Pure. Thread contract: free functions.
// Spec: §2.5 (D41..D65), §2.24, D-D3, D-D4.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "layout/messages_901.hpp"

namespace tensorpool::inline v0::core::driver {

struct Refusal {
  layout::ResponseCode code = layout::ResponseCode::kRejected;
  std::string_view text;  ///< exact; lives for ever

  friend bool operator==(const Refusal&, const Refusal&) = default;
};

/// What of the file system decides about hugepages (D210).
struct PageFacts {
  bool base_on_hugetlbfs = false;    ///< `shm.base_dir` lies on hugetlbfs
  bool hugepages_available = false;  ///< and its pages have the demanded size
};

/// What the driver knows about the stream, the client and its own limits when a request comes. For
/// the fields of a stream: of the one that exists, else of the one that would be created.
struct AttachFacts {
  bool client_attached = false;  ///< the client holds a lease, or waits for one
  bool stream_exists = false;    ///< provisioned in the sense of §2.5; false for stream id 0
  bool dynamic_streams_allowed = false;
  bool range_configured = false;
  bool id_in_range = false;
  bool id_left = false;       ///< an id can be allocated for stream id 0
  bool pass_missing = false;  ///< the stream is not open to everybody, and the client has no pass
  bool profile_exists = false;
  bool profile_has_pools = false;
  bool hugepages_by_default = false;  ///< `shm.require_hugepages`
  PageFacts pages = {};
  bool producer_attached = false;  ///< the stream has a producer, or one that waits
  bool node_id_available = false;  ///< the desired one, where there is a preference
  bool lease_limit_reached = false;
};

/// D43..D50: before the request is looked at as a replay (D51).
[[nodiscard]] std::optional<Refusal> check_request(const layout::ShmAttachRequest& request,
                                                   bool draining) noexcept;

/// D52..D65: for a request that is no replay.
[[nodiscard]] std::optional<Refusal> check_attach(const layout::ShmAttachRequest& request,
                                                  const AttachFacts& facts) noexcept;

[[nodiscard]] constexpr bool known_role(layout::Role role) noexcept {
  return role == layout::Role::kProducer || role == layout::Role::kConsumer;
}

/// Answers that do not depend on facts about the stream.
namespace refusals {
inline constexpr Refusal kUnsupportedVersion{layout::ResponseCode::kUnsupported,
                                             "unsupported driver schema version"};            // D12
inline constexpr Refusal kDraining{layout::ResponseCode::kRejected, "driver draining"};       // D43
inline constexpr Refusal kInvalidRole{layout::ResponseCode::kInvalidParams, "invalid role"};  // D44
inline constexpr Refusal kUnknownLease{layout::ResponseCode::kRejected, "unknown lease"};  // D160
}  // namespace refusals

}  // namespace tensorpool::inline v0::core::driver
