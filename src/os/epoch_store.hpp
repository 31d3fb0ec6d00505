// Where a driver's epochs lie, and the streams whose directories it holds.
//
// Made once at a driver's start. provision_epoch and collect_epochs work on its streams. Spec:
// 2-driver §2.12 (D194, D196..D198, D210, D214), §2.14.
//
//   auto store = EpochStore::create(system_calls(), settings.shm);
//   ProvisionJob job((*store)->stream(10000), settings.policies, request);
//
// Thread contract: `stream` and `release` belong to one thread, the driver's. A ManagedStream
// belongs to the one job or collection that works on it, on whatever thread; what is const of the
// store may be asked by all of them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/driver/attach_checks.hpp"
#include "core/driver/settings.hpp"
#include "core/region/directories.hpp"
#include "os/directory.hpp"
#include "os/epoch_files.hpp"
#include "os/region_policy.hpp"
#include "os/syscalls.hpp"

namespace tensorpool::inline v0::os {

class EpochStore;

/// Who may open what a driver makes, where that is not everything the same.
struct StoreAccess {
  std::optional<gid_t> group = {};                   ///< of all that has none of its own
  std::map<std::uint32_t, FileAccess> streams = {};  ///< of some streams; their directories follow
};

/// The directory of one stream. Made by EpochStore::stream.
class ManagedStream {
 public:
  /// `store` outlives the stream.
  ManagedStream(const EpochStore& store, std::uint32_t stream_id) noexcept
      : store_(store), stream_id_(stream_id) {}

  [[nodiscard]] const EpochStore& store() const noexcept { return store_; }
  [[nodiscard]] std::uint32_t stream_id() const noexcept { return stream_id_; }

  enum class Absent : std::uint8_t { kCreate, kRefuse };
  /// Opens the directory level by level and locks it against other drivers. Asked again, it makes
  /// sure that this is still the directory that the path leads to, and takes the new one if it was
  /// removed or exchanged. `path_rejected`; `already_exists` of Field::kStreamId when another
  /// driver holds it; `not_found` with kRefuse. Spec: D196, D197, D214.
  [[nodiscard]] Status open(Absent absent);
  [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(directory_.fd); }
  /// Precondition: is_open().
  [[nodiscard]] const Directory& directory() const noexcept { return directory_; }
  /// Gives the directory and its lock up.
  void close() noexcept { directory_ = {}; }

  /// The epochs that this process has made here and that were not collected since (D268).
  [[nodiscard]] const std::vector<std::uint64_t>& provisioned() const noexcept {
    return provisioned_;
  }
  void remember(std::uint64_t epoch) { provisioned_.push_back(epoch); }
  void forget(std::uint64_t epoch) noexcept { std::erase(provisioned_, epoch); }

 private:
  const EpochStore& store_;
  std::uint32_t stream_id_;
  Directory directory_;
  std::vector<std::uint64_t> provisioned_;
};

class EpochStore {
 public:
  /// Creates the base directory if only that is missing, resolves it and the allowed ones.
  /// `invalid_argument` for directories and a namespace that cannot be used. `calls` outlives it.
  [[nodiscard]] static Result<std::unique_ptr<EpochStore>> create(
      Syscalls& calls, const core::driver::ShmSettings& settings, StoreAccess access = {});
  EpochStore(const EpochStore&) = delete;
  EpochStore& operator=(const EpochStore&) = delete;
  ~EpochStore() = default;

  /// What attaches that want huge pages, or none, depend on (D61, D62, D210).
  [[nodiscard]] const core::driver::PageFacts& pages() const noexcept { return pages_; }
  /// False where the kernel, or a filter before it, does not know mlock (D208).
  [[nodiscard]] bool mlock_available() const noexcept { return mlock_available_; }

  /// The stream of this id; known from then on, but neither opened nor created. The reference stays
  /// valid until `release`.
  [[nodiscard]] ManagedStream& stream(std::uint32_t stream_id);
  /// Gives the lock of a stream up that is managed no longer; what it has provisioned stays known.
  /// Precondition: nothing works on it.
  void release(std::uint32_t stream_id) noexcept;
  /// All streams that were ever asked for, by their ids.
  [[nodiscard]] std::map<std::uint32_t, ManagedStream>& streams() noexcept { return streams_; }

  /// The ids of all streams that have a directory, ascending (D230).
  [[nodiscard]] Result<std::vector<std::uint32_t>> existing_stream_ids() const;

  /// `not_found` when a level is absent and `create` is false.
  [[nodiscard]] Result<Directory> open_stream_directory(std::uint32_t stream_id, bool create) const;
  /// `path_rejected` for a canonical path outside the allowed base directories (D198).
  [[nodiscard]] Status check_contained(const std::string& path) const;
  /// Of a stream's region files.
  [[nodiscard]] FileAccess file_access(std::uint32_t stream_id) const;
  /// Of a stream's directories: those of its files, and way through for an owner of the files who
  /// is not the driver (D196).
  [[nodiscard]] DirectoryAccess directory_access(std::uint32_t stream_id) const;
  /// Whether anybody could put directories of his own in the place of ours.
  [[nodiscard]] bool is_exposed() const;
  [[nodiscard]] Syscalls& calls() const noexcept { return calls_; }

 private:
  EpochStore(Syscalls& calls, std::string base, core::region::StreamPlace place,
             RegionPolicy allowed, mode_t file_mode, StoreAccess access)
      : calls_(calls),
        base_(std::move(base)),
        place_(std::move(place)),
        allowed_(std::move(allowed)),
        file_mode_(file_mode),
        access_(std::move(access)) {}

  Syscalls& calls_;
  std::string base_;                 ///< canonical
  core::region::StreamPlace place_;  ///< of any stream
  RegionPolicy allowed_;
  mode_t file_mode_;
  StoreAccess access_;
  core::driver::PageFacts pages_ = {};
  bool mlock_available_ = true;
  std::map<std::uint32_t, ManagedStream> streams_;
};

}  // namespace tensorpool::inline v0::os
