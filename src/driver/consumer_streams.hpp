// Streams of their own for consumers that hold a lease: what a driver with ranges of ids for them
// answers to hellos. The machine that decides is core/registration/responder; producers open the
// streams, by the configs that are sent here. Spec: 2-driver.md §2.15 (D248..D256).
//
// Thread contract: the driver's thread.
#pragma once

#include <functional>
#include <optional>

#include "core/driver/counters.hpp"
#include "core/driver/settings.hpp"
#include "core/registration/responder.hpp"

namespace tensorpool::inline v0::driver {

class ConsumerStreams {
 public:
  using Send = std::function<void(const layout::ConsumerConfig&)>;

  /// Whether this driver is the one that answers hellos (D248).
  [[nodiscard]] static bool is_responder(const core::driver::Settings& settings) noexcept {
    return !settings.supervisor &&
           (!settings.descriptor_stream_ids.empty() || !settings.control_stream_ids.empty());
  }

  /// Precondition: is_responder(settings). `counters` outlives the object.
  ConsumerStreams(const core::driver::Settings& settings, core::driver::Counters& counters);

  /// A hello of a consumer that holds a lease for that stream; the caller ignores all others
  /// (D249).
  void on_hello(const layout::ConsumerHello& hello, Nanos now, const Send& send);
  void on_lease_ended(const layout::ShmLeaseRevoked& notice);

 private:
  void count();

  core::registration::Responder responder_;
  core::driver::Counters& counters_;
};

}  // namespace tensorpool::inline v0::driver
