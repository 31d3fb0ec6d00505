#include "apps/files/output.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace tensorpool::inline v0::apps::files {
namespace {

constexpr std::size_t kBufferBytes = 262'144;  // gathers small frames into few system calls
constexpr const char* kPartSuffix = ".part";

/// The file that `path` names, through symbolic links.
[[nodiscard]] Result<std::string> resolve_target(const std::string& path) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return fail(file_error(Errc::kInvalidArgument, path, "not a file; for a pipe write to -"));
  }
  const auto target = std::filesystem::canonical(path, ignored);
  return target.empty() ? path : target.string();
}

/// Opens and locks the file of that name, although its last writer may rename it meanwhile.
[[nodiscard]] Result<os::UniqueFd> open_locked(const std::string& part) {
  for (;;) {
    os::UniqueFd file(::open(part.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (!file) {
      return fail(file_os_error(part, "cannot create it", errno));
    }
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      return fail(errno == EWOULDBLOCK
                      ? file_error(Errc::kAlreadyExists, part, "another process writes it")
                      : file_os_error(part, "cannot lock it", errno));
    }
    struct stat opened {};
    struct stat named {};
    if (::fstat(file.get(), &opened) == 0 && ::stat(part.c_str(), &named) == 0 &&
        opened.st_ino == named.st_ino && opened.st_dev == named.st_dev) {
      return file;
    }
  }
}

}  // namespace

Status write_all(int fd, FrameBytes bytes, std::string_view name, std::uint64_t* written,
                 const std::atomic<bool>* stop) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      if (written != nullptr) {
        *written += static_cast<std::uint64_t>(count);
      }
    } else if (errno == EPIPE) {
      return fail(file_error(Errc::kClosed, name, "its reader has gone"));
    } else if (errno != EINTR) {
      return fail(file_os_error(name, "cannot write", errno));
    } else if (stop != nullptr && stop->load(std::memory_order_relaxed)) {
      return fail(file_error(Errc::kClosed, name, "interrupted"));
    }
  }
  return {};
}

Result<PartFile> PartFile::create(const std::string& path) {
  auto target = resolve_target(path);
  if (!target) {
    return fail(target.error());
  }
  auto file = open_locked(*target + kPartSuffix);
  if (!file) {
    return fail(file.error());
  }
  PartFile part(std::move(*target), std::move(*file));
  if (const Status emptied = part.truncate(0); !emptied) {
    return fail(emptied.error());
  }
  return part;
}

PartFile::PartFile(std::string path, os::UniqueFd file)
    : path_(std::move(path)), file_(std::move(file)) {}

PartFile::~PartFile() {
  if (file_ && !keep_) {
    ::unlink((path_ + kPartSuffix).c_str());
  }
}

Status PartFile::append(FrameBytes bytes) {
  if (buffer_.size() + bytes.size() < kBufferBytes) {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    return {};
  }
  const Status flushed = flush();
  return flushed ? write_all(file_.get(), bytes, path_, &size_) : flushed;
}

Status PartFile::flush() {
  const Status flushed = write_all(file_.get(), buffer_, path_, &size_);
  buffer_.clear();
  return flushed;
}

Status PartFile::overwrite(std::uint64_t offset, FrameBytes bytes) {
  const ssize_t count =
      ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
  if (count != static_cast<ssize_t>(bytes.size())) {
    return fail(file_os_error(path_, "cannot write its header", count < 0 ? errno : ENOSPC));
  }
  return {};
}

Status PartFile::truncate(std::uint64_t bytes) {
  const auto end = static_cast<off_t>(bytes);
  if (::ftruncate(file_.get(), end) != 0 || ::lseek(file_.get(), end, SEEK_SET) != end) {
    return fail(file_os_error(path_, "cannot cut it", errno));
  }
  size_ = bytes;
  return {};
}

Status PartFile::publish(bool durable) {
  if (const Status flushed = flush(); !flushed) {
    return flushed;
  }
  if (durable && ::fdatasync(file_.get()) != 0) {
    return fail(file_os_error(path_, "cannot flush it to the disk", errno));
  }
  if (::rename((path_ + kPartSuffix).c_str(), path_.c_str()) != 0) {
    return fail(file_os_error(path_, "cannot rename its .part", errno));
  }
  keep_ = true;
  return {};
}

}  // namespace tensorpool::inline v0::apps::files
