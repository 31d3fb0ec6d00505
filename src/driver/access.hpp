// Who may do what with which stream, in the numbers that the kernel knows: resolved once, before
// the driver touches anything.
//
// Thread contract: `resolve` any thread; plain values. Design: docs/adr/0022.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "core/driver/settings.hpp"
#include "layout/messages_901.hpp"
#include "os/epoch_store.hpp"
#include "os/local_socket.hpp"

namespace tensorpool::inline v0::driver {

/// Users and members of groups. An empty one is everybody.
struct Parties {
  std::vector<uid_t> users;
  std::vector<gid_t> groups;

  [[nodiscard]] bool admits(const os::PeerCredentials& peer) const;
  [[nodiscard]] bool is_everybody() const noexcept { return users.empty() && groups.empty(); }
};

struct Access {
  struct OfStream {
    Parties producers;
    Parties consumers;

    [[nodiscard]] const Parties& in(layout::Role role) const noexcept {
      return role == layout::Role::kProducer ? producers : consumers;
    }
  };
  os::StoreAccess files;
  std::map<std::uint32_t, OfStream> attaching;  ///< of streams that are not open to everybody

  /// Whether `peer` may attach: as far as the stream is concerned, and as root and the driver's own
  /// user may in any case.
  [[nodiscard]] bool may_attach(const os::PeerCredentials& peer, std::uint32_t stream_id,
                                layout::Role role) const;

  /// Whether attaching takes a pass.
  [[nodiscard]] bool is_closed(std::uint32_t stream_id, layout::Role role) const;

  /// `invalid_argument` with the full key for an account that does not exist, or that this process
  /// cannot give files to.
  [[nodiscard]] static Result<Access> resolve(const core::driver::Settings& settings);
};

/// Those who may end leases, collect and shut down: root and the driver's own user. Whoever is one
/// of them could kill the driver, too.
[[nodiscard]] bool may_administer(const os::PeerCredentials& peer) noexcept;

}  // namespace tensorpool::inline v0::driver
