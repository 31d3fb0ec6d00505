#include "client/driver_desk.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "admin/ask.hpp"

namespace tensorpool::inline v0::detail {
namespace {

using Json = nlohmann::json;
using State = os::LocalConnection::State;

constexpr Nanos kStartPatience = std::chrono::milliseconds(200);
constexpr Nanos kAnswerPatience = std::chrono::seconds(2);

[[nodiscard]] std::string socket_of(std::string_view aeron_dir, std::int32_t control_stream_id) {
  return admin::socket_path(aeron_dir, static_cast<std::uint32_t>(control_stream_id));
}

[[nodiscard]] Errc code_of(std::string_view name) noexcept {
  for (int code = 1; code <= static_cast<int>(Errc::kShapeChanged); ++code) {
    if (to_string(static_cast<Errc>(code)) == name) {
      return static_cast<Errc>(code);
    }
  }
  return Errc::kInvalidArgument;
}

/// A positive answer, or the refusal as an error of ours.
[[nodiscard]] Result<Json> body_of(const Result<std::string>& line) {
  if (!line) {
    return fail(line.error());
  }
  Json answer = Json::parse(*line, nullptr, false);
  if (!answer.is_object() || !answer.contains("ok")) {
    return fail(Errc::kMalformedMessage, "answer of the driver");
  }
  if (answer["ok"] != true) {
    return fail(code_of(answer.value("error", "")), answer.value("subject", "the driver"),
                answer.value("value", std::uint64_t{0}), answer.value("limit", std::uint64_t{0}));
  }
  return answer;
}

}  // namespace

Result<std::uint32_t> number_in(const Result<std::string>& answer) {
  const Result<Json> body = body_of(answer);
  if (!body) {
    return fail(body.error());
  }
  const Json id = body->value("stream_id", Json());
  return id.is_number_unsigned() ? Result<std::uint32_t>(id.get<std::uint32_t>())
                                 : fail(Errc::kMalformedMessage, "answer of the driver");
}

Result<std::uint32_t> responder_in(const Result<std::string>& answer) {
  const Result<Json> body = body_of(answer);
  if (!body) {
    return fail(body.error());
  }
  return body->value("answers_hellos", Json()) == true ? 1U : 0U;
}

Result<AnnounceEndpoint> announces_in(const Result<std::string>& answer) {
  const Result<Json> body = body_of(answer);
  if (!body) {
    return fail(body.error());
  }
  const Json announce = body->value("announce", Json());
  if (!announce.is_object()) {
    return fail(Errc::kMalformedMessage, "answer of the driver");
  }
  return AnnounceEndpoint{.channel = announce.value("channel", ""),
                          .stream_id = announce.value("stream_id", 0)};
}

Result<AnnounceEndpoint> ask_announces(std::string_view aeron_dir, std::int32_t control_stream_id) {
  return announces_in(admin::ask(socket_of(aeron_dir, control_stream_id),
                                 {.operation = admin::Operation::kStatus}, kStartPatience));
}

Result<admin::Request> ensure_request(const StreamOptions& wanted) {
  if (!admin::is_stream_name(wanted.name)) {
    return fail(Errc::kInvalidArgument,
                "name " + wanted.name + ": under a driver letters, digits, . _ -, a letter first");
  }
  admin::Request request{.operation = admin::Operation::kEnsureStream, .name = wanted.name};
  for (const PoolOptions& pool : wanted.pools) {
    request.frame_bytes = std::max<std::uint64_t>(request.frame_bytes, pool.stride_bytes);
  }
  request.nslots = wanted.nslots;
  return request;
}

void ask_for_pass(std::string_view aeron_dir, std::int32_t control_stream_id,
                  const core::attach::AttachMachine& machine) {
  const std::string line =
      admin::format_request({.operation = admin::Operation::kPass,
                             .stream_id = machine.stream_id(),
                             .client_id = machine.client_id(),
                             .produces = machine.role() == layout::Role::kProducer}) +
      "\n";
  Result<os::LocalConnection> connection =
      os::LocalConnection::connect(socket_of(aeron_dir, control_stream_id), Nanos{0});
  if (connection) {
    // What was written is read, though nobody waits for the answer.
    static_cast<void>(connection->write(std::as_bytes(std::span(line))));
  }
}

Inquiry::Inquiry(std::string_view aeron_dir, std::int32_t control_stream_id,
                 const admin::Request& request)
    : socket_(socket_of(aeron_dir, control_stream_id)),
      line_(admin::format_request(request) + "\n") {}

Status Inquiry::send(Nanos now) {
  Result<os::LocalConnection> connection = os::LocalConnection::connect(socket_, Nanos{0});
  if (!connection) {
    return fail(Errc::kNotFound, "driver at " + socket_);
  }
  const auto sent = connection->write(std::as_bytes(std::span(line_)));
  if (sent.state != State::kOpen || sent.bytes != line_.size()) {
    return fail(Errc::kNotFound, "driver at " + socket_);
  }
  answer_.clear();
  give_up_at_ = now + kAnswerPatience;
  connection_.emplace(std::move(*connection));
  return {};
}

std::optional<Result<std::string>> Inquiry::poll(Nanos now) {
  if (!connection_) {
    if (const Status sent = send(now); !sent) {
      return fail(sent.error());
    }
  }
  std::array<std::byte, 1024> buffer;
  const auto got = connection_->read(buffer);
  answer_.append(reinterpret_cast<const char*>(buffer.data()), got.bytes);
  if (answer_.ends_with('\n')) {
    connection_.reset();
    return std::exchange(answer_, {});
  }
  if (got.state == State::kClosed || now >= give_up_at_) {
    connection_.reset();
    return fail(Errc::kNotFound, "driver at " + socket_);
  }
  return std::nullopt;
}

}  // namespace tensorpool::inline v0::detail
