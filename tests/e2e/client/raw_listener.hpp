// Hears what a client sends, as any peer of the protocol does.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "codec/codec.hpp"
#include "e2e/bus/bus_fixture.hpp"
#include "raw_sender.hpp"

namespace tensorpool::test {

class RawListener {
 public:
  explicit RawListener(const std::string& aeron_dir, std::int32_t stream_id = kControlStream)
      : client_(bus::testing::make_client(aeron_dir)) {
    EXPECT_TRUE(bus::testing::bring_up(client_));
    auto made = bus::testing::wait_for(
        client_, client_.begin_add_subscription(
                     bus::testing::channel("aeron:ipc?term-length=4m|tether=false"), stream_id));
    EXPECT_TRUE(made.has_value());
    in_ = std::move(*made);
  }

  /// Calls `on_message(const M&)` for each message of that kind that has arrived.
  template <class M, class OnMessage>
  void hear(OnMessage&& on_message) {
    hear_any([&](const codec::Message900& message) {
      if (const auto* const wanted = std::get_if<M>(&message)) {
        on_message(*wanted);
      }
    });
  }
  /// Calls `on_message(const codec::Message900&)` for each message that has arrived.
  template <class OnMessage>
  void hear_any(OnMessage&& on_message) {
    client_.do_work(bus::testing::mono_now());
    in_->poll_messages(
        [&](const bus::Message& message) noexcept {
          if (const auto decoded = codec::decode<codec::Message900>(message.bytes, scratch_)) {
            on_message(*decoded);
          }
        },
        1000);
  }

 private:
  bus::Client client_;
  std::unique_ptr<bus::Subscription> in_;
  codec::Scratch scratch_;
};

}  // namespace tensorpool::test
