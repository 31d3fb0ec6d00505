// The driver's counters among those of the media driver, where every Aeron tool sees them.
//
// Thread contract: the driver's thread. Spec: §2.22 (D336, D338).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "bus/client.hpp"
#include "core/driver/counters.hpp"

namespace tensorpool::inline v0::driver {

class CounterBoard {
 public:
  /// `client` outlives the board.
  CounterBoard(bus::Client& client, std::string instance_id)
      : client_(client), instance_id_(std::move(instance_id)) {}

  /// Shows what has changed. Adds the counters when the media driver has come (again); goes on
  /// without those that it refuses.
  void do_work(const core::driver::Counters& counters, Nanos now);

 private:
  struct Shown {
    std::optional<bus::Pending<bus::Counter>> pending;
    std::unique_ptr<bus::Counter> counter;
  };
  void add_all();

  bus::Client& client_;
  std::string instance_id_;
  std::uint64_t added_under_ = 0;  ///< generation of the connection
  std::array<Shown, core::driver::kCounterFields.size()> shown_;
};

}  // namespace tensorpool::inline v0::driver
