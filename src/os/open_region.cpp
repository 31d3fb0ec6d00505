#include "os/open_region.hpp"

#include <cerrno>
#include <string>

#include "base/reason.hpp"
#include "core/region/uri.hpp"

namespace tensorpool::inline v0::os {
namespace {

using core::region::ExpectedRegion;
using core::region::PlannedRegion;

[[nodiscard, gnu::cold]] Error refuse(std::string_view reason, std::string_view path,
                                      int os_errno = 0) noexcept {
  Error error = base::make_reason(Errc::kPathRejected, reason, path).of_field(Field::kPath);
  error.os_errno = os_errno;
  return error;
}

/// Step 4: only regular files. W123, W126.
[[nodiscard]] Status check_regular(const struct stat& file, std::string_view path) noexcept {
  const struct {
    mode_t kind;
    std::string_view reason;
  } kinds[] = {{S_IFDIR, "is a directory"},
               {S_IFLNK, "is a symbolic link"},
               {S_IFIFO, "is a FIFO"},
               {S_IFSOCK, "is a socket"},
               {S_IFCHR, "is a character device"},
               {S_IFBLK, "is a block device"}};
  for (const auto& [kind, reason] : kinds) {
    if ((file.st_mode & S_IFMT) == kind) {
      return fail(refuse(reason, path));
    }
  }
  return S_ISREG(file.st_mode) ? Status() : Status(fail(refuse("is no regular file", path)));
}

/// Step 7. W127.
[[nodiscard]] Status check_permissions(const RegionPolicy::Options& options,
                                       const struct stat& file, std::string_view path) noexcept {
  const auto refuse_permission = [&](Field field, std::string_view reason, std::uint64_t value,
                                     std::uint64_t limit) {
    return fail(
        base::make_reason(Errc::kPermissionRejected, reason, path, value, limit).of_field(field));
  };
  const mode_t mode = file.st_mode & 07777;
  if ((mode & options.forbidden_mode_bits) != 0) {
    return refuse_permission(Field::kMode, "forbidden permission bits", mode,
                             mode & ~options.forbidden_mode_bits);
  }
  if (options.expected_uid && file.st_uid != *options.expected_uid) {
    return refuse_permission(Field::kUid, "foreign owner", file.st_uid, *options.expected_uid);
  }
  if (options.expected_gid && file.st_gid != *options.expected_gid) {
    return refuse_permission(Field::kGid, "foreign group", file.st_gid, *options.expected_gid);
  }
  return {};
}

/// An open file that passed steps 2 to 7.
struct OpenFile {
  UniqueFd fd;
  std::uint64_t bytes = 0;
};

/// Steps 2 to 7: from the path to a descriptor of the very file that was looked at.
[[nodiscard]] Result<OpenFile> open_file(Syscalls& calls, const RegionPolicy& policy,
                                         const std::string& path, Access access) {
  std::string canonical;
  if (calls.realpath(path.c_str(), canonical) != 0) {
    return fail(refuse("cannot be resolved", path, errno));
  }
  const auto contained = policy.contain(canonical);
  if (!contained) {
    return fail(contained.error());
  }
  struct stat looked_at {};
  if (calls.lstatat(AT_FDCWD, canonical.c_str(), looked_at) != 0) {
    return fail(refuse("cannot be examined", canonical, errno));
  }
  if (Status regular = check_regular(looked_at, canonical); !regular) {
    return fail(regular.error());
  }
  const int flags = (access == Access::kReadOnly ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY;
  auto fd = open_canonical(calls, policy.open_variant(), *contained, flags);
  if (!fd) {
    return fail(fd.error().of_field(Field::kPath));
  }
  struct stat opened {};
  if (calls.fstat(fd->get(), opened) != 0) {
    return fail(refuse("cannot be examined once open", canonical, errno));
  }
  if (Status regular = check_regular(opened, canonical); !regular) {
    return fail(regular.error());
  }
  if (opened.st_dev != looked_at.st_dev || opened.st_ino != looked_at.st_ino) {
    return fail(refuse("was replaced while it was opened", canonical));
  }
  if (Status permitted = check_permissions(policy.options(), opened, canonical); !permitted) {
    return fail(permitted.error());
  }
  return OpenFile{.fd = *std::move(fd), .bytes = static_cast<std::uint64_t>(opened.st_size)};
}

[[nodiscard]] Result<MappedRegion> open_parsed(Syscalls& calls, const RegionPolicy& policy,
                                               const core::region::RegionUri& uri,
                                               const ExpectedRegion& expected, Access access) {
  const std::string path(uri.path);
  auto file = open_file(calls, policy, path, access);
  if (!file) {
    return fail(file.error());
  }
  const RegionPolicy::Options& options = policy.options();
  const auto page = file_page_bytes(calls, file->fd.get(), path,  // step 8, W128
                                    uri.require_hugepages || options.require_hugepages);
  if (!page) {
    return fail(page.error());
  }
  if (options.forbid_hugepages && *page != kOrdinaryPages) {
    return fail(
        base::make_reason(Errc::kHugepagesForbidden, "on hugetlbfs, pages of", path, *page));
  }
  if (file->bytes < expected.bytes()) {  // step 9, W129
    return fail(base::make_reason(Errc::kRegionTooSmall, "file is too short", path, file->bytes,
                                  expected.bytes()));
  }
  auto mapping = Mapping::create(calls, file->fd.get(),  // step 10, W131
                                 {.bytes = expected.bytes(),
                                  .page_bytes = *page,
                                  .access = access,
                                  .populate = options.populate});
  if (!mapping) {
    return fail(mapping.error());
  }
  if (options.lock) {
    if (const Status locked = mapping->lock(calls, 0, mapping->bytes()); !locked) {
      return fail(locked.error());
    }
  }
  return MappedRegion::create(std::move(file->fd), *std::move(mapping), expected);  // step 11, W132
}

}  // namespace

Result<MappedRegion> open_region(Syscalls& calls, const RegionPolicy& policy,
                                 const PlannedRegion& region, Access access) {
  const auto uri = core::region::parse_region_uri(region.uri);  // step 1, W120
  if (!uri) {
    return fail(locate(uri.error(), region.expected));
  }
  for (const Status& possible :
       {core::region::check_shape(region.expected),
        core::region::check_region_bytes(region.expected, policy.options().max_region_bytes)}) {
    if (!possible) {
      return fail(possible.error());
    }
  }
  auto mapped = open_parsed(calls, policy, *uri, region.expected, access);
  if (!mapped) {
    return fail(locate(mapped.error(), region.expected));
  }
  return mapped;
}

Result<MappedStream> open_stream(Syscalls& calls, const RegionPolicy& policy,
                                 const core::region::MappingPlan& plan, Access access) {
  auto header_ring = open_region(calls, policy, plan.header_ring, access);
  if (!header_ring) {
    return fail(header_ring.error());
  }
  MappedStream stream{.header_ring = *std::move(header_ring), .pools = {}};
  stream.pools.reserve(plan.pools.size());
  for (const PlannedRegion& region : plan.pools) {
    auto pool = open_region(calls, policy, region, access);
    if (!pool) {
      return fail(pool.error());
    }
    stream.pools.push_back(*std::move(pool));
  }
  return stream;
}

}  // namespace tensorpool::inline v0::os
