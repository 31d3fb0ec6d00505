// What the library has to say to people, as a callback. Never called on the data path.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace tensorpool::inline v0 {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

/// Receives one line at a time, without a newline. Called on the thread that does the control work:
/// the client's background thread, or the caller of `Client::do_work`. Must not call back into the
/// library.
using LogSink = std::function<void(LogLevel level, std::string_view line)>;

}  // namespace tensorpool::inline v0
