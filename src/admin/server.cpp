#include "admin/server.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace tensorpool::inline v0::admin {
namespace {

constexpr mode_t kSocketMode = 0660;
constexpr std::size_t kRequestsPerCycle = 4;  // of a connection
constexpr std::size_t kOutputBytesMax = 16U << 20U;

}  // namespace

std::string refusal(const Error& error) {
  const nlohmann::ordered_json json = {{"v", 1},
                                       {"ok", false},
                                       {"error", to_string(error.code)},
                                       {"message", describe(error)},
                                       {"subject", error.subject_view()},
                                       {"value", error.value},
                                       {"limit", error.limit}};
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Result<Server> Server::listen(const std::string& path, Handler& handler,
                              std::optional<std::uint32_t> group) {
  Result<os::LocalListener> listener = os::LocalListener::listen(path, kSocketMode, group);
  if (!listener) {
    return fail(listener.error());
  }
  return Server(std::move(*listener), handler);
}

int Server::do_work(Nanos now) {
  take_connections(now);
  int taken = 0;
  for (Session& session : sessions_) {
    taken += serve(session, now);
  }
  std::erase_if(sessions_, [](const Session& session) { return !session.open; });
  return taken;
}

void Server::take_connections(Nanos now) {
  for (std::size_t taken = 0; taken < kConnectionsMax; ++taken) {
    std::optional<os::LocalConnection> connection = listener_.accept();
    if (!connection) {
      return;
    }
    if (sessions_.size() >= kConnectionsMax) {
      ++counters_.dropped;  // closed at once: the caller may come again
      continue;
    }
    sessions_.push_back({.connection = std::move(*connection), .active_at = now});
  }
}

int Server::serve(Session& session, Nanos now) {
  std::array<std::byte, 4096> buffer;
  if (session.output.empty()) {  // a caller that does not read is not listened to
    const auto got = session.connection.read(buffer);
    session.input.append(reinterpret_cast<const char*>(buffer.data()), got.bytes);
    session.active_at = got.bytes > 0 ? now : session.active_at;
    if (got.state == os::LocalConnection::State::kClosed) {
      session.open = false;
      return 0;
    }
  }
  int taken = 0;
  for (std::size_t end = 0; static_cast<std::size_t>(taken) < kRequestsPerCycle &&
                            session.waits_for == 0 && session.output.size() < kOutputBytesMax &&
                            (end = session.input.find('\n')) != std::string::npos;
       ++taken) {
    answer(session, std::string_view(session.input).substr(0, end));
    session.input.erase(0, end + 1);
  }
  if (session.input.size() > kRequestBytesMax && session.input.find('\n') == std::string::npos) {
    drop(session);
  }
  if (!session.output.empty()) {
    const auto sent = session.connection.write(std::as_bytes(std::span(session.output)));
    session.output.erase(0, sent.bytes);
    session.active_at = sent.bytes > 0 ? now : session.active_at;
    session.open = session.open && sent.state != os::LocalConnection::State::kClosed;
  }
  if (session.waits_for == 0 && now - session.active_at > kIdleMax) {
    drop(session);
  }
  return taken;
}

void Server::finish(Ticket ticket, std::string_view answer) {
  for (Session& session : sessions_) {
    if (session.waits_for == ticket) {
      session.waits_for = 0;
      session.output.append(answer).push_back('\n');
    }
  }
}

void Server::drop(Session& session) noexcept {
  counters_.dropped += session.open ? 1 : 0;
  session.open = false;
}

void Server::answer(Session& session, std::string_view line) {
  ++counters_.requests;
  const Result<Request> request = parse_request(line);
  std::optional<std::string> text;
  if (request) {
    text = handler_->answer(*request, session.connection.peer(), ++last_ticket_);
  } else {
    ++counters_.refused;
    text = refusal(request.error());
  }
  if (text) {
    session.output.append(*text).push_back('\n');
  } else {
    session.waits_for = last_ticket_;
  }
}

}  // namespace tensorpool::inline v0::admin
