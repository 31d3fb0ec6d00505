// Hellos of consumers, and what answers them, as the tests of a responder and of a supervisor have
// them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "layout/limits.hpp"
#include "layout/messages_900.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::test {

inline constexpr std::uint32_t kStream = 10'000;
inline constexpr const char* kIpc = "aeron:ipc?term-length=64k";

/// Channels as the tests have them: ipc may be used, udp may not, the rest is no channel.
[[nodiscard]] inline Result<std::string> transport_of(std::string_view channel) {
  return channel.starts_with("aeron:ipc") ? Result<std::string>("aeron:ipc")
                                          : fail(Errc::kInvalidArgument, channel);
}

/// A config with texts of its own.
struct Sent {
  layout::ConsumerConfig config = {};
  std::string fallback = {}, descriptor_channel = {}, control_channel = {};

  Sent() = default;
  explicit Sent(const layout::ConsumerConfig& from)
      : config(from),
        fallback(from.payload_fallback_uri),
        descriptor_channel(from.descriptor_channel),
        control_channel(from.control_channel) {
    config.payload_fallback_uri = {};
    config.descriptor_channel = {};
    config.control_channel = {};
  }
  friend bool operator==(const Sent&, const Sent&) = default;
};

[[nodiscard]] inline layout::ConsumerHello hello_of(std::uint32_t consumer) {
  layout::ConsumerHello hello;
  hello.stream_id = kStream;
  hello.consumer_id = consumer;
  hello.supports_shm = true;
  hello.expected_layout_version = layout::kLayoutVersion;
  return hello;
}
[[nodiscard]] inline layout::ConsumerHello asking(std::uint32_t consumer, std::uint32_t descriptors,
                                                  std::uint32_t control = 0) {
  layout::ConsumerHello hello = hello_of(consumer);
  hello.descriptor_stream_id = descriptors;
  hello.descriptor_channel = descriptors != 0 ? kIpc : "";
  hello.control_stream_id = control;
  hello.control_channel = control != 0 ? kIpc : "";
  return hello;
}

}  // namespace tensorpool::test
