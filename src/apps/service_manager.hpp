// What a service tells systemd: sd_notify(3) in a page, without the library.
//
// Does nothing where NOTIFY_SOCKET is not set. Thread contract: one thread.
#pragma once

#include <string>
#include <string_view>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps {

class ServiceManager {
 public:
  ServiceManager();

  void ready() const { notify("READY=1"); }
  void stopping() const { notify("STOPPING=1"); }
  /// Feeds the watchdog, at half of its period. To be called from the duty cycle, so that a cycle
  /// that hangs is noticed.
  void alive();

 private:
  void notify(std::string_view message) const;

  std::string address_;  ///< empty: nobody to tell
  Nanos feed_every_{};   ///< 0: no watchdog
  Nanos fed_at_{};
};

}  // namespace tensorpool::inline v0::apps
