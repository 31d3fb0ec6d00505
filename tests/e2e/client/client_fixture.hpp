// What the tests of the client library share: a private directory for media driver and regions,
// options with short periods, and waiting for a condition instead of for time.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "accounting.hpp"
#include "client_peer.hpp"
#include "support/eventually.hpp"
#include "support/scratch_directory.hpp"
#include "tensorpool/tensorpool.hpp"

namespace tensorpool::test {

/// Keeps the events of a consumer.
class EventLog {
 public:
  [[nodiscard]] auto sink() {
    return [this](const ConsumerEvent& event) {
      const std::lock_guard lock(mutex_);
      events_.push_back(event);
    };
  }
  [[nodiscard]] std::vector<ConsumerEvent> of(ConsumerEvent::Kind kind) const {
    const std::lock_guard lock(mutex_);
    std::vector<ConsumerEvent> found;
    std::copy_if(events_.begin(), events_.end(), std::back_inserter(found),
                 [kind](const ConsumerEvent& event) { return event.kind == kind; });
    return found;
  }
  [[nodiscard]] std::size_t count(ConsumerEvent::Kind kind) const { return of(kind).size(); }

 private:
  mutable std::mutex mutex_;
  std::vector<ConsumerEvent> events_;
};

/// Options in a private directory, with short periods.
class ClientTest : public ::testing::Test {
 protected:
  [[nodiscard]] ClientOptions options() const {
    return {.aeron_dir = scratch_.path() + "/aeron",
            .media_driver = MediaDriverPolicy::kAuto,
            .allowed_base_dirs = {scratch_.path()}};
  }
  [[nodiscard]] StreamOptions stream(const char* name = "cam1") const {
    return {.name = name,
            .nslots = 16,
            .pools = {{.pool_id = 1, .stride_bytes = 4096}},
            .shm_base_dir = scratch_.path(),
            .announce_period = kAnnouncePeriod,
            .metadata_period = kAnnouncePeriod};
  }
  [[nodiscard]] static ConsumerOptions reader(FollowMode mode = FollowMode::kDescriptors) {
    return {.name = "cam1", .mode = mode, .announce_period = kAnnouncePeriod};
  }
  static std::vector<std::byte> payload_of(std::uint64_t seq, std::size_t size = 1000) {
    std::vector<std::byte> bytes(size);
    for (std::size_t k = 0; k < bytes.size(); ++k) {
      bytes[k] = static_cast<std::byte>(seq * 31 + k);
    }
    return bytes;
  }
  static TensorInfo info() { return TensorInfo::packed(Dtype::kUint8, {10, 100}); }

  /// The calls below use one client, one producer and one consumer.
  [[nodiscard]] Client connect() {
    Result<Client> client = Client::create(options());
    EXPECT_TRUE(client) << describe(client.error());
    return std::move(*client);
  }
  [[nodiscard]] static Producer produce(Client& client, const StreamOptions& options) {
    Result<Producer> producer = client.create_producer(options);
    EXPECT_TRUE(producer) << describe(producer.error());
    return std::move(*producer);
  }
  [[nodiscard]] static Consumer consume(Client& client, const ConsumerOptions& options) {
    Result<Consumer> consumer = client.create_consumer(options);
    EXPECT_TRUE(consumer) << describe(consumer.error());
    return std::move(*consumer);
  }
  /// Waits until frames can go from the one to the other by both routes.
  [[nodiscard]] static bool joined(const Producer& producer, Consumer& consumer,
                                   FollowMode mode = FollowMode::kDescriptors) {
    return eventually([&] {
      consumer.poll([](const FrameView&) {});
      return consumer.epoch() == producer.epoch() &&
             (mode == FollowMode::kDirect || producer.has_subscribers());
    });
  }
  /// Publishes `count` frames.
  static void publish(Producer& producer, std::uint64_t count = 1) {
    for (std::uint64_t k = 0; k < count; ++k) {
      ASSERT_EQ(producer.publish(info(), payload_of(producer.next_seq())),
                PublishStatus::kPublished);
    }
  }
  /// Asks `next` until it has a frame.
  [[nodiscard]] static std::optional<FrameView> wait_next(Consumer& consumer) {
    std::optional<FrameView> view;
    EXPECT_TRUE(eventually([&] { return (view = consumer.next()).has_value(); }));
    return view;
  }
  /// Region files below the private directory.
  [[nodiscard]] std::vector<std::string> region_files() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch_.path())) {
      const std::string name = entry.path().filename();
      if (name == "header.ring" || name.ends_with(".pool")) {
        found.push_back(entry.path());
      }
    }
    return found;
  }

  ScratchDirectory scratch_{"/dev/shm"};
};

}  // namespace tensorpool::test
