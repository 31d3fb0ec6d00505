// An event descriptor for a consumer: readable while there may be frames. A helper thread waits in
// the consumer's stead, by the words of its producer or, where there are none, by looking at the
// ring; it starts with the object, which exists only where a descriptor was asked for.
//
//     polling thread                                helper
//     a poll found nothing: quiet(), arms, looks
//     again; a frame: ring(), else watch()     ->   sleeps on the ticket, looks at the ring
//     the descriptor is readable: polls        <-   ring(), and waits for the next watch()
//
// So the descriptor is quiet only while the helper watches, and the helper touches nothing that
// belongs to the consumer: what it is given it holds itself.
//
// Thread contract: the polling thread; descriptor() any.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "agents/mapped_epoch.hpp"
#include "agents/thread.hpp"
#include "os/unique_fd.hpp"
#include "os/wake_file.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::detail {

class EventBell {
 public:
  /// What the helper waits for.
  struct Watch {
    std::shared_ptr<os::WakeFile> words = {};  ///< armed; null: there are none
    std::uint64_t ticket = 0;
    std::optional<EpochRef> epoch = {};          ///< empty: nothing is mapped
    std::optional<std::uint64_t> next_seq = {};  ///< empty: the ring says nothing
  };

  /// The descriptor is readable to begin with.
  [[nodiscard]] static Result<std::unique_ptr<EventBell>> create();
  EventBell(const EventBell&) = delete;
  EventBell& operator=(const EventBell&) = delete;
  ~EventBell();

  [[nodiscard]] int descriptor() const noexcept { return event_.get(); }

  [[nodiscard]] bool is_watching() const;
  void ring() const noexcept;
  void quiet() const noexcept;
  /// Precondition: !is_watching().
  void watch(Watch watch);

 private:
  static constexpr Nanos kSleepMax = std::chrono::milliseconds(10);
  static constexpr Nanos kLookPeriod = std::chrono::milliseconds(1);  ///< without words
  /// Epochs come and go, which a poll has to see.
  static constexpr Nanos kPollPeriod = std::chrono::milliseconds(100);

  explicit EventBell(os::UniqueFd event) noexcept : event_(std::move(event)) {}
  void run();
  void await(const Watch& watch) const;
  [[nodiscard]] bool is_stopping() const;

  os::UniqueFd event_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::optional<Watch> watch_;
  agents::Thread helper_;  // last: it uses everything above
};

}  // namespace tensorpool::inline v0::detail
