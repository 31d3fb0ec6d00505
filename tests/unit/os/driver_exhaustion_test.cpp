// Every system call of a provisioning and of a collection made to fail once: afterwards there is no
// file, no descriptor and no mapping more than before.
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>

#include "support/requirement.hpp"
#include "unit/os/driver_fixture.hpp"

namespace tensorpool::os {
namespace {

using namespace std::chrono_literals;
using test::kStream;
using test::PolicySettings;
using test::provision;

class DriverExhaustion : public test::DriverFilesTest {
 protected:
  /// Fails each system call of a provisioning in turn, and gives the names of all that were failed.
  std::set<std::string> fail_each(const PolicySettings& policies, int os_errno,
                                  OpenVariant variant) const {
    const test::Footprint before = footprint();
    std::set<std::string> failed;
    for (int nth = 0; !HasFailure() && nth < 500; ++nth) {
      test::FaultySyscalls calls;
      const auto store = store_of(shm(), calls);
      const test::NthFailure failure(calls, nth, os_errno);
      if (variant == OpenVariant::kComponentWalk) {
        calls.before = [next = calls.before](const char* call) {
          return std::string_view(call) == "openat2" ? ENOSYS : next(call);
        };
      }
      {
        const auto made = provision(store->stream(kStream), policies);
        calls.before = [](const char*) { return 0; };
        if (failure.failed().empty()) {
          EXPECT_TRUE(made.epoch.has_value()) << describe(made.outcome.regions.error());
          std::filesystem::remove_all(stream_directory() / "5000000000");
          break;
        }
        failed.insert(failure.failed());
        if (made.epoch) {
          EXPECT_EQ(failure.failed(), "openat2") << "it may be a probe only";
          std::filesystem::remove_all(stream_directory() / "5000000000");
        } else {
          EXPECT_EQ(made.outcome.regions.error().os_errno, os_errno)
              << describe(made.outcome.regions.error());
        }
      }
      store->release(kStream);
      EXPECT_EQ(footprint(), before) << failure.failed() << ", call " << nth;
    }
    return failed;
  }
};

TEST_F(DriverExhaustion, no_failing_call_of_a_provisioning_leaves_anything_behind) {
  TP_REQ("D203", "D205", "D207");
  {
    const auto store = store_of(shm());  // makes the levels, which stay
    ASSERT_TRUE(store->stream(kStream).open(ManagedStream::Absent::kCreate).has_value());
  }
  for (const OpenVariant variant : test::open_variants()) {
    std::set<std::string> expected = {
        "openat", "fstat", "flock",   "list_directory", "fstatfs",   "fstatvfs", "mkdirat",
        "fchmod", "mmap",  "madvise", "mlock",          "fallocate", "msync"};
    if (variant == OpenVariant::kOpenat2) {
      expected.insert("openat2");
    }
    EXPECT_EQ(fail_each({.mlock_shm = true}, EIO, variant), expected);
    expected.insert("ftruncate");
    EXPECT_EQ(fail_each({.prefault_shm = false, .mlock_shm = true}, ENOMEM, variant), expected);
  }
}

TEST_F(DriverExhaustion, the_creation_of_a_store_leaves_at_most_the_base_directory) {
  TP_REQ("D196");
  const test::Footprint before = footprint();
  for (int nth = 0;; ++nth) {
    test::FaultySyscalls calls;
    const test::NthFailure failure(calls, nth, EIO);
    const auto store = EpochStore::create(calls, {.base_dir = base_ / "new"});
    if (failure.failed().empty()) {
      ASSERT_TRUE(store.has_value());
      break;
    }
    const bool probe = failure.failed() == "openat2" || failure.failed() == "mlock";
    EXPECT_TRUE(!store.has_value() || probe) << failure.failed();
    test::Footprint after = footprint();
    struct stat found {};
    if (after.files.erase(base_ / "new") == 1) {
      ASSERT_EQ(::stat((base_ / "new").c_str(), &found), 0);
      EXPECT_EQ(found.st_mode & 07777, 02770U) << failure.failed();
      std::filesystem::remove(base_ / "new");
    }
    EXPECT_EQ(after, before) << failure.failed();
    ASSERT_LT(nth, 100);
  }
}

TEST_F(DriverExhaustion, no_failing_call_of_a_collection_leaks_or_removes_too_much) {
  TP_REQ("D225", "D232");
  std::set<std::string> failed;
  for (int nth = 0;; ++nth) {
    test::FaultySyscalls calls;
    {
      const auto store = store_of(shm());
      std::uint64_t known = 0;
      for (int i = 0; i < 3; ++i) {
        known = std::stoull(leave_epoch(*store, known).filename());
      }
    }
    const auto store = store_of(shm(), calls);
    const test::Footprint before = footprint();
    const test::NthFailure failure(calls, nth, EIO);
    const auto outcome = collect_epochs(store->stream(kStream), {.epoch_gc_keep = 1}, {},
                                        {.mono = test::kNow.mono + 10s});
    calls.before = [](const char*) { return 0; };
    const test::Footprint after = footprint();
    EXPECT_EQ(after.descriptors, before.descriptors) << failure.failed();
    EXPECT_EQ(after.mappings, before.mappings) << failure.failed();
    EXPECT_TRUE(std::filesystem::exists(stream_directory() / "5000000002/header.ring"));
    if (outcome) {
      EXPECT_EQ(outcome->removed.size() + outcome->kept.size(), 3U);
      for (const std::uint64_t epoch : outcome->removed) {
        EXPECT_FALSE(std::filesystem::exists(stream_directory() / std::to_string(epoch)));
      }
      for (const auto& kept : outcome->kept) {
        EXPECT_TRUE(std::filesystem::exists(stream_directory() / std::to_string(kept.epoch)));
      }
    } else {
      for (const std::string& file : before.files) {
        EXPECT_TRUE(std::filesystem::exists(file)) << failure.failed();
      }
    }
    std::filesystem::remove_all(stream_directory());
    if (failure.failed().empty()) {
      EXPECT_EQ(outcome->removed.size(), 2U);
      break;
    }
    failed.insert(failure.failed());
    ASSERT_LT(nth, 200);
  }
  for (const char* call :
       {"openat", "fstat", "flock", "list_directory", "lstatat", "fstatfs", "mmap", "unlinkat"}) {
    EXPECT_TRUE(failed.contains(call)) << call;
  }
}

}  // namespace
}  // namespace tensorpool::os
