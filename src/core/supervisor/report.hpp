// What a supervisor has to tell people. Spec: 2-driver.md §2.18 (D291, D292, D304).
//
// Thread contract: plain values, and a free function for any thread.
#pragma once

#include <cstdint>
#include <string>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::supervisor {

struct Report {
  enum class Kind : std::uint8_t {
    kProducerCame,
    kProducerStale,  ///< silent for `silence`
    kProducerBack,
    kConsumerCame,
    kConsumerStale,   ///< likewise, and forgotten
    kConsumerLoses,   ///< `drops_gap` and `drops_late` more than at the last look
    kRegistryFull,    ///< the hello of this consumer, and perhaps of others, was ignored
    kOtherResponder,  ///< somebody else has told this consumer how to consume
  };
  Kind kind = Kind::kProducerCame;
  std::uint32_t stream_id = 0;
  std::uint32_t id = 0;  ///< of the producer or consumer
  Nanos silence{};
  std::uint64_t drops_gap = 0;
  std::uint64_t drops_late = 0;

  friend bool operator==(const Report&, const Report&) = default;
};

/// Whether somebody may have to do something about it.
[[nodiscard]] constexpr bool is_warning(Report::Kind kind) noexcept {
  return kind != Report::Kind::kProducerCame && kind != Report::Kind::kProducerBack &&
         kind != Report::Kind::kConsumerCame;
}

/// `stream 10000: consumer 7 has lost 12 frames more (10 gap, 2 late)`.
[[nodiscard]] std::string to_text(const Report& report);

}  // namespace tensorpool::inline v0::core::supervisor
