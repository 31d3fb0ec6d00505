// What `--from` and `--to` name, made into a source or a sink. The doors of this folder.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/files/format.hpp"
#include "apps/files/frame_sink.hpp"
#include "apps/files/frame_source.hpp"

namespace tensorpool::inline v0::apps::files {

struct SourceOptions {
  std::string from;  ///< a file, a directory, or `-` for standard input
  /// `--shape` and `--dtype`, of raw input; for every other format they have to be absent.
  std::vector<std::uint64_t> shape = {};
  Dtype dtype = Dtype::kUnknown;
  /// `--as`. Of the files of a directory, kAuto takes each as one frame.
  Arrangement arrangement = Arrangement::kAuto;
  /// Ends a wait for standard input when set; null for none. Outlives the source.
  const std::atomic<bool>* stop = nullptr;
};

/// Tells formats apart by their first bytes, never by their names; in a directory takes the files
/// with a known extension, or all when a shape is given.
[[nodiscard]] Result<std::unique_ptr<FrameSource>> open_source(const SourceOptions& options);

struct SinkOptions {
  std::string to;  ///< FILE.npy, FILE.fits, a directory (existing, or with a slash at its end), `-`
  const std::atomic<bool>* stop = nullptr;  ///< ends a wait for the reader of standard output
};

/// Precondition: SIGPIPE is ignored where standard output may be a pipe.
[[nodiscard]] Result<std::unique_ptr<FrameSink>> open_sink(const SinkOptions& options);

}  // namespace tensorpool::inline v0::apps::files
