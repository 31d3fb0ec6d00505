// Finding streams by name or number: what subscribers wait for, and what publishers must not take.
//
// Thread contract: free functions; the client may be used by others meanwhile. See design §9.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "apps/console.hpp"
#include "tensorpool/client.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps {

/// A stream as the command line names it.
struct StreamRef {
  std::string name;          ///< "" when only the number was given
  std::uint32_t number = 0;  ///< 0 when only the name was given

  /// `cam1`, or `10042` for a stream without a name.
  [[nodiscard]] std::string text() const { return name.empty() ? std::to_string(number) : name; }
};

/// Digits alone are a number (1 to 2^32-2), everything else a name.
[[nodiscard]] Result<StreamRef> parse_stream_ref(std::string_view text);

/// Whether an announced stream is the one that was asked for: by its number where that is known,
/// else by its name.
[[nodiscard]] bool is_named(const StreamInfo& stream, const StreamRef& wanted) noexcept;

struct WaitOptions {
  Nanos timeout{};  ///< 0: as long as it takes
  const std::atomic<bool>* stop = nullptr;
  /// Asked now and then: whether to look for the stream in another way, by another client. The
  /// answer of await_stream is then Errc::kNotFound. May be empty.
  std::function<bool()> look_elsewhere = {};
};

/// Waits until the stream is announced with its regions. Says meanwhile what is missing and how to
/// come by it: the media driver, the permission to use it, or somebody who announces the stream.
/// Errc::kTimeout, and Errc::kClosed when `stop` was set.
[[nodiscard]] Result<StreamInfo> await_stream(const Client& client, const StreamRef& wanted,
                                              const WaitOptions& options, Console& console);

/// Waits until the client is connected to a media driver. Errors as await_stream, and those of a
/// driver that may not be used.
[[nodiscard]] Status await_connection(const Client& client, const WaitOptions& options);

/// Errc::kAlreadyExists when `wanted` cannot be published: its number belongs to a stream of
/// another name, or somebody publishes the stream now. Listens to announces for 1.2 periods.
[[nodiscard]] Status check_free(const Client& client, const StreamRef& wanted,
                                const WaitOptions& options);

}  // namespace tensorpool::inline v0::apps
