#include "client/progress_teller.hpp"

#include <span>

#include "codec/codec.hpp"

namespace tensorpool::inline v0::detail {

void ProgressTeller::follow(const agents::ProgressAudience* audience) noexcept {
  const std::uint64_t number = audience == nullptr ? 0 : audience->number;
  if (number != audience_) {
    audience_ = number;
    sender_.set_wishes(audience == nullptr ? std::span<const core::progress::Hints>()
                                           : audience->hints);
  }
}

/// W354, W355. What cannot be sent is given up: the next report says more.
void ProgressTeller::send(agents::ProgressAudience& audience,
                          const core::progress::ProgressSender::Report& what,
                          ProducerCounters& counters) const noexcept {
  const layout::FrameProgress message{.stream_id = stream_id_,
                                      .epoch = epoch_,
                                      .seq = what.seq,
                                      .payload_bytes_filled = what.bytes,
                                      .state = what.state};
  const auto size = static_cast<std::size_t>(codec::encoded_size(message));
  for (agents::OwnPublication* const stream : audience.streams) {
    bus::ExclusivePublication* const out = stream->link.current();
    if (out == nullptr) {
      ++counters.progress_unsent;
      continue;
    }
    bus::BufferClaim claim;
    bus::OfferStatus status = out->try_claim(size, claim);
    if (status == bus::OfferStatus::kAdminAction) {
      status = out->try_claim(size, claim);
    }
    if (status == bus::OfferStatus::kOk) {
      static_cast<void>(codec::encode(message, std::span(claim.data(), size)));  // it fits
      out->commit(claim);
      ++counters.progress_sent;
    } else if (status != bus::OfferStatus::kNotConnected) {
      ++counters.progress_unsent;
    }
  }
}

}  // namespace tensorpool::inline v0::detail
