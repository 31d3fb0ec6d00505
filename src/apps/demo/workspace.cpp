#include "apps/demo/workspace.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "core/region/directories.hpp"
#include "os/process.hpp"
#include "os/syscalls.hpp"

namespace tensorpool::inline v0::apps {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBase = "/dev/shm";
/// Between the making of a directory and its lock.
constexpr std::chrono::seconds kSetUpTime{10};

std::string name_prefix() {
  return "tensorpool-" + core::region::sanitized_user(os::effective_user_name(), ::geteuid()) +
         "-demo-";
}

/// A descriptor that holds the lock, or none when somebody else does.
os::UniqueFd try_lock(const std::string& path) {
  os::UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (directory && ::flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
    directory = {};
  }
  return directory;
}

/// True when the directory is this user's, and nobody is about to lock it.
bool is_abandoned(int directory, std::string_view pid_text) {
  struct stat status {};
  if (::fstat(directory, &status) != 0 || status.st_uid != ::geteuid()) {
    return false;
  }
  std::uint64_t pid = 0;
  std::from_chars(pid_text.data(), pid_text.data() + pid_text.size(), pid);
  return !os::owner_alive(os::system_calls(), pid) ||
         std::chrono::seconds(::time(nullptr) - status.st_mtime) > kSetUpTime;
}

void remove_abandoned(const std::string& prefix) {
  std::error_code error;
  for (fs::directory_iterator entry(kBase, error); !error && entry != fs::end(entry);
       entry.increment(error)) {
    const std::string name = entry->path().filename().native();
    if (!name.starts_with(prefix)) {
      continue;
    }
    const std::string path = entry->path().native();
    const os::UniqueFd lock = try_lock(path);
    if (lock && is_abandoned(lock.get(), std::string_view(name).substr(prefix.size()))) {
      DemoWorkspace::remove(path);
    }
  }
}

}  // namespace

Result<DemoWorkspace> DemoWorkspace::create() {
  const std::string prefix = name_prefix();
  remove_abandoned(prefix);
  const std::string path = std::string(kBase) + "/" + prefix + std::to_string(::getpid());
  if (::mkdir(path.c_str(), S_IRWXU) != 0) {
    return fail(
        make_os_error(errno == EEXIST ? Errc::kAlreadyExists : Errc::kOsFailure, path, errno));
  }
  os::UniqueFd lock = try_lock(path);
  if (!lock) {
    return fail(make_os_error(Errc::kOsFailure, path, errno));
  }
  return DemoWorkspace(path, std::move(lock));
}

DemoWorkspace::~DemoWorkspace() {
  if (lock_) {
    remove(path_);
  }
}

void DemoWorkspace::remove(const fs::path& path) {
  if (path.parent_path() == kBase && path.filename().native().starts_with(name_prefix())) {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
}

}  // namespace tensorpool::inline v0::apps
