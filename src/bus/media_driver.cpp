#include "bus/media_driver.hpp"

#include <aeronmd.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "bus/aeron_error.hpp"
#include "bus/driver_probe.hpp"

namespace tensorpool::inline v0::bus {
namespace {

constexpr std::size_t kCountersBytes =
    1024UL * 1024;  // the smallest that Aeron takes: 8192 counters

std::uint64_t count(Nanos duration) noexcept {
  return static_cast<std::uint64_t>(duration.count());
}

/// Blocks all signals for its lifetime: threads made meanwhile inherit that, and the application's
/// handlers run on the application's threads.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

/// Whatever stands at the path may be emptied: nothing, or a directory of ours.
[[nodiscard]] Status check_replaceable(const std::string& aeron_dir) noexcept {
  struct stat found {};
  if (::lstat(aeron_dir.c_str(), &found) != 0) {
    return errno == ENOENT ? Status() : fail(make_os_error(Errc::kOsFailure, aeron_dir, errno));
  }
  if (!S_ISDIR(found.st_mode)) {
    return fail(make_os_error(Errc::kOsFailure, aeron_dir, ENOTDIR));
  }
  if (found.st_uid != ::geteuid()) {
    return fail(make_os_error(Errc::kOsFailure, aeron_dir, EPERM));
  }
  return {};
}

/// Gives the directory to this user alone, or to the members of a group as well. What is in it
/// already was made under the umask of this process; what comes is made by the driver's thread and
/// has the group of the directory it is made in.
[[nodiscard]] Status share_directory(const std::string& aeron_dir, std::optional<gid_t> group) {
  const auto failed = [](const std::string& path) {
    return fail(make_os_error(Errc::kOsFailure, path, errno));
  };
  constexpr auto kSameUser = static_cast<uid_t>(-1);
  constexpr mode_t kShared = S_ISGID | S_IRWXU | S_IRWXG;
  if (group) {
    std::error_code listing;
    for (const auto& entry : std::filesystem::directory_iterator(aeron_dir, listing)) {
      const std::string path = entry.path().native();
      const mode_t mode = entry.is_directory() ? kShared : kShared & 0666U;
      if (::lchown(path.c_str(), kSameUser, *group) != 0 || ::chmod(path.c_str(), mode) != 0) {
        return failed(path);
      }
    }
    if (listing || ::lchown(aeron_dir.c_str(), kSameUser, *group) != 0) {
      return failed(aeron_dir);
    }
  }
  return ::chmod(aeron_dir.c_str(), group ? kShared : S_IRWXU) == 0 ? Status()
                                                                    : Status(failed(aeron_dir));
}

/// For the driver's thread: gives it a umask of its own, with which the group may use what it
/// makes.
void share_files(void*, const char*) {
  if (::unshare(CLONE_FS) == 0) {
    ::umask(S_IRWXO);
  }
}

}  // namespace

Result<MediaDriver> MediaDriver::start(const Options& options) {
  if (options.aeron_dir.empty()) {
    return fail(Errc::kInvalidArgument, "aeron_dir");
  }
  if (Status replaceable = check_replaceable(options.aeron_dir); !replaceable) {
    return fail(replaceable.error());
  }
  MediaDriver driver;
  driver.owner_ = ::getpid();
  if (Status ready = driver.init(options); !ready) {
    return fail(ready.error());
  }
  if (Status shared = share_directory(options.aeron_dir, options.group); !shared) {
    return fail(shared.error());
  }
  if (Status locked = driver.lock_host_file(options.aeron_dir, options.group.has_value());
      !locked) {
    return fail(locked.error());
  }
  const SignalsBlocked blocked;
  if (aeron_driver_start(driver.driver_, false) < 0) {
    return fail(last_aeron_error(Errc::kMediaDriverUnavailable));
  }
  return driver;
}

Status MediaDriver::init(const Options& options) {
  if (aeron_driver_context_init(&context_) < 0 ||
      aeron_driver_context_set_dir(context_, options.aeron_dir.c_str()) < 0 ||
      aeron_driver_context_set_dir_delete_on_start(context_, true) < 0 ||
      aeron_driver_context_set_dir_delete_on_shutdown(context_, true) < 0 ||
      aeron_driver_context_set_dir_warn_if_exists(context_, false) < 0 ||
      aeron_driver_context_set_print_configuration(context_, false) < 0 ||
      aeron_driver_context_set_threading_mode(context_, AERON_THREADING_MODE_SHARED) < 0 ||
      aeron_driver_context_set_term_buffer_sparse_file(context_, true) < 0 ||
      aeron_driver_context_set_term_buffer_length(context_, options.term_bytes) < 0 ||
      aeron_driver_context_set_ipc_term_buffer_length(context_, options.term_bytes) < 0 ||
      aeron_driver_context_set_counters_buffer_length(context_, kCountersBytes) < 0 ||
      aeron_driver_context_set_timer_interval_ns(context_, count(options.timer_interval)) < 0 ||
      aeron_driver_context_set_client_liveness_timeout_ns(context_, count(options.client_timeout)) <
          0 ||
      aeron_driver_context_set_untethered_window_limit_timeout_ns(
          context_, count(options.untethered_timeout)) < 0 ||
      aeron_driver_context_set_untethered_linger_timeout_ns(
          context_, count(options.untethered_timeout)) < 0 ||
      aeron_driver_context_set_untethered_resting_timeout_ns(
          context_, count(options.untethered_timeout)) < 0 ||
      (options.group &&
       aeron_driver_context_set_agent_on_start_function(context_, share_files, nullptr) < 0) ||
      aeron_driver_init(&driver_, context_) < 0) {
    return fail(last_aeron_error(Errc::kMediaDriverUnavailable));
  }
  return {};
}

Status MediaDriver::lock_host_file(const std::string& aeron_dir, bool group) noexcept {
  // Locked before it gets its name: nobody ever finds it unlocked while we live.
  const std::string path = aeron_dir + '/' + std::string(kHostLockName);
  const std::string unnamed = path + ".new";
  const mode_t mode = S_IRUSR | S_IWUSR | (group ? S_IRGRP : 0U);  // others look whether we live
  host_lock_ = ::open(unnamed.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (host_lock_ < 0 || ::fchmod(host_lock_, mode) != 0 ||
      ::flock(host_lock_, LOCK_EX | LOCK_NB) != 0 || ::rename(unnamed.c_str(), path.c_str()) != 0) {
    return fail(make_os_error(Errc::kOsFailure, path, errno));
  }
  return {};
}

MediaDriver::MediaDriver(MediaDriver&& other) noexcept
    : context_(std::exchange(other.context_, nullptr)),
      driver_(std::exchange(other.driver_, nullptr)),
      owner_(other.owner_),
      host_lock_(std::exchange(other.host_lock_, -1)) {}

MediaDriver& MediaDriver::operator=(MediaDriver&& other) noexcept {
  if (this != &other) {
    stop();
    context_ = std::exchange(other.context_, nullptr);
    driver_ = std::exchange(other.driver_, nullptr);
    owner_ = other.owner_;
    host_lock_ = std::exchange(other.host_lock_, -1);
  }
  return *this;
}

MediaDriver::~MediaDriver() {
  stop();
}

bool MediaDriver::is_ours() const noexcept {
  return ::getpid() == owner_;
}

void MediaDriver::stop() noexcept {
  if (is_ours()) {
    if (driver_ != nullptr) {
      aeron_driver_close(driver_);
    }
    if (context_ != nullptr) {
      aeron_driver_context_close(context_);  // removes the directory
    }
  }
  if (host_lock_ >= 0) {
    ::close(host_lock_);
  }
  driver_ = nullptr;
  context_ = nullptr;
  host_lock_ = -1;
}

}  // namespace tensorpool::inline v0::bus
