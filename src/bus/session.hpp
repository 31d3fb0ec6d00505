// One connection to one life of one media driver. Internal to bus/.
//
// Shared by the Client and by everything made through it: the last one returned closes Aeron's
// client, because closing it frees every publication and unmaps every log. Hence the shared_ptr,
// which style §4 keeps for the public client otherwise; its count is touched by control calls only.
//
// Thread contract: the control thread only (see client.hpp).
#pragma once

#include <sys/types.h>

#include <memory>

#include "bus/aeron_fwd.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::bus {

class Session {
 public:
  struct Options {
    const char* aeron_dir;
    const char* client_name;
    Nanos driver_timeout;
    Nanos keepalive_interval;
  };

  /// Precondition: a probe has just found a live driver; otherwise Aeron waits for one.
  [[nodiscard]] static Result<std::shared_ptr<Session>> connect(const Options& options);

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// Aeron's conductor. Image events are stamped with `now`.
  int do_work(Nanos now) noexcept;

  [[nodiscard]] aeron_stct* aeron() const noexcept { return aeron_; }
  [[nodiscard]] Nanos now() const noexcept { return now_; }
  /// True once Aeron has closed itself: the driver is gone, or it has given us up.
  [[nodiscard]] bool is_lost() const noexcept { return lost_; }
  /// False once lost, and in a forked child, where the connection still belongs to the parent:
  /// nothing of Aeron may be called then.
  [[nodiscard]] bool may_call() const noexcept;
  [[nodiscard]] const Error& error() const noexcept { return error_; }

  /// Called when adding a resource failed inside Aeron, which frees the request while its table
  /// still names it (seen in 1.53, only when the driver's command buffer is full, that is, when the
  /// driver hangs). Such a client can be neither run nor closed: it is lost, and leaked.
  void abandon(const Error& why) noexcept;

 private:
  Session() = default;
  static void on_error(void* self, int code, const char* message) noexcept;

  aeron_context_stct* context_ = nullptr;
  aeron_stct* aeron_ = nullptr;
  pid_t owner_ = 0;
  bool lost_ = false;
  bool abandoned_ = false;
  Nanos now_{};
  Error error_;
};

}  // namespace tensorpool::inline v0::bus
