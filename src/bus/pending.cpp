#include "bus/pending.hpp"

#include <aeronc.h>

#include <utility>

#include "bus/aeron_error.hpp"
#include "bus/counter.hpp"
#include "bus/publication.hpp"
#include "bus/session.hpp"
#include "bus/subscription.hpp"

namespace tensorpool::inline v0::bus {
namespace {

// Aeron has one pair of functions for each kind.
int poll_request(aeron_exclusive_publication_t** made, aeron_async_add_publication_t* request) {
  return aeron_async_add_exclusive_publication_poll(made, request);
}
int poll_request(aeron_subscription_t** made, aeron_async_add_subscription_t* request) {
  return aeron_async_add_subscription_poll(made, request);
}
int poll_request(aeron_counter_t** made, aeron_async_add_counter_t* request) {
  return aeron_async_add_counter_poll(made, request);
}
int cancel(const ExclusivePublication*, aeron_t* aeron, aeron_async_add_publication_t* request) {
  return aeron_async_add_exclusive_publication_cancel(aeron, request);
}
int cancel(const Subscription*, aeron_t* aeron, aeron_async_add_subscription_t* request) {
  return aeron_async_add_subscription_cancel(aeron, request);
}
int cancel(const Counter*, aeron_t* aeron, aeron_async_add_counter_t* request) {
  return aeron_async_add_counter_cancel(aeron, request);
}

}  // namespace

template <class T>
Pending<T>::Pending(std::shared_ptr<Session> session, std::unique_ptr<T> unfinished,
                    aeron_client_registering_resource_stct* request) noexcept
    : session_(std::move(session)), unfinished_(std::move(unfinished)), request_(request) {}

template <class T>
Pending<T>::Pending(Pending&& other) noexcept
    : session_(std::move(other.session_)),
      unfinished_(std::move(other.unfinished_)),
      request_(std::exchange(other.request_, nullptr)) {}

template <class T>
Pending<T>& Pending<T>::operator=(Pending&& other) noexcept {
  if (this != &other) {
    withdraw();
    session_ = std::move(other.session_);
    unfinished_ = std::move(other.unfinished_);
    request_ = std::exchange(other.request_, nullptr);
  }
  return *this;
}

template <class T>
Pending<T>::~Pending() {
  withdraw();
}

template <class T>
void Pending<T>::withdraw() noexcept {
  // A lost client frees its requests when it is closed, and cannot tell the driver any more.
  if (request_ != nullptr && session_->may_call()) {
    cancel(unfinished_.get(), session_->aeron(), request_);
  }
  request_ = nullptr;
}

template <class T>
Result<std::unique_ptr<T>> Pending<T>::poll() noexcept {
  if (request_ == nullptr || session_->is_lost()) {
    return fail(Errc::kClosed, "media driver client");
  }
  typename T::AeronHandle* made = nullptr;
  const int answered = poll_request(&made, request_);
  if (answered == 0) {
    return std::unique_ptr<T>();
  }
  request_ = nullptr;  // Aeron frees it in its next duty cycle
  if (answered < 0) {
    return fail(last_aeron_error(Errc::kBusFailure));
  }
  unfinished_->adopt(session_, made);
  return std::move(unfinished_);
}

template class Pending<ExclusivePublication>;
template class Pending<Subscription>;
template class Pending<Counter>;

}  // namespace tensorpool::inline v0::bus
