// The control endpoint of a driver: requests in, decoded and counted; answers and announces out, in
// order and with patience.
//
// Thread contract: the driver's thread. Spec: §2.3 (D1..D25), §2.13 (D220), D152.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "bus/link.hpp"
#include "codec/codec.hpp"
#include "core/driver/actions.hpp"
#include "core/driver/counters.hpp"
#include "core/driver/send_queue.hpp"
#include "core/driver/settings.hpp"

namespace tensorpool::inline v0::driver {

/// An attach request of a later schema version (D12).
struct LaterAttachRequest {
  std::int64_t correlation_id = 0;
};
using Request =
    std::variant<layout::ShmAttachRequest, layout::ShmDetachRequest, layout::ShmLeaseKeepalive,
                 layout::ShmDriverShutdownRequest, LaterAttachRequest, layout::ConsumerHello>;

/// What is remembered of a message until it is published or given up.
struct Outgoing {
  core::driver::MessageKind kind = core::driver::MessageKind::kAnnounce;
  std::uint32_t stream_id = 0;  ///< of announces and lease notices (D152)
  /// What its delay is counted from: of answers when the request came, of EXPIRED notices the
  /// expiry.
  std::optional<Nanos> since{};
  std::uint64_t lease_id = 0;  ///< of lease notices
};

class DriverBus {
 public:
  /// Told of every message that has ended.
  class Observer {
   public:
    Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;
    virtual ~Observer() = default;
    virtual void on_ended(const Outgoing& message, core::driver::Ending ending) = 0;
  };

  static constexpr std::size_t kFragmentsPerCycle = 4096;  ///< D136

  /// Checks the channels. The references outlive the bus.
  [[nodiscard]] static Result<std::unique_ptr<DriverBus>> create(
      bus::Client& client, const core::driver::Settings& settings, core::driver::Counters& counters,
      Observer& observer);

  /// Keeps publications and subscription up, and sends what has waited.
  int keep_up(Nanos now);
  /// Both directions are there, so that an answer finds its way.
  [[nodiscard]] bool is_up() noexcept;

  /// Gives each request to `handle(const Request&)`, until there is none or kFragmentsPerCycle were
  /// looked at. Returns the number of fragments.
  template <class Handle>
  int poll(Handle&& handle) {
    bus::Subscription* const in = requests_.current();
    int all = 0;
    for (int some = 1; in != nullptr && some > 0 && all < static_cast<int>(kFragmentsPerCycle);) {
      some = in->poll_messages(
          [&](const bus::Message& message) noexcept {
            const std::optional<Request> request = decode(message.bytes);
            if (request && !is_for_another_life(*request, in->may_be_old(message.session_id))) {
              handle(*request);
            }
          },
          kFragmentsPerBatch);
      all += some;
      if (some == 0) {
        in->note_drained();
      }
    }
    return all;
  }

  void send(const layout::ShmAttachResponse& message, Nanos received_at, Nanos now);
  void send(const layout::ShmDetachResponse& message, Nanos received_at, Nanos now);
  /// `expiry`: of the lease, where that has passed.
  void send(const layout::ShmLeaseRevoked& message, std::optional<Nanos> expiry, Nanos now);
  void send(const layout::ShmDriverShutdown& message, Nanos now);
  void send(const layout::ShmPoolAnnounce& message, Nanos now);
  /// Once: the consumer asks again where it does not arrive.
  void send(const layout::ConsumerConfig& message);
  /// True when nothing waits to be sent.
  [[nodiscard]] bool is_drained() const noexcept {
    return answers_.queue.empty() && (!announces_ || announces_->queue.empty());
  }

 private:
  static constexpr std::size_t kFragmentsPerBatch = 64;

  /// One publication and what waits for it.
  struct Lane {
    Lane(bus::Client& client, const bus::Channel& channel, std::uint32_t stream_id);
    bus::PublicationLink link;
    core::driver::SendQueue<Outgoing> queue;
  };

  DriverBus(bus::Client& client, const core::driver::Settings& settings,
            const bus::Channel& control, const bus::Channel& announce,
            core::driver::Counters& counters, Observer& observer);

  [[nodiscard]] std::optional<Request> decode(std::span<const std::byte> bytes) noexcept;
  /// What was said before this driver began to listen reaches it where its predecessor was killed.
  /// Clients repeat what they still want; but an old order to go down would end each successor too.
  [[nodiscard]] bool is_for_another_life(const Request& request, bool may_be_old) noexcept;
  template <class M>
  void send(Lane& lane, const Outgoing& about, const M& message, Nanos now);
  void flush(Lane& lane, Nanos now);
  [[nodiscard]] core::driver::Offer offer(Lane& lane, const Outgoing& about,
                                          std::span<const std::byte> bytes) noexcept;
  void ended(const Outgoing& message, core::driver::Ending ending);

  bus::SubscriptionLink requests_;
  Lane answers_;  ///< and announces, where both have one endpoint
  std::optional<Lane> announces_;
  bool hears_hellos_;
  core::driver::Counters& counters_;
  Observer& observer_;
  codec::Scratch scratch_;
  std::vector<std::byte> buffer_;
};

}  // namespace tensorpool::inline v0::driver
