// What the tests of the client library under a driver share: a driver in a private directory, its
// configuration with short periods, and what it says of leases.
#pragma once

#include <cstdint>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "admin/ask.hpp"
#include "client_fixture.hpp"

namespace tensorpool::test {

/// Keeps the events of a producer.
class ProducerLog {
 public:
  [[nodiscard]] auto sink() {
    return [this](const ProducerEvent& event) {
      const std::lock_guard lock(mutex_);
      events_.push_back(event);
    };
  }
  [[nodiscard]] std::vector<ProducerEvent> of(ProducerEvent::Kind kind) const {
    const std::lock_guard lock(mutex_);
    std::vector<ProducerEvent> found;
    std::copy_if(events_.begin(), events_.end(), std::back_inserter(found),
                 [kind](const ProducerEvent& event) { return event.kind == kind; });
    return found;
  }
  [[nodiscard]] std::size_t count(ProducerEvent::Kind kind) const { return of(kind).size(); }

 private:
  mutable std::mutex mutex_;
  std::vector<ProducerEvent> events_;
};

class DriverTest : public ClientTest {
 protected:
  /// Of the tests' driver. Leases end by themselves only where a test says so.
  [[nodiscard]] std::string configuration(int keepalive_ms = 20000) const {
    return "[driver]\n"
           "announce_stream_id = 1001\n"
           "stream_id_range = \"20000-20009\"\n"
           "[shm]\n"
           "base_dir = \"" +
           scratch_.path() +
           "/shm\"\n"
           "[policies]\n"
           "allow_dynamic_streams = true\n"
           "announce_period_ms = 200\n"
           "lease_keepalive_interval_ms = " +
           std::to_string(keepalive_ms) +
           "\n"
           "epoch_gc_min_age_ns = 1\n"
           "shutdown_timeout_ms = 300\n"
           "[profiles.small]\n"
           "header_nslots = 8\n"
           "payload_pools = [ { pool_id = 1, stride_bytes = 4096 } ]\n"
           "[streams.fixed]\n"
           "stream_id = 10000\n"
           "profile = \"small\"\n";
  }
  [[nodiscard]] DriverOptions driver_options() const {
    return {.config = configuration(), .aeron_dir = options().aeron_dir};
  }
  [[nodiscard]] Driver start_driver(DriverOptions wanted) const {
    Result<Driver> driver = Driver::start(std::move(wanted));
    EXPECT_TRUE(driver) << describe(driver.error());
    return std::move(*driver);
  }
  [[nodiscard]] Driver start_driver() const { return start_driver(driver_options()); }

  [[nodiscard]] ClientOptions tenant_options() const {
    ClientOptions wanted = options();
    wanted.mode = DeploymentMode::kDriver;
    wanted.media_driver = MediaDriverPolicy::kExternal;
    return wanted;
  }
  [[nodiscard]] Client attach_client() const {
    Result<Client> client = Client::create(tenant_options());
    EXPECT_TRUE(client) << describe(client.error());
    return std::move(*client);
  }
  /// "cam1", attached.
  [[nodiscard]] Producer tenant(Client& client, const StreamOptions& wanted) {
    Producer producer = produce(client, wanted);
    const Status attached = producer.wait_attached(kPatience);
    EXPECT_TRUE(attached) << describe(attached.error());
    return producer;
  }
  [[nodiscard]] Producer tenant(Client& client) { return tenant(client, stream()); }

  /// What the driver answers; null when there is none.
  [[nodiscard]] nlohmann::json ask(const admin::Request& request) const {
    const Result<std::string> line =
        admin::ask(admin::socket_path(options().aeron_dir, 1000), request);
    return line ? nlohmann::json::parse(*line) : nlohmann::json();
  }
  [[nodiscard]] nlohmann::json leases() const {
    return ask({.operation = admin::Operation::kLeases})["leases"];
  }
  /// Of the producer of a stream; 0 for none.
  [[nodiscard]] std::uint64_t producer_lease() const {
    for (const auto& lease : leases()) {
      if (lease["role"] == "producer") {
        return lease["lease_id"];
      }
    }
    return 0;
  }
  void revoke(std::uint64_t lease_id, const std::string& text = "maintenance") const {
    EXPECT_EQ(
        ask({.operation = admin::Operation::kRevoke, .lease_id = lease_id, .text = text})["ok"],
        true);
  }
};

}  // namespace tensorpool::test
