// Receives the images of `publish` and says what was lost: `receive [FRAMES] [--direct]`.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <tensorpool/tensorpool.hpp>

namespace tp = tensorpool;

namespace {

int give_up(const tp::Error& error) {
  std::fprintf(stderr, "%s\n", tp::describe(error).c_str());
  return 1;
}

// Called on the client's thread.
void tell(const tp::ConsumerEvent& event) {
  using Kind = tp::ConsumerEvent::Kind;
  if (event.kind == Kind::kMapped) {
    std::fprintf(stderr, "mapped\n");
  } else if (event.kind == Kind::kDiscontinuity && event.reason != tp::UnmapReason::kClosed) {
    std::fprintf(stderr, "discontinuity: %s\n", std::string(to_string(event.reason)).c_str());
  } else if (event.kind == Kind::kError) {
    std::fprintf(stderr, "%s\n", tp::describe(event.error).c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int frames = argc > 1 ? std::atoi(argv[1]) : 1000;
  const bool direct = argc > 2 && std::string_view(argv[2]) == "--direct";

  auto client = tp::Client::create({});  // waits for the media driver of the publisher
  if (!client) {
    return give_up(client.error());
  }
  auto consumer = client->create_consumer(
      {.name = "cam1",
       .mode = direct ? tp::FollowMode::kDirect : tp::FollowMode::kDescriptors,
       .wait = {.kind = tp::WaitKind::kPark},
       .descriptor_stream_id = 0,
       .on_event = tell});
  if (!consumer) {
    return give_up(consumer.error());
  }

  int whole = 0;
  std::uint64_t sum = 0;
  const auto on_frame = [&](const tp::FrameView& frame) {
    const auto pixels = frame.as<std::uint16_t>();
    if (!pixels) {
      return;
    }
    const std::uint16_t corner = (*pixels)(pixels->extent(0) - 1, pixels->extent(1) - 1);
    if (frame.still_valid()) {  // after the last pixel was read: only now the result counts
      sum += corner;
      ++whole;
    }
  };
  while (whole < frames) {
    if (consumer->wait(std::chrono::seconds(1))) {
      consumer->poll(on_frame);
    }
  }

  const tp::ConsumerCounters counters = consumer->counters();
  std::printf("%d frames, sum %llu; gaps %llu, late %llu, recovered %llu\n", whole,
              static_cast<unsigned long long>(sum),
              static_cast<unsigned long long>(counters.drops_gap),
              static_cast<unsigned long long>(counters.drops_late),
              static_cast<unsigned long long>(counters.recovered));
}
