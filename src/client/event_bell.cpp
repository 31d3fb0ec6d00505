#include "client/event_bell.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <thread>
#include <utility>

#include "base/atomics.hpp"
#include "core/consumer/ring_search.hpp"
#include "core/ring/commit_word.hpp"
#include "os/clock.hpp"
#include "os/futex.hpp"

namespace tensorpool::inline v0::detail {
namespace {

[[nodiscard]] bool has_ticket(const EventBell::Watch& watch) {
  return base::DefaultAtom::load_acquire<base::Edge::kTicketLoad>(watch.words->words().ticket) ==
         watch.ticket;
}

[[nodiscard]] bool ring_has(const EventBell::Watch& watch) {
  if (!watch.next_seq) {
    return false;
  }
  const std::uint64_t seq = *watch.next_seq;
  const std::uint64_t word = core::consumer::word_for((*watch.epoch)->memory, seq);
  return core::ring::sequence_of(word) > seq || word == core::ring::committed(seq);
}

}  // namespace

Result<std::unique_ptr<EventBell>> EventBell::create() {
  os::UniqueFd event(::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!event) {
    const Errc code = errno == EMFILE || errno == ENFILE ? Errc::kLimitReached : Errc::kOsFailure;
    return fail(make_os_error(code, "eventfd", errno));
  }
  std::unique_ptr<EventBell> bell(new EventBell(std::move(event)));
  Result<agents::Thread> helper =
      agents::Thread::start({.name = "tp-events"}, [self = bell.get()] { self->run(); });
  if (!helper) {
    return fail(helper.error());
  }
  bell->helper_ = std::move(*helper);
  return bell;
}

EventBell::~EventBell() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  helper_.join();
}

bool EventBell::is_watching() const {
  const std::lock_guard lock(mutex_);
  return watch_.has_value();
}

bool EventBell::is_stopping() const {
  const std::lock_guard lock(mutex_);
  return stop_;
}

void EventBell::ring() const noexcept {
  const std::uint64_t one = 1;
  static_cast<void>(::write(event_.get(), &one, sizeof(one)));  // full means readable
}

void EventBell::quiet() const noexcept {
  std::uint64_t rings = 0;
  static_cast<void>(::read(event_.get(), &rings, sizeof(rings)));
}

void EventBell::watch(Watch watch) {
  {
    const std::lock_guard lock(mutex_);
    watch_.emplace(std::move(watch));
  }
  changed_.notify_one();
}

void EventBell::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || watch_.has_value(); });
    if (stop_) {
      return;
    }
    lock.unlock();
    await(*watch_);  // which nobody else touches until it is reset
    lock.lock();
    watch_.reset();
    ring();
  }
}

void EventBell::await(const Watch& watch) const {
  const os::SystemClock clock;
  const Nanos end = clock.mono() + kPollPeriod;
  while (!is_stopping() && clock.mono() < end && !ring_has(watch) &&
         (!watch.epoch || (*watch.epoch)->current.load(std::memory_order_relaxed))) {
    if (watch.words == nullptr) {
      std::this_thread::sleep_for(kLookPeriod);
    } else if (has_ticket(watch)) {
      os::futex_wait(watch.words->words().ticket, watch.ticket, kSleepMax);
    } else {
      return;
    }
  }
}

}  // namespace tensorpool::inline v0::detail
