// The connection to the media driver, kept up over the lives of media drivers.
//
// Threads. One thread at a time is the control thread: it calls do_work in its duty cycle (the
// client's background agent, or the application in invoked mode), adds and destroys everything.
// Data threads only use what was made, each object by one of them. Nothing is shared by a lock.
//
// Losing the driver. do_work notices it (Aeron's keepalive; state kLost), and from then on every
// object made before answers "closed". It stays safe to call, even in the middle of try_claim,
// because Aeron's client is closed, and its logs unmapped, only when the last object made through
// it has been destroyed. do_work then connects again with growing pauses; generation() tells the
// owner to add everything anew. Link does all of this for one publication or subscription.
//
// do_work and the adds never wait. The one exception is a driver that disappears between the probe
// and the connection, for which Aeron waits driver_timeout. Spec: §1.23, design §9.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "bus/channel.hpp"
#include "bus/counter.hpp"
#include "bus/driver_probe.hpp"
#include "bus/pending.hpp"
#include "bus/publication.hpp"
#include "bus/subscription.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::bus {

class Session;

enum class ClientState : std::uint8_t {
  kConnecting,  ///< There has been no media driver yet.
  kUp,
  kLost,  ///< There was one; another is being waited for.
};

class Client {
 public:
  struct Options {
    std::string aeron_dir;            ///< See choose_aeron_dir.
    std::string name = "tensorpool";  ///< Shown among the media driver's counters.
    Nanos driver_timeout = kDriverTimeout;
    Nanos retry_min = std::chrono::milliseconds(20);
    Nanos retry_max = std::chrono::seconds(1);
  };

  /// Checks the options; connects in do_work.
  [[nodiscard]] static Result<Client> create(Options options);

  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  /// Connects when it is time, else runs Aeron's conductor. Returns a work count.
  int do_work(Nanos now) noexcept;

  [[nodiscard]] ClientState state() const noexcept { return state_; }
  [[nodiscard]] bool is_up() const noexcept { return state_ == ClientState::kUp; }
  /// Counts connections: 0 before the first one. What was made under another number is closed.
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
  /// Why there is no connection, or the last thing that Aeron reported; code 0 when nothing yet.
  [[nodiscard]] const Error& last_error() const noexcept { return last_error_; }
  [[nodiscard]] const std::string& aeron_dir() const noexcept { return options_.aeron_dir; }

  /// Errors: kInvalidArgument (W432), kClosed while not up, kBusFailure.
  [[nodiscard]] Result<Pending<ExclusivePublication>> begin_add_publication(const Channel& channel,
                                                                            std::int32_t stream_id);
  [[nodiscard]] Result<Pending<Subscription>> begin_add_subscription(const Channel& channel,
                                                                     std::int32_t stream_id);
  /// `key` has at most 112 bytes, `label` at most 380.
  [[nodiscard]] Result<Pending<Counter>> begin_add_counter(std::int32_t type_id,
                                                           std::string_view key,
                                                           std::string_view label);
  /// How many counters the media driver has room for, its own included; 0 while not up.
  [[nodiscard]] std::int32_t counter_places() const noexcept;

 private:
  explicit Client(Options options) noexcept;
  void connect(Nanos now) noexcept;
  [[nodiscard]] Status check_add(std::int32_t stream_id) const noexcept;
  [[nodiscard]] tl::unexpected<Error> add_failed() noexcept;

  Options options_;
  std::shared_ptr<Session> session_;
  ClientState state_ = ClientState::kConnecting;
  std::uint64_t generation_ = 0;
  Nanos retry_at_{};
  Nanos retry_pause_;
  Error last_error_;
};

}  // namespace tensorpool::inline v0::bus
