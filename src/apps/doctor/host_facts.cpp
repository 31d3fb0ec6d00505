#include "apps/doctor/host_facts.hpp"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>

#include "bus/counters_file.hpp"

namespace tensorpool::inline v0::apps::doctor {
namespace {

namespace fs = std::filesystem;

[[nodiscard]] std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

[[nodiscard]] std::optional<std::uint64_t> number(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end != text.data() ? std::optional(value) : std::nullopt;
}

/// The word in brackets: `always [madvise] never`.
[[nodiscard]] std::string chosen_word(const std::string& line) {
  const std::size_t from = line.find('[');
  const std::size_t to = line.find(']', from);
  return from == std::string::npos || to == std::string::npos
             ? ""
             : line.substr(from + 1, to - from - 1);
}

[[nodiscard]] ShmFacts probe_shm(const std::string& path) {
  ShmFacts facts{.path = path};
  struct statfs system {};
  if (::statfs(path.c_str(), &system) != 0) {
    return facts;
  }
  facts.exists = true;
  facts.writable = ::access(path.c_str(), W_OK | X_OK) == 0;
  const auto type = static_cast<std::uint64_t>(system.f_type);
  facts.type = type == TMPFS_MAGIC       ? "tmpfs"
               : type == HUGETLBFS_MAGIC ? "hugetlbfs"
                                         : fmt::format("{:#x}", type);
  const auto block = static_cast<std::uint64_t>(system.f_bsize);
  facts.total_bytes = system.f_blocks * block;
  facts.free_bytes = system.f_bavail * block;
  return facts;
}

[[nodiscard]] DirectoryFacts probe_directory(const std::string& path) {
  DirectoryFacts facts{.path = path};
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    return facts;
  }
  facts.exists = true;
  facts.is_directory = S_ISDIR(status.st_mode);
  facts.is_ours = status.st_uid == ::geteuid();
  facts.mode = status.st_mode & 07777U;
  return facts;
}

/// The tightest memory limit between this process's control group and the root.
void probe_cgroup(const std::string& root, MemoryFacts& facts) {
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (!line.starts_with("0::")) {
      continue;
    }
    fs::path group = line.substr(3);
    for (;; group = group.parent_path()) {
      const std::string folder = root + "/sys/fs/cgroup" + group.native();
      const auto limit = number(first_line(folder + "/memory.max"));  // "max" is no number
      if (limit && (!facts.cgroup_max_bytes || *limit < *facts.cgroup_max_bytes)) {
        facts.cgroup_max_bytes = limit;
        facts.cgroup_used_bytes = number(first_line(folder + "/memory.current")).value_or(0);
      }
      if (!group.has_relative_path()) {
        return;
      }
    }
  }
}

void probe_hugepages(const std::string& root, MemoryFacts& facts) {
  std::ifstream memory(root + "/proc/meminfo");
  for (std::string line; std::getline(memory, line);) {
    std::istringstream words(line);
    std::string name;
    std::uint64_t value = 0;
    words >> name >> value;
    if (name == "HugePages_Total:") {
      facts.hugepages_total = value;
    } else if (name == "HugePages_Free:") {
      facts.hugepages_free = value;
    } else if (name == "Hugepagesize:") {
      facts.hugepage_bytes = value * 1024;
    }
  }
  std::ifstream mounts(root + "/proc/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string device;
    std::string path;
    std::string type;
    words >> device >> path >> type;
    if (type == "hugetlbfs") {
      facts.hugetlbfs_mounts.push_back(path);
    }
  }
  facts.transparent_shmem =
      chosen_word(first_line(root + "/sys/kernel/mm/transparent_hugepage/shmem_enabled"));
}

[[nodiscard]] ProcessorFacts probe_processors(const std::string& root) {
  const std::string folder = root + "/sys/devices/system";
  ProcessorFacts facts{
      .count = std::thread::hardware_concurrency(),
      .isolated = first_line(folder + "/cpu/isolated"),
      .clock_source = first_line(folder + "/clocksource/clocksource0/current_clocksource")};
  for (unsigned cpu = 0; cpu < facts.count; ++cpu) {
    const std::string governor =
        first_line(fmt::format("{}/cpu/cpu{}/cpufreq/scaling_governor", folder, cpu));
    if (!governor.empty() && std::find(facts.governors.begin(), facts.governors.end(), governor) ==
                                 facts.governors.end()) {
      facts.governors.push_back(governor);
    }
  }
  return facts;
}

[[nodiscard]] std::optional<std::uint64_t> limit_of(int resource) noexcept {
  struct rlimit limit {};
  return ::getrlimit(static_cast<__rlimit_resource>(resource), &limit) == 0 &&
                 limit.rlim_cur != RLIM_INFINITY
             ? std::optional<std::uint64_t>(limit.rlim_cur)
             : std::nullopt;
}

/// From the label of the counter that a media driver keeps for its own version.
[[nodiscard]] std::string version_of_media_driver(const std::string& aeron_dir) {
  constexpr std::int32_t kSystemCounters = 0;
  constexpr std::string_view kBefore = "Aeron software: version=";
  const auto counters = bus::read_counters(aeron_dir, kSystemCounters, kSystemCounters);
  if (counters) {
    for (const bus::CounterReading& counter : *counters) {
      if (counter.label.starts_with(kBefore)) {
        const std::string rest = counter.label.substr(kBefore.size());
        return rest.substr(0, rest.find(' '));
      }
    }
  }
  return {};
}

}  // namespace

HostFacts probe_host(const ProbeOptions& options) {
  HostFacts facts;
  facts.shm = probe_shm(options.shm_dir);
  facts.streams = probe_directory(options.shm_dir + "/tensorpool-" + options.user);
  probe_cgroup(options.root, facts.memory);
  probe_hugepages(options.root, facts.memory);
  facts.memory.lockable_bytes = limit_of(RLIMIT_MEMLOCK);
  facts.processors = probe_processors(options.root);
  facts.open_files_max = limit_of(RLIMIT_NOFILE).value_or(UINT64_MAX);
  facts.aeron_dir = bus::choose_aeron_dir(options.aeron_dir);
  facts.media_driver = bus::probe_driver(facts.aeron_dir);
  facts.media_driver_version = version_of_media_driver(facts.aeron_dir);
  return facts;
}

}  // namespace tensorpool::inline v0::apps::doctor
