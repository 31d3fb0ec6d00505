// What the driver's machine wants done. Plain values, carried out in their order.
//
// Messages are those of layout/, ready to be encoded. Their texts and pools, and every pointer
// here, point into the machine and are valid until its next input: drain all actions before it.
// Spec: chapter 2. Thread contract: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "core/driver/provisioning.hpp"
#include "core/driver/settings.hpp"
#include "core/region/plan.hpp"
#include "layout/messages_900.hpp"
#include "layout/messages_901.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::driver {

// -- Messages: on the control endpoint, the announce on the announce endpoint (D25) -------------

/// With the request for the audit line and the latency.
struct AttachAnswer {
  layout::ShmAttachResponse response;
  layout::ShmAttachRequest request;  ///< of a later schema version: the correlation id alone (D12)
  Nanos received_at{};
};

struct DetachAnswer {
  layout::ShmDetachResponse response;
  layout::ShmDetachRequest request;
  Nanos received_at{};
};

struct LeaseNotice {
  layout::ShmLeaseRevoked notice;
  std::optional<Nanos> expiry;  ///< of the lease; nothing for one that never was (D157)
};

/// Must not overtake a LeaseNotice of the same stream that waits in a send queue (D152).
struct Announce {
  layout::ShmPoolAnnounce message;
};

struct ShutdownNotice {
  layout::ShmDriverShutdown message;
};

// -- Jobs and orders for whoever owns the file system -------------------------------------------

/// Answered by `on_provisioned`, once, whatever happens in between.
struct Provision {
  ProvisionRequest request;
};

/// The result of the job for this stream is not needed any more: stop it if that is still possible.
struct CancelProvisioning {
  std::uint32_t stream_id = 0;
};

/// Look whether every file of the epoch exists with its size (D69); answered by `on_verified`.
struct VerifyEpoch {
  const region::MappingPlan* plan = nullptr;
};

/// Rewrite activityTimestampNs in all superblocks of the epoch (D34).
struct RefreshActivity {
  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
};

/// The epoch is not current any more: unmap and unlock it (D207). Its files stay.
struct RetireEpoch {
  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
};

/// Answered by `on_collected`.
struct Collect {
  CollectRequest request;
};

/// D230: collect every static stream, and every stream directory whose id lies in a range; the
/// highest epoch counts as current. Each is answered by `on_collected`.
struct CollectAtStart {
  std::vector<std::uint32_t> static_streams;
  std::vector<IdRange> ranges;
};

/// A dynamic stream that nobody got: its directory need not be held any longer (D214).
struct ForgetStream {
  std::uint32_t stream_id = 0;
};

/// Remove the epochs that were provisioned in this life of the driver, and nothing else (D268).
struct RemoveOwnEpochs {};

using Action = std::variant<AttachAnswer, DetachAnswer, LeaseNotice, Announce, ShutdownNotice,
                            Provision, CancelProvisioning, VerifyEpoch, RefreshActivity,
                            RetireEpoch, Collect, CollectAtStart, ForgetStream, RemoveOwnEpochs>;

}  // namespace tensorpool::inline v0::core::driver
