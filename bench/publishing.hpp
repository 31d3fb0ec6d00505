// A producer for benchmarks, in directories of its own, with its media driver and, where that is
// wanted, its driver.
#pragma once

#include <stdlib.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <thread>

#include "tensorpool/tensorpool.hpp"

namespace tensorpool::bench {

inline constexpr std::size_t kPayloadBytes = 64;
inline constexpr std::uint32_t kStreamId = 10000;

[[nodiscard]] inline const TensorInfo& payload_info() {
  static const TensorInfo info = TensorInfo::packed(Dtype::kUint8, {kPayloadBytes});
  return info;
}

/// A producer without subscribers, in directories of its own.
class Publishing {
 public:
  explicit Publishing(DeploymentMode mode, bool wakes = true) {
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
    Result<Producer> producer =
        client_->create_producer({.stream_id = kStreamId,
                                  .nslots = 64,
                                  .pools = {{.stride_bytes = kPayloadBytes}},
                                  .shm_base_dir = path_,
                                  .announce_period = std::chrono::milliseconds(100),
                                  .wakes_consumers = wakes});
    if (producer && producer->wait_attached(std::chrono::seconds(10))) {
      producer_.emplace(std::move(*producer));
      while (wakes && !std::filesystem::exists(wake_file())) {
        std::this_thread::yield();
      }
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

  /// Null where it could not be had.
  [[nodiscard]] Producer* producer() noexcept { return producer_ ? &*producer_ : nullptr; }
  [[nodiscard]] Client& client() noexcept { return *client_; }

 private:
  [[nodiscard]] std::string wake_file() const {
    return path_ + "/aeron/tensorpool-wake-" + std::to_string(kStreamId) + "-" +
           std::to_string(producer_->epoch());
  }
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

}  // namespace tensorpool::bench
