// The hostile table of open_region, over both ways to open without following symbolic links.
#include "os/open_region.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <functional>
#include <thread>

#include "core/region/uri.hpp"
#include "support/requirement.hpp"
#include "unit/os/faulty_syscalls.hpp"
#include "unit/os/fixture.hpp"

namespace tensorpool::os {
namespace {

namespace fs = std::filesystem;
using core::region::ExpectedRegion;
using core::region::MappingPlan;
using core::region::PlannedRegion;

[[nodiscard]] fs::path path_of(const PlannedRegion& region) {
  return core::region::parse_region_uri(region.uri)->path;
}

[[nodiscard]] PlannedRegion moved_to(PlannedRegion region, const std::string& path) {
  region.uri = core::region::format_region_uri({.path = path});
  return region;
}

/// The descriptors of this process that are open on `path`.
[[nodiscard]] std::set<int> descriptors_of(const fs::path& path) {
  std::set<int> found;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // the iterator's own descriptor is listed too
    if (fs::read_symlink(entry.path(), gone) == path) {
      found.insert(std::stoi(entry.path().filename()));
    }
  }
  return found;
}

[[nodiscard]] std::string name_of_variant(const ::testing::TestParamInfo<OpenVariant>& variant) {
  return variant.param == OpenVariant::kOpenat2 ? "openat2" : "walk";
}

/// A refusal has the right name, says where, and how to mend it.
void expect_refused(const Result<MappedRegion>& opened, Errc code, std::string_view what) {
  ASSERT_FALSE(opened.has_value()) << what;
  EXPECT_EQ(opened.error().code, code) << what << ": " << describe(opened.error());
  EXPECT_FALSE(opened.error().subject_view().empty() && opened.error().field == Field::kNone)
      << what;
  EXPECT_EQ(opened.error().stream_id, 10000U) << what;
  EXPECT_NE(opened.error().epoch, 0U) << what;
  EXPECT_NE(opened.error().region, kErrorRegionNone) << what;
  EXPECT_NE(describe(opened.error()).find("Fix: "), std::string::npos) << what;
}

class OpenRegion : public test::RegionTest, public ::testing::WithParamInterface<OpenVariant> {
 protected:
  [[nodiscard]] RegionPolicy::Options options() const {
    RegionPolicy::Options options = allow_base();
    options.open_variant = GetParam();
    return options;
  }
  [[nodiscard]] Result<MappedRegion> open(const PlannedRegion& region) {
    return open_region(system_calls(), policy(options()), region, Access::kReadOnly);
  }
  [[nodiscard]] Result<MappedRegion> open(const PlannedRegion& region,
                                          const RegionPolicy::Options& with) {
    return open_region(system_calls(), policy(with), region, Access::kReadOnly);
  }

