#include "os/mapped_region.hpp"

#include <algorithm>
#include <cerrno>

#include "base/assert.hpp"
#include "base/atomics.hpp"

namespace tensorpool::inline v0::os {
namespace {

using base::DefaultAtom;
using core::region::ExpectedRegion;

/// A mapping begins at a page, so its words are aligned.
[[nodiscard]] core::region::SuperblockWords<DefaultAtom> words_of(const Mapping& mapping) noexcept {
  return core::region::SuperblockWords<DefaultAtom>(
      reinterpret_cast<DefaultAtom::Word*>(mapping.data()), layout::kSuperblockWords);
}

}  // namespace

Result<MappedRegion> MappedRegion::create(UniqueFd fd, Mapping mapping,
                                          const ExpectedRegion& expected) {
  TP_ASSERT(mapping.bytes() >= expected.bytes());
  MappedRegion region(std::move(fd), std::move(mapping), expected);
  const layout::Superblock found = region.superblock();
  if (Status same = core::region::check_superblock(found, expected); !same) {
    return fail(same.error());
  }
  region.pid_ = found.pid;
  return region;
}

std::span<std::byte> MappedRegion::writable_bytes() const noexcept {
  TP_ASSERT(access() == Access::kReadWrite);
  return {mapping_.data(), expected_.bytes()};
}

layout::Superblock MappedRegion::superblock() const noexcept {
  return core::region::load_superblock<DefaultAtom>(words_of(mapping_));
}

std::uint64_t MappedRegion::activity_ns() const noexcept {
  return core::region::load_activity<DefaultAtom>(words_of(mapping_));
}

void MappedRegion::store_activity(Nanos now_mono) const noexcept {
  TP_ASSERT(access() == Access::kReadWrite);
  core::region::store_activity<DefaultAtom>(words_of(mapping_),
                                            static_cast<std::uint64_t>(now_mono.count()));
}

Result<bool> MappedRegion::is_file(Syscalls& calls, const struct stat& named) const {
  struct stat file {};
  if (calls.fstat(fd_.get(), file) != 0) {
    return fail(locate(make_os_error(Errc::kOsFailure, "fstat", errno), expected_));
  }
  return file.st_dev == named.st_dev && file.st_ino == named.st_ino;
}

Status MappedRegion::check_not_shrunk(Syscalls& calls) const {
  struct stat file {};
  if (calls.fstat(fd_.get(), file) != 0) {
    return fail(locate(make_os_error(Errc::kOsFailure, "fstat", errno), expected_));
  }
  const auto size = static_cast<std::uint64_t>(file.st_size);
  if (size < expected_.bytes()) {
    return fail(locate(
        make_error(Errc::kRegionTooSmall, "the file has become smaller", size, expected_.bytes()),
        expected_));
  }
  return {};
}

Status MappedRegion::recheck(Syscalls& calls, const ExpectedRegion& announced) const {
  if (Status whole = check_not_shrunk(calls); !whole) {  // first: the rest would raise SIGBUS
    return whole;
  }
  const layout::Superblock found = superblock();
  if (Status same = core::region::check_superblock(found, announced); !same) {
    return same;
  }
  if (found.pid != pid_) {
    return fail(
        locate(make_error(Errc::kSuperblockMismatch, {}, found.pid, pid_).of_field(Field::kPid),
               expected_));
  }
  return {};
}

const MappedRegion* MappedStream::find_pool(std::uint16_t pool_id) const noexcept {
  const auto found = std::find_if(pools.begin(), pools.end(), [&](const MappedRegion& pool) {
    return pool.expected().pool_id == pool_id;
  });
  return found == pools.end() ? nullptr : &*found;
}

void MappedStream::store_activity(Nanos now_mono) const noexcept {
  header_ring.store_activity(now_mono);
  for (const MappedRegion& pool : pools) {
    pool.store_activity(now_mono);
  }
}

Status MappedStream::recheck(Syscalls& calls, const core::region::MappingPlan& announced) const {
  if (Status same = header_ring.recheck(calls, announced.header_ring.expected); !same) {
    return same;
  }
  if (announced.pools.size() != pools.size()) {
    return fail(locate(make_error(Errc::kSuperblockMismatch, "the set of pools has changed",
                                  announced.pools.size(), pools.size())
                           .of_field(Field::kPayloadPools),
                       header_ring.expected()));
  }
  for (const auto& [expected, uri] : announced.pools) {
    const MappedRegion* pool = find_pool(expected.pool_id);
    if (pool == nullptr) {
      return fail(locate(
          make_error(Errc::kSuperblockMismatch, "a pool that is not mapped", expected.pool_id)
              .of_field(Field::kPoolId),
          expected));
    }
    if (Status same = pool->recheck(calls, expected); !same) {
      return same;
    }
  }
  return {};
}

}  // namespace tensorpool::inline v0::os
