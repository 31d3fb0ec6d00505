// tp doctor: what is read of a host, and what is made of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "apps/doctor/announcers.hpp"
#include "apps/doctor/diagnose.hpp"
#include "support/scratch_directory.hpp"

namespace tensorpool::apps::doctor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint64_t kGiB = 1ULL << 30U;

/// A host without any fault.
HostFacts good_host() {
  HostFacts facts;
  facts.shm = {.exists = true,
               .writable = true,
               .type = "tmpfs",
               .total_bytes = 16 * kGiB,
               .free_bytes = 15 * kGiB};
  facts.streams = {.path = "/dev/shm/tensorpool-alice",
                   .exists = true,
                   .is_directory = true,
                   .is_ours = true,
                   .mode = 02770};
  facts.memory = {.hugepage_bytes = 2 << 20,
                  .hugepages_total = 512,
                  .hugepages_free = 500,
                  .hugetlbfs_mounts = {"/dev/hugepages"},
                  .transparent_shmem = "advise"};
  facts.processors = {
      .count = 8, .isolated = "2-3", .governors = {"performance"}, .clock_source = "tsc"};
  facts.open_files_max = 65536;
  facts.media_driver.state = bus::DriverState::kAlive;
  return facts;
}

TEST(Doctor, finds_nothing_to_say_about_a_good_host) {
  for (const Finding& finding : diagnose(good_host())) {
    EXPECT_EQ(finding.severity, Severity::kFine) << finding.topic << ": " << finding.text;
    EXPECT_FALSE(finding.text.empty()) << finding.topic;
    EXPECT_TRUE(finding.fix.empty()) << finding.topic;
  }
}

struct Fault {
  const char* topic;
  Severity severity;
  std::function<void(HostFacts&)> make;
};

TEST(Doctor, names_each_fault_with_the_command_that_mends_it) {
  const std::vector<Fault> faults = {
      {"shm_space", Severity::kError, [](HostFacts& f) { f.shm.exists = false; }},
      {"shm_space", Severity::kWarning,
       [](HostFacts& f) { f.shm.total_bytes = f.shm.free_bytes = 64 << 20; }},
      {"shm_space", Severity::kWarning, [](HostFacts& f) { f.shm.free_bytes = kGiB; }},
      {"shm_mount", Severity::kError, [](HostFacts& f) { f.shm.writable = false; }},
      {"shm_mount", Severity::kWarning, [](HostFacts& f) { f.shm.type = "0xef53"; }},
      {"container_memory", Severity::kWarning,
       [](HostFacts& f) { f.memory.cgroup_max_bytes = kGiB; }},
      {"stream_directory", Severity::kError, [](HostFacts& f) { f.streams.is_ours = false; }},
      {"stream_directory", Severity::kError, [](HostFacts& f) { f.streams.is_directory = false; }},
      {"stream_directory", Severity::kError, [](HostFacts& f) { f.streams.mode = 0777; }},
      {"stale_epochs", Severity::kHint,
       [](HostFacts& f) {
         f.stale_epochs = {{"/dev/shm/x", 4096}};
       }},
      {"media_driver", Severity::kError,
       [](HostFacts& f) { f.media_driver.state = bus::DriverState::kDenied; }},
      {"media_driver", Severity::kError,
       [](HostFacts& f) { f.media_driver.state = bus::DriverState::kWrongVersion; }},
      {"stream_numbers", Severity::kError,
       [](HostFacts& f) {
         f.clashes = {{.stream_id = 10000, .regions = {"shm:file?path=/a", "shm:file?path=/b"}}};
       }},
      {"open_files", Severity::kHint, [](HostFacts& f) { f.open_files_max = 1024; }},
      {"memlock", Severity::kHint, [](HostFacts& f) { f.memory.lockable_bytes = 65536; }},
      {"hugepages", Severity::kHint, [](HostFacts& f) { f.memory.hugepages_total = 0; }},
      {"hugepages", Severity::kHint, [](HostFacts& f) { f.memory.hugetlbfs_mounts.clear(); }},
      {"transparent_hugepages", Severity::kHint,
       [](HostFacts& f) { f.memory.transparent_shmem = "never"; }},
      {"cpu_governor", Severity::kHint,
       [](HostFacts& f) { f.processors.governors = {"powersave"}; }},
      {"isolated_cpus", Severity::kHint, [](HostFacts& f) { f.processors.isolated = ""; }},
      {"clock_source", Severity::kWarning,
       [](HostFacts& f) { f.processors.clock_source = "hpet"; }},
  };
  for (const Fault& fault : faults) {
    HostFacts facts = good_host();
    fault.make(facts);
    bool found = false;
    for (const Finding& finding : diagnose(facts)) {
      if (finding.topic == fault.topic) {
        found = true;
        EXPECT_EQ(finding.severity, fault.severity) << finding.topic << ": " << finding.text;
        EXPECT_FALSE(finding.fix.empty()) << finding.topic << ": " << finding.text;
      }
    }
    EXPECT_TRUE(found) << fault.topic;
  }
}

