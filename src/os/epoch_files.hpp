// The directory of one epoch and the region files in it, while they are being made.
//
// For owners: create_region (standalone) and provision_epoch (driver), who decide about the number,
// the order and the size of the steps. Spec: §1.8 (W137..W149), 2-driver §2.12.
//
// Thread contract: an object with one owner. In a forked child it does nothing and removes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/region/plan.hpp"
#include "os/directory.hpp"
#include "os/mapped_region.hpp"
#include "os/syscalls.hpp"
#include "os/unique_fd.hpp"

namespace tensorpool::inline v0::os {

/// Bytes of the file system of `directory` that an unprivileged user may still take; the highest
/// number when it sets itself no limit.
[[nodiscard]] Result<std::uint64_t> free_bytes(Syscalls& calls, const Directory& directory);

/// Bytes of memory that files in `directory` may still take: on tmpfs what the control groups of
/// this process allow, elsewhere the highest number.
[[nodiscard]] Result<std::uint64_t> free_memory_bytes(Syscalls& calls, const Directory& directory);

/// The smallest block that a file system gives.
inline constexpr std::uint64_t kSmallestBlock = 4096;

/// The sum of the lengths of `regions`, each rounded up to `unit`; the highest number where that is
/// beyond 64 bits.
[[nodiscard]] std::uint64_t sum_of_bytes(const std::vector<core::region::ExpectedRegion>& regions,
                                         std::uint64_t unit) noexcept;

/// What is to be announced of `regions` in `directory`; `uri_invalid` when its path cannot stand in
/// a URI (W111, D76).
[[nodiscard]] Result<core::region::MappingPlan> plan_epoch(
    const std::vector<core::region::ExpectedRegion>& regions, const std::string& directory,
    bool require_hugepages);

/// The epoch directory and the files in it that this process has created. Removes what it created
/// when it goes, unless told to keep it.
class EpochFiles {
 public:
  /// Creates the directory of `epoch`; `already_exists` when its name is taken.
  [[nodiscard]] static Result<EpochFiles> create(Syscalls& calls, const Directory& stream_directory,
                                                 std::uint64_t epoch,
                                                 const DirectoryAccess& access);
  EpochFiles(EpochFiles&&) noexcept = default;
  EpochFiles& operator=(EpochFiles&&) = delete;
  EpochFiles(const EpochFiles&) = delete;
  EpochFiles& operator=(const EpochFiles&) = delete;
  ~EpochFiles();

  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
  [[nodiscard]] const Directory& directory() const noexcept { return directory_; }
  /// A new, empty file that nobody else may open yet (W141, D195).
  [[nodiscard]] Result<UniqueFd> create_file(const std::string& name);
  void keep() noexcept { keep_ = true; }
  /// Removes what it created, unless told to keep it. Idempotent.
  void remove() noexcept;

 private:
  EpochFiles(Syscalls& calls, Directory directory, std::uint64_t epoch) noexcept;

  Syscalls* calls_;
  Directory directory_;
  std::uint64_t epoch_;
  std::vector<std::string> names_;
  std::uint32_t generation_;
  bool keep_ = false;
};

/// Who may open a region file.
struct FileAccess {
  mode_t mode = 0600;
  std::optional<uid_t> owner = {};  ///< none: this process
  std::optional<gid_t> group = {};  ///< none: whatever the system gives
};

/// A region file in the making. The steps in their order: size it (allocate or make_sparse),
/// publish the file by owner and mode, map, then touch and lock as wanted, finish. Errors name the
/// region.
class NewRegion {
 public:
  struct Slice {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
  };

  /// `page_bytes` is the unit of lengths: that of `file_page_bytes`.
  [[nodiscard]] static Result<NewRegion> create(Syscalls& calls, EpochFiles& files,
                                                const core::region::ExpectedRegion& region,
                                                std::uint64_t page_bytes);

  /// Length of the file, rounded (W145, D211).
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  /// Extends the file by zeros whose blocks exist: a full file system is an error here and not
  /// SIGBUS later (W144, W147, D205).
  [[nodiscard]] Status allocate(Slice slice) const;
  /// Gives the file its length and only the superblock its blocks (D206).
  [[nodiscard]] Status make_sparse() const;
  /// Has the pages lie on one NUMA node, whoever touches them first. Before they are allocated.
  [[nodiscard]] Status bind_to_node(std::uint32_t node) const;
  /// Exactly the mode, whatever the umask is (W149, D195), and owner and group where they are
  /// given.
  [[nodiscard]] Status give_access(const FileAccess& access) const;
  [[nodiscard]] Status map(bool populate);
  /// Makes the pages of a mapped slice present (D205), for others: they do not stay in the memory
  /// of this process, so that taking the mapping down later costs nothing.
  [[nodiscard]] Status touch(Slice slice) const;
  /// Keeps a mapped slice in memory for as long as the mapping lives (D207).
  [[nodiscard]] Status lock(Slice slice) const;
  /// Stores the superblock through the mapping (W146, D212), magic last, and synchronises.
  [[nodiscard]] Result<MappedRegion> finish(Nanos now_mono) &&;

 private:
  NewRegion(Syscalls& calls, UniqueFd fd, const core::region::ExpectedRegion& region,
            std::uint64_t page_bytes, std::string path) noexcept;
  [[nodiscard]] Error error_of(std::string_view call, int os_errno) const noexcept;

  Syscalls* calls_;
  UniqueFd fd_;
  Mapping mapping_;
  core::region::ExpectedRegion region_;
  std::uint64_t page_bytes_;
  std::uint64_t bytes_;
  std::string path_;
};

/// The regions of one epoch, header ring first, as one value. Precondition: not empty.
[[nodiscard]] MappedStream assemble(std::vector<MappedRegion> regions);

}  // namespace tensorpool::inline v0::os
