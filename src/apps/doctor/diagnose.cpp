#include "apps/doctor/diagnose.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "apps/text.hpp"

namespace tensorpool::inline v0::apps::doctor {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20U;
constexpr std::uint64_t kRoomyShm = 256 * kMiB;  ///< some megapixel streams
constexpr std::uint64_t kOpenFilesMin = 4096;    ///< a driver with 1,000 streams

[[nodiscard]] Finding fine(std::string_view topic, std::string text) {
  return {.topic = topic, .text = std::move(text), .fix = {}};
}

[[nodiscard]] std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ", ") + word;
  }
  return text;
}

[[nodiscard]] Finding shm_space(const ShmFacts& shm) {
  constexpr std::string_view kTopic = "shm_space";
  if (!shm.exists) {
    return {kTopic, Severity::kError, shm.path + " does not exist",
            "mount -t tmpfs -o size=50%,mode=1777 tmpfs " + shm.path};
  }
  const std::string space = fmt::format("{} of {} are free in {}", bytes_text(shm.free_bytes),
                                        bytes_text(shm.total_bytes), shm.path);
  if (shm.total_bytes < kRoomyShm) {
    return {kTopic, Severity::kWarning, space + ": a stream of megapixels fills it",
            "mount -o remount,size=50% " + shm.path + "   # container: docker run --shm-size=2g"};
  }
  if (shm.free_bytes < shm.total_bytes / 10) {
    return {kTopic, Severity::kWarning, space, "du -sh " + shm.path + "/*"};
  }
  return fine(kTopic, space);
}

[[nodiscard]] Finding shm_mount(const ShmFacts& shm) {
  constexpr std::string_view kTopic = "shm_mount";
  if (!shm.exists) {
    return {kTopic, Severity::kError, "nothing is mounted", ""};
  }
  if (!shm.writable) {
    return {kTopic, Severity::kError, "you may not create anything in " + shm.path,
            "chmod 1777 " + shm.path};
  }
  if (shm.type != "tmpfs" && shm.type != "hugetlbfs") {
    return {kTopic, Severity::kWarning,
            fmt::format("{} is a file system of type {}: frames would be written to a disk",
                        shm.path, shm.type),
            "mount -t tmpfs -o size=50%,mode=1777 tmpfs " + shm.path};
  }
  return fine(kTopic, shm.path + " is " + shm.type + " and writable");
}

[[nodiscard]] Finding container_memory(const HostFacts& facts) {
  constexpr std::string_view kTopic = "container_memory";
  const MemoryFacts& memory = facts.memory;
  if (!memory.cgroup_max_bytes) {
    return fine(kTopic, "no limit of a control group");
  }
  const std::uint64_t left =
      *memory.cgroup_max_bytes - std::min(*memory.cgroup_max_bytes, memory.cgroup_used_bytes);
  const std::string limit = fmt::format("{} of the control group's {} are left", bytes_text(left),
                                        bytes_text(*memory.cgroup_max_bytes));
  if (left < facts.shm.free_bytes) {
    return {
        kTopic, Severity::kWarning,
        limit + ", and frames count: less than " + facts.shm.path + " promises",
        "systemctl set-property UNIT MemoryMax=8G   # container: docker update --memory 8g NAME"};
  }
  return fine(kTopic, limit);
}

[[nodiscard]] Finding memlock(const MemoryFacts& memory) {
  constexpr std::string_view kTopic = "memlock";
  if (!memory.lockable_bytes) {
    return fine(kTopic, "memory may be locked without limit");
  }
  return {kTopic, Severity::kHint,
          fmt::format("only {} may be locked in memory: mlock options fail above that",
                      bytes_text(*memory.lockable_bytes)),
          "ulimit -l unlimited   # service: LimitMEMLOCK=infinity"};
}

