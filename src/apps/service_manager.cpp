#include "apps/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "os/clock.hpp"
#include "os/unique_fd.hpp"

namespace tensorpool::inline v0::apps {
namespace {

[[nodiscard]] std::string_view variable(const char* name) noexcept {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): at the start
  return value == nullptr ? std::string_view() : value;
}

[[nodiscard]] std::uint64_t number(std::string_view text) noexcept {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

ServiceManager::ServiceManager() : address_(variable("NOTIFY_SOCKET")) {
  const std::string_view pid = variable("WATCHDOG_PID");
  if (pid.empty() || number(pid) == static_cast<std::uint64_t>(::getpid())) {
    feed_every_ = std::chrono::microseconds(number(variable("WATCHDOG_USEC")) / 2);
  }
}

void ServiceManager::alive() {
  if (feed_every_ == Nanos{} || address_.empty()) {
    return;
  }
  const Nanos now = os::SystemClock().mono();
  if (now - fed_at_ >= feed_every_) {
    fed_at_ = now;
    notify("WATCHDOG=1");
  }
}

void ServiceManager::notify(std::string_view message) const {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (address_.empty() || address_.size() >= sizeof(to.sun_path)) {
    return;
  }
  std::memcpy(to.sun_path, address_.data(), address_.size());
  if (to.sun_path[0] == '@') {
    to.sun_path[0] = '\0';  // an abstract name
  }
  const os::UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  ::sendto(socket.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
           reinterpret_cast<const sockaddr*>(&to), bytes);
}

}  // namespace tensorpool::inline v0::apps
