#include "parts/ledger.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace tensorpool::inline v0::sim {
namespace {

constexpr std::size_t kCounters = sizeof(ConsumerCounters) / sizeof(std::uint64_t);
using CounterArray = std::array<std::uint64_t, kCounters>;

}  // namespace

void Ledger::mapping_begins(const SimReceiver& receiver, bool holds_first) {
  const bool follows = highest_epoch_ != 0 && receiver.epoch() > highest_epoch_;
  accounted_at_zero_.reset();
  if (follows && holds_first && receiver.options().recover_gaps) {
    accounted_at_zero_ = accounted(receiver.counters());
  }
  highest_epoch_ = std::max(highest_epoch_, receiver.epoch());
  last_.reset();
  highest_heard_.reset();
  tolerates_lower_ = false;
  check(receiver);
}

void Ledger::frame(std::uint64_t seq, const ConsumerCounters& counters,
                   const std::set<std::uint64_t>& aborted) {
  const std::uint64_t now = accounted(counters);
  ++frames_;
  if (counters.frames_ok != frames_) {
    fail("frames_ok is not the number of frames handed out");
  }
  if (aborted.contains(seq)) {
    fail("frame " + std::to_string(seq) + " was never committed");
  }
  if (last_ && seq <= last_->seq) {
    fail("frame " + std::to_string(seq) + " after " + std::to_string(last_->seq));
  }
  if (last_ && seq - last_->seq != now - last_->accounted) {
    fail("numbers " + std::to_string(last_->seq) + " to " + std::to_string(seq) +
         " are accounted for as " + std::to_string(now - last_->accounted));
  }
  if (accounted_at_zero_ && now - *accounted_at_zero_ != seq + 1) {
    fail("frame " + std::to_string(seq) + " is the first of an epoch that was followed into");
  }
  accounted_at_zero_.reset();
  last_ = {.seq = seq, .accounted = now};
}

void Ledger::committed(const SimReceiver& receiver, std::uint64_t seq) {
  const bool handed_out = last_ && last_->seq >= seq;
  if (receiver.tracking() && receiver.last_seq() >= seq && seq != 0 && !handed_out) {
    fail("frame " + std::to_string(seq) + " was given up before it was committed");
  }
}

void Ledger::mapping_ends(const SimReceiver& receiver) {
  check(receiver);
  ++mappings_ended_;
  last_.reset();
}

void Ledger::before_descriptor(const SimReceiver& receiver) {
  before_ = receiver.counters();
  last_seq_before_ = receiver.last_seq();
  frames_before_ = frames_;
  tracking_before_ = receiver.tracking();
  draining_before_ = receiver.draining();
}

void Ledger::after_descriptor(const SimReceiver& receiver,
                              const core::consumer::Descriptor& descriptor, bool heard) {
  const bool of_this_stream = descriptor.stream_id == receiver.options().stream_id;
  const ConsumerCounters& now = receiver.counters();
  const std::uint64_t refusals = (now.drops_duplicate - before_.drops_duplicate) +
                                 (now.descriptors_behind - before_.descriptors_behind) +
                                 (now.drops_epoch_mismatch - before_.drops_epoch_mismatch) +
                                 (now.drops_unmapped - before_.drops_unmapped) +
                                 (now.seq_regressions - before_.seq_regressions) +
                                 (now.malformed_messages - before_.malformed_messages) +
                                 (now.implausible - before_.implausible);
  const bool moved = frames_ != frames_before_ || receiver.last_seq() != last_seq_before_ ||
                     now.drops_gap != before_.drops_gap ||
                     now.skipped_by_reader != before_.skipped_by_reader ||
                     now.drops_late - now.implausible != before_.drops_late - before_.implausible;
  if ((!of_this_stream && refusals != 0) || (!(of_this_stream && heard) && moved)) {
    fail("a descriptor that is not for this consumer had an effect");
  }
  if (refusals > 1 || (refusals == 1 && moved)) {
    fail("a descriptor was counted twice");
  }
  // The first number of a mapping may be 0, which is also what `last_seq` says before it.
  if (of_this_stream && heard && refusals == 0 && !moved && !receiver.draining()) {
    fail("a descriptor was neither accepted nor counted");
  }
  const bool refused_unheard = now.drops_epoch_mismatch != before_.drops_epoch_mismatch ||
                               now.drops_unmapped != before_.drops_unmapped ||
                               now.implausible != before_.implausible ||
                               now.malformed_messages != before_.malformed_messages;
  if (of_this_stream && heard && !refused_unheard) {
    check_lower(receiver, descriptor.seq);
  }
}

void Ledger::check_lower(const SimReceiver& receiver, std::uint64_t seq) {
  const ConsumerCounters& now = receiver.counters();
  const bool lower = tracking_before_ && seq <= last_seq_before_ &&
                     (last_seq_before_ != 0 || highest_heard_ == 0U);
  if (lower && !draining_before_) {
    const bool unheard = !highest_heard_ || seq > *highest_heard_;
    const bool duplicate = !unheard && (seq == *highest_heard_ || tolerates_lower_);
    const bool regression = !unheard && !duplicate;
    if (now.descriptors_behind - before_.descriptors_behind != (unheard ? 1U : 0U) ||
        now.drops_duplicate - before_.drops_duplicate != (duplicate ? 1U : 0U) ||
        now.seq_regressions - before_.seq_regressions != (regression ? 1U : 0U) ||
        receiver.unmap_wanted().has_value() != regression) {
      fail("descriptor " + std::to_string(seq) + " was taken for another kind of repetition");
    }
  }
  tolerates_lower_ = tolerates_lower_ && lower;
  highest_heard_ = std::max(seq, highest_heard_.value_or(0));
}

void Ledger::check(const SimReceiver& receiver) {
  if (!receiver.check_invariants()) {
    fail("the receiver's own account does not balance");
  }
  const ConsumerCounters& counters = receiver.counters();
  const auto now = std::bit_cast<CounterArray>(counters);
  const auto then = std::bit_cast<CounterArray>(seen_);
  for (std::size_t k = 0; k < kCounters; ++k) {
    if (now[k] < then[k]) {
      fail("counter " + std::to_string(k) + " went down");
    }
  }
  if (last_ && receiver.last_seq() - last_->seq != accounted(counters) - last_->accounted) {
    fail("after frame " + std::to_string(last_->seq) + ", " +
         std::to_string(accounted(counters) - last_->accounted) +
         " numbers are accounted for up to " + std::to_string(receiver.last_seq()));
  }
  if (counters.discontinuities != mappings_ended_) {
    fail("discontinuities do not match the mappings that ended");
  }
  seen_ = counters;
}

void Ledger::fail(const std::string& what) {
  verdict_->fail(Failure::kSafety, "consumer " + std::to_string(consumer_) + ": " + what);
}

}  // namespace tensorpool::inline v0::sim
