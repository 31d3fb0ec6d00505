#include "bus/counter.hpp"

#include <aeronc.h>

#include <utility>

#include "bus/session.hpp"

namespace tensorpool::inline v0::bus {

void Counter::adopt(std::shared_ptr<Session> session, AeronHandle* handle) noexcept {
  session_ = std::move(session);
  handle_ = handle;
  value_ = aeron_counter_addr(handle);
  aeron_counter_constants_t constants{};
  if (aeron_counter_constants(handle, &constants) == 0) {
    id_ = constants.counter_id;
  }
}

Counter::~Counter() {
  if (handle_ != nullptr && session_->may_call()) {
    aeron_counter_close(handle_, nullptr, nullptr);
  }
}

}  // namespace tensorpool::inline v0::bus
