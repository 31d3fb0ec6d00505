// A driver on file systems of its own: a tmpfs that is full, and hugetlbfs. Needs root.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>

#include "support/requirement.hpp"
#include "unit/os/driver_fixture.hpp"
#include "unit/os/mounted.hpp"

namespace tensorpool::os {
namespace {

using namespace std::chrono_literals;
using core::driver::provision_detail;
using test::kStream;
using test::Mounted;
using test::PolicySettings;
using test::provision;

[[nodiscard]] std::unique_ptr<EpochStore> store_on(const Mounted& mounted, Syscalls& calls) {
  auto store = EpochStore::create(calls, {.base_dir = mounted.path()});
  EXPECT_TRUE(store.has_value()) << describe(store.error());
  return store ? *std::move(store) : nullptr;
}

TEST(DriverOnFullTmpfs, says_what_it_needs_and_what_there_is) {
  TP_REQ("D204");
  Mounted tmpfs;
  if (!tmpfs.mount("tmpfs", "size=256k")) {
    TP_SKIP_WITHOUT("root");
  }
  core::region::StreamGeometry geometry = test::small_geometry();
  geometry.nslots = 64;
  const auto store = store_on(tmpfs, system_calls());
  const auto made = provision(store->stream(kStream), {}, {.geometry = geometry});
  ASSERT_FALSE(made.outcome.regions.has_value());
  const std::string detail = provision_detail(made.outcome.regions.error());
  EXPECT_TRUE(detail.starts_with("insufficient space: need 282816 bytes, have ")) << detail;
  EXPECT_LE(made.outcome.regions.error().limit, 256U << 10U);
}

TEST(DriverOnFullTmpfs, makes_room_by_collecting) {
  TP_REQ("D204", "D231");
  Mounted tmpfs;
  if (!tmpfs.mount("tmpfs", "size=256k")) {
    TP_SKIP_WITHOUT("root");
  }
  const PolicySettings policies{.epoch_gc_keep = 1};
  const auto store = store_on(tmpfs, system_calls());
  ManagedStream& stream = store->stream(kStream);
  std::uint64_t known = 0;
  int collections = 0;
  for (int i = 0; i < 12; ++i) {  // five fit; all are young
    const auto made =
        provision(stream, policies, {.geometry = test::small_geometry(), .known_epoch = known},
                  [&](ProvisionJob::Step step) {
                    if (step == ProvisionJob::Step::kMore) {
                      return;
                    }
                    ++collections;
                    const auto outcome =
                        collect_epochs(stream, policies,
                                       {.stream_id = kStream,
                                        .current_epoch = known,
                                        .waive_age = step == ProvisionJob::Step::kCollectAll},
                                       test::kNow);
                    EXPECT_TRUE(outcome.has_value());
                  });
    ASSERT_TRUE(made.epoch.has_value()) << provision_detail(made.outcome.regions.error());
    known = made.outcome.known_epoch;
  }
  EXPECT_GE(collections, 2);
}

TEST(DriverOnFullTmpfs, gets_an_error_and_no_sigbus_when_it_fills_up_meanwhile) {
  TP_REQ("D203", "D205", "D207");
  Mounted tmpfs;
  if (!tmpfs.mount("tmpfs", "size=256k")) {
    TP_SKIP_WITHOUT("root");
  }
  const std::string filler = tmpfs.path() / "filler";
  const PolicySettings table[] = {
      {.prefault_shm = true},
      {.prefault_shm = false},  // the superblocks' blocks
      {.prefault_shm = false, .mlock_shm = true},
  };
  static_cast<void>(
      store_on(tmpfs, system_calls())->stream(kStream).open(ManagedStream::Absent::kCreate));
  for (const PolicySettings& policies : table) {
    if (policies.mlock_shm && !test::mlock_works()) {
      continue;
    }
    const test::Footprint before = test::Footprint::take(tmpfs.path());
    const std::string_view last_chance = policies.mlock_shm ? "mlock" : "fallocate";
    test::FaultySyscalls calls;
    const auto store = store_on(tmpfs, calls);
    calls.before = [&](std::string_view call) {
      if (call == last_chance) {
        std::ofstream(filler) << std::string(1U << 20U, 'x');
      }
      return 0;
    };
    const auto made = provision(store->stream(kStream), policies);
    ASSERT_FALSE(made.outcome.regions.has_value());
    const Error& error = made.outcome.regions.error();
    EXPECT_EQ(error.code, policies.mlock_shm ? Errc::kOsFailure : Errc::kNoSpace)
        << describe(error);
    EXPECT_EQ(provision_detail(error).starts_with("mlock"), policies.mlock_shm);
    store->release(kStream);
    std::filesystem::remove(filler);
    EXPECT_EQ(test::Footprint::take(tmpfs.path()), before);
  }
}

class DriverOnHugetlbfs : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!pages_.enough() || !mounted_.mount("hugetlbfs", "pagesize=2M")) {
      TP_SKIP_WITHOUT("root, hugetlbfs");
    }
    store_ = store_on(mounted_, system_calls());
  }

  test::Hugepages pages_{8};
  Mounted mounted_;
  std::unique_ptr<EpochStore> store_;
};

