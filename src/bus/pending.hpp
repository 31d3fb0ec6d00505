// A publication, subscription or counter that the media driver has been asked for.
//
// Thread contract: the control thread (see client.hpp). Nothing here waits: the owner polls from
// its duty cycle. Dropping it withdraws the request.
#pragma once

#include <memory>

#include "bus/aeron_fwd.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::bus {

class Session;

/// `T` is ExclusivePublication, Subscription or Counter.
template <class T>
class Pending {
 public:
  Pending(Pending&& other) noexcept;
  Pending& operator=(Pending&& other) noexcept;
  ~Pending();

  /// Null while the driver has not answered. After an object or an error the request is over and
  /// further calls answer kClosed. Errors: kBusFailure with Aeron's reason (the driver refused it,
  /// or gave no answer in time), kClosed when the client was lost meanwhile.
  [[nodiscard]] Result<std::unique_ptr<T>> poll() noexcept;

 private:
  friend class Client;
  Pending(std::shared_ptr<Session> session, std::unique_ptr<T> unfinished,
          aeron_client_registering_resource_stct* request) noexcept;
  void withdraw() noexcept;

  std::shared_ptr<Session> session_;
  std::unique_ptr<T> unfinished_;
  aeron_client_registering_resource_stct* request_;
};

}  // namespace tensorpool::inline v0::bus
