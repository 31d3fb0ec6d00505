// A program that lives beside the library: it defines functions that Aeron's archives define too,
// and, with OWN_AERON, links an Aeron client of its own and uses it in the same media driver.
// Neither may reach into the other.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <tensorpool/tensorpool.hpp>
#include <thread>
#include <vector>

#ifdef OWN_AERON
#include <aeronc.h>

#include <cstddef>
#include <cstdint>
#endif

namespace tp = tensorpool;

namespace {

int intruders = 0;

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::exit(1);
}

}  // namespace

// Aeron's driver calls functions of these names with other parameters: should its calls end here,
// this program says so.
extern "C" void on_error() {
  ++intruders;
}
#ifndef OWN_AERON
extern "C" void proc_yield() {
  ++intruders;
}
#endif

namespace {

/// Sends frames through a media driver embedded by the library until one comes back.
void send_a_frame(tp::Producer& producer, tp::Consumer& consumer) {
  const std::vector<std::byte> payload(64);
  for (int frames = 0; frames == 0;) {
    (void)producer.publish(tp::TensorInfo::packed(tp::Dtype::kUint8, {64}), payload);
    frames = consumer.poll([](const tp::FrameView&) {}).frames;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

#ifdef OWN_AERON
/// Adds a publication through the program's own client to the media driver that the library runs.
void use_own_aeron(const char* directory) {
  aeron_context_t* context = nullptr;
  aeron_t* aeron = nullptr;
  aeron_async_add_publication_t* adding = nullptr;
  aeron_publication_t* publication = nullptr;
  if (aeron_context_init(&context) != 0 || aeron_context_set_dir(context, directory) != 0 ||
      aeron_init(&aeron, context) != 0 || aeron_start(aeron) != 0 ||
      aeron_async_add_publication(&adding, aeron, "aeron:ipc?term-length=64k", 4711) != 0) {
    give_up(aeron_errmsg());
  }
  while (publication == nullptr) {
    if (aeron_async_add_publication_poll(&publication, adding) < 0) {
      give_up(aeron_errmsg());
    }
    std::this_thread::yield();
  }
  aeron_publication_close(publication, nullptr, nullptr);
  aeron_close(aeron);
  aeron_context_close(context);
}
#endif

}  // namespace

int main() {
  auto client = tp::Client::create({.media_driver = tp::MediaDriverPolicy::kEmbedded});
  if (!client) {
    give_up(tp::describe(client.error()).c_str());
  }
  auto producer = client->create_producer({.name = "neighbour", .nslots = 8});
  auto consumer = client->create_consumer({.name = "neighbour"});
  if (!producer || !consumer) {
    give_up(tp::describe(producer ? consumer.error() : producer.error()).c_str());
  }
  send_a_frame(*producer, *consumer);
#ifdef OWN_AERON
  use_own_aeron(client->aeron_dir().c_str());
  send_a_frame(*producer, *consumer);
#endif
  if (intruders != 0) {
    give_up("the library called functions of this program");
  }
  return 0;
}
