// A consumer that waits for its next frame: spinning, asleep until the producer wakes it, or
// through a descriptor in somebody's event loop. Design §4 (waking); docs/adr/0030.
#include <algorithm>
#include <thread>

#include "base/relax.hpp"
#include "client/consumer_core.hpp"
#include "core/wake/wake_protocol.hpp"
#include "os/futex.hpp"

namespace tensorpool::inline v0::detail {
namespace {

[[nodiscard]] core::telemetry::Waits waits_of(WaitKind kind, bool nobody_wakes) noexcept {
  using core::telemetry::Waits;
  switch (kind) {
    case WaitKind::kSpin:
      return Waits::kSpin;
    case WaitKind::kYield:
      return Waits::kYield;
    case WaitKind::kBackoff:
      return Waits::kBackoff;
    case WaitKind::kPark:
      return nobody_wakes ? Waits::kPause : Waits::kPark;
    case WaitKind::kHybrid:
      return nobody_wakes ? Waits::kPause : Waits::kHybrid;
  }
  return Waits::kNot;
}

}  // namespace

/// Whether a poll, of frames or of progress, would find something. The word of the next slot is
/// what the producer writes next, and a look takes its line away: descriptor readers that spin look
/// there seldom.
bool ConsumerCore::has_input(LookAt where) noexcept {
  bus::Subscription* const progress = progress_in();
  if (progress != nullptr && progress->has_fragment()) {
    return true;
  }
  if (direct_) {
    return receiver_.ring_goes_on();
  }
  if (receiver_.filling_gap()) {
    return true;
  }
  bus::Subscription* const in = descriptors();
  if (in != nullptr && in->has_fragment()) {
    return true;
  }
  return recover_gaps_ && where == LookAt::kRing && !receiver_.expects_jumps() &&
         receiver_.frame_in_ring();  // a thinned stream leaves frames in the ring
}

const std::shared_ptr<os::WakeFile>& ConsumerCore::wake_file(Nanos now) noexcept {
  static const std::shared_ptr<os::WakeFile> kNone;
  return attached_ ? parking_.find(receiver_.options().stream_id, receiver_.epoch(), now) : kNone;
}

bool ConsumerCore::wait(Nanos timeout) noexcept {
  if (!begin_poll()) {
    return false;
  }
  if (has_input(LookAt::kRing)) {
    return true;
  }
  core::wake::WaitPlan plan(wait_);
  const bool may_park = wait_.kind == WaitKind::kPark || wait_.kind == WaitKind::kHybrid;
  const Nanos begun = client_->clock().mono();
  for (Nanos waited{}; waited < timeout; waited = client_->clock().mono() - begun) {
    const bool can_park = may_park && wake_file(begun + waited) != nullptr;
    waits_ = waits_of(wait_.kind, may_park && !can_park);
    if (shared_.readout.is_asked()) [[unlikely]] {
      tell_outside();
    }
    const core::wake::WaitPlan::Step step = plan.next(waited, can_park);
    if (rest(step, timeout - waited)) {
      return true;
    }
    static_cast<void>(begin_poll());  // perhaps there is another epoch
  }
  return has_input(LookAt::kRing);
}

/// One step of a wait, and a look after it.
bool ConsumerCore::rest(const core::wake::WaitPlan::Step& step, Nanos patience) noexcept {
  using Action = core::wake::WaitPlan::Action;
  constexpr std::uint32_t kLooksPerRingLook = 64;
  switch (step.action) {
    case Action::kSpin:
      base::relax();
      break;
    case Action::kYield:
      std::this_thread::yield();
      break;
    case Action::kPause:
      std::this_thread::sleep_for(std::min(step.at_most, patience));
      return has_input(LookAt::kRing);
    case Action::kPark:
      return park(std::min(step.at_most, patience));
  }
  return has_input(++spins_ % kLooksPerRingLook == 0 ? LookAt::kRing : LookAt::kDescriptors);
}

/// Precondition: parking_.found().
bool ConsumerCore::park(Nanos at_most) noexcept {
  layout::WakeWords& words = parking_.file().words();
  const core::wake::Arming arming = core::wake::arm<base::DefaultAtom>(
      words.armed, words.ticket, [this] { return has_input(LookAt::kRing); });
  if (!arming.may_sleep) {
    return true;
  }
  ++receiver_.counters().sleeps;
  os::futex_wait(words.ticket, arming.ticket, at_most);
  if (base::DefaultAtom::load_acquire<base::Edge::kTicketLoad>(words.ticket) != arming.ticket) {
    ++receiver_.counters().wakes;
  }
  return has_input(LookAt::kRing);
}

Result<int> ConsumerCore::event_descriptor() {
  if (client_->is_forked()) {
    return fail(Errc::kForked, "event_descriptor");
  }
  if (bell_ == nullptr) {
    Result<std::unique_ptr<EventBell>> bell = EventBell::create();
    if (!bell) {
      return fail(bell.error());
    }
    bell_ = std::move(*bell);
  }
  return bell_->descriptor();
}

/// A poll found nothing: the helper thread takes over, unless something has come meanwhile.
void ConsumerCore::ask_for_event() noexcept {
  if (bell_->is_watching()) {
    return;
  }
  bell_->quiet();
  EventBell::Watch watch;
  bool may_sleep = false;
  if (const auto& file = wake_file(client_->clock().mono()); file != nullptr) {
    const core::wake::Arming arming = core::wake::arm<base::DefaultAtom>(
        file->words().armed, file->words().ticket, [this] { return has_input(LookAt::kRing); });
    watch.words = file;
    watch.ticket = arming.ticket;
    may_sleep = arming.may_sleep;
  } else {
    may_sleep = !has_input(LookAt::kRing);
  }
  if (!may_sleep) {
    bell_->ring();
    return;
  }
  if (attached_) {
    watch.epoch.emplace(*attached_);
    // A thinned stream leaves frames in the ring that nobody here is to have.
    const bool reads_ring = direct_ || (recover_gaps_ && !receiver_.expects_jumps());
    watch.next_seq = reads_ring ? receiver_.next_seq() : std::nullopt;
  }
  bell_->watch(std::move(watch));
}

}  // namespace tensorpool::inline v0::detail
