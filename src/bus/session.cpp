#include "bus/session.hpp"

#include <aeronc.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>

#include "bus/aeron_error.hpp"

namespace tensorpool::inline v0::bus {

Result<std::shared_ptr<Session>> Session::connect(const Options& options) {
  std::shared_ptr<Session> session(new Session);
  session->owner_ = ::getpid();
  const auto timeout_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(options.driver_timeout).count();
  if (aeron_context_init(&session->context_) < 0 ||
      aeron_context_set_dir(session->context_, options.aeron_dir) < 0 ||
      aeron_context_set_client_name(session->context_, options.client_name) < 0 ||
      aeron_context_set_driver_timeout_ms(session->context_,
                                          static_cast<std::uint64_t>(timeout_ms)) < 0 ||
      aeron_context_set_keepalive_interval_ns(
          session->context_, static_cast<std::uint64_t>(options.keepalive_interval.count())) < 0 ||
      aeron_context_set_use_conductor_agent_invoker(session->context_, true) < 0 ||
      aeron_context_set_error_handler(session->context_, &Session::on_error, session.get()) < 0 ||
      aeron_init(&session->aeron_, session->context_) < 0 || aeron_start(session->aeron_) < 0) {
    return fail(last_aeron_error(Errc::kMediaDriverUnavailable));
  }
  return session;
}

bool Session::may_call() const noexcept {
  return !lost_ && ::getpid() == owner_;
}

Session::~Session() {
  // In a forked child Aeron's client belongs to the parent, and an abandoned one to nobody.
  if (::getpid() != owner_ || abandoned_) {
    return;
  }
  if (aeron_ != nullptr) {
    aeron_close(aeron_);
  }
  if (context_ != nullptr) {
    aeron_context_close(context_);
  }
}

void Session::on_error(void* self, int code, const char* message) noexcept {
  static_cast<Session*>(self)->error_ = make_aeron_error(Errc::kBusFailure, code, message);
}

int Session::do_work(Nanos now) noexcept {
  now_ = now;
  if (!may_call()) {
    return 0;
  }
  const int work = aeron_main_do_work(aeron_);
  if (aeron_is_closed(aeron_)) {
    lost_ = true;
    error_.code = Errc::kMediaDriverUnavailable;
  }
  return work > 0 ? work : 0;
}

void Session::abandon(const Error& why) noexcept {
  abandoned_ = true;
  lost_ = true;
  error_ = why;
}

}  // namespace tensorpool::inline v0::bus
