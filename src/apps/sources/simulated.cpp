#include "apps/sources/simulated.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>
#include <optional>
#include <span>
#include <utility>

#include "base/random.hpp"

namespace tensorpool::inline v0::apps::sources {
namespace {

using base::Random;
using files::FrameBytes;
using files::FrameFormat;

constexpr std::uint64_t kNoiseWindows = 4096;
constexpr std::uint64_t kRampPeriod = 65'536;
constexpr std::uint64_t kPhases = 32;
constexpr std::uint64_t kFrameBytesMax = std::uint64_t{1} << 30U;

/// Frames as windows of a buffer. Frame f starts at element `step * (f mod windows)`, or at a
/// random multiple of `step` below that.
class WindowSource final : public files::FrameSource {
 public:
  struct Windows {
    std::uint64_t count = 1;
    std::uint64_t step = 1;  ///< elements from one window to the next
    bool random = false;
  };

  WindowSource(const FrameFormat& format, const Windows& windows, std::uint64_t seed,
               std::vector<std::byte> buffer)
      : FrameSource(format),
        windows_(windows),
        seed_(seed),
        random_(seed),
        buffer_(std::move(buffer)) {}

  [[nodiscard]] Result<std::optional<FrameBytes>> next() override {
    const std::uint64_t window =
        windows_.random ? random_.below(windows_.count) : frame_ % windows_.count;
    ++frame_;
    return FrameBytes(buffer_).subspan(window * windows_.step * element_bytes(info().dtype),
                                       frame_bytes());
  }
  [[nodiscard]] Status rewind() override {
    frame_ = 0;
    random_ = Random(seed_);
    return {};
  }
  [[nodiscard]] std::optional<std::uint64_t> frame_count() const noexcept override {
    return std::nullopt;
  }

 private:
  Windows windows_;
  std::uint64_t seed_;
  Random random_;
  std::uint64_t frame_ = 0;
  std::vector<std::byte> buffer_;
};

/// Fills with `make(i)`, one after the other, converted to T.
template <class T, class Make>
void fill(std::span<std::byte> buffer, Make make) {
  for (std::size_t at = 0, i = 0; at < buffer.size(); at += sizeof(T), ++i) {
    const T value = static_cast<T>(make(i));
    std::memcpy(buffer.data() + at, &value, sizeof(T));
  }
}

/// Fills elements of `dtype` from whole numbers: `make(i)` has 64 bits, of which integers keep the
/// low ones and floats take `to_float`.
template <class Make, class ToFloat>
void fill_as(Dtype dtype, std::span<std::byte> buffer, Make make, ToFloat to_float) {
  const auto floating = [&](std::size_t i) { return to_float(make(i)); };
  switch (dtype) {
    case Dtype::kFloat32:
      return fill<float>(buffer, floating);
    case Dtype::kFloat64:
      return fill<double>(buffer, floating);
    case Dtype::kBoolean:
      return fill<std::uint8_t>(buffer, [&](std::size_t i) { return make(i) & 1U; });
    default:
      break;
  }
  switch (element_bytes(dtype)) {
    case 1:
      return fill<std::uint8_t>(buffer, make);
    case 2:
      return fill<std::uint16_t>(buffer, make);
    case 4:
      return fill<std::uint32_t>(buffer, make);
    default:
      return fill<std::uint64_t>(buffer, make);
  }
}

WindowSource::Windows fill_ramp(const FrameFormat& format, std::vector<std::byte>& buffer) {
  const std::size_t element = element_bytes(format.info.dtype);
  const std::uint64_t period = element == 1 ? 256 : kRampPeriod;
  buffer.resize(format.bytes + (period - 1) * element);
  fill_as(
      format.info.dtype, buffer, [](std::size_t i) { return i % kRampPeriod; },
      [](std::uint64_t value) { return static_cast<double>(value); });
  return {.count = period};
}

WindowSource::Windows fill_noise(const FrameFormat& format, std::uint64_t seed,
                                 std::vector<std::byte>& buffer) {
  buffer.resize(format.bytes + (kNoiseWindows - 1) * element_bytes(format.info.dtype));
  Random random(seed);
  fill_as(
      format.info.dtype, buffer, [&](std::size_t) { return random.next(); },
      [](std::uint64_t value) { return static_cast<double>(value >> 40U) * 0x1p-24; });
  return {.count = kNoiseWindows, .random = true};
}

/// The spots of a Shack-Hartmann sensor: one in the middle of each 32 x 32 subaperture.
class Camera {
 public:
  Camera(std::size_t height, std::size_t width, std::uint64_t seed)
      : height_(height), width_(width), random_(seed) {}

