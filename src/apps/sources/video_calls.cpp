#include "apps/sources/video_calls.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

namespace tensorpool::inline v0::apps::sources {
namespace {

class RealCalls final : public VideoCalls {
 public:
  int open(const char* path, int flags) override { return ::open(path, flags); }
  void close(int fd) override { ::close(fd); }
  int ioctl(int fd, unsigned long request, void* argument) override {
    int result = 0;
    do {
      result = ::ioctl(fd, request, argument);
    } while (result < 0 && errno == EINTR);
    return result;
  }
  int poll(int fd, Nanos timeout) override {
    pollfd waited{.fd = fd, .events = POLLIN, .revents = 0};
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
    return ::poll(&waited, 1, static_cast<int>(ms));
  }
  void* mmap(int fd, std::size_t bytes, std::int64_t offset) override {
    return ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, offset);
  }
  void munmap(void* address, std::size_t bytes) override { ::munmap(address, bytes); }
};

}  // namespace

VideoCalls& video_calls() noexcept {
  static RealCalls calls;
  return calls;
}

}  // namespace tensorpool::inline v0::apps::sources
