#include <sys/statvfs.h>

#include <cerrno>

#include "core/region/ring_size.hpp"
#include "layout/limits.hpp"
#include "os/cache.hpp"
#include "tensorpool/producer.hpp"

namespace tensorpool::inline v0 {
namespace {

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
  StreamOptions options;
  const std::uint64_t stride = core::region::stride_for(frame_bytes);
  // The slack is kept with a safety factor, unless giving that factor up keeps the pool inside the
  // cache.
  const std::uint32_t wanted = core::region::slots_for(rate_hz, slack);
  const std::uint32_t least = core::region::slots_for(rate_hz, slack, 1);
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
