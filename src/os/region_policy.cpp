#include "os/region_policy.hpp"

#include <cerrno>

#include "base/reason.hpp"
#include "core/region/containment.hpp"

namespace tensorpool::inline v0::os {
namespace {

[[nodiscard, gnu::cold]] Error bad_base(std::string_view reason, std::string_view directory,
                                        int os_errno = 0) noexcept {
  Error error = base::make_reason(Errc::kInvalidArgument, reason, directory);
  error.os_errno = os_errno;
  return error;
}

}  // namespace

Result<std::string> canonical_base_dir(Syscalls& calls, std::string_view directory) {
  if (directory.empty() || directory.front() != '/') {
    return fail(bad_base("base directory is not absolute", directory));
  }
  std::string canonical;
  if (calls.realpath(std::string(directory).c_str(), canonical) != 0) {
    return fail(bad_base("base directory cannot be resolved", directory, errno));
  }
  struct stat found {};
  if (calls.lstatat(AT_FDCWD, canonical.c_str(), found) != 0) {
    return fail(bad_base("base directory cannot be examined", directory, errno));
  }
  if (!S_ISDIR(found.st_mode)) {
    return fail(bad_base("base directory is no directory", directory));
  }
  if (canonical == "/") {
    return fail(bad_base("base directory resolves to /", directory));
  }
  return canonical;
}

Result<RegionPolicy> RegionPolicy::create(Syscalls& calls, Options options) {
  std::vector<std::string> bases;
  for (const std::string& directory : options.allowed_base_dirs) {
    auto canonical = canonical_base_dir(calls, directory);
    if (!canonical) {
      return fail(canonical.error());
    }
    bases.push_back(*std::move(canonical));
  }
  const OpenVariant variant =
      options.open_variant ? *options.open_variant : probe_open_variant(calls);
  return RegionPolicy(std::move(options), std::move(bases), variant);
}

Result<CanonicalPath> RegionPolicy::contain(std::string_view canonical) const noexcept {
  for (const std::string& base : bases_) {
    if (const std::string_view rest = core::region::rest_below(base, canonical); !rest.empty()) {
      return CanonicalPath{.base = base, .rest = rest};
    }
  }
  return fail(base::make_reason(Errc::kPathRejected, "below no allowed base directory", canonical)
                  .of_field(Field::kPath));
}

}  // namespace tensorpool::inline v0::os
