// File systems of a test's own. They need root; the mounts live in a mount namespace of the test's
// process and go with it.
#pragma once

#include <sched.h>
#include <sys/mount.h>

#include <cstdint>
#include <filesystem>
#include <fstream>

#include "unit/os/fixture.hpp"

namespace tensorpool::os::test {

inline constexpr std::uint64_t kHugepage = 2U << 20U;

/// A file system on a directory of its own.
class Mounted {
 public:
  [[nodiscard]] bool mount(const char* type, const char* options) {
    static const bool alone = ::unshare(CLONE_NEWNS) == 0 &&
                              ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    mounted_ =
        alone && ::mount("tensorpool-test", directory_.path().c_str(), type, 0, options) == 0;
    return mounted_;
  }
  Mounted() = default;
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;
  ~Mounted() {
    if (mounted_) {
      ::umount2(directory_.path().c_str(), MNT_DETACH);
    }
  }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return directory_.path(); }

 private:
  TemporaryDirectory directory_;
  bool mounted_ = false;
};

/// Some hugepages more for as long as it lives.
class Hugepages {
 public:
  explicit Hugepages(int more) {
    std::ifstream(kFile) >> before_;
    std::ofstream(kFile) << before_ + more;
    int now = 0;
    std::ifstream(kFile) >> now;
    enough_ = now >= before_ + more;
  }
  Hugepages(const Hugepages&) = delete;
  Hugepages& operator=(const Hugepages&) = delete;
  ~Hugepages() { std::ofstream(kFile) << before_; }
  [[nodiscard]] bool enough() const noexcept { return enough_; }

 private:
  static constexpr const char* kFile = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
  int before_ = 0;
  bool enough_ = false;
};

}  // namespace tensorpool::os::test
