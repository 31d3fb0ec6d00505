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
  /// Whether this client consumes this stream under a lease.
  using HoldsLease = std::function<bool(core::registration::ConsumerKey)>;

  /// Whether this driver is the one that answers hellos (D248).
  [[nodiscard]] static bool is_responder(const core::driver::Settings& settings) noexcept {
    return !settings.supervisor &&
           (!settings.descriptor_stream_ids.empty() || !settings.control_stream_ids.empty());
  }

  /// Precondition: is_responder(settings). `counters`, and what `holds_lease` asks, outlive the
  /// object.
  ConsumerStreams(const core::driver::Settings& settings, core::driver::Counters& counters,
                  HoldsLease holds_lease);

  /// Ignores consumers that hold no lease for the stream (D249).
  void on_hello(const layout::ConsumerHello& hello, Nanos now, const Send& send);
  /// A notice is on its way. It may be about a lease that never was (D157), whose client and stream
  /// are what somebody said they are: whoever still holds a lease keeps his streams (D251).
  void on_lease_notice(const layout::ShmLeaseRevoked& notice);

 private:
  void count();

  core::registration::Responder responder_;
  core::driver::Counters& counters_;
  HoldsLease holds_lease_;
};

}  // namespace tensorpool::inline v0::driver
