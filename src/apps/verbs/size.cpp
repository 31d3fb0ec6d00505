// tp size: how large the regions of a stream have to be, and why.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/console.hpp"
#include "apps/files/format.hpp"
#include "apps/geometry.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/text.hpp"
#include "apps/verbs.hpp"
#include "layout/limits.hpp"
#include "os/cache.hpp"

namespace tensorpool::inline v0::apps {
namespace {

struct SizeOptions {
  std::string shape;
  std::string dtype;
  double rate_hz = 0;
  double hold_seconds = 0.1;
  std::uint32_t slots = 0;
  std::string shm_dir = "/dev/shm";
  bool json = false;
};

struct Sizes {
  files::FrameFormat frame;
  Geometry geometry;
  std::uint64_t stride_bytes = 0;
  std::uint64_t pool_bytes = 0;
  std::uint64_t header_bytes = 0;
  std::uint64_t cache_bytes = 0;
  Nanos lap{};

  [[nodiscard]] std::uint32_t nslots() const noexcept { return geometry.options.nslots; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return pool_bytes + header_bytes; }
  [[nodiscard]] bool fits_cache() const noexcept { return pool_bytes <= cache_bytes; }
};

[[nodiscard]] Result<Sizes> compute(const SizeOptions& options) {
  const auto shape = files::parse_shape(options.shape);
  if (!shape) {
    return fail(shape.error());
  }
  const Result<Dtype> dtype = files::parse_dtype(options.dtype);
  if (!dtype) {
    return fail(dtype.error());
  }
  const auto frame = files::frame_format(*dtype, MajorOrder::kRow, *shape, "--shape");
  if (!frame) {
    return fail(frame.error());
  }
  Result<Geometry> geometry = choose_geometry({.frame_bytes = frame->bytes,
                                               .rate_hz = options.rate_hz,
                                               .slack = from_seconds(options.hold_seconds),
                                               .slots = options.slots,
                                               .shm_dir = options.shm_dir});
  if (!geometry) {
    return fail(geometry.error());
  }
  Sizes sizes{.frame = *frame, .geometry = std::move(*geometry)};
  sizes.stride_bytes = sizes.geometry.options.pools.front().stride_bytes;
  sizes.pool_bytes =
      layout::payload_pool_bytes(sizes.nslots(), sizes.geometry.options.pools.front().stride_bytes);
  sizes.header_bytes = layout::header_ring_bytes(sizes.nslots());
  sizes.cache_bytes = os::last_level_cache_bytes();
  sizes.lap = from_seconds(sizes.nslots() / options.rate_hz);
  return sizes;
}

[[nodiscard]] nlohmann::ordered_json to_json(const Sizes& sizes, const SizeOptions& options) {
  return {{"v", 1},
          {"frame_bytes", sizes.frame.bytes},
          {"rate_hz", options.rate_hz},
          {"hold_s", options.hold_seconds},
          {"nslots", sizes.nslots()},
          {"stride_bytes", sizes.stride_bytes},
          {"header_bytes", sizes.header_bytes},
          {"pool_bytes", sizes.pool_bytes},
          {"total_bytes", sizes.bytes()},
          {"lap_s", to_seconds(sizes.lap)},
          {"fits_cache", sizes.fits_cache()},
          {"cache_bytes", sizes.cache_bytes},
          {"reason", sizes.geometry.why}};
}

[[nodiscard]] std::string to_text(const Sizes& sizes, const SizeOptions& options) {
  const double unused = 100.0 * static_cast<double>(sizes.stride_bytes - sizes.frame.bytes) /
                        static_cast<double>(sizes.stride_bytes);
  return fmt::format(
      "frame   {}, {}\n"
      "stride  {}, a power of two; {:.0f} % of it stay unused\n"
      "slots   {}\n"
      "memory  {}: {} of frames, {} of headers; {} the last-level cache of {}\n"
      "lap     {} at {}: a frame is overwritten that long after it was published\n"
      "\n"
      "[profiles.{}x{}]\n"
      "header_nslots = {}\n"
      "payload_pools = [ {{ pool_id = 1, stride_bytes = {} }} ]",
      tensor_text(sizes.frame.info), bytes_text(sizes.frame.bytes), bytes_text(sizes.stride_bytes),
      unused, sizes.geometry.why, bytes_text(sizes.bytes()), bytes_text(sizes.pool_bytes),
      bytes_text(sizes.header_bytes), sizes.fits_cache() ? "fits into" : "is larger than",
      bytes_text(sizes.cache_bytes), duration_text(sizes.lap), rate_text(options.rate_hz),
      sizes.nslots(), sizes.stride_bytes, sizes.nslots(), sizes.stride_bytes);
}

ExitCode run_size(const SizeOptions& options) {
  const Result<Sizes> sizes = compute(options);
  if (!sizes) {
    Console("size").error(sizes.error());
    return ExitCode::kFailed;
  }
  static_cast<void>(options.json ? put_json(to_json(*sizes, options))
                                 : put_line(to_text(*sizes, options)));
  return ExitCode::kFine;
}

}  // namespace

void add_size(CLI::App& tp, Action& action) {
  CLI::App& verb = *tp.add_subcommand("size", "How much memory a stream needs, and why");
  const auto options = std::make_shared<SizeOptions>();
  verb.add_option("--shape", options->shape, "Shape of a frame: 480,640,3")->required();
  verb.add_option("--dtype", options->dtype, "Element type: u2, f4, …")->required();
  verb.add_option("--hz", options->rate_hz, "Frames per second")
      ->required()
      ->check(CLI::PositiveNumber)
      ->type_name("HZ");
  verb.add_option("--hold", options->hold_seconds,
                  "How long a reader may hold a frame, or fall behind")
      ->check(CLI::PositiveNumber & seconds_range())
      ->type_name("SECONDS")
      ->capture_default_str();
  verb.add_option("--slots", options->slots, "Slots, instead of the number for --hold");
  add_shm_dir(verb, options->shm_dir);
  verb.add_flag("--json", options->json, "Print JSON");
  verb.footer(R"(Examples:
  tp size --shape 512,640 --dtype u2 --hz 1000
  tp size --shape 2160,3840,3 --dtype u1 --hz 60 --hold 0.5 --json

Prints the geometry that `tp pub` would choose for such frames, and a profile with it for the
configuration of a driver. Creates nothing.)");
  verb.callback([options, &action] { action = [options] { return run_size(*options); }; });
}

}  // namespace tensorpool::inline v0::apps