[[nodiscard]] Finding hugepages(const MemoryFacts& memory) {
  constexpr std::string_view kTopic = "hugepages";
  if (memory.hugepages_total == 0) {
    return {kTopic, Severity::kHint, "no huge pages are set aside",
            "sysctl vm.nr_hugepages=512   # 1 GiB with pages of 2 MiB"};
  }
  const std::string pages = fmt::format("{} of {} huge pages of {} are free", memory.hugepages_free,
                                        memory.hugepages_total, bytes_text(memory.hugepage_bytes));
  if (memory.hugetlbfs_mounts.empty()) {
    return {kTopic, Severity::kHint, pages + ", but no hugetlbfs is mounted",
            "mkdir -p /dev/hugepages && mount -t hugetlbfs -o mode=1777 none /dev/hugepages"};
  }
  return fine(kTopic, fmt::format("{}, in {}", pages, joined(memory.hugetlbfs_mounts)));
}

[[nodiscard]] Finding transparent_hugepages(const MemoryFacts& memory) {
  constexpr std::string_view kTopic = "transparent_hugepages";
  const std::string& word = memory.transparent_shmem;
  if (word.empty()) {
    return fine(kTopic, "the kernel does not say");
  }
  if (word == "never" || word == "deny") {
    return {kTopic, Severity::kHint, "shared memory gets no transparent huge pages: " + word,
            "echo advise > /sys/kernel/mm/transparent_hugepage/shmem_enabled"};
  }
  return fine(kTopic, "for shared memory: " + word);
}

[[nodiscard]] Finding governor(const ProcessorFacts& processors) {
  constexpr std::string_view kTopic = "cpu_governor";
  const auto& governors = processors.governors;
  if (governors.empty()) {
    return fine(kTopic, "the kernel does not scale the frequency, or does not say");
  }
  const std::string names = joined(governors);
  if (governors.size() > 1 || governors.front() != "performance") {
    return {kTopic, Severity::kHint, names + ": a processor that idles takes its time to wake",
            "cpupower frequency-set -g performance"};
  }
  return fine(kTopic, names);
}

[[nodiscard]] Finding isolated_cpus(const ProcessorFacts& processors) {
  constexpr std::string_view kTopic = "isolated_cpus";
  if (!processors.isolated.empty()) {
    return fine(kTopic, fmt::format("{} of {} processors", processors.isolated, processors.count));
  }
  if (processors.count < 4) {
    return fine(kTopic,
                fmt::format("none; {} processors are too few to set one aside", processors.count));
  }
  return {kTopic, Severity::kHint,
          fmt::format("none of {} processors: others may interrupt a spinning reader",
                      processors.count),
          "grubby --update-kernel=ALL --args='isolcpus=2-3 nohz_full=2-3'   # Debian: "
          "/etc/default/grub, update-grub"};
}

[[nodiscard]] Finding clock_source(const ProcessorFacts& processors) {
  constexpr std::string_view kTopic = "clock_source";
  const std::string& name = processors.clock_source;
  if (name == "hpet" || name == "acpi_pm" || name == "jiffies") {
    return {kTopic, Severity::kWarning,
            name + ": each reading of the clock is a system call of a microsecond",
            "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource"};
  }
  return fine(kTopic, name.empty() ? "the kernel does not say" : name);
}

[[nodiscard]] Finding open_files(std::uint64_t open_files_max) {
  constexpr std::string_view kTopic = "open_files";
  if (open_files_max < kOpenFilesMin) {
    return {kTopic, Severity::kHint,
            fmt::format("a process may open {} files; a driver with many streams needs more",
                        open_files_max),
            "ulimit -n 65536   # service: LimitNOFILE=65536"};
  }
  return fine(kTopic,
              open_files_max == UINT64_MAX ? "no limit" : grouped(open_files_max) + " per process");
}

