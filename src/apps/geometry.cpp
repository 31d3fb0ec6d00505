#include "apps/geometry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <filesystem>
#include <system_error>

#include "apps/text.hpp"
#include "layout/limits.hpp"

namespace tensorpool::inline v0::apps {
namespace {

constexpr double kRateUnknown = 1000;
constexpr std::uint64_t kWholeBytesMax = std::uint64_t{1} << 30U;
constexpr std::uint64_t kWholeSlotsMax = 1024;

std::uint64_t bytes_of(const StreamOptions& options) noexcept {
  std::uint64_t bytes = layout::header_ring_bytes(options.nslots);
  for (const PoolOptions& pool : options.pools) {
    bytes += layout::payload_pool_bytes(options.nslots, pool.stride_bytes);
  }
  return bytes;
}

[[nodiscard]] Status check_space(const StreamOptions& options) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(options.shm_base_dir, error);
  const std::uint64_t limit = space.available / 2;
  if (!error && bytes_of(options) > limit) {
    return fail(Errc::kNoSpace, options.shm_base_dir + ": half of the free space",
                bytes_of(options), limit);
  }
  return {};
}

}  // namespace

Result<Geometry> choose_geometry(const GeometryRequest& request) {
  const double rate_hz = request.rate_hz > 0 ? request.rate_hz : kRateUnknown;
  const bool asked_for = request.slots > 0;  // then only the stride is to be chosen
  Result<StreamOptions> options = StreamOptions::for_frames(
      request.frame_bytes, asked_for ? 1 : rate_hz, asked_for ? Nanos{1} : request.slack);
  if (!options) {
    return fail(options.error());
  }
  Geometry geometry{.options = std::move(*options), .why = {}};
  StreamOptions& chosen = geometry.options;
  chosen.shm_base_dir = request.shm_dir;
  std::string reason = fmt::format("a reader may fall behind by {} at {}",
                                   duration_text(request.slack), rate_text(rate_hz));
  if (asked_for) {
    chosen.nslots = request.slots;
    reason = "as asked for with --slots";
  } else if (request.slots_min > chosen.nslots) {
    chosen.nslots = request.slots_min;
    reason = "four for each buffer at the camera";
  } else if (const std::uint64_t whole =
                 std::bit_ceil(std::min(request.frames.value_or(0), kWholeSlotsMax + 1));
             whole > chosen.nslots && whole <= kWholeSlotsMax) {
    StreamOptions larger = chosen;
    larger.nslots = static_cast<std::uint32_t>(whole);
    if (bytes_of(larger) <= kWholeBytesMax && check_space(larger)) {
      chosen = larger;
      reason = "room for all frames, so that no reader can lose one";
    }
  }
  if (Status status = check_space(chosen); !status) {
    return fail(status.error());
  }
  geometry.why = fmt::format("{} slots of {}, {} of shared memory: {}", chosen.nslots,
                             bytes_text(chosen.pools.front().stride_bytes),
                             bytes_text(bytes_of(chosen)), reason);
  return geometry;
}

}  // namespace tensorpool::inline v0::apps