[[nodiscard]] layout::ShmPoolAnnounce announce(std::uint32_t stream_id, const char* uri) {
  return {.stream_id = stream_id, .header_region_uri = uri};
}

TEST(Announcers, finds_two_that_announce_one_stream_by_turns) {
  Announcers sut;
  for (int round = 0; round < 2; ++round) {
    sut.on_announce(announce(1, "a"), 7);
    sut.on_announce(announce(1, "b"), 8);
    sut.on_announce(announce(2, "c"), 8);
  }
  const auto clashes = sut.clashes();
  ASSERT_EQ(clashes.size(), 1U);
  EXPECT_EQ(clashes[0].stream_id, 1U);
  EXPECT_THAT(clashes[0].regions, ElementsAre("a", "b"));
}

TEST(Announcers, takes_a_successor_for_no_clash) {
  Announcers sut;
  for (const std::int32_t session : {7, 8}) {  // a driver that came back
    for (int round = 0; round < 3; ++round) {
      sut.on_announce(announce(1, "a"), session);
    }
  }
  EXPECT_TRUE(sut.clashes().empty());
}

class ProbedHost : public ::testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = scratch_.path() + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  [[nodiscard]] HostFacts probe() const {
    return probe_host({.shm_dir = scratch_.path(), .user = "alice", .root = scratch_.path()});
  }
  test::ScratchDirectory scratch_{"/dev/shm"};
};

TEST_F(ProbedHost, shows_what_the_kernel_says) {
  put("/proc/self/cgroup", "0::/a/b\n");
  put("/sys/fs/cgroup/a/memory.max", "1000000\n");
  put("/sys/fs/cgroup/a/memory.current", "400000\n");
  put("/sys/fs/cgroup/a/b/memory.max", "max\n");
  put("/proc/meminfo",
      "MemTotal: 1 kB\nHugePages_Total: 8\nHugePages_Free: 3\nHugepagesize: 2048 kB\n");
  put("/proc/mounts", "tmpfs /dev/shm tmpfs rw 0 0\nnone /huge hugetlbfs rw 0 0\n");
  put("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "always [within_size] never\n");
  put("/sys/devices/system/cpu/isolated", "2-3\n");
  put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
  put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
  std::filesystem::create_directory(scratch_.path() + "/tensorpool-alice");
  const HostFacts facts = probe();
  EXPECT_TRUE(facts.shm.exists);
  EXPECT_EQ(facts.shm.type, "tmpfs");
  EXPECT_EQ(facts.memory.cgroup_max_bytes, 1'000'000U);
  EXPECT_EQ(facts.memory.cgroup_used_bytes, 400'000U);
  EXPECT_EQ(facts.memory.hugepages_total, 8U);
  EXPECT_EQ(facts.memory.hugepages_free, 3U);
  EXPECT_EQ(facts.memory.hugepage_bytes, 2U << 20U);
  EXPECT_THAT(facts.memory.hugetlbfs_mounts, ElementsAre("/huge"));
  EXPECT_EQ(facts.memory.transparent_shmem, "within_size");
  EXPECT_EQ(facts.processors.isolated, "2-3");
  EXPECT_THAT(facts.processors.governors, ElementsAre("powersave"));
  EXPECT_EQ(facts.processors.clock_source, "tsc");
  EXPECT_TRUE(facts.streams.is_directory && facts.streams.is_ours);
}

TEST_F(ProbedHost, has_no_opinion_where_nothing_can_be_read) {
  const HostFacts facts = probe();
  EXPECT_FALSE(facts.memory.cgroup_max_bytes);
  EXPECT_EQ(facts.memory.hugepages_total, 0U);
  EXPECT_TRUE(facts.processors.clock_source.empty());
  EXPECT_FALSE(facts.streams.exists);
  EXPECT_FALSE(diagnose(facts).empty());
}

}  // namespace
}  // namespace tensorpool::apps::doctor
