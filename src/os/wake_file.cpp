#include "os/wake_file.hpp"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include "base/atomics.hpp"
#include "os/process.hpp"
#include "os/safe_open.hpp"

namespace tensorpool::inline v0::os {
namespace {

constexpr std::string_view kPrefix = "tensorpool-wake-";
constexpr std::uint64_t kFileBytes = 4096;
/// A new file may be taken for one that a killed producer left, until it is locked.
constexpr int kTriesMax = 4;

[[nodiscard]] std::string file_name(const WakeFile::Name& name) {
  return std::string(kPrefix) + std::to_string(name.stream_id) + "-" + std::to_string(name.epoch);
}

/// The system call before it failed.
[[nodiscard]] tl::unexpected<Error> fail_with_errno(Errc code, const std::string& path) noexcept {
  const int os_errno = errno;
  Error error = make_error(code, path);
  error.os_errno = os_errno;
  return fail(error);
}

[[nodiscard]] Result<UniqueFd> open_directory(Syscalls& calls, const std::string& path) {
  UniqueFd directory(calls.openat(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
  if (!directory) {
    return fail_with_errno(errno == ENOENT ? Errc::kNotFound : Errc::kOsFailure, path);
  }
  return directory;
}

/// Removes what killed producers have left: files of ours that nobody keeps locked.
void sweep(Syscalls& calls, const UniqueFd& directory) {
  std::vector<std::string> names;
  if (calls.list_directory(directory.get(), names) != 0) {
    return;
  }
  for (const std::string& name : names) {
    if (!name.starts_with(kPrefix)) {
      continue;
    }
    const UniqueFd file(calls.openat(directory.get(), name.c_str(),
                                     O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0));
    if (file && calls.flock(file.get(), LOCK_EX | LOCK_NB) == 0) {
      calls.unlinkat(directory.get(), name.c_str(), 0);
    }
  }
}

/// Who may do what with the media driver's own file: the same may do so with the words.
[[nodiscard]] Result<struct stat> media_driver_file(Syscalls& calls, const UniqueFd& directory,
                                                    const std::string& path) {
  struct stat found {};
  if (calls.lstatat(directory.get(), "cnc.dat", found) != 0) {
    return fail_with_errno(errno == ENOENT ? Errc::kNotFound : Errc::kOsFailure, path);
  }
  return found;
}

[[nodiscard]] Result<Mapping> map_words(Syscalls& calls, const UniqueFd& file) {
  return Mapping::create(calls, file.get(),
                         {.bytes = kFileBytes, .access = Access::kReadWrite, .populate = true});
}

/// Gives the file its access and its length. Where it cannot have the group of `model`, no group
/// may do anything with it.
[[nodiscard]] Status furnish(Syscalls& calls, const UniqueFd& file, const struct stat& model,
                             const std::string& path) {
  constexpr uid_t kSameUser = static_cast<uid_t>(-1);
  const bool has_group = calls.fchown(file.get(), kSameUser, model.st_gid) == 0;
  if (calls.fchmod(file.get(), model.st_mode & (has_group ? 0666U : 0606U)) != 0 ||
      calls.fallocate(file.get(), 0, static_cast<off_t>(kFileBytes)) != 0) {
    return fail_with_errno(Errc::kOsFailure, path);
  }
  return {};
}

[[nodiscard]] bool has_links(Syscalls& calls, const UniqueFd& file) {
  struct stat found {};
  return calls.fstat(file.get(), found) == 0 && found.st_nlink > 0;
}

}  // namespace

Result<WakeFile> WakeFile::create(Syscalls& calls, const Name& name) {
  const Result<UniqueFd> directory = open_directory(calls, name.directory);
  if (!directory) {
    return fail(directory.error());
  }
  const Result<struct stat> model = media_driver_file(calls, *directory, name.directory);
  if (!model) {
    return fail(model.error());
  }
  sweep(calls, *directory);
  const std::string file = file_name(name);
  const std::string path = name.directory + "/" + file;
  for (int tries = 0; tries < kTriesMax; ++tries) {
    UniqueFd made(calls.openat(directory->get(), file.c_str(),
                               O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!made) {
      return fail_with_errno(errno == EEXIST ? Errc::kAlreadyExists : Errc::kOsFailure, path);
    }
    if (calls.flock(made.get(), LOCK_EX | LOCK_NB) != 0 || !has_links(calls, made)) {
      calls.unlinkat(directory->get(), file.c_str(), 0);
      continue;  // swept by another one
    }
    Status furnished = furnish(calls, made, *model, path);
    Result<Mapping> mapping =
        furnished ? map_words(calls, made) : Result<Mapping>(fail(furnished.error()));
    if (!mapping) {
      calls.unlinkat(directory->get(), file.c_str(), 0);
      return fail(mapping.error());
    }
    WakeFile words(std::move(made), std::move(*mapping));
    words.remove_path_ = path;
    words.generation_ = fork_generation();
    words.words().epoch = name.epoch;
    words.words().stream_id = name.stream_id;
    // sync(wake-file): publish.
    base::DefaultAtom::store_release<base::Edge::kMagicStore>(words.words().magic,
                                                              layout::kWakeMagic);
    return words;
  }
  return fail(Errc::kAlreadyExists, path);
}

Result<WakeFile> WakeFile::open(Syscalls& calls, const Name& name) {
  const std::string path = name.directory + "/" + file_name(name);
  UniqueFd file(
      calls.openat(AT_FDCWD, path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0));
  if (!file) {
    return fail_with_errno(errno == ENOENT ? Errc::kNotFound : Errc::kPathRejected, path);
  }
  struct stat found {};
  if (calls.fstat(file.get(), found) != 0) {
    return fail_with_errno(Errc::kOsFailure, path);
  }
  if (!S_ISREG(found.st_mode) || found.st_size != static_cast<off_t>(kFileBytes)) {
    return fail(Errc::kPathRejected, path, static_cast<std::uint64_t>(found.st_size), kFileBytes);
  }
  Result<Mapping> mapping = map_words(calls, file);
  if (!mapping) {
    return fail(mapping.error());
  }
  WakeFile opened(std::move(file), std::move(*mapping));
  const layout::WakeWords& words = opened.words();
  // sync(wake-file): observe.
  if (base::DefaultAtom::load_acquire<base::Edge::kMagicLoad>(words.magic) != layout::kWakeMagic ||
      words.epoch != name.epoch || words.stream_id != name.stream_id) {
    return fail(Errc::kPathRejected, path);
  }
  return opened;
}

WakeFile& WakeFile::operator=(WakeFile&& other) noexcept {
  std::swap(file_, other.file_);
  mapping_.swap(other.mapping_);
  std::swap(remove_path_, other.remove_path_);
  std::swap(generation_, other.generation_);
  return *this;
}

WakeFile::~WakeFile() {
  if (file_ && !remove_path_.empty() && generation_ == fork_generation() &&
      has_links(system_calls(), file_)) {
    ::unlink(remove_path_.c_str());
  }
}

bool WakeFile::is_linked(Syscalls& calls) const {
  return has_links(calls, file_);
}

}  // namespace tensorpool::inline v0::os
