// The processes of one stream as an operator runs them: media driver, driver, producer, consumer.
// Whoever ends is started anew. Thread contract: one thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "admin/request.hpp"
#include "chaos/observer.hpp"
#include "e2e/tp/tp_process.hpp"
#include "os/unique_fd.hpp"
#include "support/scratch_directory.hpp"

namespace tensorpool::chaos {

enum class Role : std::uint8_t { kMediaDriver, kDriver, kProducer, kConsumer };
inline constexpr std::array kRoles = {Role::kMediaDriver, Role::kDriver, Role::kProducer,
                                      Role::kConsumer};
[[nodiscard]] std::string_view name_of(Role role) noexcept;

/// Intervals of leases and announces.
enum class Pace : std::uint8_t {
  kQuick,     ///< five times the protocol's, so that a run takes seconds
  kDefaults,  ///< those of the protocol
};

class Fleet {
 public:
  using Clock = std::chrono::steady_clock;

  /// `policies`: lines of configuration besides the usual ones.
  explicit Fleet(Pace pace, std::string_view policies = {});

  /// Lets the first process of `role` die at this point.
  void doom(Role role, std::string point);

  /// The producers fill slots in place instead of copying into them.
  void use_claims() noexcept { claims_ = true; }

  /// The wall clocks of all that are started from now on are the test's.
  void shift_wall_clocks();
  void set_wall_clocks(std::int64_t ahead_seconds);

  /// Kills who has this role now, from outside.
  void kill(Role role);

  /// Starts all, in order.
  void start();
  /// Starts anew whoever has ended, and takes note of the doomed one's death.
  void keep_up();
  /// When the doomed process died, once it has.
  [[nodiscard]] std::optional<Clock::time_point> died_at() const noexcept { return died_at_; }

  /// One producer and two consumers hold leases, and the observer gets frames of the epoch that the
  /// driver has. False when that does not come.
  [[nodiscard]] bool is_whole_again();
  /// The same, for frames that come from now on.
  [[nodiscard]] bool flows();

  /// To the process of this role, whoever it is now.
  void send(Role role, int signal) { process(role)->send(signal); }
  [[nodiscard]] test::TpProcess* process(Role role) noexcept {
    return processes_[static_cast<std::size_t>(role)].get();
  }
  /// Ends the process of this role by `end`, and waits for its successor.
  [[nodiscard]] bool comes_back(Role role, const std::function<void()>& end);

  /// Ends all leases of the stream. Their holders attach again.
  void revoke_all();
  void ask(const admin::Request& request);
  /// Has the driver stopped by a message with its token, instead of over its admin socket.
  void stop_driver_by_message() { tp({"down", "--token-file", path("token"), "--wait", "1"}); }
  /// What `tp` prints; for a person, so an answer may fail.
  void tp(const test::Arguments& arguments);

  [[nodiscard]] Observer& observer() noexcept { return *observer_; }
  /// Ends the processes in order. Each has to end with 0; a consumer that has just begun may have
  /// got nothing yet.
  void finish();
  /// Whatever is left in the directory of the regions that should not be.
  [[nodiscard]] std::string litter() const;

 private:
  struct Doom {
    Role role;
    std::string point;
  };
  [[nodiscard]] std::string path(const std::string& name) const {
    return scratch_.path() + "/" + name;
  }
  [[nodiscard]] test::Surroundings surroundings();
  void start(Role role);
  [[nodiscard]] bool looks_whole(Clock::time_point since);
  [[nodiscard]] nlohmann::json stream();
  [[nodiscard]] nlohmann::json answer(const admin::Request& request) const;

  const test::ScratchDirectory scratch_{"/dev/shm"};
  std::array<std::unique_ptr<test::TpProcess>, kRoles.size()> processes_;
  std::optional<Doom> doom_;
  std::optional<Clock::time_point> died_at_;
  std::optional<std::uint32_t> stream_id_;
  std::unique_ptr<Observer> observer_;
  os::UniqueFd open_;  ///< the media driver's standard input
  int started_ = 0;
  bool shifted_ = false;
  bool claims_ = false;
};

}  // namespace tensorpool::chaos
