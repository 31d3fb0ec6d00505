#include "apps/ticker.hpp"

#include "os/signals.hpp"

namespace tensorpool::inline v0::apps {

Ticker::Ticker(Nanos period, std::function<void()> tick) {
  const os::BlockedSignals blocked;
  thread_ = std::thread([this, period, tick = std::move(tick)] {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, period, [this] { return ending_; })) {
      tick();
    }
  });
}

Ticker::~Ticker() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

}  // namespace tensorpool::inline v0::apps