TEST_F(DriverOnHugetlbfs, provisions_locks_and_collects) {
  TP_REQ("D77", "D205", "D206", "D210", "D211", "D212");
  EXPECT_TRUE(store_->pages().hugepages_available);
  ManagedStream& stream = store_->stream(kStream);
  for (const bool prefault : {true, false}) {
    const PolicySettings policies{.prefault_shm = prefault, .mlock_shm = true, .epoch_gc_keep = 1};
    auto made = provision(stream, policies);
    ASSERT_TRUE(made.epoch.has_value()) << describe(made.outcome.regions.error());
    EXPECT_TRUE(made.outcome.regions->header_ring.uri.ends_with("|require_hugepages=true"));
    for (const auto& entry : std::filesystem::recursive_directory_iterator(mounted_.path())) {
      EXPECT_TRUE(entry.is_directory() || entry.file_size() == test::kHugepage) << entry.path();
    }
    const auto policy =
        RegionPolicy::create(system_calls(), {.allowed_base_dirs = {mounted_.path()}});
    ASSERT_TRUE(policy.has_value());
    EXPECT_TRUE(
        open_stream(system_calls(), *policy, *made.outcome.regions, Access::kReadOnly).has_value());
    EXPECT_TRUE(made.epoch->check_files(system_calls()).has_value());

    made.epoch.reset();
    const auto kept = collect_epochs(stream, policies, {.current_epoch = ~std::uint64_t{0}},
                                     {.mono = test::kNow.mono + 1s});
    ASSERT_TRUE(kept.has_value());
    EXPECT_EQ(kept->kept.size(), 1U);
    const auto collected =
        collect_epochs(stream, policies, {.earlier_processes = true}, test::kNow);
    ASSERT_TRUE(collected.has_value());
    EXPECT_EQ(collected->removed.size(), 1U) << "its superblock was read: the writer is this one";
  }
}

TEST_F(DriverOnHugetlbfs, running_out_of_hugepages_is_an_error) {
  TP_REQ("D203", "D205");
  core::region::StreamGeometry geometry = test::small_geometry();
  geometry.nslots = 1U << 20U;  // far more than the hugepages of any test machine
  geometry.pools = {{.pool_id = 1, .stride_bytes = 1U << 24U}};
  for (const bool prefault : {true, false}) {
    const auto made =
        provision(store_->stream(kStream), {.prefault_shm = prefault}, {.geometry = geometry});
    EXPECT_FALSE(made.epoch.has_value());
    EXPECT_TRUE(std::filesystem::is_empty(store_->stream(kStream).directory().path));
  }
}

}  // namespace
}  // namespace tensorpool::os
