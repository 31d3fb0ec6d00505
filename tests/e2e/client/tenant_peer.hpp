// The other processes of the tests under a driver: what tenant_peer understands and answers.
//
//   tenant_peer drive AERON_DIR CONFIGURATION
//       a driver on the media driver there; CONFIGURATION is a file; says `ready`
//   tenant_peer publish|claim AERON_DIR BASE_DIR
//       publishes "cam1" at 1 kHz, in one go or by a claim that is always open; says `ready` once
//       it has a lease; answers each line with a TenantReport
//
// All end when their standard input is closed. The payload of a frame is its epoch, repeated.
#pragma once

#include <array>
#include <cstdint>

namespace tensorpool::test {

using TenantPayload = std::array<std::uint64_t, 8>;

struct TenantReport {
  std::uint64_t epoch = 0;   ///< 0: no lease now
  std::uint64_t epochs = 0;  ///< it has published in
  std::uint64_t published = 0;
  /// What the first call after a pause of a second was answered; -1: there was no such pause.
  int after_pause = -1;
};

}  // namespace tensorpool::test
