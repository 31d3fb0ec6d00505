// Any messages on the streams of a supervisor, one after the other, each behind two bytes of its
// length: its tables keep their bounds, and what it answers is whole and granted to one only. Two
// bytes of settings come first.
#include <algorithm>
#include <array>
#include <set>
#include <utility>
#include <variant>

#include "codec/codec.hpp"
#include "core/registration/own_stream.hpp"
#include "core/supervisor/supervisor.hpp"
#include "harness/fuzz.hpp"

namespace {

using namespace tensorpool;
using core::registration::OwnStream;
using core::supervisor::Supervisor;

constexpr std::uint32_t kCapacity = 8;

[[nodiscard]] Result<std::string> transport_of(std::string_view channel) {
  return channel.starts_with("aeron:ipc") ? Result<std::string>("aeron:ipc")
                                          : fail(Errc::kInvalidArgument, channel);
}

[[nodiscard]] Supervisor make_supervisor(std::uint32_t wish, Nanos now) {
  core::driver::SupervisorSettings settings;
  settings.consumer_capacity = kCapacity;
  settings.per_consumer_enabled = (wish & 1U) != 0;
  settings.per_consumer_descriptor.base = (wish & 2U) != 0 ? 31'000 : 0;
  settings.per_consumer_descriptor.count = 4;
  settings.force_mode = wish / 4 % 3;
  settings.force_no_shm = (wish & 64U) != 0;
  auto made =
      Supervisor::create({.settings = settings, .transport_of = transport_of, .taken = {}}, now);
  TP_FUZZ_CHECK(made.has_value());
  return std::move(*made);
}

class World {
 public:
  explicit World(std::uint32_t wish) : sut_(make_supervisor(wish, now_)) {}

  void hear(std::span<const std::byte> bytes, Nanos later) {
    now_ += later;
    if (const auto message = codec::decode<codec::Message900>(bytes, scratch_)) {
      std::visit([this](const auto& body) { on(body); }, *message);
    }
    drain();
    sut_.poll(now_);
    drain();
    TP_FUZZ_CHECK(sut_.check_invariants());
    check_owners();
  }

 private:
  void on(const layout::ConsumerHello& message) { sut_.on_hello(message, now_); }
  void on(const layout::QosConsumer& message) { sut_.on_qos(message, now_); }
  void on(const layout::QosProducer& message) { sut_.on_qos(message, now_); }
  void on(const layout::ShmPoolAnnounce& message) {
    sut_.on_announce(message, Nanos{0}, {.mono = now_, .real = now_});
  }
  void on(const layout::DataSourceAnnounce& message) { sut_.on_metadata(message); }
  void on(const layout::DataSourceMeta& message) { sut_.on_metadata(message); }
  void on(const layout::ConsumerConfig& message) { sut_.on_foreign_config(message, now_); }
  template <class Other>
  void on(const Other&) {}

  void drain() {
    while (const auto action = sut_.next_action()) {
      if (const auto* const config = std::get_if<layout::ConsumerConfig>(&*action)) {
        TP_FUZZ_CHECK(config->consumer_id != 0 && config->stream_id != 0);
        TP_FUZZ_CHECK(
            !OwnStream::of(config->descriptor_channel, config->descriptor_stream_id).is_half());
        TP_FUZZ_CHECK(!OwnStream::of(config->control_channel, config->control_stream_id).is_half());
        std::array<std::byte, 8192> buffer;
        TP_FUZZ_CHECK(codec::encoded_size(*config) > buffer.size() ||
                      codec::encode(*config, buffer).has_value());
      } else {
        TP_FUZZ_CHECK(!to_text(std::get<core::supervisor::Report>(*action)).empty());
      }
    }
  }
  void check_owners() const {
    std::set<std::uint32_t> owned;
    const auto consumers = sut_.consumers();
    TP_FUZZ_CHECK(consumers.size() <= kCapacity);
    for (const auto& each : consumers) {
      for (const std::uint32_t id : {each.descriptor_stream_id, each.control_stream_id}) {
        TP_FUZZ_CHECK(id == 0 || owned.insert(id).second);
      }
    }
  }

  Nanos now_ = std::chrono::seconds(1000);
  Supervisor sut_;
  codec::Scratch scratch_;
};

}  // namespace

int fuzz_supervisor_messages(std::span<const std::byte> input) {
  World(3).hear(input, Nanos{0});  // golden vectors are messages by themselves
  const auto number_at_front = [&input] {
    const std::size_t number =
        std::to_integer<std::size_t>(input[0]) | std::to_integer<std::size_t>(input[1]) << 8U;
    input = input.subspan(2);
    return number;
  };
  if (input.size() < 2) {
    return 0;
  }
  World world(static_cast<std::uint32_t>(number_at_front()));
  while (input.size() > 2) {
    const std::size_t wanted = number_at_front();
    const std::size_t length = std::min(wanted, input.size());
    world.hear(input.first(length), std::chrono::milliseconds(wanted % 2 * 700));
    input = input.subspan(length);
  }
  return 0;
}
