// The end of an admin socket that answers, a driver's or a publisher's: takes requests, has them
// answered, never blocks.
//
// Called from a duty cycle. A caller that does not read its answer, sends no end of line
// or comes in masses costs itself its connection, never its host the time: lines, connections and
// work per cycle are bounded. Thread contract: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/request.hpp"
#include "os/local_socket.hpp"

namespace tensorpool::inline v0::admin {

/// A request whose answer comes later.
using Ticket = std::uint64_t;

/// Carries requests out. The answer is a JSON object without newline; none when it will come with
/// Server::finish, which has to be called for this ticket once, some time.
class Handler {
 public:
  Handler() = default;
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;
  virtual ~Handler() = default;
  [[nodiscard]] virtual std::optional<std::string> answer(const Request& request,
                                                          const os::PeerCredentials& peer,
                                                          Ticket ticket) = 0;
};

class Server {
 public:
  static constexpr std::size_t kConnectionsMax = 32;
  static constexpr Nanos kIdleMax = std::chrono::seconds(60);  ///< of a connection

  struct Counters {
    std::uint64_t requests = 0;
    std::uint64_t refused = 0;  ///< no JSON object, no such operation, a field that is wrong
    std::uint64_t dropped = 0;  ///< connections: too many, too long a line, idle
  };

  /// `handler` outlives the server.
  /// `group`: whose members may connect, besides this user.
  [[nodiscard]] static Result<Server> listen(const std::string& path, Handler& handler,
                                             std::optional<std::uint32_t> group = {});

  /// Returns the number of requests taken. `now`: any clock that does not go back.
  int do_work(Nanos now);
  /// The answer of a request that had none yet. Whoever asked may have gone.
  void finish(Ticket ticket, std::string_view answer);
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
  [[nodiscard]] const std::string& path() const noexcept { return listener_.path(); }

 private:
  struct Session {
    os::LocalConnection connection;
    std::string input = {};
    std::string output = {};
    Nanos active_at{};
    Ticket waits_for = 0;  ///< its next requests wait, too
    bool open = true;
  };

  Server(os::LocalListener listener, Handler& handler) noexcept
      : listener_(std::move(listener)), handler_(&handler) {}
  void take_connections(Nanos now);
  int serve(Session& session, Nanos now);
  void drop(Session& session) noexcept;
  void answer(Session& session, std::string_view line);

  os::LocalListener listener_;
  Handler* handler_;
  std::vector<Session> sessions_;
  Ticket last_ticket_ = 0;
  Counters counters_;
};

/// `{"v": 1, "ok": false, "error": NAME, "message": SENTENCE}`.
[[nodiscard]] std::string refusal(const Error& error);

}  // namespace tensorpool::inline v0::admin
