// Every system call made to fail once, and every limit reached: an error with its numbers, and
// nothing left behind.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <set>
#include <string>

#include "os/create_region.hpp"
#include "os/open_region.hpp"
#include "support/requirement.hpp"
#include "unit/os/faulty_syscalls.hpp"
#include "unit/os/fixture.hpp"

namespace tensorpool::os {
namespace {

class Exhaustion : public test::RegionTest {
 protected:
  [[nodiscard]] RegionPolicy policy_of(OpenVariant variant) const {
    RegionPolicy::Options options = allow_base();
    options.open_variant = variant;
    options.lock = true;
    return policy(options);
  }
};

TEST_F(Exhaustion, no_failing_call_of_the_open_path_leaks) {
  TP_REQ("W132", "W134", "W443", "D209");
  const OwnedStream owned = create(test::small_geometry());
  for (const OpenVariant variant : test::open_variants()) {
    const RegionPolicy allowed = policy_of(variant);
    for (const Access access : {Access::kReadOnly, Access::kReadWrite}) {
      const test::Footprint before = footprint();
      std::set<std::string> failed;
      for (int nth = 0;; ++nth) {
        test::FaultySyscalls calls;
        const test::NthFailure failure(calls, nth, EIO);
        {
          const auto mapped = open_stream(calls, allowed, owned.plan(), access);
          if (failure.failed().empty()) {
            ASSERT_TRUE(mapped.has_value()) << describe(mapped.error());
            break;
          }
          ASSERT_FALSE(mapped.has_value()) << failure.failed();
          EXPECT_EQ(mapped.error().os_errno, EIO) << describe(mapped.error());
          EXPECT_EQ(mapped.error().stream_id, 10000U);
          failed.insert(failure.failed());
        }
        ASSERT_EQ(footprint(), before) << failure.failed() << ", call " << nth;
      }
      std::set<std::string> expected = {"realpath", "lstatat", "openat", "fstat",
                                        "fstatfs",  "mmap",    "mlock"};
      if (variant == OpenVariant::kOpenat2) {
        expected.insert("openat2");
      }
      if (access == Access::kReadWrite) {
        expected.insert("madvise");
      }
      EXPECT_EQ(failed, expected);
      EXPECT_EQ(footprint(), before);
    }
  }
}

TEST_F(Exhaustion, no_failing_call_of_the_create_path_leaks_or_leaves_files) {
  TP_REQ("W148", "W443");
  static_cast<void>(create(test::small_geometry()));  // makes the shared levels, which stay
  for (const OpenVariant variant : test::open_variants()) {
    const bool has_openat2 = variant == OpenVariant::kOpenat2;
    const test::Footprint before = footprint();
    std::set<std::string> failed;
    for (int nth = 0;; ++nth) {
      test::FaultySyscalls calls;
      const test::NthFailure failure(calls, nth, EIO);
      if (!has_openat2) {
        calls.before = [next = calls.before](const char* call) {
          return std::string_view(call) == "openat2" ? ENOSYS : next(call);
        };
      }
      {
        const auto created =
            OwnedStream::create(calls, owner(), test::small_geometry(), test::kNow);
        if (failure.failed().empty()) {
          ASSERT_TRUE(created.has_value()) << describe(created.error());
          calls.before = [](const char*) { return 0; };
          break;
        }
        const bool only_a_probe = failure.failed() == "openat2" && created.has_value();
        EXPECT_TRUE(only_a_probe || !created.has_value()) << failure.failed();
        EXPECT_TRUE(only_a_probe || created.error().os_errno == EIO) << describe(created.error());
        failed.insert(failure.failed());
      }
      ASSERT_EQ(footprint(), before) << failure.failed() << ", call " << nth;
      ASSERT_LT(nth, 500);
    }
    std::set<std::string> expected = {
        "realpath", "lstatat",  "openat",    "fstat", "mkdirat", "list_directory", "fchmod",
        "fstatfs",  "fstatvfs", "fallocate", "mmap",  "madvise", "msync",          "openat2"};
    if (!has_openat2) {
      expected.erase("openat2");
    }
    EXPECT_EQ(failed, expected);
    EXPECT_EQ(footprint(), before);
  }
}

TEST_F(Exhaustion, half_made_levels_are_undone) {
  TP_REQ("W150");
  for (int nth = 0;; ++nth) {
    const test::TemporaryDirectory base;
    test::FaultySyscalls calls;
    const test::NthFailure failure(calls, nth, EIO);
    const auto created =
        OwnedStream::create(calls, {.base_dir = base.path()}, test::small_geometry(), test::kNow);
    if (failure.failed().empty()) {
      ASSERT_TRUE(created.has_value());
      calls.before = [](const char*) { return 0; };
      break;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(base.path())) {
      struct stat found {};
      ASSERT_EQ(::stat(entry.path().c_str(), &found), 0);
      EXPECT_EQ(created.has_value() || (found.st_mode & 07777) == 02770, true)
          << entry.path() << " after " << failure.failed();
    }
    calls.before = [](const char*) { return 0; };
  }
}

TEST_F(Exhaustion, interrupted_allocations_go_on) {
  test::FaultySyscalls calls;
  int interruptions = 3;
  calls.before = [&](std::string_view call) {
    return call == "fallocate" && interruptions-- > 0 ? EINTR : 0;
  };
  EXPECT_TRUE(OwnedStream::create(calls, owner(), test::small_geometry(), test::kNow).has_value());
  EXPECT_LT(interruptions, 0);
}

TEST_F(Exhaustion, a_file_system_that_fills_up_meanwhile_is_an_error_with_numbers) {
  for (const int os_errno : {ENOSPC, EDQUOT}) {
    test::FaultySyscalls calls;
    calls.before = [&](std::string_view call) { return call == "fallocate" ? os_errno : 0; };
    const auto created = OwnedStream::create(calls, owner(), test::small_geometry(), test::kNow);
    ASSERT_FALSE(created.has_value());
    EXPECT_EQ(created.error().code, Errc::kNoSpace);
    EXPECT_EQ(created.error().value, 64U + 8 * 256);
    EXPECT_EQ(created.error().region, kErrorRegionHeaderRing);
  }
}

/// Lowers a soft limit for a while.
class LoweredLimit {
 public:
  LoweredLimit(__rlimit_resource resource, rlim_t soft) : resource_(resource) {
    EXPECT_EQ(::getrlimit(resource_, &before_), 0);
    rlimit lowered = before_;
    lowered.rlim_cur = soft;
    EXPECT_EQ(::setrlimit(resource_, &lowered), 0);
  }
  LoweredLimit(const LoweredLimit&) = delete;
  LoweredLimit& operator=(const LoweredLimit&) = delete;
  ~LoweredLimit() { ::setrlimit(resource_, &before_); }

