// What people and tools may ask of a driver, or of a publisher, over its admin socket: one JSON
// object a line.
//
//   {"op": "streams"}
//   {"op": "stream.ensure", "name": "cam1", "frame_bytes": 655360, "rate_hz": 1000}
//   {"op": "revoke", "lease_id": 42, "text": "maintenance"}
//   {"op": "metadata.set", "set": ["exposure=250 us"], "remove": ["filter"]}
//
// Answers are one JSON object a line, too: {"v": 1, "ok": true, ...} or {"v": 1, "ok": false,
// "error": NAME, "message": SENTENCE}. Unknown keys are ignored, so that keys may be added.
// A line is input: it may be anything. Thread contract: plain values, free functions.
// Design: docs/adr/0020, docs/adr/0037.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::admin {

inline constexpr std::size_t kRequestBytesMax = 8192;
inline constexpr std::size_t kNameBytesMax = 64;
inline constexpr std::size_t kTextBytesMax = 1024;
inline constexpr std::size_t kListMax = 1024;  ///< texts in one list

enum class Operation : std::uint8_t {
  kStatus,         ///< who the driver is, and how it does
  kStreams,        ///< every provisioned stream with its epoch, geometry, producer, consumers
  kLeases,         ///< every active lease
  kCounters,       ///< those of §2.22
  kConfig,         ///< the settings, and where each comes from
  kCollect,        ///< garbage collection, of one stream or all (`dry_run`)
  kRevoke,         ///< ends a lease
  kEnsureStream,   ///< a stream of this name that takes such frames: made where there is none;
                   ///< without `frame_bytes` one as it is, or by the default profile
  kResolveStream,  ///< the number of a name
  kPass,           ///< lets a client attach to a stream that is not open to everybody
  kShutdown,
  kSetMetadata,  ///< of a publisher: some attributes, the others stay
};

/// `stream.ensure` and the like.
[[nodiscard]] std::string_view to_string(Operation operation) noexcept;

struct Request {
  Operation operation = Operation::kStatus;
  std::string name = {};  ///< of a stream
  std::optional<std::uint32_t> stream_id = {};
  std::uint64_t lease_id = 0;
  std::uint32_t client_id = 0;
  bool produces = false;  ///< the role of that client: `"role": "producer"`
  std::uint64_t frame_bytes = 0;
  double rate_hz = 0;
  Nanos slack{};
  std::uint32_t nslots = 0;  ///< 0: to be chosen
  bool dry_run = false;
  std::string text = {};              ///< for the holder of a revoked lease, and for the audit line
  std::vector<std::string> set = {};  ///< attributes, KEY=VALUE
  std::vector<std::string> remove = {};  ///< keys of attributes
};

/// Errc::kInvalidArgument with the key that is missing, of the wrong type or out of range;
/// Errc::kMalformedMessage for what is no JSON object.
[[nodiscard]] Result<Request> parse_request(std::string_view line);

/// The line that asks for it, without the newline.
[[nodiscard]] std::string format_request(const Request& request);

/// True for 1 to kNameBytesMax bytes of `A-Z a-z 0-9 . _ -`, with a letter in front: a name is
/// never taken for a number, a path or a flag.
[[nodiscard]] bool is_stream_name(std::string_view name) noexcept;

}  // namespace tensorpool::inline v0::admin
