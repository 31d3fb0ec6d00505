// The producer's consumers and their streams, as agents/registry_agent has them; and whether what
// is said and sent is what the specification allows.
//
// Invariants that it checks
//  1. A config of ours names streams that are open, that serve this consumer and nobody else, and
//     that are not shared (W306, W311).
//  2. Descriptors of a rate-limited consumer's own stream keep the distance of its rate (W336).
//  3. Nobody has a stream who has been silent for longer than the stale timeout (W319).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "core/registration/rate.hpp"
#include "core/registration/responder.hpp"
#include "service/environment.hpp"

namespace tensorpool::inline v0::sim::service {

/// What both kinds of responder begin with.
[[nodiscard]] core::registration::Responder::Options responder_options(const Scenario& scenario);

class RegistrySide {
 public:
  explicit RegistrySide(Environment& environment) : world_(&environment) {}

  void start();
  void bury();
  void hear(const Message& message);
  /// One duty cycle of the control thread.
  void run();
  /// A committed frame; the shared stream is the caller's.
  void publish(const Notice& notice);
  /// To everybody who wants it, on the stream where he listens for it.
  void tell_progress(const layout::FrameProgress& message);

  [[nodiscard]] const core::registration::Responder& responder() const { return *responder_; }
  /// Publications that frames go out on.
  [[nodiscard]] std::size_t open_streams(core::registration::OwnKind which) const;

 private:
  using OwnKind = core::registration::OwnKind;
  using Action = core::registration::ResponderAction;
  struct Held {
    core::registration::ConsumerKey consumer;
    OwnKind which = OwnKind::kDescriptor;
    PrivateStreams::Handle stream = 0;
    bool open = false;
    Nanos interval{};
    core::registration::RateCap cap = {};
    std::optional<Nanos> sent_at = {};  ///< the checker's
  };

  void carry_out();
  void close(const Action& action);
  void settle();
  void set_rates();
  void check_config(const layout::ConsumerConfig& config);
  void check_rate(Held& held, Nanos now);
  void check_silence(Nanos now);
  [[nodiscard]] Nanos now() const { return world_->clock.mono(); }

  Environment* world_;
  std::optional<core::registration::Responder> responder_;
  std::vector<Held> held_;
  std::map<std::uint32_t, Nanos> heard_at_;  ///< the checker's, by consumer
  std::uint64_t rates_of_ = 0;
  std::uint32_t session_ = 0;  ///< one for each life
  bool unsent_ = false;        ///< a config, in this duty cycle
};

}  // namespace tensorpool::inline v0::sim::service
