#include <array>
#include <cstring>
#include <thread>

#include "apps/bench/harness.hpp"
#include "apps/bench/transports.hpp"
#include "bus/link.hpp"
#include "bus/rendezvous.hpp"
#include "layout/descriptor.hpp"

namespace tensorpool::inline v0::apps::bench {
namespace {

constexpr std::int32_t kStreamId = 1100;
constexpr std::size_t kClaimBytes = sizeof(layout::FrameDescriptorMessage);

[[nodiscard]] bus::Channel channel() {
  return bus::Channel().set("term-length", "64m");
}

/// One link, with a thread that drives Aeron's conductor.
template <class T>
class Connection {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Connection>> create(const std::string& scratch,
                                                                  const bus::Channel& where) {
    Result<bus::Client> client = bus::Client::create({.aeron_dir = scratch + "/aeron"});
    if (!client) {
      return fail(client.error());
    }
    return std::unique_ptr<Connection>(new Connection(std::move(*client), where));
  }
  ~Connection() {
    stopping_.store(true, std::memory_order_relaxed);
    thread_.join();
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] T* current() noexcept { return link_.current(); }

 private:
  Connection(bus::Client client, const bus::Channel& where)
      : client_(std::move(client)),
        link_(client_, {.channel = where, .stream_id = kStreamId}),
        thread_([this] {
          while (!stopping_.load(std::memory_order_relaxed)) {
            const Nanos now = os::SystemClock{}.mono();
            client_.do_work(now);
            link_.do_work(now);
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
          }
        }) {}
  bus::Client client_;
  bus::Link<T> link_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

class ClaimProducer {
 public:
  [[nodiscard]] static Result<std::unique_ptr<ClaimProducer>> create(const std::string& scratch) {
    bus::RendezvousOptions rendezvous;
    rendezvous.driver.aeron_dir = scratch + "/aeron";
    Result<bus::MediaDriverHandle> driver = bus::join_or_embed(rendezvous);
    if (!driver) {
      return fail(driver.error());
    }
    auto connection = Connection<bus::ExclusivePublication>::create(scratch, channel());
    if (!connection) {
      return fail(connection.error());
    }
    return std::unique_ptr<ClaimProducer>(
        new ClaimProducer(std::move(*driver), std::move(*connection)));
  }
  [[nodiscard]] bool ready() {
    bus::ExclusivePublication* const out = connection_->current();
    return out != nullptr && out->is_connected();
  }
  void publish(const Stamp& stamp) noexcept {
    std::array<std::byte, kClaimBytes> message{};
    std::memcpy(message.data(), &stamp, sizeof(stamp));
    bus::ExclusivePublication* const out = connection_->current();
    std::uint64_t tries = 0;
    while (out->try_claim_and_copy(message.data(), message.size()) != bus::OfferStatus::kOk) {
      if (++tries % 64 == 0) {
        ::sched_yield();  // the media driver may want this processor
      } else {
        base::relax();
      }
    }
  }

 private:
  ClaimProducer(bus::MediaDriverHandle driver,
                std::unique_ptr<Connection<bus::ExclusivePublication>> connection)
      : driver_(std::move(driver)), connection_(std::move(connection)) {}
  bus::MediaDriverHandle driver_;
  std::unique_ptr<Connection<bus::ExclusivePublication>> connection_;
};

class ClaimConsumer {
 public:
  [[nodiscard]] static Result<std::unique_ptr<ClaimConsumer>> create(const std::string& scratch) {
    auto connection = Connection<bus::Subscription>::create(scratch, channel());
    if (!connection) {
      return fail(connection.error());
    }
    auto made = std::unique_ptr<ClaimConsumer>(new ClaimConsumer(std::move(*connection)));
    const std::uint64_t patience = now_ns() + 20'000'000'000;
    while (made->connection_->current() == nullptr) {
      if (now_ns() > patience) {
        return fail(Errc::kTimeout, "raw Aeron did not connect");
      }
      ::sched_yield();
    }
    return made;
  }
  template <class OnStamp>
  int poll(OnStamp&& on_stamp) {
    return connection_->current()->poll(
        [&](const bus::Message& message) noexcept {
          Stamp stamp;
          std::memcpy(&stamp, message.bytes.data(), sizeof(stamp));
          on_stamp(stamp);
        },
        256);
  }

 private:
  explicit ClaimConsumer(std::unique_ptr<Connection<bus::Subscription>> connection)
      : connection_(std::move(connection)) {}
  std::unique_ptr<Connection<bus::Subscription>> connection_;
};

}  // namespace

Result<Outcome> run_raw_aeron(const Case& wanted, const std::string& scratch) {
  if (wanted.test == Test::kPollCost) {
    auto producer = ClaimProducer::create(scratch);
    if (!producer) {
      return fail(producer.error());
    }
    auto consumer = ClaimConsumer::create(scratch);
    if (!consumer) {
      return fail(consumer.error());
    }
    return measure_polls(wanted, [&] { return (*consumer)->poll([](const Stamp&) {}); });
  }
  return run_case(
      wanted, [&] { return ClaimProducer::create(scratch); },
      [&](int) { return ClaimConsumer::create(scratch); });
}

}  // namespace tensorpool::inline v0::apps::bench
