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
#include "support/consumer_messages.hpp"

namespace tensorpool::core::registration::testing {

using layout::ConsumerConfig;
using layout::ConsumerHello;
using layout::Mode;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::asking;
using test::hello_of;
using test::kIpc;
using test::kStream;
using test::Sent;
using test::transport_of;

constexpr Nanos kStart = seconds(1000);

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
