// What a client asks of a driver over its admin socket: where it announces, which number a name
// has. Everything else goes over the control stream, and nothing needs this socket. Design §9
// (admin plane), docs/adr/0020.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "admin/request.hpp"
#include "core/attach/attach_machine.hpp"
#include "os/local_socket.hpp"
#include "tensorpool/producer.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::detail {

struct AnnounceEndpoint {
  std::string channel;
  std::int32_t stream_id = 0;
};

/// Where the driver of this media driver and control stream announces. Waits a moment for the
/// answer. Errors: kNotFound where no driver answers. Thread contract: any thread.
[[nodiscard]] Result<AnnounceEndpoint> ask_announces(std::string_view aeron_dir,
                                                     std::int32_t control_stream_id);

/// The request for the number of a stream for frames as `wanted` says: without a geometry that of
/// the driver's profile. kInvalidArgument for a name that no driver takes.
[[nodiscard]] Result<admin::Request> ensure_request(const StreamOptions& wanted);

/// Asks for a pass (docs/adr/0022) without waiting: who gets one finds out with the next attempt.
/// Thread contract: any thread.
void ask_for_pass(std::string_view aeron_dir, std::int32_t control_stream_id,
                  const core::attach::AttachMachine& machine);

/// Asks without waiting for the answer: the driver may be driven by the same thread. Thread
/// contract: one thread.
class Inquiry {
 public:
  Inquiry(std::string_view aeron_dir, std::int32_t control_stream_id,
          const admin::Request& request);

  /// Asks, or looks for the answer, a line; nothing while there is none. kNotFound: nobody listens
  /// or answers. The call after an answer asks anew.
  [[nodiscard]] std::optional<Result<std::string>> poll(Nanos now);

 private:
  [[nodiscard]] Status send(Nanos now);

  std::string socket_;
  std::string line_;
  std::optional<os::LocalConnection> connection_;  // while an answer is waited for
  std::string answer_;
  Nanos give_up_at_{};
};

/// What an answer says. Errors: as the answer's; kMalformedMessage.
/// The number of a stream; kNotFound: the driver does not know the name; others are refusals.
[[nodiscard]] Result<std::uint32_t> number_in(const Result<std::string>& answer);
/// 1 where the driver answers the hellos of consumers itself, 0 where it leaves that to producers.
[[nodiscard]] Result<std::uint32_t> responder_in(const Result<std::string>& answer);
/// Where the driver announces, in its status.
[[nodiscard]] Result<AnnounceEndpoint> announces_in(const Result<std::string>& answer);

}  // namespace tensorpool::inline v0::detail
