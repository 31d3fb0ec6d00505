// One Aeron counter of our own, visible to every tool that reads the media driver's counters.
//
// Thread contract. set and value: any thread. Construction (Client::begin_add_counter) and
// destruction: the control thread. After the media driver is lost both stay safe and reach nobody.
// Spec: W281.
#pragma once

#include <cstdint>
#include <memory>

#include "bus/aeron_fwd.hpp"

namespace tensorpool::inline v0::bus {

class Session;
template <class T>
class Pending;

class Counter {
 public:
  using AeronHandle = aeron_counter_stct;

  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;
  ~Counter();

  void set(std::int64_t value) noexcept { __atomic_store_n(value_, value, __ATOMIC_RELAXED); }
  [[nodiscard]] std::int64_t value() const noexcept {
    return __atomic_load_n(value_, __ATOMIC_RELAXED);
  }
  /// Number under which the media driver lists it.
  [[nodiscard]] std::int32_t id() const noexcept { return id_; }

 private:
  friend class Client;
  template <class T>
  friend class Pending;
  Counter() = default;
  void adopt(std::shared_ptr<Session> session, AeronHandle* handle) noexcept;

  AeronHandle* handle_ = nullptr;
  std::int64_t* value_ = nullptr;
  std::int32_t id_ = -1;
  std::shared_ptr<Session> session_;
};

}  // namespace tensorpool::inline v0::bus