[[nodiscard]] Finding stream_directory(const DirectoryFacts& directory) {
  constexpr std::string_view kTopic = "stream_directory";
  if (!directory.exists) {
    return fine(kTopic, directory.path + " will be made by the first stream");
  }
  const std::string path = directory.path;
  if (!directory.is_directory || !directory.is_ours) {
    return {kTopic, Severity::kError,
            path + (directory.is_directory ? " belongs to somebody else" : " is no directory") +
                ": streams cannot be made there",
            "sudo rm -ri " + path};
  }
  if ((directory.mode & 0002U) != 0) {
    return {kTopic, Severity::kError, path + " may be written by everybody", "chmod o-w " + path};
  }
  return fine(kTopic, fmt::format("{}, mode {:o}", path, directory.mode));
}

[[nodiscard]] Finding media_driver(const HostFacts& facts) {
  constexpr std::string_view kTopic = "media_driver";
  const std::string& dir = facts.aeron_dir;
  switch (facts.media_driver.state) {
    case bus::DriverState::kAlive:
      return fine(kTopic,
                  fmt::format("Aeron {}, process {} in {}",
                              facts.media_driver_version.empty() ? "of unknown version"
                                                                 : facts.media_driver_version,
                              facts.media_driver.pid, dir));
    case bus::DriverState::kAbsent:
      return fine(kTopic, "none in " + dir + "; tp pub brings one along");
    case bus::DriverState::kStarting:
      return fine(kTopic, "about to start in " + dir);
    case bus::DriverState::kDead:
      return {kTopic, Severity::kHint, "one has died in " + dir + "; the next one cleans up", ""};
    case bus::DriverState::kDenied:
      return {kTopic, Severity::kError, "you may not use the one in " + dir,
              "ls -ld " + dir + "   # or another one: export AERON_DIR=DIR"};
    case bus::DriverState::kWrongVersion:
      return {kTopic, Severity::kError,
              fmt::format("the one in {} has version {} of Aeron's files, which is another one",
                          dir, facts.media_driver.version_found),
              "export AERON_DIR=DIR   # of a driver of this version, or a new one"};
  }
  return fine(kTopic, dir);
}

[[nodiscard]] Finding stale_epochs(const std::vector<StaleEpoch>& stale) {
  constexpr std::string_view kTopic = "stale_epochs";
  if (stale.empty()) {
    return fine(kTopic, "no files of processes that are gone");
  }
  std::uint64_t bytes = 0;
  for (const StaleEpoch& epoch : stale) {
    bytes += epoch.bytes;
  }
  return {kTopic, Severity::kHint,
          fmt::format("{} of {} whose process is gone; the next owner of the stream removes them",
                      bytes_text(bytes), counted(stale.size(), "epoch")),
          "rm -r " + stale.front().path + (stale.size() > 1 ? "   # and so on: --json" : "")};
}

[[nodiscard]] Finding stream_numbers(const std::vector<StreamClash>& clashes) {
  constexpr std::string_view kTopic = "stream_numbers";
  if (clashes.empty()) {
    return fine(kTopic, "no two announce the same stream");
  }
  const StreamClash& first = clashes.front();
  return {kTopic, Severity::kError,
          fmt::format("{} announce stream {}: {}{}", first.regions.size(), first.stream_id,
                      joined(first.regions),
                      clashes.size() > 1
                          ? fmt::format("; and so on: {} in all", counted(clashes.size(), "stream"))
                          : std::string()),
          "tp pub NAME --stream NUMBER   # another number for one of them; or end one"};
}

}  // namespace

std::string_view to_string(Severity severity) noexcept {
  switch (severity) {
    case Severity::kFine:
      return "fine";
    case Severity::kHint:
      return "hint";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      break;
  }
  return "error";
}

std::vector<Finding> diagnose(const HostFacts& facts) {
  return {shm_mount(facts.shm),
          shm_space(facts.shm),
          container_memory(facts),
          stream_directory(facts.streams),
          stale_epochs(facts.stale_epochs),
          media_driver(facts),
          stream_numbers(facts.clashes),
          open_files(facts.open_files_max),
          memlock(facts.memory),
          hugepages(facts.memory),
          transparent_hugepages(facts.memory),
          clock_source(facts.processors),
          governor(facts.processors),
          isolated_cpus(facts.processors)};
}

}  // namespace tensorpool::inline v0::apps::doctor
