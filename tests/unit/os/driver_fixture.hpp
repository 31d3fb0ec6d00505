// A driver's store in a private base directory, and provisioning and collecting in one call.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/driver/provisioning.hpp"
#include "core/driver/settings.hpp"
#include "core/region/directories.hpp"
#include "os/collect_epochs.hpp"
#include "os/epoch_store.hpp"
#include "os/process.hpp"
#include "os/provision_epoch.hpp"
#include "unit/os/faulty_syscalls.hpp"
#include "unit/os/fixture.hpp"

namespace tensorpool::os::test {

using core::driver::PolicySettings;
using core::driver::ProvisionOutcome;
using core::driver::ProvisionRequest;
using core::driver::ShmSettings;

inline constexpr std::uint32_t kStream = 10000;  // that of small_geometry

struct Provisioned {
  ProvisionOutcome outcome;
  std::optional<OwnedEpoch> epoch;
};

/// Runs a job to its end. `on_step` sees every answer but the last.
inline Provisioned provision(
    ManagedStream& stream, const PolicySettings& policies = {},
    const ProvisionRequest& request = {.geometry = small_geometry()},
    const std::function<void(ProvisionJob::Step)>& on_step = [](auto) {}) {
  ProvisionJob job(stream, policies, request);
  for (auto step = job.step(kNow.mono); step != ProvisionJob::Step::kDone;
       step = job.step(kNow.mono)) {
    on_step(step);
  }
  return {.outcome = job.outcome(), .epoch = job.take_epoch()};
}

/// KiB that this process has locked.
[[nodiscard]] inline std::uint64_t locked_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmLck:")) {
      return std::stoull(line.substr(6));
    }
  }
  return 0;
}

/// False where mlock does nothing: under sanitizers, or without permission.
[[nodiscard]] inline bool mlock_works() {
  std::vector<std::byte> probe(8192);
  const std::uint64_t before = locked_kib();
  const bool works = ::mlock(probe.data(), probe.size()) == 0 && locked_kib() > before;
  ::munlock(probe.data(), probe.size());
  return works;
}

/// File systems that are what a test says they are: full, or huge.
class PretendingSyscalls : public FaultySyscalls {
 public:
  std::optional<std::uint64_t> free_bytes;      ///< of every file system
  std::optional<std::uint64_t> hugepage_bytes;  ///< and every file system is hugetlbfs

  std::optional<std::uint64_t> headroom_bytes;  ///< of the memory cgroup

  std::uint64_t memory_headroom() override {
    return headroom_bytes.value_or(FaultySyscalls::memory_headroom());
  }
  int fstatvfs(int fd, struct statvfs& out) override {
    const int result = FaultySyscalls::fstatvfs(fd, out);
    if (free_bytes) {
      out.f_frsize = 1;
      out.f_bavail = *free_bytes;
      out.f_blocks = 1;
    }
    return result;
  }
  int fstatfs(int fd, struct statfs& out) override {
    const int result = FaultySyscalls::fstatfs(fd, out);
    if (hugepage_bytes) {
      out.f_type = 0x958458F6;
      out.f_bsize = static_cast<decltype(out.f_bsize)>(*hugepage_bytes);
    }
    return result;
  }
};

class DriverFilesTest : public RegionTest {
 protected:
  [[nodiscard]] ShmSettings shm() const { return {.base_dir = base_.path()}; }
  [[nodiscard]] static std::unique_ptr<EpochStore> store_of(const ShmSettings& settings,
                                                            Syscalls& calls = system_calls()) {
    auto store = EpochStore::create(calls, settings);
    if (!store) {
      ADD_FAILURE() << describe(store.error());
      std::abort();
    }
    return *std::move(store);
  }
  [[nodiscard]] fs::path user_directory() const {
    return base_.path() /
           ("tensorpool-" + core::region::sanitized_user(effective_user_name(), ::geteuid()));
  }
  [[nodiscard]] fs::path stream_directory(std::uint32_t stream = kStream) const {
    return user_directory() / "default" / std::to_string(stream);
  }
  /// An epoch that is complete, with nobody holding it.
  fs::path leave_epoch(EpochStore& store, std::uint64_t known = 0) const {
    const Provisioned made =
        provision(store.stream(kStream), {}, {.geometry = small_geometry(), .known_epoch = known});
    EXPECT_TRUE(made.epoch.has_value()) << describe(made.outcome.regions.error());
    return stream_directory() / std::to_string(made.outcome.known_epoch);
  }
  /// Provisions and expects a refusal that leaves no file of an epoch, no mapping and at most the
  /// locked directory's descriptor behind.
  Error expect_refused(EpochStore& store, const PolicySettings& policies = {}) const {
    ManagedStream& stream = store.stream(kStream);
    const bool was_open = stream.is_open();
    const Footprint before = footprint();
    const Provisioned made = provision(stream, policies);
    EXPECT_FALSE(made.epoch.has_value());
    if (made.outcome.regions) {
      ADD_FAILURE() << "provisioned";
      return {};
    }
    EXPECT_EQ(made.outcome.regions.error().stream_id, kStream);
    Footprint after = footprint();
    EXPECT_EQ(after.mappings, before.mappings);
    EXPECT_EQ(after.descriptors, before.descriptors + (stream.is_open() && !was_open ? 1 : 0));
    for (const std::string& file : after.files) {
      EXPECT_TRUE(before.files.contains(file) || fs::is_directory(file)) << file;
    }
    return made.outcome.regions.error();
  }

  base::Now now_ = kNow;
};

}  // namespace tensorpool::os::test
