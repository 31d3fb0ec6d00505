// The last few requests that nobody waits for any more, but whose answers may still come.
//
// Thread contract: as a plain array.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace tensorpool::inline v0::core::attach {

/// `Request` is a message with a positive correlation id; the oldest makes room for the newest.
template <class Request, std::size_t kCapacity = 8>
class RecentRequests {
 public:
  void remember(const Request& request) noexcept { requests_[next_++ % kCapacity] = request; }

  [[nodiscard]] bool contains(std::int64_t correlation_id) const noexcept {
    return std::any_of(requests_.begin(), requests_.end(), [=](const Request& request) {
      return request.correlation_id == correlation_id && correlation_id > 0;
    });
  }
  /// The request that `correlation_id` belongs to, which is then forgotten.
  [[nodiscard]] std::optional<Request> take(std::int64_t correlation_id) noexcept {
    for (Request& request : requests_) {
      if (request.correlation_id == correlation_id && correlation_id > 0) {
        return std::exchange(request, Request{});
      }
    }
    return std::nullopt;
  }

 private:
  std::array<Request, kCapacity> requests_{};
  std::size_t next_ = 0;
};

}  // namespace tensorpool::inline v0::core::attach
