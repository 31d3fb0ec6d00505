// Control groups as they lie in files, of both versions.
#include "os/memory_limit.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "support/requirement.hpp"
#include "support/scratch_directory.hpp"

namespace tensorpool::os {
namespace {

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

class MemoryHeadroom : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = root_.path() + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void group_of_version_1(const std::string& path, std::uint64_t limit, std::uint64_t usage) const {
    const std::string group = "/sys/fs/cgroup/memory" + path;
    write(group + "/memory.limit_in_bytes", std::to_string(limit) + "\n");
    write(group + "/memory.usage_in_bytes", std::to_string(usage) + "\n");
  }
  void group_of_version_2(const std::string& path, const std::string& limit,
                          std::uint64_t usage) const {
    const std::string group = "/sys/fs/cgroup" + path;
    write(group + "/memory.max", limit + "\n");
    write(group + "/memory.current", std::to_string(usage) + "\n");
  }
  [[nodiscard]] std::uint64_t headroom() const { return memory_headroom(root_.path()); }

  test::ScratchDirectory root_;
};

TEST_F(MemoryHeadroom, is_unlimited_where_nothing_is_known) {
  EXPECT_EQ(headroom(), kUnlimited);
  write("/proc/self/cgroup", "0::/a/b\nrubbish\n5:memory\n6:memory:\n7:memory:relative\n::\n");
  EXPECT_EQ(headroom(), kUnlimited);
  write("/sys/fs/cgroup/a/memory.max", "words\n");
  EXPECT_EQ(headroom(), kUnlimited);
}

TEST_F(MemoryHeadroom, is_that_of_the_tightest_group_on_the_way_up) {
  TP_REQ("D205");
  write("/proc/self/cgroup", "0::/a/b/c\n");
  group_of_version_2("/a", "1000", 100);
  group_of_version_2("/a/b", "700", 50);
  group_of_version_2("/a/b/c", "max", 50);
  EXPECT_EQ(headroom(), 650U);
  group_of_version_2("/a", "1000", 400);
  EXPECT_EQ(headroom(), 600U);
  group_of_version_2("/a", "1000", 1001);
  EXPECT_EQ(headroom(), 0U);
}

TEST_F(MemoryHeadroom, finds_the_group_of_a_container_at_the_top) {
  TP_REQ("D205");
  write("/proc/self/cgroup", "4:memory:/docker/0123\n0::/\n");
  group_of_version_1("", 1000, 100);
  EXPECT_EQ(headroom(), 900U);
}

TEST_F(MemoryHeadroom, takes_both_versions_together) {
  write("/proc/self/cgroup", "9:cpu,cpuacct:/x\n4:memory:/m\n0::/u\n");
  group_of_version_1("/m", 5000, 100);
  group_of_version_2("/u", "900", 100);
  EXPECT_EQ(headroom(), 800U);
}

TEST_F(MemoryHeadroom, cached_files_give_way_and_swap_is_room) {
  write("/proc/self/cgroup", "4:memory:/m\n");
  group_of_version_1("/m", 1000, 900);
  write("/sys/fs/cgroup/memory/m/memory.stat",
        "inactive_file 7\ntotal_inactive_file 200\ntotal_active_file 100\ntotal_active_anon 5\n");
  EXPECT_EQ(headroom(), 400U);
  write("/proc/meminfo", "SwapTotal:      9 kB\nSwapFree:          2 kB\n");
  EXPECT_EQ(headroom(), 400U + 2048);
  write("/sys/fs/cgroup/memory/m/memory.stat", "total_active_file 99999\n");
  EXPECT_EQ(headroom(), 1000U + 2048);
}

}  // namespace
}  // namespace tensorpool::os
