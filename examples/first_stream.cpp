// Sends images through shared memory and reads them in place. Here producer and consumer share a
// program; in two programs each has its half of these lines.
#include <chrono>
#include <cstdio>
#include <tensorpool/tensorpool.hpp>
#include <thread>
#include <vector>

namespace tp = tensorpool;

int main() {
  auto client = tp::Client::create({.media_driver = tp::MediaDriverPolicy::kAuto});
  auto producer = client.and_then([](auto& c) { return c.create_producer({.name = "cam1"}); });
  auto consumer = client.and_then([](auto& c) { return c.create_consumer({.name = "cam1"}); });
  if (!producer || !consumer) {
    std::puts(tp::describe(producer ? consumer.error() : producer.error()).c_str());
    return 1;
  }
  const std::vector<std::uint16_t> image(480 * 640, 42);
  const auto print = [](const tp::FrameView& frame) {
    const auto pixels = *frame.as<std::uint16_t>();
    std::printf("%d x %d, first pixel %d\n", pixels.extent(0), pixels.extent(1), pixels(0, 0));
  };
  for (int frames = 0; frames < 10; frames += consumer->poll(print).frames) {
    (void)producer->publish(tp::TensorInfo::packed(tp::Dtype::kUint16, {480, 640}),
                            std::as_bytes(std::span(image)));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}
