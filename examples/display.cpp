// Shows some of the images of `publish`, as a display does: `display [FRAMES]`.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <tensorpool/tensorpool.hpp>

namespace tp = tensorpool;

namespace {

int give_up(const tp::Error& error) {
  std::fprintf(stderr, "%s\n", tp::describe(error).c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const int frames = argc > 1 ? std::atoi(argv[1]) : 10;
  auto client = tp::Client::create({});
  if (!client) {
    return give_up(client.error());
  }
  auto view = client->create_consumer({.name = "cam1",
                                       .delivery = tp::DeliveryMode::kRateLimited,
                                       .max_rate_hz = 10,
                                       .own_descriptors = {.wanted = true},
                                       .descriptor_stream_id = 0});
  if (!view) {
    return give_up(view.error());
  }
  int shown = 0;
  const auto show = [&shown](const tp::FrameView& frame) { shown += frame.still_valid() ? 1 : 0; };
  while (shown < frames) {
    if (view->wait(std::chrono::seconds(1))) {
      view->poll(show);
    }
  }
  if (auto changed = view->set_delivery(tp::DeliveryMode::kStream, 0); !changed) {
    return give_up(changed.error());
  }
  std::printf("%d images, from now on all of them\n", shown);
}
