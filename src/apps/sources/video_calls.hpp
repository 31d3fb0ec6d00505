// The system calls behind a video device, as an interface: tests put a device of their own behind
// it.
//
// Every function is the call of the same name, with its result and errno. Thread contract: any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps::sources {

class VideoCalls {
 public:
  VideoCalls() = default;
  VideoCalls(const VideoCalls&) = delete;
  VideoCalls& operator=(const VideoCalls&) = delete;
  virtual ~VideoCalls() = default;

  virtual int open(const char* path, int flags) = 0;
  virtual void close(int fd) = 0;
  /// Repeated when a signal comes.
  virtual int ioctl(int fd, unsigned long request, void* argument) = 0;
  /// 1: there is a frame, or an error to be told; 0: not within `timeout`; -1 with EINTR when a
  /// signal came.
  virtual int poll(int fd, Nanos timeout) = 0;
  /// To be read; MAP_FAILED on failure.
  virtual void* mmap(int fd, std::size_t bytes, std::int64_t offset) = 0;
  virtual void munmap(void* address, std::size_t bytes) = 0;
};

/// The real ones. Lives as long as the process.
[[nodiscard]] VideoCalls& video_calls() noexcept;

}  // namespace tensorpool::inline v0::apps::sources
