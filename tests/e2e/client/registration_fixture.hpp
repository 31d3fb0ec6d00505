// What the tests of consumer registration share: short periods, peers that speak for themselves,
// frames whose slots say when they were published.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client_fixture.hpp"
#include "raw_listener.hpp"
#include "raw_sender.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {

using layout::ConsumerConfig;
using layout::ConsumerHello;
using layout::FrameDescriptor;
using layout::QosConsumer;
using layout::QosProducer;

inline constexpr std::int32_t kQosStream = 1200;
inline constexpr auto kHelloInterval = std::chrono::milliseconds(100);
inline constexpr const char* kOwnChannel = "aeron:ipc?term-length=64k";

class RegistrationTest : public ClientTest {
 protected:
  using Kind = ConsumerEvent::Kind;

  [[nodiscard]] StreamOptions wide_stream(std::uint32_t nslots = 4096) const {
    StreamOptions wanted = stream();
    wanted.nslots = nslots;
    wanted.pools = {{.stride_bytes = 64}};
    wanted.hello_interval = kHelloInterval;
    wanted.qos_interval = kHelloInterval;
    return wanted;
  }
  [[nodiscard]] static ConsumerOptions asking(std::int32_t own_descriptors = 31'000) {
    ConsumerOptions wanted = reader();
    wanted.max_outstanding_seq_gap = 0;
    wanted.hello_interval = kHelloInterval;
    wanted.qos_interval = kHelloInterval;
    wanted.own_descriptors = {
        .wanted = own_descriptors != 0, .channel = kOwnChannel, .stream_id = own_descriptors};
    return wanted;
  }
  /// A hello of somebody who speaks for himself.
  [[nodiscard]] static ConsumerHello hello_of(const Producer& producer, std::uint32_t consumer,
                                              std::uint32_t own_descriptors = 0) {
    ConsumerHello hello;
    hello.stream_id = producer.stream_id();
    hello.consumer_id = consumer;
    hello.supports_shm = true;
    hello.descriptor_stream_id = own_descriptors;
    hello.descriptor_channel = own_descriptors != 0 ? kOwnChannel : "";
    return hello;
  }
  static void drop_frames(Consumer& consumer) {
    consumer.poll([](const FrameView&) {});
  }
  /// Waits until the consumer hears descriptors of its own.
  [[nodiscard]] static bool on_own_stream(Consumer& consumer) {
    return eventually([&] {
      drop_frames(consumer);
      return consumer.has_own_descriptors();
    });
  }
};

}  // namespace tensorpool::test
