// A camera whose software fills buffers that it was given in advance: `camera [FRAMES]
// [--aligned]`. The camera is made up; what surrounds it is what a real one needs. With --aligned
// it takes whole pages only, as some do.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <random>
#include <span>
#include <tensorpool/tensorpool.hpp>
#include <thread>
#include <utility>
#include <vector>

namespace tp = tensorpool;

namespace {

constexpr int kRows = 480;
constexpr int kColumns = 640;
constexpr std::size_t kFrameBytes = std::size_t{2} * kRows * kColumns;

int give_up(const tp::Error& error) {
  std::fprintf(stderr, "%s\n", tp::describe(error).c_str());
  return 1;
}

/// Stands for a vendor's library: 1000 images a second on a thread of its own, some 200 us early or
/// late. One image in a hundred is lost, and one buffer in two hundred comes back 30 ms too late.
class Sdk {
 public:
  struct Image {
    void* context = nullptr;
    bool lost = false;
    std::uint64_t captured_at_ns = 0;
  };
  using Callback = std::function<void(const Image&)>;

  Sdk(bool whole_pages, Callback callback)
      : whole_pages_(whole_pages), callback_(std::move(callback)), thread_([this] { run(); }) {}
  ~Sdk() {
    stop_ = true;
    thread_.join();  // gives back what it has
  }
  Sdk(const Sdk&) = delete;
  Sdk& operator=(const Sdk&) = delete;

  /// False when it does not take the address.
  bool queue_buffer(void* memory, std::size_t bytes, void* context) {
    if (whole_pages_ && reinterpret_cast<std::uintptr_t>(memory) % 4096 != 0) {
      return false;
    }
    const std::lock_guard lock(mutex_);
    buffers_.push_back({memory, bytes, context});
    return true;
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Buffer {
    void* memory = nullptr;
    std::size_t bytes = 0;
    void* context = nullptr;
  };
  struct Late {
    Clock::time_point until;
    Image image;
  };

  void run() {
    std::minstd_rand random(1);
    Clock::time_point next = Clock::now();
    while (!stop_) {
      next += std::chrono::milliseconds(1);
      const auto jitter = static_cast<int>(random() % 400) - 200;
      std::this_thread::sleep_until(next + std::chrono::microseconds(jitter));
      expose(random() % 100 == 0, random() % 200 == 0);
      while (!late_.empty() && Clock::now() >= late_.front().until) {
        callback_(late_.front().image);
        late_.pop_front();
      }
    }
    for (const Late& late : late_) {
      callback_(late.image);
    }
    for (const Buffer& buffer : buffers_) {
      callback_({.context = buffer.context, .lost = true});
    }
  }

  void expose(bool lost, bool late) {
    Buffer buffer;
    {
      const std::lock_guard lock(mutex_);
      if (buffers_.empty()) {
        return;  // nowhere to put it
      }
      buffer = buffers_.front();
      buffers_.pop_front();
    }
    std::memset(buffer.memory, static_cast<int>(images_++ % 256), kFrameBytes);
    const auto now = static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
    const Image image{.context = buffer.context, .lost = lost, .captured_at_ns = now};
    if (late) {
      late_.push_back({Clock::now() + std::chrono::milliseconds(30), image});
    } else {
      callback_(image);
    }
  }

  bool whole_pages_;
  Callback callback_;
  std::mutex mutex_;
  std::deque<Buffer> buffers_;
  std::deque<Late> late_;
  std::uint64_t images_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

/// Libraries hand a pointer through; the queue has numbers.
void* as_context(std::uint64_t id) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(id));
}
std::uint64_t as_id(void* context) {
  return reinterpret_cast<std::uintptr_t>(context);
}

bool is_whole(std::span<const std::byte> image) {
  return std::memcmp(image.data(), image.data() + 1, image.size() - 1) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t frames = 2000;
  bool aligned = false;
  for (int k = 1; k < argc; ++k) {
    if (std::strcmp(argv[k], "--aligned") == 0) {
      aligned = true;
    } else {
      frames = std::strtoull(argv[k], nullptr, 10);
    }
  }
  auto options = tp::StreamOptions::for_frames(kFrameBytes, 1000.0);
  auto client = tp::Client::create({.media_driver = tp::MediaDriverPolicy::kAuto});
  if (!options || !client) {
    return give_up(options ? client.error() : options.error());
  }
  options->name = "camera1";
  options->descriptor_stream_id = 0;  // by the number of the stream, as tp does
  auto producer = client->create_producer(*options);
  auto consumer = client->create_consumer({.name = "camera1", .mode = tp::FollowMode::kDirect});
  if (!producer || !consumer) {
    return give_up(producer ? consumer.error() : producer.error());
  }
  std::uint64_t whole = 0;
  std::uint64_t torn = 0;
  const auto look = [&](const tp::FrameView& frame) {
    const bool good = is_whole(frame.bytes());
    if (frame.still_valid()) {
      ++(good ? whole : torn);
    }
  };

  auto queue = tp::BufferQueue::create(
      *producer, {.info = tp::TensorInfo::packed(tp::Dtype::kUint16, {kRows, kColumns}),
                  .frame_bytes = kFrameBytes,
                  .buffers = 8,
                  .reorder = std::chrono::milliseconds(10)});
  if (!queue) {
    return give_up(queue.error());
  }
  {
    Sdk sdk(aligned, [&queue](const Sdk::Image& image) {  // on the thread of the SDK
      if (image.lost) {
        queue->give_back(as_id(image.context));
      } else {
        queue->complete(as_id(image.context), {.capture_time_ns = image.captured_at_ns});
      }
    });
    while (queue->counters().committed < frames || whole == 0) {
      for (auto buffer = queue->take(); buffer; buffer = queue->take()) {
        if (!sdk.queue_buffer(buffer->memory.data(), buffer->memory.size(),
                              as_context(buffer->id))) {
          const auto other = queue->substitute(buffer->id);
          if (!other) {
            return give_up(other.error());
          }
          sdk.queue_buffer(other->memory.data(), other->memory.size(), as_context(other->id));
        }
      }
      queue->wait(std::chrono::milliseconds(100));
      queue->poll();
      consumer->poll(look);
    }
  }
  queue->poll();

  const tp::BufferQueueCounters& counters = queue->counters();
  const auto print = [](const char* what, std::uint64_t number) {
    std::printf("%8llu  %s\n", static_cast<unsigned long long>(number), what);
  };
  print("images committed", counters.committed);
  print("of them copied", counters.copied);
  print("lost by the camera", counters.given_back);
  print("given up, too late", counters.late);
  print("of them back by now", counters.late_returns);
  print("read whole", whole);
  print("read torn", torn);
  return torn == 0 && whole > 0 ? 0 : 1;
}
