// The streams that all parts of a client share: control, announce, QoS, metadata. Decodes each
// message once and gives it to every listener, so that no handler takes a message from another
// (W333). Spec: §1.5, §1.23.
//
// Thread contract: the control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agents/request_sender.hpp"
#include "base/clock.hpp"
#include "bus/link.hpp"
#include "codec/codec.hpp"
#include "layout/messages_900.hpp"
#include "layout/messages_901.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::inline v0::agents {

/// Receives the messages that concern control work. Each has an empty default. A client that has
/// many of a kind gives the bus one listener that knows whom a message concerns (AttachGroup).
class ControlListener {
 public:
  ControlListener() = default;
  ControlListener(const ControlListener&) = delete;
  ControlListener& operator=(const ControlListener&) = delete;
  virtual ~ControlListener() = default;

  /// `joined_at`: now_mono when the image that brought the message became available (W219).
  virtual void on_announce(const layout::ShmPoolAnnounce&, Nanos /*joined_at*/, const base::Now&) {}
  virtual void on_data_source(const layout::DataSourceAnnounce&, const base::Now&) {}
  virtual void on_metadata(const layout::DataSourceMeta&, const base::Now&) {}
  virtual void on_blob_announce(const layout::MetaBlobAnnounce&, const base::Now&) {}
  virtual void on_blob_chunk(const layout::MetaBlobChunk&, const base::Now&) {}
  virtual void on_blob_complete(const layout::MetaBlobComplete&, const base::Now&) {}
  virtual void on_hello(const layout::ConsumerHello&, const base::Now&) {}
  virtual void on_config(const layout::ConsumerConfig&, const base::Now&) {}
  /// As on_config, from somebody else's publication (W293).
  virtual void on_foreign_config(const layout::ConsumerConfig&, const base::Now&) {}
  virtual void on_control_response(const layout::ControlResponse&, const base::Now&) {}
  virtual void on_qos(const layout::QosProducer&, const base::Now&) {}
  virtual void on_qos(const layout::QosConsumer&, const base::Now&) {}
  /// A hello or QosConsumer came from somebody else's publication (W285).
  virtual void on_foreign_consumer(std::uint32_t /*stream_id*/, std::uint32_t /*consumer_id*/,
                                   const base::Now&) {}

  // From a driver (schema 901).
  virtual void on_attach_response(const layout::ShmAttachResponse&, const base::Now&) {}
  /// It could not be decoded, or is of a later version; `code` where that could be read (D4, D16).
  virtual void on_bad_attach_response(std::int64_t /*correlation_id*/,
                                      std::optional<std::int32_t> /*code*/, const Error&,
                                      const base::Now&) {}
  virtual void on_detach_response(const layout::ShmDetachResponse&, const base::Now&) {}
  virtual void on_lease_revoked(const layout::ShmLeaseRevoked&, const base::Now&) {}
  virtual void on_driver_shutdown(const layout::ShmDriverShutdown&, const base::Now&) {}
  /// Another message of a driver that could not be decoded, or is of a later version.
  virtual void on_bad_driver_message() {}
};

class ControlBus final : public RequestSender {
 public:
  struct Counters {
    std::uint64_t malformed_messages = 0;   ///< §1.2
    std::uint64_t unsupported_version = 0;  ///< W76
  };

  /// Checks channels and stream ids (W91, W432). `client` outlives the object, at the same address.
  [[nodiscard]] static Result<std::unique_ptr<ControlBus>> create(bus::Client& client,
                                                                  const Channels& channels);

  /// Hears announces there from now on, and sends them there. Errors: kInvalidArgument and
  /// kUriInvalid, and then nothing changes.
  [[nodiscard]] Status follow_announces(const std::string& channel, std::int32_t stream_id);

  /// Keeps the links up and gives what has arrived to the listeners, at most kMessagesPerCycle of
  /// each stream. Returns the amount of work after which more may follow at once: announces and
  /// what others say are not counted, as they come all the time (docs/adr/0024).
  template <class Listeners>
  int do_work(const base::Now& now, Listeners&& for_each_listener) {
    int work = keep_links(now.mono);
    for (bus::SubscriptionLink* link :
         {&control_in_, announce_in_ ? &*announce_in_ : nullptr, &qos_in_, &metadata_in_}) {
      bus::Subscription* in = link == nullptr ? nullptr : link->current();
      if (in == nullptr) {
        continue;
      }
      const int taken = in->poll_messages(
          [&](const bus::Message& message) noexcept {
            if (is_of_driver(message.bytes)) {
              work += deliver_of_driver(message.bytes, now, for_each_listener) ? 1 : 0;
            } else if (const auto decoded = decode(message.bytes)) {
              const Nanos joined_at = in->image_joined_at(message.session_id).value_or(now.mono);
              for_each_listener([&](ControlListener& listener) {
                std::visit([&](const auto& body) { deliver(listener, body, joined_at, now); },
                           *decoded);
              });
              if (!is_own(message.session_id)) {
                tell_of_foreign(*decoded, now, for_each_listener);
              }
            }
          },
          kMessagesPerCycle);
      work += taken == static_cast<int>(kMessagesPerCycle) ? 1 : 0;
    }
    return work;
  }

