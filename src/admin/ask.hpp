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

/// The answer of the driver, as it came: one JSON object. Errors: kNotFound where no driver
/// listens, kTimeout when it does not answer within `patience`, kClosed when it goes meanwhile.
[[nodiscard]] Result<std::string> ask(const std::string& path, const Request& request,
                                      Nanos patience = std::chrono::seconds(5));

}  // namespace tensorpool::inline v0::admin
