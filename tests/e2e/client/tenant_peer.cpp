#include "tenant_peer.hpp"

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "peer_loop.hpp"
#include "tensorpool/tensorpool.hpp"

namespace tensorpool::test {
namespace {

using Clock = std::chrono::steady_clock;

int drive(const char* aeron_dir, const char* configuration) {
  const Result<Driver> driver = Driver::start({.config_file = configuration,
                                               .aeron_dir = aeron_dir,
                                               .media_driver = MediaDriverPolicy::kExternal});
  if (!driver) {
    std::fprintf(stderr, "%s\n", describe(driver.error()).c_str());
    return 1;
  }
  say("ready");
  return serve([] { return false; }, [] { return TenantReport(); });
}

/// One frame after the other, and what became of them.
class Tenant {
 public:
  Tenant(Producer producer, bool claims) : producer_(std::move(producer)), claims_(claims) {}

  void step() {
    const Clock::time_point now = Clock::now();
    if (now < next_) {
      return;
    }
    const bool paused = now - next_ > std::chrono::seconds(1);
    next_ = now + std::chrono::milliseconds(1);
    const int status = claims_ ? commit_and_claim() : publish_one();
    if (paused) {
      report_.after_pause = status;
    }
  }
  [[nodiscard]] TenantReport report() {
    report_.epoch = producer_.epoch();
    report_.published = producer_.counters().frames_published;
    return report_;
  }

 private:
  void fill(std::span<std::byte> to) {
    TenantPayload payload;
    payload.fill(producer_.epoch());
    const auto bytes = std::as_bytes(std::span(payload));
    std::copy(bytes.begin(), bytes.end(), to.begin());
  }
  int publish_one() {
    std::array<std::byte, sizeof(TenantPayload)> bytes;
    fill(bytes);
    const PublishStatus status = producer_.publish(kInfo, bytes);
    if (status == PublishStatus::kPublished && producer_.epoch() != report_.epoch) {
      report_.epoch = producer_.epoch();
      ++report_.epochs;
    }
    return static_cast<int>(status);
  }
  int commit_and_claim() {
    int status = -1;
    if (claim_) {
      status = static_cast<int>(claim_->commit(kInfo));
    }
    claim_.reset();
    if (auto claim = producer_.claim(sizeof(TenantPayload)); claim) {
      claim_.emplace(std::move(*claim));
      fill(claim_->payload());
    }
    return status;
  }

  inline static const TensorInfo kInfo = TensorInfo::packed(Dtype::kUint64, {8});
  Producer producer_;
  bool claims_;
  std::optional<Claim> claim_;
  TenantReport report_;
  Clock::time_point next_ = Clock::now();
};

int produce(const char* aeron_dir, const char* base_dir, bool claims) {
  Result<Client> client = Client::connect(std::string("tensorpool:driver?aeron-dir=") + aeron_dir +
                                          "|allowed-dir=" + base_dir);
  Result<Producer> producer =
      client ? client->create_producer({.name = "cam1",
                                        .nslots = 64,
                                        .pools = {{.stride_bytes = 64}},
                                        .announce_period = std::chrono::milliseconds(200)})
             : fail(client.error());
  if (!producer || !producer->wait_attached(std::chrono::seconds(60))) {
    return 1;
  }
  say("ready");
  Tenant tenant(std::move(*producer), claims);
  return serve(
      [&] {
        tenant.step();
        return false;
      },
      [&] { return tenant.report(); });
}

}  // namespace
}  // namespace tensorpool::test

int main(int argc, char** argv) {
  using namespace tensorpool::test;
  if (argc != 4) {
    return 2;
  }
  const std::string_view verb = argv[1];
  return verb == "drive" ? drive(argv[2], argv[3]) : produce(argv[2], argv[3], verb == "claim");
}