  /// Sends one message on the control, announce or metadata stream. False when it has to be tried
  /// again (W211).
  [[nodiscard]] bool send_control(const layout::ConsumerHello& message);
  [[nodiscard]] bool send_control(const layout::ConsumerConfig& message);
  [[nodiscard]] bool send_qos(const layout::QosConsumer& message);
  [[nodiscard]] bool send_qos(const layout::QosProducer& message);
  [[nodiscard]] bool send_announce(const layout::ShmPoolAnnounce& message);
  [[nodiscard]] bool send_metadata(const layout::DataSourceAnnounce& message);
  [[nodiscard]] bool send_metadata(const layout::DataSourceMeta& message);
  [[nodiscard]] bool send_metadata(const layout::MetaBlobAnnounce& message);
  [[nodiscard]] bool send_metadata(const layout::MetaBlobChunk& message);
  [[nodiscard]] bool send_metadata(const layout::MetaBlobComplete& message);
  /// The longest message that fits on the metadata stream.
  [[nodiscard]] std::size_t metadata_message_bytes_max() const noexcept;

  [[nodiscard]] bool is_control_connected() noexcept override;
  [[nodiscard]] std::uint64_t connection_number() const noexcept override {
    return client_.generation();
  }
  [[nodiscard]] bus::OfferStatus send_to_driver(const layout::ShmAttachRequest& message) override;
  [[nodiscard]] bus::OfferStatus send_to_driver(const layout::ShmLeaseKeepalive& message) override;
  [[nodiscard]] bus::OfferStatus send_to_driver(const layout::ShmDetachRequest& message) override;
  /// For an administrator.
  [[nodiscard]] bus::OfferStatus send_to_driver(const layout::ShmDriverShutdownRequest& message);

  /// Where control messages go.
  [[nodiscard]] bus::PublicationLink::Options control_place() const {
    return {.channel = control_out_.channel(), .stream_id = control_out_.stream_id()};
  }
  /// The Aeron streams that everybody shares.
  [[nodiscard]] std::vector<std::pair<bus::Channel, std::int32_t>> streams() const;
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

 private:
  static constexpr std::size_t kMessagesPerCycle = 64;

  struct ParsedChannels {
    bus::Channel control;
    bus::Channel announce;
    bus::Channel qos;
    bus::Channel metadata;
    std::int32_t announce_stream_id = 0;
    bool separate_announce = false;
  };
  ControlBus(bus::Client& client, const Channels& channels, const ParsedChannels& parsed);

  void hear_announces_on(const bus::Channel& channel, std::int32_t stream_id);
  int keep_links(Nanos now);
  [[nodiscard]] std::optional<codec::Message900> decode(std::span<const std::byte> bytes) noexcept;
  [[nodiscard]] bool is_own(std::int32_t session_id) const noexcept;
  template <class Listeners>
  void tell_of_foreign(const codec::Message900& message, const base::Now& now,
                       Listeners&& for_each_listener) {
    if (const auto* const config = std::get_if<layout::ConsumerConfig>(&message)) {
      for_each_listener(
          [&](ControlListener& listener) { listener.on_foreign_config(*config, now); });
      return;
    }
    std::uint32_t stream_id = 0;
    std::uint32_t consumer_id = 0;
    if (const auto* const hello = std::get_if<layout::ConsumerHello>(&message)) {
      stream_id = hello->stream_id;
      consumer_id = hello->consumer_id;
    } else if (const auto* const qos = std::get_if<layout::QosConsumer>(&message)) {
      stream_id = qos->stream_id;
      consumer_id = qos->consumer_id;
    } else {
      return;
    }
    for_each_listener([&](ControlListener& listener) {
      listener.on_foreign_consumer(stream_id, consumer_id, now);
    });
  }
  template <class M>
  [[nodiscard]] bool send(bus::PublicationLink& link, const M& message);
  template <class M>
  [[nodiscard]] bus::OfferStatus offer(bus::PublicationLink& link, const M& message);

