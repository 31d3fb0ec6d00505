#include <sys/statvfs.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>

#include "layout/limits.hpp"
#include "os/cache.hpp"
#include "tensorpool/producer.hpp"

namespace tensorpool::inline v0 {
namespace {

constexpr std::uint32_t kSlotsMin = 8;
constexpr std::uint32_t kSlotsMax = 1024;
constexpr double kSafety = 2;  // W276: between 2 and 4
constexpr std::uint64_t kStrideMax = 1ULL << 31U;

[[nodiscard]] Result<std::uint64_t> free_bytes(const std::string& directory) {
  struct statvfs space {};
  if (::statvfs(directory.c_str(), &space) != 0) {
    return fail(make_os_error(Errc::kOsFailure, directory, errno));
  }
  return std::uint64_t{space.f_bavail} * space.f_frsize;
}

}  // namespace

Result<StreamOptions> StreamOptions::for_frames(std::uint64_t frame_bytes, double rate_hz,
                                                Nanos slack) {
  if (frame_bytes == 0 || frame_bytes > kStrideMax) {
    return fail(Errc::kInvalidArgument, "frame_bytes", frame_bytes, kStrideMax);
  }
  if (!(rate_hz > 0) || slack <= Nanos{0}) {
    return fail(Errc::kInvalidArgument, "rate_hz and slack have to be above 0");
  }
  const double slack_s = std::chrono::duration<double>(slack).count();
  const auto clamp = [](double slots) {
    return std::bit_ceil(static_cast<std::uint32_t>(std::clamp(
        std::ceil(slots), static_cast<double>(kSlotsMin), static_cast<double>(kSlotsMax))));
  };
  StreamOptions options;
  const std::uint64_t stride =
      std::bit_ceil(std::max<std::uint64_t>(frame_bytes, layout::kStrideGranularity));
  // The slack is kept with a safety factor, unless giving that factor up keeps the pool inside the
  // cache.
  const std::uint32_t wanted = clamp(rate_hz * slack_s * kSafety);
  const std::uint32_t least = clamp(rate_hz * slack_s);
  const std::uint64_t cache = os::last_level_cache_bytes();
  options.nslots = wanted * stride > cache && least * stride <= cache ? least : wanted;
  options.pools = {{.pool_id = 1, .stride_bytes = static_cast<std::uint32_t>(stride)}};

  const Result<std::uint64_t> free = free_bytes(options.shm_base_dir);
  if (!free) {
    return fail(free.error());
  }
  const std::uint64_t needed =
      layout::header_ring_bytes(options.nslots) +
      layout::payload_pool_bytes(options.nslots, options.pools[0].stride_bytes);
  if (needed > *free / 2) {
    return fail(Errc::kNoSpace, options.shm_base_dir, needed, *free / 2);
  }
  return options;
}

}  // namespace tensorpool::inline v0
