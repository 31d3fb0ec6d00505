// The consumers of one producer's stream: answers their hellos, or follows who does, and keeps the
// publications that they have for themselves, and the one for progress that they share. The machine
// that decides is core/registration/responder; this carries its actions out. Spec: §1.15.2, §1.16,
// §1.17.1 (W343, W351, W354, W355).
//
// Thread contract: the control thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "agents/control_bus.hpp"
#include "agents/own_streams.hpp"
#include "bus/channel.hpp"
#include "core/registration/responder.hpp"

namespace tensorpool::inline v0::agents {

class RegistryAgent {
 public:
  using Responder = core::registration::Responder;

  struct Options {
    bool responds = true;  ///< W293
    /// Whose ids nobody gets for himself, besides those of the bus and the usual ones (W306).
    bus::Channel descriptor_channel = {};
    std::int32_t descriptor_stream_id = 0;
    std::size_t consumers_max = 256;
    Nanos stale_timeout = std::chrono::seconds(5);
  };

  /// The references outlive the agent.
  RegistryAgent(bus::Client& client, ControlBus& control, OwnStreams& streams,
                std::uint32_t stream_id, const Options& options);
  RegistryAgent(const RegistryAgent&) = delete;
  RegistryAgent& operator=(const RegistryAgent&) = delete;
  /// Precondition: the producer's thread is in no call.
  ~RegistryAgent();

  int do_work(Nanos now);
  void on_hello(const layout::ConsumerHello& hello, Nanos now);
  void on_qos(const layout::QosConsumer& qos, Nanos now);
  /// Of somebody else than this client.
  void on_config(const layout::ConsumerConfig& config, Nanos now);
  /// Until it is known who answers, nobody does: consumers ask again, and each is answered once by
  /// one that finds that it is the one (W293, W294, W315).
  void set_responds(bool responds) noexcept { responder_.set_responds(responds); }
  void on_lease_revoked(const layout::ShmLeaseRevoked& notice);

  /// Who is registered, and what each wants: `responder().for_each`, `generation()`.
  [[nodiscard]] const Responder& responder() const noexcept { return responder_; }

 private:
  /// A publication of one consumer, from being asked for until it is closed.
  struct Held {
    core::registration::ConsumerKey consumer;
    core::registration::OwnKind which;
    bool open = false;  ///< the producer's thread may use it
    std::unique_ptr<OwnPublication> stream;
  };

  void carry_out();
  void add(const core::registration::ResponderAction& action);
  void close(const core::registration::ResponderAction& action);
  int settle(Nanos now);
  void follow_wishes();
  void offer(core::registration::OwnKind which);
  void offer_descriptors();
  void offer_progress();
  void keep_shared(bool wanted);

  bus::Client& client_;
  ControlBus& control_;
  OwnStreams& streams_;
  Responder responder_;
  std::vector<Held> held_;
  std::unique_ptr<OwnPublication> shared_progress_;       // while somebody wants progress there
  std::vector<std::unique_ptr<OwnPublication>> closing_;  // the producer's thread may be using them
  std::uint64_t wishes_of_ = 0;  // the responder's generation that was followed last
  std::uint64_t audiences_ = 0;  // that were offered
  bool unsent_ = false;
};

}  // namespace tensorpool::inline v0::agents
