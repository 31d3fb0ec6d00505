// A program that speaks the protocol wrongly, in ways that conform_test.cpp lists: to be found out
// by `tp conform`. Takes its places from the variables that tp conform sets.
//
//   wrong_peer producer | consumer | client
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "apps/conform/hand_producer.hpp"
#include "apps/conform/workbench.hpp"
#include "layout/messages_901.hpp"

namespace {

using namespace tensorpool;
using apps::conform::HandProducer;
using apps::conform::Heard;
using apps::conform::Wire;
using apps::conform::Workbench;

constexpr Nanos kOften = std::chrono::milliseconds(20);
constexpr std::uint32_t kId = 4711;

/// Runs until it is killed: with the default action of SIGTERM.
template <class Hear, class Tick>
[[noreturn]] void run(Workbench& bench, Hear&& hear, Tick&& tick) {
  for (Nanos at{};;) {
    bench.work(hear);
    if (bench.now() >= at) {
      at = bench.now() + kOften;
      tick();
    }
  }
}

/// Announces once, never shows a sign of life, tells of frames before they are there, goes back,
/// leaves rubbish in the padding, answers nobody, and falls over messages of a later version.
[[noreturn]] void be_producer(Workbench& bench) {
  const auto made = HandProducer::create(bench);
  if (!made) {
    std::exit(2);
  }
  HandProducer& producer = **made;
  producer.announce();
  run(
      bench,
      [](const Heard& heard) {
        const auto header = codec::peek_header(heard.bytes);
        if (header && header->version > 1) {
          std::exit(1);
        }
      },
      [&] {
        producer.describe(producer.put([](layout::Slot& slot) { slot.pad[0] = std::byte{1}; }));
        producer.describe(producer.next_seq());
        producer.describe(producer.next_seq() - 1);
      });
}

/// Believes every announce and every descriptor, whatever they say, and counts nothing.
[[noreturn]] void be_consumer(Workbench& bench) {
  layout::ConsumerHello hello;
  hello.stream_id = bench.places().stream_id;
  hello.consumer_id = kId;
  hello.descriptor_channel = "aeron:ipc";  // and no id
  layout::QosConsumer qos{.stream_id = hello.stream_id, .consumer_id = kId};
  run(
      bench,
      [&](const Heard& heard) {
        codec::Scratch scratch;
        const auto message = codec::decode<codec::Message900>(heard.bytes, scratch);
        if (const auto* one = message ? std::get_if<layout::ShmPoolAnnounce>(&*message) : nullptr) {
          qos.epoch = one->epoch;
        } else if (const auto* frame =
                       message ? std::get_if<layout::FrameDescriptor>(&*message) : nullptr) {
          qos.last_seq_seen = frame->seq;
        }
      },
      [&] {
        bench.send(Wire::kControl, hello);
        bench.send(Wire::kQos, qos);
      });
}

/// Asks under another correlation id each time, keeps its first lease whatever happens to it, and
/// ends without a word.
[[noreturn]] void be_client(Workbench& bench) {
  layout::ShmAttachRequest request{.stream_id = bench.places().stream_id, .client_id = kId};
  layout::ShmLeaseKeepalive keepalive{.stream_id = request.stream_id, .client_id = kId};
  run(
      bench,
      [&](const Heard& heard) {
        codec::Scratch scratch;
        const auto answer = codec::decode<layout::ShmAttachResponse>(heard.bytes, scratch);
        if (answer && answer->lease_id && keepalive.lease_id == 0) {
          keepalive.lease_id = *answer->lease_id;
        }
      },
      [&] {
        ++request.correlation_id;
        bench.send(Wire::kControl, request);
        if (keepalive.lease_id != 0) {
          bench.send(Wire::kControl, keepalive);
        }
      });
}

[[nodiscard]] std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

int main(int count, char** arguments) {
  const auto bench = Workbench::create(
      {.aeron_dir = variable("TP_CONFORM_AERON_DIR"), .shm_dir = variable("TP_CONFORM_SHM_DIR")});
  if (!bench || count != 2) {
    return 2;
  }
  const std::string_view role = arguments[1];
  if (role == "producer") {
    be_producer(**bench);
  }
  if (role == "consumer") {
    be_consumer(**bench);
  }
  be_client(**bench);
}
