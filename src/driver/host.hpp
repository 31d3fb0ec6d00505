// A running driver: its connection to the media driver, which it may bring along, and its duty
// cycle, called by the host program or by a thread of its own.
//
// Thread contract: do_work by one thread, and only with Threading::kInvoked; everything else by any
// thread. Spec: §2.16, §2.17.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "agents/runner.hpp"
#include "bus/rendezvous.hpp"
#include "driver/driver_agent.hpp"
#include "os/clock.hpp"

namespace tensorpool::inline v0::driver {

class Host {
 public:
  enum class Threading : std::uint8_t { kBackground, kInvoked };

  struct Options {
    core::driver::Settings settings;  ///< that check_settings has passed
    bus::DriverPolicy media_driver = bus::DriverPolicy::kAuto;
    Threading threading = Threading::kBackground;
    EpochKeeper::Jobs jobs = EpochKeeper::Jobs::kOwnThread;
    /// Listen for people and tools, at admin::socket_path() of the Aeron directory and the control
    /// stream (docs/adr/0020).
    bool admin_socket = true;
    std::string toml = {};  ///< the configuration in effect, to be shown to them
    Nanos patience = std::chrono::seconds(10);  ///< until the control endpoint is there
    LogSink log = {};                           ///< called on the thread of the duty cycle
  };

  /// Running: clients find the control endpoint when this returns. Refuses an instance id that
  /// another driver of this process has (D282) with kAlreadyExists; kTimeout when the media driver
  /// does not answer; errors of the media driver, the settings' directories and channels.
  [[nodiscard]] static Result<std::unique_ptr<Host>> start(Options options);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  /// Ends at once: clients are told, nobody is waited for.
  ~Host();

  /// One duty cycle. Returns the amount of work done.
  int do_work();
  /// Draining; the second time the end.
  void stop();
  [[nodiscard]] bool has_ended();

  [[nodiscard]] core::driver::Snapshot snapshot();
  [[nodiscard]] core::driver::Counters counters();
  [[nodiscard]] Status revoke(std::uint64_t lease_id, std::string_view text);
  [[nodiscard]] const std::string& aeron_dir() const noexcept { return client_.aeron_dir(); }
  [[nodiscard]] bool embeds_media_driver() const noexcept { return media_.is_embedded(); }

 private:
  /// The duty cycle under the mutex, for the runner.
  class Duty {
   public:
    explicit Duty(Host& host) noexcept : host_(host) {}
    int do_work(Nanos now) { return host_.cycle(now); }
    [[nodiscard]] Nanos next_deadline() noexcept { return agents::kNoDeadline; }
    void on_close() noexcept {}
    [[nodiscard]] std::string_view role() const noexcept { return "driver"; }

   private:
    Host& host_;
  };

  Host(Options options, bus::MediaDriverHandle media, bus::Client client);
  [[nodiscard]] Status begin(Access access);
  [[nodiscard]] Result<std::optional<AdminDesk::Options>> admin_options(const Access& access) const;
  int cycle(Nanos now);

  Options options_;
  os::SystemClock clock_;
  bus::MediaDriverHandle media_;  // outlives the connection to it
  bus::Client client_;
  std::mutex mutex_;
  std::unique_ptr<DriverAgent> agent_;
  bool registered_ = false;  ///< the instance id is ours
  Duty duty_{*this};
  std::unique_ptr<agents::ThreadRunner<Duty>> thread_;  // last: it uses everything above
};

}  // namespace tensorpool::inline v0::driver
