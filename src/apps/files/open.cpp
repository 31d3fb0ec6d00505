#include "apps/files/open.hpp"

#include <unistd.h>

#include <filesystem>

#include "apps/files/directory.hpp"
#include "apps/files/fits.hpp"
#include "apps/files/input.hpp"
#include "apps/files/npy.hpp"
#include "apps/files/png.hpp"
#include "apps/files/pnm.hpp"
#include "apps/files/raw.hpp"

namespace tensorpool::inline v0::apps::files {
namespace {

constexpr std::string_view kExtensions[] = {".npy", ".fits", ".fit", ".fts",
                                            ".png", ".pgm",  ".ppm", ".pnm"};

bool starts_with(FrameBytes bytes, std::string_view magic) {
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())
      .starts_with(magic);
}

[[nodiscard]] Result<FrameFormat> raw_format(const SourceOptions& options, std::string_view name) {
  if (options.shape.empty() || options.dtype == Dtype::kUnknown) {
    return fail(file_error(Errc::kInvalidArgument, name, "raw input needs --shape and --dtype"));
  }
  return frame_format(options.dtype, MajorOrder::kRow, options.shape, name);
}

Result<std::unique_ptr<FrameSource>> open_file(const std::string& path,
                                               const SourceOptions& options) {
  auto input = open_input(path);
  if (!input) {
    return fail(input.error());
  }
  auto bytes = FileBytes::map(*input, path);
  if (!bytes) {
    return fail(bytes.error());
  }
  const FrameBytes file = bytes->view();
  const bool npy = starts_with(file, kNpyMagic);
  const bool fits = starts_with(file, kFitsMagic);
  const bool png = starts_with(file, kPngMagic);
  if (!options.shape.empty() || options.dtype != Dtype::kUnknown) {
    if (npy || fits || png) {
      return fail(file_error(Errc::kInvalidArgument, path,
                             "it has a header: leave out --shape and --dtype"));
    }
    const auto format = raw_format(options, path);
    return format ? read_raw(std::move(*bytes), *format, path) : fail(format.error());
  }
  if (npy) {
    return read_npy(std::move(*bytes), options.arrangement, path);
  }
  if (fits) {
    return read_fits(std::move(*input), options.arrangement, path);
  }
  if (png) {
    return read_png(file, path);
  }
  if (looks_like_pnm(file)) {
    return read_pnm(file, path);
  }
  return fail(file_error(Errc::kFileFormat, path, "unknown; raw needs --shape and --dtype"));
}

}  // namespace

Result<std::unique_ptr<FrameSource>> open_source(const SourceOptions& options) {
  if (options.from == "-") {
    const auto format = raw_format(options, "standard input");
    if (!format) {
      return fail(format.error());
    }
    return StreamSource::create(
        {.frame = *format, .fd = STDIN_FILENO, .name = "standard input", .stop = options.stop});
  }
  std::error_code ignored;
  if (!std::filesystem::is_directory(options.from, ignored)) {
    return open_file(options.from, options);
  }
  SourceOptions each = options;
  if (each.arrangement == Arrangement::kAuto) {
    each.arrangement = Arrangement::kOne;
  }
  std::vector<std::string_view> extensions;
  if (options.shape.empty()) {
    extensions.assign(std::begin(kExtensions), std::end(kExtensions));
  }
  return DirectorySource::create(options.from, extensions,
                                 [each](const std::string& path) { return open_file(path, each); });
}

Result<std::unique_ptr<FrameSink>> open_sink(const SinkOptions& options) {
  const std::filesystem::path path = options.to;
  const std::string extension = path.extension().string();
  std::error_code ignored;
  if (options.to == "-") {
    return std::make_unique<StreamSink>(
        StreamSink::Options{.fd = STDOUT_FILENO, .name = "standard output", .stop = options.stop});
  }
  if (options.to.ends_with('/') || std::filesystem::is_directory(path, ignored)) {
    return DirectorySink::create(options.to);
  }
  if (extension == ".npy") {
    return StackSink::create(options.to, kNpyStack);
  }
  if (extension == ".fits" || extension == ".fit" || extension == ".fts") {
    return StackSink::create(options.to, kFitsCube);
  }
  return fail(file_error(Errc::kInvalidArgument, options.to,
                         "write to NAME.npy, NAME.fits, a directory/ or -"));
}

}  // namespace tensorpool::inline v0::apps::files
