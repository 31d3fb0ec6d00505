#include "admin/ask.hpp"

#include <array>
#include <span>

#include "os/local_socket.hpp"

namespace tensorpool::inline v0::admin {

std::string socket_path(std::string_view aeron_dir, std::uint32_t control_stream_id) {
  return std::string(aeron_dir) + "-admin/" + std::to_string(control_stream_id);
}

std::string publisher_socket_path(std::string_view aeron_dir, std::uint32_t uid,
                                  std::uint32_t stream_id) {
  return std::string(aeron_dir) + "-publishers-" + std::to_string(uid) + "/" +
         std::to_string(stream_id);
}

Result<std::string> ask(const std::string& path, const Request& request, Nanos patience) {
  using State = os::LocalConnection::State;
  Result<os::LocalConnection> connection = os::LocalConnection::connect(path, patience);
  if (!connection) {
    return fail(connection.error());
  }
  const std::string line = format_request(request) + "\n";
  for (std::span rest = std::as_bytes(std::span(line)); !rest.empty();) {
    const auto sent = connection->write(rest);
    if (sent.state != State::kOpen) {
      return fail(sent.state == State::kWait ? Errc::kTimeout : Errc::kClosed, path);
    }
    rest = rest.subspan(sent.bytes);
  }
  std::string answer;
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto got = connection->read(buffer);
    answer.append(reinterpret_cast<const char*>(buffer.data()), got.bytes);
    if (const std::size_t end = answer.find('\n'); end != std::string::npos) {
      answer.resize(end);
      return answer;
    }
    if (got.state != State::kOpen) {
      return fail(got.state == State::kWait ? Errc::kTimeout : Errc::kClosed, path);
    }
  }
}

}  // namespace tensorpool::inline v0::admin
