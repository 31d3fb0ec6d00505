// A supervisor, what it sends and tells, and messages for it.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/supervisor/supervisor.hpp"
#include "support/consumer_messages.hpp"

namespace tensorpool::core::supervisor::testing {

using driver::SupervisorSettings;
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
using Kind = Report::Kind;

inline constexpr std::uint32_t kShared = 1100;  ///< an Aeron stream that everybody has
inline constexpr Nanos kStart = seconds(1000);

[[nodiscard]] inline layout::QosConsumer qos_of(std::uint32_t consumer, std::uint64_t gap = 0,
                                                std::uint64_t late = 0) {
  return {.stream_id = kStream,
          .consumer_id = consumer,
          .epoch = 7,
          .last_seq_seen = 41,
          .drops_gap = gap,
          .drops_late = late};
}

class World {
 public:
  explicit World(SupervisorSettings settings = {}) : sut(make(std::move(settings))) {}

  static Supervisor make(SupervisorSettings settings) {
    auto made = Supervisor::create({.settings = std::move(settings),
                                    .transport_of = transport_of,
                                    .taken = {{.transport = "aeron:ipc", .stream_id = kShared}}},
                                   kStart);
    EXPECT_TRUE(made.has_value());
    return std::move(*made);
  }

  /// What was answered to this hello.
  std::vector<Sent> answers_to(const ConsumerHello& hello) {
    sut.on_hello(hello, now);
    return drain();
  }
  /// The one answer to this hello.
  Sent answer_to(const ConsumerHello& hello) {
    const std::vector<Sent> answers = answers_to(hello);
    EXPECT_EQ(answers.size(), 1U);
    return answers.empty() ? Sent() : answers.front();
  }
  template <class Qos>
  void hear(const Qos& qos) {
    sut.on_qos(qos, now);
    EXPECT_TRUE(drain().empty());
  }
  void announce(std::uint32_t producer, std::uint64_t epoch, Nanos age = {}) {
    layout::ShmPoolAnnounce message;
    message.stream_id = kStream;
    message.producer_id = producer;
    message.epoch = epoch;
    message.announce_timestamp_ns = static_cast<std::uint64_t>((now - age).count());
    sut.on_announce(message, Nanos{}, {.mono = now, .real = seconds(5)});
    EXPECT_TRUE(drain().empty());
  }
  void pass(Nanos span) {
    now += span;
    sut.poll(now);
    EXPECT_TRUE(drain().empty());
  }
  std::vector<Sent> drain() {
    std::vector<Sent> sent;
    while (const auto action = sut.next_action()) {
      if (const auto* const config = std::get_if<ConsumerConfig>(&*action)) {
        sent.emplace_back(*config);
      } else {
        told.push_back(std::get<Report>(*action));
      }
    }
    EXPECT_TRUE(sut.check_invariants());
    return sent;
  }
  /// What was told since the last call.
  [[nodiscard]] std::vector<Kind> kinds() {
    std::vector<Kind> kinds;
    for (const Report& report : std::exchange(told, {})) {
      kinds.push_back(report.kind);
    }
    return kinds;
  }

  Nanos now = kStart;
  Supervisor sut;
  std::vector<Report> told;
};

}  // namespace tensorpool::core::supervisor::testing
