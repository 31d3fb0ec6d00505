#include "bus/rendezvous.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

namespace tensorpool::inline v0::bus {
namespace {

constexpr Nanos kLookAgain = std::chrono::milliseconds(2);
constexpr Nanos kPatienceAtStop = std::chrono::seconds(2);

/// The lock on `<aeron_dir>.lock`. The file is removed before the lock is dropped, so one that was
/// opened before and locked after is not the file at the path any more: then it does not count.
class RendezvousLock {
 public:
  /// Empty when another process holds it.
  static Result<std::optional<RendezvousLock>> try_acquire(const std::string& aeron_dir) {
    RendezvousLock lock(aeron_dir + ".lock");
    lock.file_ =
        ::open(lock.path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (lock.file_ < 0) {
      return fail(make_os_error(Errc::kOsFailure, lock.path_, errno));
    }
    struct stat opened {};
    struct stat named {};
    if (::flock(lock.file_, LOCK_EX | LOCK_NB) != 0 || ::fstat(lock.file_, &opened) != 0 ||
        ::stat(lock.path_.c_str(), &named) != 0 || opened.st_ino != named.st_ino) {
      return std::optional<RendezvousLock>();
    }
    lock.held_ = true;
    return std::optional<RendezvousLock>(std::move(lock));
  }

  RendezvousLock(RendezvousLock&& other) noexcept
      : path_(std::move(other.path_)),
        file_(std::exchange(other.file_, -1)),
        held_(std::exchange(other.held_, false)) {}
  RendezvousLock& operator=(RendezvousLock&&) = delete;
  ~RendezvousLock() {
    if (held_) {
      ::unlink(path_.c_str());
    }
    if (file_ >= 0) {
      ::close(file_);
    }
  }

 private:
  explicit RendezvousLock(std::string path) : path_(std::move(path)) {}
  std::string path_;
  int file_ = -1;
  bool held_ = false;
};

Result<RendezvousLock> acquire(const std::string& aeron_dir, Nanos patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    Result<std::optional<RendezvousLock>> tried = RendezvousLock::try_acquire(aeron_dir);
    if (!tried) {
      return fail(tried.error());
    }
    if (*tried) {
      return std::move(**tried);
    }
    if (std::chrono::steady_clock::now() > deadline) {
      return fail(Errc::kTimeout, aeron_dir + ".lock");
    }
    std::this_thread::sleep_for(kLookAgain);
  }
}

}  // namespace

Result<MediaDriverHandle> join_or_embed(const RendezvousOptions& options) {
  const std::string& aeron_dir = options.driver.aeron_dir;
  DriverProbe probe = probe_driver(aeron_dir, options.driver_timeout);
  const bool refused =
      probe.state == DriverState::kDenied || probe.state == DriverState::kWrongVersion;
  if (options.policy == DriverPolicy::kExternal || refused) {
    if (probe.state != DriverState::kAlive) {
      return fail(to_error(probe, aeron_dir));
    }
    return MediaDriverHandle(aeron_dir, std::nullopt);
  }
  if (probe.state == DriverState::kAlive && options.policy == DriverPolicy::kAuto) {
    return MediaDriverHandle(aeron_dir, std::nullopt);
  }
  Result<RendezvousLock> lock = acquire(aeron_dir, options.patience);
  if (!lock) {
    return fail(lock.error());
  }
  probe = probe_driver(aeron_dir, options.driver_timeout);
  if (probe.state == DriverState::kAlive) {
    if (options.policy == DriverPolicy::kEmbedded) {
      return fail(Errc::kAlreadyExists, aeron_dir);
    }
    return MediaDriverHandle(aeron_dir, std::nullopt);
  }
  Result<MediaDriver> driver = MediaDriver::start(options.driver);
  if (!driver) {
    return fail(driver.error());
  }
  return MediaDriverHandle(aeron_dir, std::move(*driver));
}

MediaDriverHandle::MediaDriverHandle(MediaDriverHandle&& other) noexcept
    : aeron_dir_(std::move(other.aeron_dir_)), driver_(std::move(other.driver_)) {
  other.driver_.reset();
}

MediaDriverHandle& MediaDriverHandle::operator=(MediaDriverHandle&& other) noexcept {
  if (this != &other) {
    stop();
    aeron_dir_ = std::move(other.aeron_dir_);
    driver_ = std::move(other.driver_);
    other.driver_.reset();
  }
  return *this;
}

MediaDriverHandle::~MediaDriverHandle() {
  stop();
}

void MediaDriverHandle::stop() noexcept {
  if (driver_ && driver_->is_ours()) {
    // Without the lock (somebody holds it for too long) we stop all the same.
    const Result<RendezvousLock> lock = acquire(aeron_dir_, kPatienceAtStop);
    driver_.reset();
  }
}

}  // namespace tensorpool::inline v0::bus
