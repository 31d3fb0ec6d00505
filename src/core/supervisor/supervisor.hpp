// Watches who produces and who consumes, and tells consumers how to. Spec: 1-wire.md §1.20
// (W402..W406); 2-driver.md §2.18 (D284..D304).
//
// Pure: subscribes to nothing, sends nothing. After every input the caller drains `next_action()`:
// configs to be sent, and what is worth telling people. All state is soft: a supervisor that was
// started anew knows everybody again after one hello and one QoS interval.
//
// | producer | input                                     | action             | next    |
// | -------- | ----------------------------------------- | ------------------ | ------- |
// | unknown  | QosProducer, or announce that is accepted | tell: came         | alive   |
// | alive    | QosProducer, or announce that is accepted | -                  | alive   |
// | alive    | check: silent for producer_stale          | count, tell: stale | stale   |
// | stale    | QosProducer, or announce that is accepted | tell: back         | alive   |
// | stale    | check: the stream has one that is alive   | -                  | unknown |
//
// | consumer | input                            | action               | next    |
// | -------- | -------------------------------- | -------------------- | ------- |
// | unknown  | hello, there is room             | config, tell: came   | alive   |
// | unknown  | hello, there is none             | count, tell          | unknown |
// | unknown  | QosConsumer, there is room       | tell: came           | alive   |
// | alive    | hello                            | config               | alive   |
// | alive    | QosConsumer                      | -                    | alive   |
// | alive    | check: losses have grown         | tell: loses          | alive   |
// | alive    | check: silent for consumer_stale | release, count, tell | unknown |
//
// What a config grants, and what becomes of requests, is decided by core/registration/responder.
//
// Thread contract: one thread at a time. Allocates: in proportion to `consumer_capacity`, and to
// the producers, of which it knows at most kProducersMax.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "core/consumer/announce_gate.hpp"
#include "core/driver/settings.hpp"
#include "core/registration/responder.hpp"
#include "core/supervisor/counters.hpp"
#include "core/supervisor/report.hpp"
#include "core/timing.hpp"

namespace tensorpool::inline v0::core::supervisor {

/// What is known of a producer (D286, D288).
struct ProducerSeen {
  std::uint32_t stream_id = 0;
  std::uint32_t producer_id = 0;
  std::string name = {};  ///< of the stream, once it was told
  std::uint64_t epoch = 0;
  std::uint64_t current_seq = 0;
  bool stale = false;
  Nanos heard_at{};
};

/// What is known of a consumer (D287, D288).
struct ConsumerSeen {
  std::uint32_t stream_id = 0;
  std::uint32_t consumer_id = 0;
  std::optional<layout::Mode> mode = {};  ///< the last one that was valid
  std::uint32_t max_rate_hz = 0;
  std::uint64_t epoch = 0;
  std::uint64_t last_seq_seen = 0;
  std::uint64_t drops_gap = 0;
  std::uint64_t drops_late = 0;
  bool may_use_shm = true;                 ///< as it was told
  std::uint32_t descriptor_stream_id = 0;  ///< of its own; 0: the shared one
  std::uint32_t control_stream_id = 0;     ///< likewise
  Nanos heard_at{};
};

class Supervisor {
 public:
  /// Anybody could name any number of producers; of more than this it forgets, or ignores, some
  /// (W443).
  static constexpr std::size_t kProducersMax = 4096;

  struct Options {
    driver::SupervisorSettings settings = {};
    Timing timing = {};  ///< of announces
    /// As the responder wants it: which channels may be granted, and what tells them apart.
    std::function<Result<std::string>(std::string_view channel)> transport_of = {};
    std::vector<registration::Responder::Taken> taken = {};  ///< streams that all share (W306)
  };
  /// Views are valid until the next input.
  using Action = std::variant<layout::ConsumerConfig, Report>;

  /// Refuses settings as Responder::create does.
  [[nodiscard]] static Result<Supervisor> create(Options options, Nanos now);

  void on_hello(const layout::ConsumerHello& hello, Nanos now);
  void on_qos(const layout::QosConsumer& qos, Nanos now);
  void on_qos(const layout::QosProducer& qos, Nanos now);
  /// `image_joined_at`: now_mono when the image that brought it became available (W219).
  void on_announce(const layout::ShmPoolAnnounce& announce, Nanos image_joined_at,
                   const base::Now& now);
  void on_metadata(const layout::DataSourceAnnounce& source);
  void on_metadata(const layout::DataSourceMeta&) { ++counters_.metadata_seen; }
  /// A config that somebody else has sent.
  void on_foreign_config(const layout::ConsumerConfig& config, Nanos now);
  /// Checks who is alive when that is due (D289).
  void poll(Nanos now);

  /// The next thing to do, in order; nothing when all has been done.
  [[nodiscard]] std::optional<Action> next_action();
  /// A config of next_action() was published (D303).
  void config_published() noexcept { ++counters_.config_published; }

  /// By stream and id.
  [[nodiscard]] std::vector<ProducerSeen> producers() const;
  [[nodiscard]] std::vector<ConsumerSeen> consumers() const;
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
  [[nodiscard]] Counters& counters() noexcept { return counters_; }
  [[nodiscard]] const registration::ResponderCounters& requests() const noexcept {
    return responder_.counters();
  }
  [[nodiscard]] Nanos next_deadline() const noexcept { return check_at_; }
  [[nodiscard]] bool check_invariants() const;

 private:
  using Key = std::pair<std::uint32_t, std::uint32_t>;  ///< stream, and party in it (W399)
  struct Producer {
    ProducerSeen seen;
    consumer::AnnounceGate gate;
  };
  struct Consumer {
    ConsumerSeen seen;
    std::uint64_t checked_gap = 0;  ///< at the last check
    std::uint64_t checked_late = 0;
    bool any_qos = false;
  };

  Supervisor(Options options, registration::Responder responder, Nanos now);
  [[nodiscard]] Consumer* enter_consumer(Key key, Nanos now);
  [[nodiscard]] Producer* enter_producer(Key key, const Producer& candidate, Nanos now);
  [[nodiscard]] Producer candidate(std::uint32_t stream_id, std::uint32_t producer_id) const;
  [[nodiscard]] bool make_room_for_producer();
  void check_consumers(Nanos now);
  void check_producers(Nanos now);
  void check_losses(Consumer& of);
  void tell(Report::Kind kind, Key key, Nanos silence = {});

  driver::SupervisorSettings settings_;
  Timing timing_;
  registration::Responder responder_;
  std::map<Key, Producer> producers_;
  std::map<Key, Consumer> consumers_;
  Nanos check_at_;
  bool full_told_ = false;                    ///< since the last check
  std::optional<Nanos> other_heard_at_ = {};  ///< somebody else who answers
  Counters counters_;
  std::vector<Action> actions_;
  std::size_t drained_ = 0;
};

}  // namespace tensorpool::inline v0::core::supervisor
