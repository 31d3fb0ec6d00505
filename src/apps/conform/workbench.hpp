// Where a foreign program is tried: a media driver and a directory for regions of its own, and all
// streams of Aeron heard and spoken to by hand.
//
// Thread contract: one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/conform/heard.hpp"
#include "bus/client.hpp"
#include "bus/link.hpp"
#include "bus/rendezvous.hpp"
#include "os/clock.hpp"

namespace tensorpool::inline v0::apps::conform {

/// Where everything is. The ids are those of §1.23.
struct Places {
  std::string aeron_dir;
  std::string shm_dir;
  std::string channel = "aeron:ipc?term-length=1m";
  std::uint32_t stream_id = 10'000;
  std::int32_t control_stream = 1000;
  std::int32_t announce_stream = 1001;  ///< heard besides the control stream
  std::int32_t descriptor_stream = 1100;
  std::int32_t qos_stream = 1200;
  std::int32_t metadata_stream = 1300;

  /// For the placeholders of a command (fill_in).
  [[nodiscard]] std::map<std::string, std::string> values() const;
};

class Workbench {
 public:
  /// Joins the media driver of the directory, or brings one along; waits until everything is there.
  [[nodiscard]] static Result<std::unique_ptr<Workbench>> create(const Places& places);

  [[nodiscard]] const Places& places() const noexcept { return places_; }
  [[nodiscard]] Nanos now() const noexcept { return clock_.mono(); }
  [[nodiscard]] const os::SystemClock& clock() const noexcept { return clock_; }

  /// Takes what has arrived from others and calls `see(const Heard&)` for each, in order of arrival
  /// of each stream. Rests for a moment when there was nothing.
  template <class See>
  void work(See&& see) {
    int taken = keep_up();
    for (std::size_t k = 0; k < kWires; ++k) {
      bus::Subscription* const in = ears_[k] ? ears_[k]->current() : nullptr;
      if (in == nullptr) {
        continue;
      }
      taken += in->poll_messages(
          [&](const bus::Message& message) noexcept {
            if (!is_own(message.session_id)) {
              see(Heard{.at = now(),
                        .on = static_cast<Wire>(k),
                        .bytes = {message.bytes.begin(), message.bytes.end()}});
            }
          },
          kFragments);
    }
    if (taken == 0) {
      rest();
    }
  }

  /// Offers once; false when nobody listens or the log is full.
  bool send(Wire on, std::span<const std::byte> bytes);
  template <class M>
  requires requires { M::kType; }
  bool send(Wire on, const M& message) {
    std::vector<std::byte> bytes(codec::encoded_size(message));
    return codec::encode(message, std::span(bytes)).has_value() && send(on, bytes);
  }

  /// Begins to hear a stream of one's own, which replaces the one before; 0: none any more.
  void hear_own(std::int32_t stream_id);
  /// Begins to speak on one; 0: not any more.
  void speak_own(std::int32_t stream_id);
  /// Whether somebody subscribes to the stream that is spoken on.
  [[nodiscard]] bool is_own_joined() noexcept;

 private:
  static constexpr std::size_t kFragments = 256;

  Workbench(const Places& places, bus::MediaDriverHandle host, bus::Client client,
            bus::Channel channel);
  [[nodiscard]] Status join();
  int keep_up();
  [[nodiscard]] bool is_own(std::int32_t session_id) const noexcept;
  static void rest() noexcept;

  Places places_;
  os::SystemClock clock_;
  bus::MediaDriverHandle host_;
  bus::Client client_;
  bus::Channel channel_;
  std::array<std::unique_ptr<bus::SubscriptionLink>, kWires> ears_;
  std::array<std::unique_ptr<bus::PublicationLink>, kWires> mouths_;
};

}  // namespace tensorpool::inline v0::apps::conform
