// One line for each decision about a lease: attach, refusal, detach, end. Pure.
#pragma once

#include <string>

#include "core/driver/actions.hpp"

namespace tensorpool::inline v0::driver {

/// `attach: producer of stream 20000, client 77: lease 12, epoch 9, node 3`, or
/// `refused: producer of stream 20000, client 77: REJECTED producer already attached`.
[[nodiscard]] std::string audit_line(const core::driver::AttachAnswer& answer);
/// `detach: ...`, or `refused: detach ...`.
[[nodiscard]] std::string audit_line(const core::driver::DetachAnswer& answer);
/// `lease 12 ended: producer of stream 20000, client 77: EXPIRED lease expired`.
[[nodiscard]] std::string audit_line(const core::driver::LeaseNotice& notice);

}  // namespace tensorpool::inline v0::driver
