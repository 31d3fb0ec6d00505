// A tool's end of the admin socket. Thread contract: free functions, any thread; they block.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "admin/request.hpp"

namespace tensorpool::inline v0::admin {

/// Where the driver of this media driver and control stream listens:
/// `<aeron_dir>-admin/<control_stream_id>`.
[[nodiscard]] std::string socket_path(std::string_view aeron_dir, std::uint32_t control_stream_id);

/// Where the publisher of a stream listens, for its user:
/// `<aeron_dir>-publishers-<uid>/<stream_id>`.
[[nodiscard]] std::string publisher_socket_path(std::string_view aeron_dir, std::uint32_t uid,
                                                std::uint32_t stream_id);

/// The answer, as it came: one JSON object. Errors: kNotFound where nobody listens, kTimeout when
/// it does not answer within `patience`, kClosed when it goes meanwhile.
[[nodiscard]] Result<std::string> ask(const std::string& path, const Request& request,
                                      Nanos patience = std::chrono::seconds(5));

}  // namespace tensorpool::inline v0::admin
