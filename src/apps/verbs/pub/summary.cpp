#include "apps/verbs/pub/summary.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "apps/counters.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/text.hpp"

namespace tensorpool::inline v0::apps::pub {
namespace {

void print_camera(const Summary& summary, Console& console) {
  const sources::V4l2Camera& camera = *summary.camera;
  console.note(camera.in_place()
                   ? "filled in shared memory by the camera, without a copy"
                   : fmt::format("the camera keeps its images in memory of its own: {} copied once",
                                 counted(summary.buffers.copied, "frame")));
  const auto tell = [&console](std::uint64_t count, const char* what) {
    if (count > 0) {
      console.warn(fmt::format("{} {}", counted(count, "image"), what));
    }
  };
  tell(camera.counters().missed, "lost by the camera before they were in a buffer");
  tell(camera.counters().broken, "faulty or cut: not published");
  tell(summary.buffers.stale, "came when the lease was lost");
  tell(summary.buffers.refused, "refused: time, length or shape");
}

[[nodiscard]] nlohmann::ordered_json to_json(const Summary& summary, double hz,
                                             double bytes_per_second) {
  nlohmann::ordered_json json = {{"v", 1},
                                 {"stream", summary.stream.name},
                                 {"stream_id", summary.stream.number},
                                 {"epoch", summary.epoch},
                                 {"frames", summary.frames},
                                 {"frame_bytes", summary.frame_bytes},
                                 {"ticks_slipped", summary.ticks_slipped},
                                 {"counters", counters_json(summary.counters)},
                                 {"leases", counters_json(summary.leases)}};
  if (summary.camera != nullptr) {
    json["buffers"] = counters_json(summary.buffers);
    json["camera"] = {{"missed", summary.camera->counters().missed},
                      {"broken", summary.camera->counters().broken},
                      {"in_place", summary.camera->in_place()}};
  }
  json["duration_s"] = to_seconds(summary.span);
  json["rate_hz"] = hz;
  json["throughput_mb_per_s"] = bytes_per_second / 1e6;
  return json;
}

}  // namespace

void print(const Summary& summary, bool as_json, Console& console) {
  // Frames are as many as the times between them, and one more.
  const auto frames = static_cast<double>(summary.frames);
  const double hz = summary.frames < 2 ? 0 : per_second(frames - 1, summary.span);
  const double bytes_per_second =
      summary.frames < 2 ? 0 : hz * static_cast<double>(summary.payload_bytes) / frames;
  console.note(fmt::format("{} published in {:.2f} s: {}, {}", counted(summary.frames, "frame"),
                           to_seconds(summary.span), rate_text(hz),
                           megabytes_text(bytes_per_second)));
  for (const std::string& line : troubles(summary.troubling)) {
    console.print(line);
  }
  if (summary.camera != nullptr) {
    print_camera(summary, console);
  }
  if (summary.ticks_slipped > 0) {
    console.warn(
        fmt::format("{} came too late and were left out: this machine, or the source, "
                    "does not keep up with --hz",
                    counted(summary.ticks_slipped, "tick")));
  }
  if (as_json) {
    // A reader that has gone is no failure.
    static_cast<void>(put_json(to_json(summary, hz, bytes_per_second)));
  }
}

}  // namespace tensorpool::inline v0::apps::pub
