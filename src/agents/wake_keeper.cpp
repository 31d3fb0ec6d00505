#include "agents/wake_keeper.hpp"

#include <memory>
#include <utility>

namespace tensorpool::inline v0::agents {

int WakeKeeper::do_work(Nanos now, bool has_driver) {
  files_.collect();
  const std::uint64_t epoch = epoch_.load(std::memory_order_acquire);  // sync(wake-wanted): observe
  const bool is_new = epoch != tried_for_;
  if (epoch == 0 || !has_driver || (!is_new && now < look_at_)) {
    return 0;
  }
  look_at_ = now + kLookPeriod;
  if (!is_new && files_.newest() != nullptr && files_.newest()->is_linked(os::system_calls())) {
    return 0;
  }
  tried_for_ = epoch;
  Result<os::WakeFile> made = os::WakeFile::create(
      os::system_calls(), {.directory = directory_,
                           .stream_id = stream_id_.load(std::memory_order_relaxed),
                           .epoch = epoch});
  // Where there are none, consumers do without: it is tried again.
  files_.offer(made ? std::make_unique<os::WakeFile>(std::move(*made)) : nullptr);
  return 1;
}

}  // namespace tensorpool::inline v0::agents
