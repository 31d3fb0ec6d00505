// Who has shown over the admin socket that he may attach to a stream that is not open to everybody.
//
// A pass names what the attach request will name, since that is all the driver sees of a client on
// the bus: client id, stream and role. A client id is drawn at random and is on nobody's bus before
// the request, so a pass is hard to steal before it is used, and of no use afterwards.
//
// Memory: at most kMax. Thread contract: one thread at a time; `now` never decreases.
// Design: docs/adr/0022.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>

#include "layout/messages_901.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::driver {

class Passes {
 public:
  static constexpr std::size_t kMax = 4096;
  /// A client that was refused asks, and comes again within its longest backoff, twice over.
  static constexpr Nanos kLifetime = std::chrono::seconds(10);

  struct Pass {
    std::uint32_t client_id = 0;
    std::uint32_t stream_id = 0;
    layout::Role role = layout::Role::kConsumer;

    friend auto operator<=>(const Pass&, const Pass&) = default;
  };

  /// False when there are too many.
  [[nodiscard]] bool issue(const Pass& pass, Nanos now) {
    std::erase_if(expiry_, [now](const auto& entry) { return entry.second <= now; });
    if (expiry_.size() >= kMax && !expiry_.contains(pass)) {
      return false;
    }
    expiry_.insert_or_assign(pass, now + kLifetime);
    return true;
  }
  [[nodiscard]] bool holds(const Pass& pass, Nanos now) const {
    const auto found = expiry_.find(pass);
    return found != expiry_.end() && now < found->second;
  }
  /// It is good for one lease.
  void use(const Pass& pass) { expiry_.erase(pass); }

 private:
  std::map<Pass, Nanos> expiry_;
};

}  // namespace tensorpool::inline v0::core::driver
