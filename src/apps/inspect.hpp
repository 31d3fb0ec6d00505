// Looks at region files from outside: no Aeron, nothing written.
//
// Everything is read with pread, so a file that shrinks meanwhile is a short read and never SIGBUS.
// To learn its NUMA node the first page is mapped, read-only, and never touched from here.
// What is read is input and is judged as such. Thread contract: free functions.
// Spec: §1.3, §1.9.2; design §9 (files that shrink).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "layout/superblock.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/tensor_info.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps {

/// The newest frame that a header ring holds.
struct NewestFrame {
  std::uint64_t seq = 0;
  TensorInfo info;
  std::uint32_t payload_bytes = 0;
  std::uint16_t pool_id = 0;
  std::optional<Nanos> age;  ///< since its capture, where it has a time
};

struct RegionReport {
  std::string path;
  std::uint64_t file_bytes = 0;
  layout::Superblock superblock{};
  std::uint64_t region_bytes = 0;  ///< as the superblock demands
  Nanos silence{};                 ///< since the last sign of life of its owner
  bool owner_alive = false;
  std::optional<std::uint32_t> numa_node;  ///< of its first page, where the kernel tells
  Status verdict;                          ///< the first thing that is wrong with it
  std::optional<NewestFrame> newest;       ///< of a header ring with a frame
};

/// Errors: the file cannot be read, or is shorter than a superblock.
[[nodiscard]] Result<RegionReport> inspect_region(const std::string& path);

/// Fills `to` from a file. Errc::kRegionTooSmall where that ends before; `path` is for words.
[[nodiscard]] Status read_at(int fd, std::uint64_t offset, std::span<std::byte> to,
                             const std::string& path);
/// That of a region that is as it has to be, the size of its file included.
[[nodiscard]] Result<layout::Superblock> read_superblock(int fd, const std::string& path);

/// The region files at or below `path`, an epoch after the other. Errc::kNotFound when there is
/// none.
[[nodiscard]] Result<std::vector<std::string>> find_regions(const std::string& path);

}  // namespace tensorpool::inline v0::apps
