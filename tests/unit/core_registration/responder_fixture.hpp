// A responder, the world that carries its actions out, and messages for it.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "core/registration/responder.hpp"

namespace tensorpool::core::registration::testing {

using layout::ConsumerConfig;
using layout::ConsumerHello;
using layout::Mode;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kStream = 10'000;
constexpr Nanos kStart = seconds(1000);
constexpr const char* kIpc = "aeron:ipc?term-length=64k";

/// Channels as the tests have them: ipc may be used, udp may not, the rest is no channel.
[[nodiscard]] inline Result<std::string> transport_of(std::string_view channel) {
  return channel.starts_with("aeron:ipc") ? Result<std::string>("aeron:ipc")
                                          : fail(Errc::kInvalidArgument, channel);
}

/// A config with texts of its own.
struct Sent {
  ConsumerConfig config;
  std::string fallback, descriptor_channel, control_channel;

  explicit Sent(const ConsumerConfig& from)
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

[[nodiscard]] inline ConsumerHello hello_of(std::uint32_t consumer) {
  ConsumerHello hello;
  hello.stream_id = kStream;
  hello.consumer_id = consumer;
  hello.supports_shm = true;
  hello.expected_layout_version = layout::kLayoutVersion;
  return hello;
}
[[nodiscard]] inline ConsumerHello asking(std::uint32_t consumer, std::uint32_t descriptors,
                                          std::uint32_t control = 0) {
  ConsumerHello hello = hello_of(consumer);
  hello.descriptor_stream_id = descriptors;
  hello.descriptor_channel = descriptors != 0 ? kIpc : "";
  hello.control_stream_id = control;
  hello.control_channel = control != 0 ? kIpc : "";
  return hello;
}

class World {
 public:
  using Key = std::tuple<std::uint32_t, OwnKind>;  // of one stream

  explicit World(Responder::Options options = {}) : sut(make(std::move(options))) {}

  static Responder make(Responder::Options options) {
    options.stream_id = kStream;
    options.transport_of = transport_of;
    auto made = Responder::create(std::move(options));
    EXPECT_TRUE(made.has_value());
    return std::move(*made);
  }

  void hear(const ConsumerHello& hello) {
    sut.on_hello(hello, now);
    carry_out();
  }
  /// What was answered to this hello.
  std::vector<Sent> answers_to(const ConsumerHello& hello) {
    sent.clear();
    hear(hello);
    return sent;
  }
  void pass(Nanos span) {
    now += span;
    while (sut.poll(now)) {
      carry_out();
    }
    carry_out();
  }
  void added(std::uint32_t consumer, OwnKind which, bool well = true) {
    adding.erase({consumer, which});
    if (well) {
      open[{consumer, which}] = asked[{consumer, which}];
    }
    sut.on_added({.stream_id = kStream, .consumer_id = consumer}, which, well);
    carry_out();
  }
  void carry_out() {
    while (const auto action = sut.next_action()) {
      const Key key{action->consumer.consumer_id, action->which};
      switch (action->kind) {
        case ResponderAction::Kind::kClosePublication:
          EXPECT_EQ(open.count(key) + adding.count(key), 1U);
          open.erase(key);
          adding.erase(key);
          break;
        case ResponderAction::Kind::kAddPublication:
          EXPECT_EQ(open.count(key) + adding.count(key), 0U) << "the old one has not been closed";
          asked[key] = action->aeron_stream_id;
          adding[key] = action->aeron_stream_id;
          break;
        case ResponderAction::Kind::kSendConfig:
          sent.emplace_back(action->config);
          break;
      }
    }
    EXPECT_TRUE(sut.check_invariants());
    if (adds_at_once) {
      while (!adding.empty()) {
        const auto [consumer, which] = adding.begin()->first;
        added(consumer, which, !refuses_to_add);
      }
    }
  }
  [[nodiscard]] bool has_open(std::uint32_t consumer, OwnKind which) const {
    return open.count({consumer, which}) != 0;
  }

  Nanos now = kStart;
  bool adds_at_once = true;
  bool refuses_to_add = false;
  Responder sut;
  std::vector<Sent> sent;
  std::map<Key, std::uint32_t> asked, adding, open;
};

}  // namespace tensorpool::core::registration::testing
