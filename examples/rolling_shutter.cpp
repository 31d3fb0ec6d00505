// A camera with a rolling shutter, and a consumer that begins its work at the first row:
// `rolling_shutter [FRAMES]`. The camera exposes one row after another; the consumer needs some
// time for each row. Prints how long after the end of the exposure it has its result: with whole
// frames, with progress alone, and with early headers.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <tensorpool/tensorpool.hpp>
#include <thread>
#include <vector>

namespace tp = tensorpool;
using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

namespace {

constexpr std::size_t kRows = 512;
constexpr std::size_t kRowBytes = 2 * 640;
constexpr std::size_t kFrameBytes = kRows * kRowBytes;
constexpr auto kRowTime = microseconds(32);    // an exposure takes 16 ms
constexpr auto kRowWork = microseconds(24);    // and the work on a frame 12 ms
constexpr auto kPause = microseconds(16'000);  // between two exposures

void stay_busy(Clock::duration time) {
  for (const auto end = Clock::now() + time; Clock::now() < end;) {
  }
}

tp::TensorInfo frame_info() {
  auto info = tp::TensorInfo::packed(tp::Dtype::kUint16, {kRows, 640});
  info.progress_unit = tp::ProgressUnit::kRows;
  info.progress_stride_bytes = kRowBytes;
  return info;
}

// Fills a claim as a camera does that reads out row by row, and says how far it is.
bool expose(tp::Producer& camera) {
  auto claim = camera.claim(kFrameBytes);
  if (!claim || !claim->begin_filling(frame_info())) {
    return false;
  }
  auto* pixels = reinterpret_cast<std::uint16_t*>(claim->payload().data());
  const auto start = Clock::now();
  for (std::size_t row = 0; row < kRows; ++row) {
    std::this_thread::sleep_until(start + (row + 1) * kRowTime);
    std::fill_n(pixels + row * 640, 640, static_cast<std::uint16_t>(claim->seq() + row));
    claim->filled_units(row + 1);
  }
  // Its time is that of this commit: the end of the exposure.
  return claim->commit(frame_info()) == tp::CommitStatus::kCommitted;
}

// Adds up the rows of one frame, wherever they come from, each once.
class RowSum {
 public:
  // `rows` are the first ones of frame `seq`.
  void take(std::uint64_t seq, std::span<const std::byte> rows) {
    if (seq != seq_) {
      *this = RowSum();
      seq_ = seq;
    }
    for (; (done_ + 1) * kRowBytes <= rows.size(); ++done_) {
      const auto* pixels = reinterpret_cast<const std::uint16_t*>(&rows[done_ * kRowBytes]);
      sum_ += pixels[0];
      stay_busy(kRowWork);
    }
  }
  bool is_right() const { return done_ == kRows && sum_ == kRows * seq_ + kRows * (kRows - 1) / 2; }

 private:
  std::uint64_t seq_ = ~std::uint64_t{0};
  std::uint64_t sum_ = 0;  // of the first pixels
  std::size_t done_ = 0;
};

// Takes `frames` and returns how long after each one's end its result was there, in ms.
std::vector<double> follow(tp::Consumer& consumer, int frames) {
  std::vector<double> delays;
  RowSum rows;
  const auto on_prefix = [&](const tp::PrefixView& prefix) {
    rows.take(prefix.seq(), prefix.bytes());  // empty until it may be read
  };
  const auto on_changed = [&](std::uint64_t) { rows = RowSum(); };
  const auto on_frame = [&](const tp::FrameView& frame) {
    rows.take(frame.seq(), frame.bytes());  // what is missing: all of it, if nothing was told
    if (rows.is_right() && frame.still_valid()) {
      const auto now = Clock::now().time_since_epoch();
      const auto end = std::chrono::nanoseconds(*frame.timestamp_ns());
      delays.push_back(std::chrono::duration<double, std::milli>(now - end).count());
    }
  };
  const auto give_up = Clock::now() + std::chrono::seconds(60);
  while (static_cast<int>(delays.size()) < frames && Clock::now() < give_up) {
    if (consumer.wait(std::chrono::milliseconds(100))) {
      consumer.poll(on_frame);
      consumer.poll_progress(on_prefix, on_changed, 1);  // a frame comes before news of the next
    }
  }
  return delays;
}

struct Way {
  const char* name;
  bool progress;
  bool early_header;
};
constexpr Way kWays[] = {{"whole frames", false, false},
                         {"progress", true, false},
                         {"progress, early headers", true, true}};

// The median delay; nothing when there were errors, or no frames.
std::optional<double> try_out(tp::Client& client, const Way& way, int frames) {
  auto options = tp::StreamOptions::for_frames(kFrameBytes, 31.0);
  if (!options) {
    return std::nullopt;
  }
  options->name = "shutter";
  options->early_header = way.early_header;
  auto camera = client.create_producer(*options);
  auto consumer = client.create_consumer({.name = "shutter",
                                          .wait = {.kind = tp::WaitKind::kPark},
                                          .progress = {.wanted = way.progress,
                                                       .hints = {.major_delta_units = 16},
                                                       .early_header = way.early_header}});
  if (!camera || !consumer) {
    return std::nullopt;
  }
  std::atomic<bool> on{true};
  std::thread exposing([&] {
    while (on && expose(*camera)) {
      std::this_thread::sleep_for(kPause);
    }
  });
  std::vector<double> delays = follow(*consumer, frames);
  on = false;
  exposing.join();
  if (delays.empty()) {
    return std::nullopt;
  }
  const auto middle = delays.begin() + static_cast<std::ptrdiff_t>(delays.size() / 2);
  std::nth_element(delays.begin(), middle, delays.end());
  return *middle;
}

}  // namespace

int main(int argc, char** argv) {
  const int frames = argc > 1 ? std::atoi(argv[1]) : 100;
  auto client = tp::Client::create({.media_driver = tp::MediaDriverPolicy::kAuto});
  if (!client) {
    std::fprintf(stderr, "%s\n", tp::describe(client.error()).c_str());
    return 1;
  }
  std::printf("result after the end of the exposure, median of %d frames\n", frames);
  for (const Way& way : kWays) {
    const std::optional<double> delay = try_out(*client, way, frames);
    if (!delay) {
      std::fprintf(stderr, "%s: no frames\n", way.name);
      return 1;
    }
    std::printf("%-24s %6.2f ms\n", way.name, *delay);
  }
}
