#include "os/create_region.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/reason.hpp"
#include "os/process.hpp"
#include "os/region_policy.hpp"

namespace tensorpool::inline v0::os {
namespace {

using core::region::ExpectedRegion;

constexpr int kEpochAttempts = 64;
/// Allocated in pieces, since a signal makes the whole of one call begin anew.
constexpr std::uint64_t kAllocationStep = 64ULL << 20U;

[[nodiscard]] constexpr mode_t file_mode(const OwnerOptions& options) noexcept {
  return options.private_files ? 0600 : 0660;
}

/// Refuses what would not fit, with both numbers, before anything is allocated.
[[nodiscard]] Status check_free_space(Syscalls& calls, const Directory& directory,
                                      const std::vector<ExpectedRegion>& regions,
                                      std::uint64_t page_bytes) {
  const auto free = free_bytes(calls, directory);
  if (!free) {
    return fail(free.error());
  }
  const std::uint64_t needed = sum_of_bytes(regions, std::max(page_bytes, kSmallestBlock));
  if (needed > *free) {
    return fail(base::make_reason(Errc::kNoSpace, "more than the free bytes", directory.path,
                                  needed, *free));
  }
  return {};
}

[[nodiscard]] Result<EpochFiles> create_epoch(Syscalls& calls, const OwnerOptions& options,
                                              std::uint32_t stream_id, Nanos now_real) {
  const auto place = place_of(options, stream_id);
  if (!place) {
    return fail(place.error());
  }
  const auto base = canonical_base_dir(calls, options.base_dir);
  if (!base) {
    return fail(base.error());
  }
  const mode_t mode = core::region::directory_mode(file_mode(options));
  auto stream_directory = open_levels(calls, *base, place->levels(), DirectoryAccess{.mode = mode});
  if (!stream_directory) {
    return fail(stream_directory.error());
  }
  return create_next_epoch(calls, *stream_directory, now_real, mode);
}

[[nodiscard]] Result<NewRegion> create_file(Syscalls& calls, EpochFiles& files,
                                            const ExpectedRegion& region,
                                            const OwnerOptions& options, std::uint64_t page_bytes) {
  auto created = NewRegion::create(calls, files, region, page_bytes);
  if (!created) {
    return created;
  }
  Status done;
  for (std::uint64_t at = 0; done && at < created->bytes(); at += kAllocationStep) {
    done = created->allocate(
        {.offset = at, .bytes = std::min(kAllocationStep, created->bytes() - at)});
  }
  done = done.and_then([&] { return created->give_access({.mode = file_mode(options)}); })
             .and_then([&] { return created->map(options.populate); });
  if (!done) {
    return fail(done.error());
  }
  return created;
}

/// All files first, then all superblocks (W148).
[[nodiscard]] Result<MappedStream> create_files(Syscalls& calls, EpochFiles& files,
                                                const std::vector<ExpectedRegion>& regions,
                                                const OwnerOptions& options,
                                                std::uint64_t page_bytes, base::Now now) {
  std::vector<NewRegion> created;
  for (const ExpectedRegion& region : regions) {
    auto file = create_file(calls, files, region, options, page_bytes);
    if (!file) {
      return fail(file.error());
    }
    created.push_back(*std::move(file));
  }
  std::vector<MappedRegion> mapped;
  for (NewRegion& file : created) {
    auto region = std::move(file).finish(now.mono);
    if (!region) {
      return fail(region.error());
    }
    mapped.push_back(*std::move(region));
  }
  return assemble(std::move(mapped));
}

}  // namespace

Result<core::region::StreamPlace> place_of(const OwnerOptions& options, std::uint32_t stream_id) {
  if (Status valid = core::region::check_namespace(options.name_space); !valid) {
    return fail(valid.error());
  }
  const std::string user = options.user.empty() ? effective_user_name() : options.user;
  return core::region::StreamPlace{.user = core::region::sanitized_user(user, ::geteuid()),
                                   .name_space = options.name_space,
                                   .stream_id = stream_id};
}

Result<EpochFiles> create_next_epoch(Syscalls& calls, const Directory& stream_directory,
                                     Nanos now_real, mode_t mode) {
  const auto existing = list_numbered(calls, stream_directory, layout::kEpochMax);
  if (!existing) {
    return fail(existing.error());
  }
  std::uint64_t highest = existing->empty() ? 0 : existing->back();
  for (int attempt = 0; attempt < kEpochAttempts; ++attempt) {
    const auto epoch = core::region::choose_epoch(highest, now_real);
    if (!epoch) {
      return fail(epoch.error());
    }
    auto files = EpochFiles::create(calls, stream_directory, *epoch, {.mode = mode});
    if (files || files.error().code != Errc::kAlreadyExists) {
      return files;
    }
    highest = *epoch;  // somebody else took it meanwhile: W143
  }
  return fail(base::make_reason(Errc::kAlreadyExists, "others take each epoch first",
                                stream_directory.path, highest));
}

Result<OwnedStream> OwnedStream::create(Syscalls& calls, const OwnerOptions& options,
                                        const core::region::StreamGeometry& geometry,
                                        base::Now now) {
  auto created = core::region::check_geometry(geometry).and_then(
      [&] { return create_all(calls, options, geometry, now); });
  if (!created) {
    return fail(created.error().in_stream(geometry.stream_id));
  }
  return created;
}

Result<OwnedStream> OwnedStream::create_all(Syscalls& calls, const OwnerOptions& options,
                                            const core::region::StreamGeometry& geometry,
                                            base::Now now) {
  auto files = create_epoch(calls, options, geometry.stream_id, now.real);
  if (!files) {
    return fail(files.error());
  }
  const Directory& directory = files->directory();
  const std::vector<ExpectedRegion> regions = regions_of(geometry, files->epoch());
  auto plan = plan_epoch(regions, directory.path, options.require_hugepages);
  if (!plan) {
    return fail(plan.error());
  }
  const auto page =
      file_page_bytes(calls, directory.fd.get(), directory.path, options.require_hugepages);
  if (!page) {
    return fail(page.error());
  }
  if (Status fits = check_free_space(calls, directory, regions, *page); !fits) {
    return fail(fits.error());
  }
  auto mapped = create_files(calls, *files, regions, options, *page, now);
  if (!mapped) {
    return fail(mapped.error());
  }
  if (!options.remove_on_close) {
    files->keep();
  }
  return OwnedStream(*std::move(files), *std::move(mapped), *std::move(plan));
}

}  // namespace tensorpool::inline v0::os
