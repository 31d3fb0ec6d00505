// What of a host matters to shared-memory streams, as it is now.
//
// Read from /proc, /sys and the file systems; changes nothing and needs no privileges. What cannot
// be read is absent, never an error: containers hide much of it.
// Thread contract: free function, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bus/driver_probe.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps::doctor {

/// The file system that the regions lie on.
struct ShmFacts {
  std::string path = "/dev/shm";
  bool exists = false;
  bool writable = false;  ///< by this user
  std::string type = {};  ///< `tmpfs`, `hugetlbfs`, else the number in hex
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
};

/// A directory that the owner of streams will use, where it exists already.
struct DirectoryFacts {
  std::string path = {};
  bool exists = false;
  bool is_directory = false;
  bool is_ours = false;
  std::uint32_t mode = 0;  ///< permission bits
};

struct MemoryFacts {
  std::optional<std::uint64_t> cgroup_max_bytes =
      {};  ///< the tightest limit that applies; none: none
  std::uint64_t cgroup_used_bytes = 0;
  std::optional<std::uint64_t> lockable_bytes = {};  ///< RLIMIT_MEMLOCK; none: unlimited
  std::uint64_t hugepage_bytes = 0;                  ///< the default size; 0: none
  std::uint64_t hugepages_total = 0;
  std::uint64_t hugepages_free = 0;
  std::vector<std::string> hugetlbfs_mounts = {};
  std::string transparent_shmem = {};  ///< the chosen word of shmem_enabled, or ""
};

struct ProcessorFacts {
  unsigned count = 0;
  std::string isolated = {};                ///< `2-3`, or ""
  std::vector<std::string> governors = {};  ///< the distinct ones
  std::string clock_source = {};            ///< `tsc`, `kvm-clock`, …, or ""
};

/// Files of an epoch whose process is gone.
struct StaleEpoch {
  std::string path;
  std::uint64_t bytes = 0;
};

/// Several announce one stream at the same time.
struct StreamClash {
  std::uint32_t stream_id = 0;
  std::vector<std::string> regions;  ///< URI of the header ring of each
};

struct HostFacts {
  ShmFacts shm;
  DirectoryFacts streams;  ///< <shm>/tensorpool-<user>
  MemoryFacts memory;
  ProcessorFacts processors;
  std::uint64_t open_files_max = 0;
  std::string aeron_dir;
  bus::DriverProbe media_driver;
  std::string media_driver_version;  ///< as it says itself: `1.53.3`; empty where it does not
  std::vector<StaleEpoch> stale_epochs;
  std::vector<StreamClash> clashes;
};

struct ProbeOptions {
  std::string shm_dir = "/dev/shm";
  std::string aeron_dir = {};  ///< "": as every client chooses
  std::string user = {};       ///< as it stands in a directory name
  std::string root = {};       ///< in front of /proc and /sys; for tests
};

/// Everything but `stale_epochs` and `clashes`.
[[nodiscard]] HostFacts probe_host(const ProbeOptions& options);

}  // namespace tensorpool::inline v0::apps::doctor
