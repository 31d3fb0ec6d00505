// Creates the files of one epoch of a stream, maps them for writing and removes them at the end.
//
// For standalone owners (producers without a driver). Spec: §1.8 (W137..W153), §1.21 (W407..W413).
//
//   auto stream = OwnedStream::create(system_calls(), {}, geometry, clock.now());
//   announce(stream->plan());          // the first announce may be sent at once (W148)
//   stream->regions().store_activity(clock.mono());   // once per announce period (W212)
//
// Thread contract: an object with one owner. In a forked child it does nothing and removes nothing.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.hpp"
#include "core/region/directories.hpp"
#include "core/region/plan.hpp"
#include "os/directory.hpp"
#include "os/epoch_files.hpp"
#include "os/mapped_region.hpp"
#include "os/syscalls.hpp"

namespace tensorpool::inline v0::os {

/// Where an owner creates its files, and how.
struct OwnerOptions {
  std::string base_dir = "/dev/shm";
  std::string name_space = "default";
  std::string user = {};       ///< empty: the effective user
  bool private_files = false;  ///< 0600 and 0700 instead of 0660 and 2770 (W149, W150)
  bool require_hugepages = false;
  bool remove_on_close = true;  ///< W152
  bool populate = false;        ///< MAP_POPULATE
};

/// The place of a stream's epochs under `options`; `invalid_argument` for a bad namespace.
[[nodiscard]] Result<core::region::StreamPlace> place_of(const OwnerOptions& options,
                                                         std::uint32_t stream_id);

/// The directory of the first free epoch from `choose_epoch` on (W141, W143, W410).
[[nodiscard]] Result<EpochFiles> create_next_epoch(Syscalls& calls,
                                                   const Directory& stream_directory,
                                                   Nanos now_real, mode_t mode);

/// A running epoch: files, read-write mappings, and what to announce.
class OwnedStream {
 public:
  /// Creates everything or nothing. `invalid_argument`, `stride_invalid`, `path_rejected`,
  /// `no_space`, `hugepages_required`, `epoch_exhausted`, `limit_reached` or `os_failure`.
  /// `calls` outlives the stream.
  [[nodiscard]] static Result<OwnedStream> create(Syscalls& calls, const OwnerOptions& options,
                                                  const core::region::StreamGeometry& geometry,
                                                  base::Now now);

  /// Ends the epoch for others before its memory goes with this object (W152).
  void remove_files() noexcept { files_.remove(); }
  [[nodiscard]] const MappedStream& regions() const noexcept { return regions_; }
  /// Regions with the URIs to announce (W111, W115).
  [[nodiscard]] const core::region::MappingPlan& plan() const noexcept { return plan_; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return plan_.epoch(); }

 private:
  OwnedStream(EpochFiles files, MappedStream regions, core::region::MappingPlan plan) noexcept
      : files_(std::move(files)), regions_(std::move(regions)), plan_(std::move(plan)) {}
  [[nodiscard]] static Result<OwnedStream> create_all(Syscalls& calls, const OwnerOptions& options,
                                                      const core::region::StreamGeometry& geometry,
                                                      base::Now now);

  EpochFiles files_;
  MappedStream regions_;
  core::region::MappingPlan plan_;
};

}  // namespace tensorpool::inline v0::os
