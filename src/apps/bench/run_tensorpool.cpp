#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>

#include "apps/bench/harness.hpp"
#include "apps/bench/source.hpp"
#include "apps/bench/transports.hpp"
#include "tensorpool/tensorpool.hpp"

namespace tensorpool::inline v0::apps::bench {
namespace {

constexpr const char* kDescriptorChannel = "aeron:ipc?term-length=64m";
constexpr std::uint32_t kStreamId = 10000;

[[nodiscard]] std::uint32_t stride_of(const Case& wanted) {
  return static_cast<std::uint32_t>(std::bit_ceil(std::max<std::size_t>(64, wanted.payload)));
}

/// Of a driver that has the one stream.
[[nodiscard]] std::string configuration(const Case& wanted, const std::string& scratch) {
  return "[driver]\ninstance_id = \"bench\"\nannounce_stream_id = 1001\n[shm]\nbase_dir = \"" +
         scratch + "\"\n[profiles.bench]\nheader_nslots = " + std::to_string(wanted.nslots) +
         "\npayload_pools = [ { pool_id = 1, stride_bytes = " + std::to_string(stride_of(wanted)) +
         " } ]\n[streams.bench]\nstream_id = " + std::to_string(kStreamId) +
         "\nprofile = \"bench\"\n";
}

enum class Side : std::uint8_t { kProducer, kConsumer };

/// The producer's process brings media driver and driver along.
[[nodiscard]] ClientOptions client_options(const Case& wanted, const std::string& scratch,
                                           Side side) {
  ClientOptions options{.aeron_dir = scratch + "/aeron", .allowed_base_dirs = {scratch}};
  options.media_driver =
      side == Side::kProducer ? MediaDriverPolicy::kAuto : MediaDriverPolicy::kExternal;
  if (wanted.driver && side == Side::kProducer) {
    options.mode = DeploymentMode::kEmbedded;
    options.driver = {.config = configuration(wanted, scratch), .admin_socket = false};
  } else if (wanted.driver) {
    options.mode = DeploymentMode::kDriver;
  }
  return options;
}

class FrameProducer {
 public:
  [[nodiscard]] static Result<std::unique_ptr<FrameProducer>> create(const Case& wanted,
                                                                     const std::string& scratch,
                                                                     bool direct) {
    Result<Client> client = Client::create(client_options(wanted, scratch, Side::kProducer));
    if (!client) {
      return fail(client.error());
    }
    StreamOptions stream{.stream_id = kStreamId,
                         .nslots = wanted.nslots,
                         .pools = {{.pool_id = 1, .stride_bytes = stride_of(wanted)}},
                         .shm_base_dir = scratch,
                         .descriptor_channel = kDescriptorChannel};
    Result<Producer> producer = client->create_producer(stream);
    if (!producer) {
      return fail(producer.error());
    }
    if (const Status attached = producer->wait_attached(std::chrono::seconds(20)); !attached) {
      return fail(attached.error());
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
  [[nodiscard]] static Result<std::unique_ptr<FrameConsumer>> create(const Case& wanted,
                                                                     const std::string& scratch,
                                                                     bool direct) {
    Result<Client> client = Client::create(client_options(wanted, scratch, Side::kConsumer));
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
  auto consumer = FrameConsumer::create(wanted, scratch, direct);
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
      [&](int) { return FrameConsumer::create(wanted, scratch, direct); });
}

}  // namespace tensorpool::inline v0::apps::bench
