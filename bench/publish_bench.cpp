// What a published frame costs the library's producer without subscribers, standalone and under a
// driver: the two are to cost the same.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "tensorpool/tensorpool.hpp"

namespace tensorpool {
namespace {

constexpr std::size_t kPayloadBytes = 64;

/// A producer without subscribers, in directories of its own.
class Publishing {
 public:
  explicit Publishing(DeploymentMode mode) {
    std::string path = "/dev/shm/tensorpool-bench-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
      return;
    }
    path_ = path;
    ClientOptions options{.mode = mode,
                          .aeron_dir = path_ + "/aeron",
                          .media_driver = MediaDriverPolicy::kEmbedded,
                          .allowed_base_dirs = {path_},
                          .driver = {.config = configuration(), .admin_socket = false}};
    Result<Client> client = Client::create(std::move(options));
    if (!client) {
      return;
    }
    client_.emplace(std::move(*client));
    Result<Producer> producer = client_->create_producer(
        {.stream_id = 10000, .nslots = 64, .pools = {{.stride_bytes = 64}}, .shm_base_dir = path_});
    if (producer && producer->wait_attached(std::chrono::seconds(10))) {
      producer_.emplace(std::move(*producer));
    }
  }
  Publishing(const Publishing&) = delete;
  Publishing& operator=(const Publishing&) = delete;
  ~Publishing() {
    producer_.reset();
    client_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] Producer* producer() noexcept { return producer_ ? &*producer_ : nullptr; }

 private:
  [[nodiscard]] std::string configuration() const {
    return "[driver]\ninstance_id = \"bench\"\nannounce_stream_id = 1001\n[shm]\nbase_dir = \"" +
           path_ +
           "\"\n[profiles.small]\nheader_nslots = 64\n"
           "payload_pools = [ { pool_id = 1, stride_bytes = 64 } ]\n"
           "[streams.bench]\nstream_id = 10000\nprofile = \"small\"\n";
  }

  std::string path_;
  std::optional<Client> client_;
  std::optional<Producer> producer_;
};

const TensorInfo kInfo = TensorInfo::packed(Dtype::kUint8, {kPayloadBytes});

/// `capture_time`: given by the caller, which saves the producer a clock reading.
template <DeploymentMode mode, bool capture_time>
void publish(benchmark::State& state) {
  Publishing publishing(mode);
  Producer* const producer = publishing.producer();
  if (producer == nullptr) {
    state.SkipWithError("no producer");
    return;
  }
  const std::array<std::byte, kPayloadBytes> payload{};
  std::uint64_t time = 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(capture_time ? producer->publish(kInfo, payload, ++time)
                                          : producer->publish(kInfo, payload));
  }
}
BENCHMARK(publish<DeploymentMode::kStandalone, false>)->Name("publish_standalone");
BENCHMARK(publish<DeploymentMode::kEmbedded, false>)->Name("publish_driver");
BENCHMARK(publish<DeploymentMode::kStandalone, true>)->Name("publish_standalone_capture_time");
BENCHMARK(publish<DeploymentMode::kEmbedded, true>)->Name("publish_driver_capture_time");

}  // namespace
}  // namespace tensorpool