 private:
  __rlimit_resource resource_;
  rlimit before_{};
};

TEST_F(Exhaustion, running_out_of_descriptors_is_an_error_with_the_limit) {
  const OwnedStream owned = create(test::small_geometry());
  for (const OpenVariant variant : test::open_variants()) {
    const RegionPolicy allowed = policy_of(variant);
    const test::Footprint before = footprint();
    bool opened = false;
    int refused = 0;
    for (rlim_t limit = 0; !opened && limit < 256; ++limit) {
      Result<MappedStream> mapped = fail(Errc::kNotFound);
      {
        const LoweredLimit lowered(RLIMIT_NOFILE, limit);
        mapped = open_stream(system_calls(), allowed, owned.plan(), Access::kReadOnly);
      }
      opened = mapped.has_value();
      if (!opened) {
        ++refused;
        EXPECT_EQ(mapped.error().code, Errc::kLimitReached) << describe(mapped.error());
        EXPECT_EQ(mapped.error().os_errno, EMFILE);
        EXPECT_EQ(mapped.error().limit, limit);
        EXPECT_EQ(footprint(), before);
      }
    }
    EXPECT_TRUE(opened);
    EXPECT_GE(refused, 3);
  }
}

TEST_F(Exhaustion, running_out_of_mappings_is_an_error) {
  const OwnedStream owned = create(test::small_geometry());
  const RegionPolicy allowed = policy(allow_base());
  const auto exhausted = [&]() -> int {
    constexpr std::size_t kPage = 4096;
    constexpr std::size_t kPages = 4'000'000;
    void* address = ::mmap(nullptr, kPages * kPage, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address == MAP_FAILED) {
      return 2;
    }
    auto* bytes = static_cast<std::byte*>(address);
    std::size_t page = 0;  // each other page gets a mapping of its own, until there are no more
    while (page < kPages && ::mprotect(bytes + page * kPage, kPage, PROT_READ) == 0) {
      page += 2;
    }
    while (::mmap(nullptr, kPage, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) {
    }
    const auto opened =
        open_region(system_calls(), allowed, owned.plan().header_ring, Access::kReadOnly);
    const bool named = !opened && opened.error().code == Errc::kLimitReached &&
                       opened.error().os_errno == ENOMEM && opened.error().value != 0;
    return named ? 0 : 1;
  };
  EXPECT_EXIT(::_exit(exhausted()), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace tensorpool::os
