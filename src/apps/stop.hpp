// Ctrl-C as a flag: a verb that was told to stop finishes its files and says what it did.
//
// Thread contract: install once, from main's thread; the flag may be read by any thread.
#pragma once

#include <atomic>

namespace tensorpool::inline v0::apps {

/// Set by the first SIGINT, SIGTERM or SIGHUP from now on. One that comes later than half a second
/// after it ends the process as if nothing had been installed; sooner ones are taken for the same
/// (a wrapper that passes on what the terminal has sent already). System calls are interrupted, not
/// restarted.
[[nodiscard]] const std::atomic<bool>& catch_stop_signals() noexcept;

/// What is done before the second signal ends the process; null: nothing. It runs in the signal's
/// handler, and may do only what handlers may.
using LastAct = void (*)();
void set_last_act(LastAct act) noexcept;

}  // namespace tensorpool::inline v0::apps