  [[nodiscard]] static bool is_of_driver(std::span<const std::byte> bytes) noexcept;
  /// False for what no driver says: a request of some client.
  template <class Listeners>
  bool deliver_of_driver(std::span<const std::byte> bytes, const base::Now& now,
                         Listeners&& for_each_listener) {
    const auto message = codec::decode<codec::DriverEvent>(bytes, scratch_);
    if (message) {
      for_each_listener([&](ControlListener& listener) {
        std::visit([&](const auto& body) { deliver(listener, body, now); }, *message);
      });
      return true;
    }
    const Errc code = message.error().code;
    if (code != Errc::kMalformedMessage && code != Errc::kUnsupportedVersion) {
      return false;  // another template: somebody else's (D15)
    }
    const bool answers_attach =
        codec::peek_header(bytes)->template_id == layout::ShmAttachResponse::kType.template_id;
    const std::int64_t correlation_id =  // 0 is nobody's (D86)
        answers_attach ? codec::peek_correlation_id(bytes).value_or(0) : 0;
    const std::optional<std::int32_t> response_code =
        code == Errc::kMalformedMessage ? codec::peek_response_code(bytes) : std::nullopt;
    for_each_listener([&](ControlListener& listener) {
      if (correlation_id != 0) {
        listener.on_bad_attach_response(correlation_id, response_code, message.error(), now);
      } else {
        listener.on_bad_driver_message();
      }
    });
    return true;
  }

  static void deliver(ControlListener& to, const layout::ShmLeaseRevoked& m, const base::Now& now) {
    to.on_lease_revoked(m, now);
  }
  static void deliver(ControlListener& to, const layout::ShmDriverShutdown& m,
                      const base::Now& now) {
    to.on_driver_shutdown(m, now);
  }
  static void deliver(ControlListener& to, const layout::ShmDetachResponse& m,
                      const base::Now& now) {
    to.on_detach_response(m, now);
  }
  static void deliver(ControlListener& to, const layout::ShmAttachResponse& m,
                      const base::Now& now) {
    to.on_attach_response(m, now);
  }

  static void deliver(ControlListener& to, const layout::ShmPoolAnnounce& m, Nanos joined_at,
                      const base::Now& now) {
    to.on_announce(m, joined_at, now);
  }
  static void deliver(ControlListener& to, const layout::DataSourceAnnounce& m, Nanos,
                      const base::Now& now) {
    to.on_data_source(m, now);
  }
  static void deliver(ControlListener& to, const layout::DataSourceMeta& m, Nanos,
                      const base::Now& now) {
    to.on_metadata(m, now);
  }
  static void deliver(ControlListener& to, const layout::MetaBlobAnnounce& m, Nanos,
                      const base::Now& now) {
    to.on_blob_announce(m, now);
  }
  static void deliver(ControlListener& to, const layout::MetaBlobChunk& m, Nanos,
                      const base::Now& now) {
    to.on_blob_chunk(m, now);
  }
  static void deliver(ControlListener& to, const layout::MetaBlobComplete& m, Nanos,
                      const base::Now& now) {
    to.on_blob_complete(m, now);
  }
  static void deliver(ControlListener& to, const layout::ConsumerHello& m, Nanos,
                      const base::Now& now) {
    to.on_hello(m, now);
  }
  static void deliver(ControlListener& to, const layout::ConsumerConfig& m, Nanos,
                      const base::Now& now) {
    to.on_config(m, now);
  }
  static void deliver(ControlListener& to, const layout::QosProducer& m, Nanos,
                      const base::Now& now) {
    to.on_qos(m, now);
  }
  static void deliver(ControlListener& to, const layout::QosConsumer& m, Nanos,
                      const base::Now& now) {
    to.on_qos(m, now);
  }
  static void deliver(ControlListener& to, const layout::ControlResponse& m, Nanos,
                      const base::Now& now) {
    to.on_control_response(m, now);
  }
  template <class Other>
  static void deliver(ControlListener&, const Other&, Nanos, const base::Now&) {}

  bus::Client& client_;
  bus::SubscriptionLink control_in_;
  bus::PublicationLink control_out_;
  std::optional<bus::SubscriptionLink> announce_in_;  // besides control
  std::optional<bus::PublicationLink> announce_out_;  // when separate from control
  bus::SubscriptionLink qos_in_;
  bus::PublicationLink qos_out_;
  bus::SubscriptionLink metadata_in_;
  bus::PublicationLink metadata_out_;
  codec::Scratch scratch_;
  std::vector<std::byte> buffer_;
  Counters counters_;
};

}  // namespace tensorpool::inline v0::agents
