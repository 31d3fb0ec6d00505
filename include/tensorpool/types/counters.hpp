// What producer and consumer count. Names are those of the protocol, §1.10 and §1.14; every counter
// is a u64, starts at 0 when its object is created and never decreases (W279).
#pragma once

#include <cstdint>

namespace tensorpool::inline v0 {

/// Counters of a producer. Spec: §1.10.
struct ProducerCounters {
  std::uint64_t frames_published = 0;  ///< committed frames
  std::uint64_t claims_aborted = 0;    ///< explicit aborts; consumers see a gap for each (W182)
  std::uint64_t claims_dropped = 0;    ///< claims whose owner let them go without commit or abort
  std::uint64_t drops_no_pool = 0;     ///< frames larger than every pool (W46)
  std::uint64_t invalid_params = 0;    ///< refused publishes and commits (W184, W185)
  std::uint64_t descriptor_not_connected = 0;  ///< nobody subscribed; no failure (W201)
  std::uint64_t descriptor_backpressured =
      0;  ///< a slow subscriber blocked the descriptor stream (W199)
  std::uint64_t descriptor_admin_action = 0;
  std::uint64_t descriptor_closed = 0;  ///< media driver lost or publication closed
  std::uint64_t descriptor_error = 0;
  std::uint64_t announces_sent = 0;
  std::uint64_t announces_failed = 0;  ///< retried on a later duty cycle (W211)
  // The library's own.
  std::uint64_t wakes = 0;          ///< calls to wake sleeping consumers, all of them at a time
  std::uint64_t wakes_put_off = 0;  ///< not made, because there were too many; the next frame does
  std::uint64_t progress_sent = 0;  ///< FrameProgress, each once per stream that it went to
  std::uint64_t progress_unsent =
      0;  ///< given up: a slow reader, or no media driver; later ones say more
};

/// Counters of a consumer. Spec: §1.14 (W278..W280).
///
/// The accounting identity holds exactly for each mapping, with a..b the first and last tracked
/// sequence:
///
///     b - a + 1 = frames_ok + (drops_late - implausible) + drops_gap + drops_rate_limited +
///     rate_skips
///                 + skipped_by_reader - changed_after_use
struct ConsumerCounters {
  std::uint64_t frames_ok = 0;  ///< delivered, those found overwritten after use included (W280)
  std::uint64_t drops_gap =
      0;  ///< numbers skipped between descriptors, or between ring slots in direct mode
  std::uint64_t drops_late =
      0;  ///< seen, but not usable: the sum of the next five and changed-after-use
  std::uint64_t drops_in_progress = 0;
  std::uint64_t drops_seq_mismatch = 0;
  std::uint64_t drops_changed = 0;  ///< overwritten while it was read, or found so after use
  std::uint64_t drops_header_invalid = 0;
  std::uint64_t drops_payload_invalid = 0;
  std::uint64_t drops_epoch_mismatch = 0;
  std::uint64_t drops_unmapped = 0;
  std::uint64_t drops_rate_limited = 0;
  std::uint64_t drops_duplicate = 0;
  std::uint64_t rate_skips = 0;
  std::uint64_t seq_regressions = 0;
  std::uint64_t resyncs = 0;
  std::uint64_t remaps = 0;
  std::uint64_t malformed_messages = 0;  ///< of descriptors, control, announce and metadata
  std::uint64_t unsupported_version = 0;
  std::uint64_t progress_rejected = 0;  ///< FrameProgress that was late, wrong, or went back
  // The library's own.
  std::uint64_t recovered = 0;  ///< of frames_ok: read from the ring, not announced by a descriptor
  std::uint64_t skipped_by_reader = 0;  ///< passed over by `latest`
  std::uint64_t changed_after_use = 0;  ///< of drops_changed: found by the check after use (W173)
  std::uint64_t implausible = 0;        ///< of drops_late: descriptors ahead of their slot (W257)
  std::uint64_t descriptors_behind =
      0;  ///< descriptors of frames that were already read from the ring
  std::uint64_t discontinuities =
      0;                     ///< ends of a mapping: what was lost around them cannot be counted
  std::uint64_t sleeps = 0;  ///< of `wait`: times that it slept until the producer would wake it
  std::uint64_t wakes = 0;   ///< of these: ended by the producer
  std::uint64_t progress_reports = 0;  ///< FrameProgress that was handed out
  std::uint64_t prefixes_changed =
      0;  ///< of these: overwritten while their payload was in use; no loss of a frame (W368)
};

/// Counters of a BufferQueue. Each buffer that was taken is counted once: taken = committed + late
/// + given_back + stale + refused + those that are not ended.
struct BufferQueueCounters {
  std::uint64_t taken = 0;
  std::uint64_t committed = 0;
  std::uint64_t late = 0;        ///< given up, because others waited for it
  std::uint64_t given_back = 0;  ///< came back without a frame
  std::uint64_t stale = 0;       ///< the epoch, or its lease, had ended (W183, D314)
  std::uint64_t refused = 0;     ///< not committed for its description, length or time (W185)
  // Besides.
  std::uint64_t copied = 0;             ///< of committed: not filled in place
  std::uint64_t late_returns = 0;       ///< of late: came back after all
  std::uint64_t slots_skipped = 0;      ///< numbers given up because the device still had the slot
  std::uint64_t addresses_refused = 0;  ///< by the device, see `substitute`
};

/// Counters of a client of a driver. Spec: §2.22.
struct AttachCounters {
  std::uint64_t attach_attempts = 0;         ///< attempts started
  std::uint64_t attach_timeouts = 0;         ///< attempts ended by the attach timeout
  std::uint64_t attach_protocol_errors = 0;  ///< attempts ended by a response not to be trusted
  std::uint64_t lease_lost = 0;              ///< leases lost, by whatever route
  std::uint64_t keepalives_sent = 0;
  std::uint64_t driver_event_rejects = 0;  ///< messages of the driver dropped as malformed
  std::uint64_t stale_responses = 0;       ///< responses to no outstanding request
};

}  // namespace tensorpool::inline v0
