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
  /// kTimeout when another process holds it for longer than `patience`.
  [[nodiscard]] static Result<RendezvousLock> acquire(const std::string& aeron_dir,
                                                      Nanos patience) {
    RendezvousLock lock(aeron_dir.substr(0, aeron_dir.find_last_not_of('/') + 1) + ".lock");
    const auto deadline = std::chrono::steady_clock::now() + patience;
    for (;;) {
      const int error = lock.try_lock();
      if (error == 0) {
        return lock;
      }
      if (error != EWOULDBLOCK) {
        return fail(make_os_error(Errc::kOsFailure, lock.path_, error));
      }
      if (std::chrono::steady_clock::now() > deadline) {
        return fail(Errc::kTimeout, lock.path_);
      }
      std::this_thread::sleep_for(kLookAgain);
    }
  }

  RendezvousLock(RendezvousLock&& other) noexcept
      : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}
  RendezvousLock& operator=(RendezvousLock&&) = delete;
  ~RendezvousLock() {
    if (file_ >= 0) {
      ::unlink(path_.c_str());
      ::close(file_);
    }
  }

 private:
  explicit RendezvousLock(std::string path) : path_(std::move(path)) {}

  /// 0, EWOULDBLOCK when another process has it, or what else went wrong.
  int try_lock() noexcept {
    const int file =
        ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (file < 0) {
      return errno;
    }
    struct stat opened {};
    struct stat named {};
    if (::flock(file, LOCK_EX | LOCK_NB) != 0 || ::fstat(file, &opened) != 0 ||
        ::stat(path_.c_str(), &named) != 0 || opened.st_ino != named.st_ino) {
      ::close(file);
      return EWOULDBLOCK;
    }
    file_ = file;
    return 0;
  }

  std::string path_;
  int file_ = -1;  ///< Open and locked, or -1.
};

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
  Result<RendezvousLock> lock = RendezvousLock::acquire(aeron_dir, options.patience);
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
    const Result<RendezvousLock> lock = RendezvousLock::acquire(aeron_dir_, kPatienceAtStop);
    driver_.reset();
  }
}

}  // namespace tensorpool::inline v0::bus
