#include <bit>
#include <cstring>

#include "apps/bench/harness.hpp"
#include "apps/bench/source.hpp"
#include "apps/bench/transports.hpp"
#include "tensorpool/tensorpool.hpp"

namespace tensorpool::inline v0::apps::bench {
namespace {

constexpr const char* kDescriptorChannel = "aeron:ipc?term-length=64m";
constexpr std::uint32_t kStreamId = 10000;

[[nodiscard]] ClientOptions client_options(const std::string& scratch,
                                           MediaDriverPolicy media_driver) {
  return {.aeron_dir = scratch + "/aeron",
          .media_driver = media_driver,
          .allowed_base_dirs = {scratch}};
}

class FrameProducer {
 public:
  [[nodiscard]] static Result<std::unique_ptr<FrameProducer>> create(const Case& wanted,
                                                                     const std::string& scratch,
                                                                     bool direct) {
    Result<Client> client = Client::create(client_options(scratch, MediaDriverPolicy::kAuto));
    if (!client) {
      return fail(client.error());
    }
    const std::size_t stride = std::max<std::size_t>(64, wanted.payload);
    StreamOptions stream{
        .stream_id = kStreamId,
        .nslots = wanted.nslots,
        .pools = {{.pool_id = 1,
                   .stride_bytes = static_cast<std::uint32_t>(std::bit_ceil(stride))}},
        .shm_base_dir = scratch,
        .descriptor_channel = kDescriptorChannel};
    Result<Producer> producer = client->create_producer(stream);
    if (!producer) {
      return fail(producer.error());
    }
    return std::unique_ptr<FrameProducer>(
        new FrameProducer(wanted, std::move(*client), std::move(*producer), direct));
  }

  /// Direct readers are ready by themselves; descriptor readers once they subscribe.
  [[nodiscard]] bool ready() { return direct_ || producer_.has_subscribers(); }

  void publish(const Stamp& stamp) noexcept {
    if (touch_) {
      static_cast<void>(producer_.publish(info_, source_.stamped(stamp), stamp.sent_ns));
      return;
    }
    auto claim = producer_.claim(payload_, FillWith::kOrdinaryStores);
    if (claim) {
      std::memcpy(claim->payload().data(), &stamp, sizeof(stamp));
      static_cast<void>(claim->commit(info_, stamp.sent_ns));
    }
  }

 private:
  FrameProducer(const Case& wanted, Client client, Producer producer, bool direct)
      : client_(std::move(client)),
        producer_(std::move(producer)),
        source_(wanted.payload),
        payload_(wanted.payload),
        info_(TensorInfo::packed(Dtype::kUint8, {static_cast<std::int32_t>(wanted.payload)})),
        touch_(wanted.touch),
        direct_(direct) {}

  Client client_;
  Producer producer_;
  Source source_;
  std::size_t payload_;
  TensorInfo info_;
  bool touch_;
  bool direct_;
};

class FrameConsumer {
 public:
  [[nodiscard]] static Result<std::unique_ptr<FrameConsumer>> create(const std::string& scratch,
                                                                     bool direct) {
    Result<Client> client = Client::create(client_options(scratch, MediaDriverPolicy::kExternal));
    if (!client) {
      return fail(client.error());
    }
    Result<Consumer> consumer =
        client->create_consumer({.stream_id = kStreamId,
                                 .mode = direct ? FollowMode::kDirect : FollowMode::kDescriptors,
                                 .descriptor_channel = kDescriptorChannel});
    if (!consumer) {
      return fail(consumer.error());
    }
    auto made =
        std::unique_ptr<FrameConsumer>(new FrameConsumer(std::move(*client), std::move(*consumer)));
    const std::uint64_t patience = now_ns() + 20'000'000'000;
    while (made->consumer_.state() != MappingState::kMapped) {
      if (now_ns() > patience) {
        return fail(Errc::kTimeout, "the stream of the benchmark was not mapped");
      }
      ::sched_yield();
    }
    return made;
  }

  /// The stamp counts when the frame was still whole after it was read.
  template <class OnStamp>
  int poll(OnStamp&& on_stamp) {
    return consumer_
        .poll(
            [&](const FrameView& view) noexcept {
              Stamp stamp;
              std::memcpy(&stamp, view.bytes().data(), sizeof(stamp));
              if (view.still_valid()) {
                on_stamp(stamp);
              }
            },
            256)
        .frames;
  }

 private:
  FrameConsumer(Client client, Consumer consumer)
      : client_(std::move(client)), consumer_(std::move(consumer)) {}
  Client client_;
  Consumer consumer_;
};

/// Polls of a mapped consumer that find nothing.
[[nodiscard]] Result<Outcome> run_poll_cost(const Case& wanted, const std::string& scratch,
                                            bool direct) {
  auto producer = FrameProducer::create(wanted, scratch, direct);
  if (!producer) {
    return fail(producer.error());
  }
  auto consumer = FrameConsumer::create(scratch, direct);
  if (!consumer) {
    return fail(consumer.error());
  }
  return measure_polls(wanted, [&] { return (*consumer)->poll([](const Stamp&) {}); });
}

}  // namespace

Result<Outcome> run_tensorpool(const Case& wanted, const std::string& scratch, bool direct) {
  if (wanted.test == Test::kPollCost) {
    return run_poll_cost(wanted, scratch, direct);
  }
  return run_case(
      wanted, [&] { return FrameProducer::create(wanted, scratch, direct); },
      [&](int) { return FrameConsumer::create(scratch, direct); });
}

}  // namespace tensorpool::inline v0::apps::bench