  OwnedStream owned_ = create(test::small_geometry());
  const MappingPlan& plan_ = owned_.plan();
  const PlannedRegion& ring_ = plan_.header_ring;
  const PlannedRegion& pool_ = plan_.pools.front();
};

INSTANTIATE_TEST_SUITE_P(BothVariants, OpenRegion, ::testing::ValuesIn(test::open_variants()),
                         name_of_variant);

TEST_P(OpenRegion, maps_ring_and_pools_and_nothing_beyond_them) {
  TP_REQ("W120", "W130", "W131", "W132", "W134", "W231");
  fs::resize_file(path_of(pool_), fs::file_size(path_of(pool_)) + 100'000);
  const auto mapped = open_stream(system_calls(), policy(options()), plan_, Access::kReadOnly);
  ASSERT_TRUE(mapped.has_value()) << describe(mapped.error());
  EXPECT_EQ(mapped->epoch(), owned_.epoch());
  EXPECT_EQ(mapped->header_ring.bytes().size(), 64U + 8 * 256);
  ASSERT_EQ(mapped->pools.size(), 2U);
  EXPECT_EQ(mapped->pools[0].bytes().size(), 64U + 8 * 4096);
  EXPECT_EQ(mapped->header_ring.pid(), static_cast<std::uint64_t>(::getpid()));
  EXPECT_EQ(mapped->find_pool(2), &mapped->pools[1]);
  EXPECT_EQ(mapped->find_pool(3), nullptr);
}

TEST_P(OpenRegion, consumers_map_read_only_and_producers_read_write) {
  TP_REQ("W125", "W131");
  const struct {
    Access access;
    int flag;
    std::string_view permissions;
  } table[] = {{Access::kReadOnly, O_RDONLY, "r--s"}, {Access::kReadWrite, O_RDWR, "rw-s"}};
  const fs::path path = path_of(pool_);
  for (const auto& [access, flag, permissions] : table) {
    const std::set<int> before = descriptors_of(path);
    const auto mapped = open_region(system_calls(), policy(options()), pool_, access);
    ASSERT_TRUE(mapped.has_value()) << describe(mapped.error());
    std::set<int> opened = descriptors_of(path);
    for (const int fd : before) {
      opened.erase(fd);
    }
    ASSERT_EQ(opened.size(), 1U);
    EXPECT_NE(::fcntl(*opened.begin(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(::fcntl(*opened.begin(), F_GETFL) & O_ACCMODE, flag);
    EXPECT_NE(::fcntl(*opened.begin(), F_GETFL) & O_NONBLOCK, 0);
    char address[32];
    std::snprintf(address, sizeof(address), "%lx-",
                  reinterpret_cast<unsigned long>(mapped->bytes().data()));
    std::ifstream maps("/proc/self/maps");
    bool listed = false;
    for (std::string line; std::getline(maps, line);) {
      if (line.starts_with(address)) {
        listed = true;
        EXPECT_NE(line.find(permissions), std::string::npos) << line;
      }
    }
    EXPECT_TRUE(listed);
  }
}

struct Trap {
  const char* requirement;
  const char* what;
  std::function<PlannedRegion(const test::TemporaryDirectory& base, PlannedRegion region)> set;
  Errc code;
};

[[nodiscard]] std::vector<Trap> traps() {
  using Base = const test::TemporaryDirectory&;
  constexpr auto kPath = Errc::kPathRejected;
  const auto replaced = [](const PlannedRegion& region, auto make) {
    const fs::path path = path_of(region);
    fs::remove(path);
    make(path);
    return region;
  };
  return {
      {"W121", "absent", [=](Base, auto r) { return replaced(r, [](auto&&) {}); }, kPath},
      {"W121", "a component that is a file",
       [](Base, auto r) { return moved_to(r, path_of(r).string() + "/x"); }, kPath},
      {"W121", "a loop of symbolic links",
       [=](Base, auto r) {
         return replaced(r, [](auto& path) { fs::create_symlink(path, path); });
       },
       kPath},
      {"W123", "FIFO",
       [=](Base, auto r) {
         return replaced(r, [](auto& path) { ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0); });
       },
       kPath},
      {"W123", "socket",
       [=](Base, auto r) {
         return replaced(r, [](auto& path) {
           const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
           sockaddr_un address{};
           address.sun_family = AF_UNIX;
           ASSERT_LT(path.string().size(), sizeof(address.sun_path));
           std::strcpy(address.sun_path, path.c_str());
           ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
         });
       },
       kPath},
      {"W123", "directory",
       [=](Base, auto r) { return replaced(r, [](auto& path) { fs::create_directory(path); }); },
       kPath},
      {"W122", "the base directory itself",
       [](Base base, auto r) { return moved_to(r, base.path()); }, kPath},
      {"W122", "a path that climbs out with ..",
       [](Base base, auto r) { return moved_to(r, base / "../../../etc/passwd"); }, kPath},
      {"W122", "a directory whose name only begins alike",
       [](Base base, auto r) {
         const fs::path alike = base.path().string() + "2";
         fs::create_directory(alike);
         fs::rename(path_of(r), alike / "header.ring");
         return moved_to(r, alike / "header.ring");
       },
       kPath},
      {"W129", "short by one byte",
       [](Base, auto r) {
         fs::resize_file(path_of(r), r.expected.bytes() - 1);
         return r;
       },
       Errc::kRegionTooSmall},
      {"W129", "short by a page",
       [](Base, auto r) {
         fs::resize_file(path_of(r), r.expected.bytes() - 4096);
         return r;
       },
       Errc::kRegionTooSmall},
      {"W129", "empty",
       [](Base, auto r) {
         fs::resize_file(path_of(r), 0);
         return r;
       },
       Errc::kRegionTooSmall},
      {"W127", "writable by others",
       [](Base, auto r) {
         fs::permissions(path_of(r), fs::perms(0666));
         return r;
       },
       Errc::kPermissionRejected},
      {"W112", "hugepages demanded where there are none",
       [](Base, auto r) {
         r.uri += "|require_hugepages=true";
         return r;
       },
       Errc::kHugepagesRequired},
      {"W225", "no slots",
       [](Base, auto r) {
         r.expected.nslots = 0;
         return r;
       },
       Errc::kAnnounceInvalid},
      {"W225", "2^32-1 slots",
       [](Base, auto r) {
         r.expected.nslots = 0xFFFF'FFFF;
         return r;
       },
       Errc::kAnnounceInvalid},
      {"W40", "stride 100",
       [](Base, auto r) {
         r.expected.stride_bytes = 100;
         return r;
       },
       Errc::kStrideInvalid},
      {"W136", "larger than max_region_bytes",
       [](Base, auto r) {
         r.expected.nslots = 0x8000'0000;
         r.expected.stride_bytes = 0x8000'0000;
         return r;
       },
       Errc::kRegionTooLarge},
      {"W101", "another scheme",
       [](Base, auto r) {
         r.uri = "shm:mem?path=/a";
         return r;
       },
       Errc::kUriUnsupportedScheme},
      {"W231", "another stream's file",
       [](Base, auto r) {
         r.expected.epoch += 1;
         return r;
       },
       Errc::kSuperblockMismatch},
  };
}

TEST_P(OpenRegion, refuses_every_trap_by_name_and_leaves_nothing_open) {
  TP_REQ("W101", "W112", "W121", "W122", "W123", "W127", "W129", "W132", "W136", "W231");
  for (const Trap& trap : traps()) {
    SCOPED_TRACE(trap.what);
    const OwnedStream fresh = create(test::small_geometry());
    const PlannedRegion region = trap.set(base_, fresh.plan().pools.front());
    const test::Footprint before = footprint();
    expect_refused(open(region), trap.code, trap.what);
    EXPECT_EQ(footprint(), before);
  }
  fs::remove_all(base_.path().string() + "2");
}

TEST_P(OpenRegion, refuses_character_devices) {
  TP_REQ("W123");
  RegionPolicy::Options with = options();
  with.allowed_base_dirs = {"/dev"};
  expect_refused(open(moved_to(ring_, "/dev/null"), with), Errc::kPathRejected, "/dev/null");
}

TEST_P(OpenRegion, refuses_modes_and_owners_that_the_policy_forbids_with_both_numbers) {
  TP_REQ("W127");
  RegionPolicy::Options with = options();
  with.forbidden_mode_bits = 0022;
  auto opened = open(ring_, with);
  expect_refused(opened, Errc::kPermissionRejected, "group-writable");
  EXPECT_EQ(opened.error().field, Field::kMode);
  EXPECT_EQ(opened.error().value, 0660U);
  EXPECT_EQ(opened.error().limit, 0640U);

  with = options();
  with.expected_uid = ::geteuid() + 1;
  opened = open(ring_, with);
  expect_refused(opened, Errc::kPermissionRejected, "foreign owner");
  EXPECT_EQ(opened.error().field, Field::kUid);
  EXPECT_EQ(opened.error().value, ::geteuid());
  EXPECT_EQ(opened.error().limit, ::geteuid() + 1);

  with = options();
  with.expected_gid = ::getegid() + 1;
  opened = open(ring_, with);
  expect_refused(opened, Errc::kPermissionRejected, "foreign group");
  EXPECT_EQ(opened.error().field, Field::kGid);

  with.expected_uid = ::geteuid();
  with.expected_gid = ::getegid();
  EXPECT_TRUE(open(ring_, with).has_value());
}

TEST_P(OpenRegion, demands_hugepages_when_the_configuration_does) {
  TP_REQ("W112", "W128");
  RegionPolicy::Options with = options();
  with.require_hugepages = true;
  expect_refused(open(ring_, with), Errc::kHugepagesRequired, "tmpfs");
}

TEST_P(OpenRegion, refuses_demanded_hugepages_where_nobody_can_tell_what_the_pages_are) {
  TP_REQ("W113");
  test::FaultySyscalls calls;
  calls.before = [](const char* call) { return std::string_view(call) == "fstatfs" ? ENOSYS : 0; };
  RegionPolicy::Options with = options();
  with.require_hugepages = true;
  expect_refused(open_region(calls, policy(with), ring_, Access::kReadOnly),
                 Errc::kHugepagesRequired, "no fstatfs");
}

/// A system whose every file lies on hugetlbfs.
class OnHugetlbfs : public test::FaultySyscalls {
 public:
  int fstatfs(int /*fd*/, struct statfs& out) override {
    out.f_type = HUGETLBFS_MAGIC;
    out.f_bsize = 2 << 20;
    return 0;
  }
};

TEST_P(OpenRegion, refuses_hugepages_where_the_client_wants_none_whatever_the_uri_says) {
  TP_REQ("D123");
  RegionPolicy::Options with = options();
  with.forbid_hugepages = true;
  EXPECT_TRUE(open(ring_, with).has_value());
  OnHugetlbfs calls;
  auto asked_for = ring_;
  asked_for.uri += "|require_hugepages=true";
  for (const auto& region : {ring_, asked_for}) {
    const auto refused = open_region(calls, policy(with), region, Access::kReadOnly);
    expect_refused(refused, Errc::kHugepagesForbidden, "hugetlbfs");
    EXPECT_EQ(refused.error().value, 2U << 20U);
  }
}

TEST_P(OpenRegion, refuses_everything_where_links_cannot_be_kept_from_being_followed) {
  TP_REQ("W133");
  test::FaultySyscalls calls;  // a system that knows none of the flags
  calls.before = [](const char* call) {
    return std::string_view(call).starts_with("openat") ? EINVAL : 0;
  };
  expect_refused(open_region(calls, policy(options()), ring_, Access::kReadOnly),
                 Errc::kPathRejected, "neither openat2 nor O_NOFOLLOW");
}

TEST_P(OpenRegion, maps_what_the_announce_names_wherever_it_lies_and_looks_for_nothing) {
  TP_REQ("W114");
  const test::TemporaryDirectory elsewhere;
  const std::string pool = elsewhere / "neither-number-nor-extension";
  fs::copy_file(path_of(owned_.plan().pools.front()), pool);
  fs::permissions(pool, fs::perms::owner_read);
  MappingPlan plan = owned_.plan();
  plan.pools.front() = moved_to(plan.pools.front(), pool);
  const std::set<int> owners = descriptors_of(path_of(owned_.plan().pools.front()));
  test::FaultySyscalls calls;
  int lists = 0;
  calls.before = [&](const char* call) {
    lists += std::string_view(call) == "list_directory" ? 1 : 0;
    return 0;
  };
  RegionPolicy::Options with = options();
  with.allowed_base_dirs.push_back(elsewhere.path());
  const auto mapped = open_stream(calls, policy(with), plan, Access::kReadOnly);
  ASSERT_TRUE(mapped.has_value()) << describe(mapped.error());
  EXPECT_EQ(lists, 0);
  EXPECT_EQ(descriptors_of(pool).size(), 1U);
  EXPECT_EQ(descriptors_of(path_of(owned_.plan().pools.front())), owners);
}

TEST_P(OpenRegion, without_base_directories_nothing_is_mapped) {
  TP_REQ("W118");
  RegionPolicy::Options with = options();
  with.allowed_base_dirs.clear();
  expect_refused(open(ring_, with), Errc::kPathRejected, "no base");
}

TEST_P(OpenRegion, links_that_leave_the_bases_are_refused_in_every_position) {
  TP_REQ("W122", "W124");
  const test::TemporaryDirectory outside;
  for (fs::path link = path_of(ring_); link != base_.path(); link = link.parent_path()) {
    const fs::path target = outside / "target";
    fs::rename(link, target);
    fs::create_symlink(target, link);
    const test::Footprint before = footprint();
    expect_refused(open(ring_), Errc::kPathRejected, link.c_str());
    EXPECT_EQ(footprint(), before);
    fs::remove(link);
    fs::rename(target, link);
  }
  EXPECT_TRUE(open(ring_).has_value());
}

TEST_P(OpenRegion, links_that_stay_inside_are_followed_in_every_position) {
  TP_REQ("W121", "W122");
  for (fs::path link = path_of(ring_); link != base_.path(); link = link.parent_path()) {
    const fs::path target = base_ / "target";
    fs::rename(link, target);
    fs::create_symlink(target, link);
    const auto opened = open(ring_);
    EXPECT_TRUE(opened.has_value()) << link << ": " << describe(opened.error());
    fs::remove(link);
    fs::rename(target, link);
  }
}

TEST_P(OpenRegion, base_directories_may_be_links_themselves) {
  TP_REQ("W116");
  const test::TemporaryDirectory elsewhere;
  const fs::path link = elsewhere / "base";
  fs::create_symlink(base_.path(), link);
  RegionPolicy::Options with = options();
  with.allowed_base_dirs = {link};
  EXPECT_TRUE(open(ring_, with).has_value());
  const RegionPolicy resolved_once = policy(with);
  fs::remove(link);
  EXPECT_TRUE(open_region(system_calls(), resolved_once, ring_, Access::kReadOnly).has_value());
}

/// Two directories that look the same but for one payload byte: `inside` and `outside` the base.
class SwappedComponent : public OpenRegion {
 protected:
  static constexpr std::size_t kMarker = 64;

  SwappedComponent() {
    inside_ = path_of(pool_).parent_path();
    decoy_ = inside_.string() + "-link";
    outside_ = outside_base_ / "epoch";
    fs::copy(inside_, outside_, fs::copy_options::recursive);
    fs::create_symlink(outside_, decoy_);
    std::fstream file(outside_ / path_of(pool_).filename(), std::ios::in | std::ios::out);
    file.seekp(kMarker);
    file.put('!');
  }
  void swap() {
    ASSERT_EQ(::renameat2(AT_FDCWD, inside_.c_str(), AT_FDCWD, decoy_.c_str(), RENAME_EXCHANGE), 0);
  }
  [[nodiscard]] static bool is_outside(const MappedRegion& region) {
    return region.bytes()[kMarker] == std::byte{'!'};
  }

  test::TemporaryDirectory outside_base_;
  fs::path inside_;
  fs::path decoy_;
  fs::path outside_;
};

INSTANTIATE_TEST_SUITE_P(BothVariants, SwappedComponent, ::testing::ValuesIn(test::open_variants()),
                         name_of_variant);

TEST_P(SwappedComponent, is_never_followed_whichever_call_it_happens_before) {
  TP_REQ("W124", "W126");
  const RegionPolicy allowed = policy(options());
  bool swapped = true;
  for (int nth = 0; swapped; ++nth) {
    swapped = false;
    test::FaultySyscalls calls;
    int left = nth;
    calls.before = [&](const char*) {
      if (left-- == 0) {
        swap();
        swapped = true;
      }
      return 0;
    };
    const auto opened = open_region(calls, allowed, pool_, Access::kReadOnly);
    if (opened) {
      EXPECT_FALSE(is_outside(*opened)) << "swapped before call " << nth;
    } else {
      EXPECT_EQ(opened.error().code, Errc::kPathRejected) << describe(opened.error());
    }
    if (swapped) {
      swap();
    }
    ASSERT_LT(nth, 100);
  }
}

TEST_P(SwappedComponent, a_file_that_is_replaced_between_look_and_open_is_refused) {
  TP_REQ("W123", "W126");
  const fs::path path = path_of(pool_);
  test::FaultySyscalls calls;
  bool looked = false;
  calls.before = [&](std::string_view call) {
    if (looked && call.starts_with("openat")) {
      looked = false;
      fs::copy_file(path, path.string() + "2");
      fs::rename(path.string() + "2", path);
    }
    looked = looked || call == "lstatat";
    return 0;
  };
  expect_refused(open_region(calls, policy(options()), pool_, Access::kReadOnly),
                 Errc::kPathRejected, "replaced");
  calls.before = [](const char*) { return 0; };
  EXPECT_TRUE(open_region(calls, policy(options()), pool_, Access::kReadOnly).has_value());
}

TEST_P(SwappedComponent, is_never_followed_in_100000_random_swaps) {
  TP_REQ("W124", "W126");
  constexpr int kSwaps = 100'000;
  const RegionPolicy allowed = policy(options());
  std::atomic<int> swaps{0};
  std::jthread swapper([&] {
    while (swaps.load() < kSwaps) {
      if (::renameat2(AT_FDCWD, inside_.c_str(), AT_FDCWD, decoy_.c_str(), RENAME_EXCHANGE) != 0) {
        std::abort();
      }
      swaps.fetch_add(1);
    }
  });
  int opened = 0;
  int refused = 0;
  while (swaps.load() < kSwaps || opened + refused == 0) {
    const auto region = open_region(system_calls(), allowed, pool_, Access::kReadOnly);
    if (region) {
      ++opened;
      ASSERT_FALSE(is_outside(*region));
    } else {
      ++refused;
      ASSERT_EQ(region.error().code, Errc::kPathRejected) << describe(region.error());
    }
  }
  RecordProperty("opened", opened);
  RecordProperty("refused", refused);
  EXPECT_EQ(kSwaps % 2, 0);
  EXPECT_TRUE(open_region(system_calls(), allowed, pool_, Access::kReadOnly).has_value());
}

TEST_P(OpenRegion, a_sparse_region_above_4_gib_is_mapped_whole) {
  TP_REQ("W6", "W136");
  ExpectedRegion large = pool_.expected;
  large.stride_bytes = 1U << 30U;
  const fs::path path = base_ / "large.pool";
  {
    const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    const auto block = core::region::make_superblock(large, {.pid = 1, .now_ns = 1});
    ASSERT_EQ(::pwrite(fd.get(), &block, sizeof(block), 0), ssize_t{sizeof(block)});
    ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(large.bytes())), 0);
  }
  const PlannedRegion region = moved_to({.expected = large, .uri = {}}, path);
  const auto opened = open(region);
  ASSERT_TRUE(opened.has_value()) << describe(opened.error());
  EXPECT_EQ(opened->bytes().size(), 64U + (8ULL << 30U));
  EXPECT_EQ(opened->bytes().back(), std::byte{0});

  RegionPolicy::Options with = options();
  with.max_region_bytes = 4ULL << 30U;
  const auto refused = open(region, with);
  expect_refused(refused, Errc::kRegionTooLarge, "limit of 4 GiB");
  EXPECT_EQ(refused.error().value, large.bytes());
  EXPECT_EQ(refused.error().limit, 4ULL << 30U);
}

TEST_P(OpenRegion, all_regions_are_mapped_or_none) {
  TP_REQ("W134", "W246");
  fs::remove(path_of(plan_.pools.back()));
  const test::Footprint before = footprint();
  const auto mapped = open_stream(system_calls(), policy(options()), plan_, Access::kReadOnly);
  ASSERT_FALSE(mapped.has_value());
  EXPECT_EQ(mapped.error().code, Errc::kPathRejected);
  EXPECT_EQ(mapped.error().region, error_region_pool(2));
  EXPECT_EQ(footprint(), before);
}

using MappedStreamTest = test::RegionTest;

TEST_F(MappedStreamTest, a_file_that_shrinks_is_found_at_the_next_announce) {
  TP_REQ("W241");
  const OwnedStream owned = create(test::small_geometry());
  const auto mapped =
      open_stream(system_calls(), policy(allow_base()), owned.plan(), Access::kReadOnly);
  ASSERT_TRUE(mapped.has_value());
  ASSERT_TRUE(mapped->recheck(system_calls(), owned.plan()).has_value());
  const PlannedRegion& pool = owned.plan().pools.front();
  fs::resize_file(path_of(pool), pool.expected.bytes() - 1);
  const Status found = mapped->recheck(system_calls(), owned.plan());
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, Errc::kRegionTooSmall);
  EXPECT_EQ(found.error().region, error_region_pool(1));
  EXPECT_EQ(found.error().value, pool.expected.bytes() - 1);
  EXPECT_EQ(found.error().limit, pool.expected.bytes());
}

TEST_F(MappedStreamTest, until_then_a_read_beyond_the_end_raises_sigbus) {
  // Documents what stays outside the threat model (W-D9): nothing but the owner's good conduct
  // protects a reader from this.
  const OwnedStream owned = create(test::small_geometry());
  const auto mapped =
      open_stream(system_calls(), policy(allow_base()), owned.plan(), Access::kReadOnly);
  ASSERT_TRUE(mapped.has_value());
  fs::resize_file(path_of(owned.plan().pools.front()), 4096);
  EXPECT_EXIT(
      {
        std::signal(SIGBUS, SIG_DFL);
        const volatile std::byte* last = &mapped->pools.front().bytes().back();
        ::_exit(std::to_integer<int>(*last));
      },
      ::testing::KilledBySignal(SIGBUS), "");
}

struct Change {
  const char* requirement;
  std::function<void(const OwnedStream&, MappingPlan&)> make;
  Field field;
};

TEST_F(MappedStreamTest, any_difference_to_a_later_announce_is_found) {
  TP_REQ("W234", "W237", "W441");
  const auto store_word = [](const MappedRegion& region, std::size_t word, std::uint64_t value) {
    std::memcpy(region.writable_bytes().data() + word * 8, &value, 8);
  };
  const Change table[] = {
      {"W234", [](auto&, auto& plan) { plan.pools.pop_back(); }, Field::kPayloadPools},
      {"W234", [](auto&, auto& plan) { plan.pools.back().expected.pool_id = 9; }, Field::kPoolId},
      {"W234", [](auto&, auto& plan) { plan.pools.back().expected.stride_bytes = 128; },
       Field::kSlotBytes},
      {"W234", [](auto&, auto& plan) { plan.header_ring.expected.nslots = 16; }, Field::kNslots},
      {"W234", [&](auto& owned, auto&) { store_word(owned.regions().pools[0], 0, 0); },
       Field::kMagic},
      {"W237", [&](auto& owned, auto&) { store_word(owned.regions().header_ring, 5, 1); },
       Field::kPid},
      {"W237", [&](auto& owned, auto&) { store_word(owned.regions().pools[1], 5, 1); },
       Field::kPid},
  };
  for (const Change& change : table) {
    const OwnedStream owned = create(test::small_geometry());
    MappingPlan announced = owned.plan();
    const auto mapped =
        open_stream(system_calls(), policy(allow_base()), announced, Access::kReadOnly);
    ASSERT_TRUE(mapped.has_value());
    change.make(owned, announced);
    const Status found = mapped->recheck(system_calls(), announced);
    ASSERT_FALSE(found.has_value()) << change.requirement << " " << to_string(change.field);
    EXPECT_EQ(found.error().code, Errc::kSuperblockMismatch);
    EXPECT_EQ(found.error().field, change.field);
  }
}

TEST_F(MappedStreamTest, a_moved_or_unlinked_file_stays_mapped) {
  TP_REQ("W233", "W422");
  auto owned = std::make_unique<OwnedStream>(create(test::small_geometry()));
  const MappingPlan plan = owned->plan();
  const auto mapped = open_stream(system_calls(), policy(allow_base()), plan, Access::kReadOnly);
  ASSERT_TRUE(mapped.has_value());
  owned.reset();
  EXPECT_FALSE(fs::exists(path_of(plan.header_ring)));
  EXPECT_TRUE(mapped->recheck(system_calls(), plan).has_value());
}

using RegionPolicyTest = test::RegionTest;

TEST_F(RegionPolicyTest, bad_base_directories_are_configuration_errors) {
  TP_REQ("W117");
  const std::string file = base_ / "file";
  std::ofstream(file).put('x');
  fs::create_symlink("/", base_ / "root");
  for (const std::string& bad : {std::string(), std::string("dev/shm"), std::string("/"),
                                 std::string("/dev/.."), base_ / "absent", file, base_ / "root"}) {
    const auto made = RegionPolicy::create(system_calls(), {.allowed_base_dirs = {bad}});
    ASSERT_FALSE(made.has_value()) << bad;
    EXPECT_EQ(made.error().code, Errc::kInvalidArgument) << bad;
  }
}

TEST_F(RegionPolicyTest, defaults_are_those_of_the_specification) {
  TP_REQ("W119", "W438");
  const RegionPolicy::Options defaults;
  EXPECT_EQ(defaults.allowed_base_dirs, std::vector<std::string>{"/dev/shm"});
  EXPECT_EQ(defaults.forbidden_mode_bits, 0002U);
  EXPECT_FALSE(defaults.require_hugepages);
  EXPECT_EQ(defaults.max_region_bytes, 1ULL << 40U);
}

TEST_F(RegionPolicyTest, the_walk_is_chosen_only_when_openat2_is_absent) {
  const struct {
    int os_errno;
    OpenVariant variant;
  } table[] = {{ENOSYS, OpenVariant::kComponentWalk},
               {EPERM, OpenVariant::kComponentWalk},
               {EINVAL, OpenVariant::kComponentWalk},
               {EMFILE, OpenVariant::kOpenat2}};
  for (const auto& [os_errno, variant] : table) {
    test::FaultySyscalls calls;
    int probes = 0;
    calls.before = [&, answer = os_errno](std::string_view call) {
      probes += call == "openat2" ? 1 : 0;
      return call == "openat2" ? answer : 0;
    };
    const auto made = RegionPolicy::create(calls, allow_base());
    ASSERT_TRUE(made.has_value());
    EXPECT_EQ(made->open_variant(), variant) << os_errno;
    EXPECT_EQ(probes, 1);
    if (variant == OpenVariant::kComponentWalk) {
      const OwnedStream owned = create(test::small_geometry());
      EXPECT_TRUE(
          open_region(calls, *made, owned.plan().header_ring, Access::kReadOnly).has_value());
      EXPECT_EQ(probes, 1) << "asked once, when the policy is made";
    }
  }
}

}  // namespace
}  // namespace tensorpool::os
