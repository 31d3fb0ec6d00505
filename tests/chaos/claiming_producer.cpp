// A camera that fills claimed slots in place, as `tp pub` cannot: NAME and SHM_DIR on the command
// line, frames of 256 uint16 that are ramps, until SIGINT. Attaches again when it loses its lease.
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>

#include "tensorpool/tensorpool.hpp"

namespace {

using namespace tensorpool;

constexpr std::size_t kElements = 256;
constexpr auto kPeriod = std::chrono::milliseconds(1);

volatile std::sig_atomic_t stopped = 0;

/// One frame, unless there is no lease at the moment.
void publish(Producer& producer, const TensorInfo& info) {
  auto claim = producer.claim(kElements * sizeof(std::uint16_t));
  if (!claim) {
    return;
  }
  for (std::size_t k = 0; k < kElements; ++k) {
    const auto value = static_cast<std::uint16_t>(claim->seq() + k);
    std::memcpy(claim->payload().data() + k * sizeof(value), &value, sizeof(value));
  }
  static_cast<void>(claim->commit(info));
}

int run(const char* name, const char* shm_dir) {
  auto client = Client::create({.mode = DeploymentMode::kDriver,
                                .media_driver = MediaDriverPolicy::kExternal,
                                .allowed_base_dirs = {shm_dir}});
  if (!client) {
    std::fprintf(stderr, "%s\n", describe(client.error()).c_str());
    return 1;
  }
  auto producer =
      client->create_producer({.name = name,
                               .nslots = 1024,
                               .pools = {{.stride_bytes = kElements * sizeof(std::uint16_t)}},
                               .shm_base_dir = shm_dir,
                               .descriptor_stream_id = 0});
  if (!producer) {
    std::fprintf(stderr, "%s\n", describe(producer.error()).c_str());
    return 1;
  }
  const auto info = TensorInfo::packed(Dtype::kUint16, {kElements});
  while (stopped == 0) {
    publish(*producer, info);
    std::this_thread::sleep_for(kPeriod);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGINT, [](int) { stopped = 1; });
  return argc == 3 ? run(argv[1], argv[2]) : 2;
}