  void render(std::span<std::uint16_t> frames) {
    for (std::uint16_t& pixel : frames) {
      pixel = static_cast<std::uint16_t>(kBackground + (random_.next() & kNoiseMask));
    }
    for (std::size_t y = kPitch / 2; y + kPitch / 2 <= height_; y += kPitch) {
      for (std::size_t x = kPitch / 2; x + kPitch / 2 <= width_; x += kPitch) {
        render_spot(frames, y, x);
      }
    }
  }

 private:
  static constexpr std::size_t kPitch = 32;
  static constexpr std::size_t kReach = 8;  // half the side of a spot's stamp
  static constexpr double kSigma = 1.6;
  static constexpr double kPeak = 12'000;
  static constexpr std::uint16_t kBackground = 96;
  static constexpr std::uint64_t kNoiseMask = 15;
  using Profile = std::array<double, 2 * kReach>;

  /// Circles of all spots together (tip and tilt) and of each by itself, closed over the phases.
  void render_spot(std::span<std::uint16_t> frames, std::size_t y, std::size_t x) {
    const double start = unit() * 2 * std::numbers::pi;
    const double turns = 1 + static_cast<double>(random_.below(3));
    const double radius = 0.5 + unit();
    for (std::size_t phase = 0; phase < kPhases; ++phase) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(phase) / kPhases;
      const Profile across =
          profile(2 * std::cos(angle) + radius * std::cos(turns * angle + start));
      const Profile down = profile(2 * std::sin(angle) + radius * std::sin(turns * angle + start));
      const std::span<std::uint16_t> frame =
          frames.subspan(phase * height_ * width_, height_ * width_);
      for (std::size_t i = 0; i < down.size(); ++i) {
        std::uint16_t* row = &frame[(y - kReach + i) * width_ + x - kReach];
        for (std::size_t j = 0; j < across.size(); ++j) {
          row[j] = static_cast<std::uint16_t>(row[j] + kPeak * down[i] * across[j]);
        }
      }
    }
  }
  /// A Gaussian of height 1 around the middle plus `offset`.
  static Profile profile(double offset) {
    Profile values{};
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double distance = static_cast<double>(i) - static_cast<double>(kReach) - offset;
      values[i] = std::exp(-distance * distance / (2 * kSigma * kSigma));
    }
    return values;
  }
  double unit() { return static_cast<double>(random_.next() >> 40U) * 0x1p-24; }

  std::size_t height_;
  std::size_t width_;
  Random random_;
};

[[nodiscard]] Result<WindowSource::Windows> fill_camera(const FrameFormat& format,
                                                        std::uint64_t seed,
                                                        std::vector<std::byte>& buffer) {
  if (format.info.ndims != 2 || format.info.dtype != Dtype::kUint16) {
    return fail(Errc::kInvalidArgument, "--sim camera: two dimensions of u2", format.info.ndims, 2);
  }
  const auto height = static_cast<std::size_t>(format.info.dims[0]);
  const auto width = static_cast<std::size_t>(format.info.dims[1]);
  std::vector<std::uint16_t> frames(kPhases * height * width);
  Camera(height, width, seed).render(frames);
  const auto bytes = std::as_bytes(std::span(frames));
  buffer.assign(bytes.begin(), bytes.end());
  return WindowSource::Windows{.count = kPhases, .step = height * width};
}

}  // namespace

Result<Simulation> parse_simulation(std::string_view text) {
  if (text == "camera") {
    return Simulation::kCamera;
  }
  if (text == "ramp") {
    return Simulation::kRamp;
  }
  if (text == "noise") {
    return Simulation::kNoise;
  }
  return fail(files::file_error(Errc::kInvalidArgument, text, "--sim takes camera, ramp or noise"));
}

Result<std::unique_ptr<files::FrameSource>> make_simulation(const SimulationOptions& options) {
  const auto format =
      files::frame_format(options.dtype, MajorOrder::kRow, options.shape, "simulation");
  if (!format) {
    return fail(format.error());
  }
  if (format->bytes == 0 || format->bytes > kFrameBytesMax) {
    return fail(Errc::kInvalidArgument, "simulation: bytes of a frame", format->bytes,
                kFrameBytesMax);
  }
  std::vector<std::byte> buffer;
  Result<WindowSource::Windows> windows = WindowSource::Windows{};
  switch (options.simulation) {
    case Simulation::kCamera:
      windows = fill_camera(*format, options.seed, buffer);
      break;
    case Simulation::kRamp:
      windows = fill_ramp(*format, buffer);
      break;
    case Simulation::kNoise:
      windows = fill_noise(*format, options.seed, buffer);
      break;
  }
  if (!windows) {
    return fail(windows.error());
  }
  return std::make_unique<WindowSource>(*format, *windows, options.seed, std::move(buffer));
}

}  // namespace tensorpool::inline v0::apps::sources
