// A driver in this process: it owns the files of streams, hands out leases, and cleans up after
// those who die. What `tp up` is, as one line of a program:
//
//     auto driver = tensorpool::Driver::start({});
//     auto client = tensorpool::Client::connect("tensorpool:driver");
//
// Clients of this process and of others attach to it alike. Spec: 2-driver.md §2.17.
#pragma once

#include <memory>
#include <string>

#include "tensorpool/export.hpp"
#include "tensorpool/log.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/runtime.hpp"

namespace tensorpool::inline v0 {

namespace detail {
class DriverCore;
}

/// What a driver is started with. Variables of the environment override the configuration, as they
/// do for `tp up` (§2.21).
struct DriverOptions {
  std::string config_file = {};  ///< TOML; "" = `config`
  std::string config = {};       ///< TOML text; "" = the built-in one, as of `tp up`
  std::string aeron_dir = {};    ///< "" = that of the configuration, else as for ClientOptions
  MediaDriverPolicy media_driver = MediaDriverPolicy::kAuto;
  Threading threading = Threading::kBackground;
  /// Listen for people and tools (`tp ls`, `tp down`), and for clients that ask for a stream by its
  /// name.
  bool admin_socket = true;
  LogSink log = {};  ///< one line for each attach, detach, loss and refusal; may be empty
};

/// Thread contract: do_work on one thread, and only with Threading::kInvoked; the rest on any.
/// After fork the child's copy answers nothing and its destructor touches nothing.
class TENSORPOOL_EXPORT Driver {
 public:
  /// Running when this returns: clients find it. Errors: those of the configuration, all of which
  /// are logged; kAlreadyExists where a driver with this `driver.instance_id` runs in this process
  /// (D282), or one listens on the admin socket; those of the media driver.
  [[nodiscard]] static Result<Driver> start(DriverOptions options);

  Driver(Driver&&) noexcept;
  Driver& operator=(Driver&&) noexcept;
  /// Ends it: clients are told, and their leases are gone; then the endpoint is closed, and an
  /// embedded media driver stopped. Nobody is waited for; stop() first gives them time.
  ~Driver();

  /// Gives no more leases, and ends once those there are have ended or
  /// `policies.shutdown_timeout_ms` is over; called again, at once (§2.16, Draining).
  void stop() noexcept;
  [[nodiscard]] bool has_ended() const noexcept;

  /// One duty cycle; only with Threading::kInvoked. Never blocks. Call it at least every 100 ms.
  /// Returns the amount of work done.
  int do_work() noexcept;

  [[nodiscard]] const std::string& aeron_dir() const noexcept;
  [[nodiscard]] bool embeds_media_driver() const noexcept;

 private:
  explicit Driver(std::unique_ptr<detail::DriverCore> core) noexcept;
  std::unique_ptr<detail::DriverCore> core_;
};

}  // namespace tensorpool::inline v0
