#include "tensorpool/types/fallback.hpp"

#include <charconv>

namespace tensorpool::inline v0 {
namespace {

constexpr std::string_view kBridgeScheme = "bridge://";
constexpr std::string_view kStreamIdParameter = "stream-id=";

/// 0 for anything else.
[[nodiscard]] std::int32_t positive_number(std::string_view text) noexcept {
  std::int32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && number > 0 ? number : 0;
}

/// Splits `aeron:ipc?a=1|stream-id=7` into `aeron:ipc?a=1` and 7.
void take_channel_apart(std::string_view uri, Fallback& into) {
  const std::size_t query = uri.find('?');
  into.channel = uri.substr(0, query);
  char separator = '?';
  for (std::size_t at = query; at != std::string_view::npos;) {
    const std::size_t end = uri.find('|', at + 1);
    const std::string_view parameter = uri.substr(at + 1, end - at - 1);
    if (parameter.starts_with(kStreamIdParameter)) {
      into.aeron_stream_id = positive_number(parameter.substr(kStreamIdParameter.size()));
    } else {
      into.channel.append(1, separator).append(parameter);
      separator = '|';
    }
    at = end;
  }
}

[[nodiscard]] std::string why_text(const Fallback& fallback) {
  switch (fallback.cause) {
    case FallbackCause::kAsked:
      return "this consumer does without shared memory, as it was created to";
    case FallbackCause::kTold:
      return "this consumer was told not to use shared memory";
    case FallbackCause::kRefused:
      break;
  }
  return "the regions of the stream were refused (" + std::string(to_string(fallback.error.code)) +
         ")";
}

[[nodiscard]] std::string what_text(const Fallback& fallback) {
  switch (fallback.kind) {
    case FallbackKind::kNone:
      break;
    case FallbackKind::kAeron:
      return "the frames are offered on " + fallback.channel +
             (fallback.aeron_stream_id != 0 ? ", stream " + std::to_string(fallback.aeron_stream_id)
                                            : std::string()) +
             ": subscribe there with Aeron";
    case FallbackKind::kBridge:
      return "the frames are offered by the bridge " + fallback.bridge +
             ": have it bring the stream here, and read what it publishes";
  }
  switch (fallback.cause) {
    case FallbackCause::kAsked:
      return "nobody has offered the frames another way: name supervisor.payload_fallback_uri";
    case FallbackCause::kTold:
      return "no other way is offered: name one in supervisor.payload_fallback_uri, or allow "
             "shared "
             "memory again (supervisor.force_no_shm)";
    case FallbackCause::kRefused:
      break;
  }
  return "no other way is offered: " + describe(fallback.error);
}

}  // namespace

Fallback Fallback::of(FallbackCause cause, std::string_view uri) {
  Fallback fallback{.cause = cause};
  if (uri.starts_with("aeron:")) {
    fallback.kind = FallbackKind::kAeron;
    take_channel_apart(uri, fallback);
  } else if (uri.starts_with(kBridgeScheme)) {
    fallback.kind = FallbackKind::kBridge;
    fallback.bridge = uri.substr(kBridgeScheme.size());
  } else {
    return fallback;
  }
  fallback.uri = uri;
  return fallback;
}

std::string_view to_string(FallbackCause cause) noexcept {
  switch (cause) {
    case FallbackCause::kAsked:
      return "asked";
    case FallbackCause::kTold:
      return "told";
    case FallbackCause::kRefused:
      return "refused";
  }
  return "unknown";
}

std::string_view to_string(FallbackKind kind) noexcept {
  switch (kind) {
    case FallbackKind::kNone:
      return "none";
    case FallbackKind::kAeron:
      return "aeron";
    case FallbackKind::kBridge:
      return "bridge";
  }
  return "unknown";
}

std::string describe(const Fallback& fallback) {
  return why_text(fallback) + "; " + what_text(fallback);
}

}  // namespace tensorpool::inline v0
