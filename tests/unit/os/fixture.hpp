// A private directory on tmpfs with a stream in it, and what leaves no trace has to be compared
// with.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/region/plan.hpp"
#include "os/create_region.hpp"
#include "os/open_region.hpp"
#include "os/safe_open.hpp"

namespace tensorpool::os::test {

namespace fs = std::filesystem;

/// Those that can be tested here: old kernels, and emulators of system calls, have no openat2.
[[nodiscard]] inline std::vector<OpenVariant> open_variants() {
  std::vector<OpenVariant> variants{OpenVariant::kComponentWalk};
  if (probe_open_variant(system_calls()) == OpenVariant::kOpenat2) {
    variants.push_back(OpenVariant::kOpenat2);
  }
  return variants;
}

/// Removed with all it holds when the test ends.
class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const std::string& parent = "/dev/shm") {
    std::string path = parent + "/tensorpool-os-test-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
      std::abort();
    }
    path_ = fs::canonical(path);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const fs::path& path() const noexcept { return path_; }
  [[nodiscard]] std::string operator/(std::string_view name) const { return path_ / name; }

 private:
  fs::path path_;
};

/// Descriptors and file mappings of this process, and all files below a directory.
struct Footprint {
  std::size_t descriptors = 0;
  std::multiset<std::string> mappings;
  std::set<std::string> files;

  [[nodiscard]] static Footprint take(const fs::path& directory) {
    Footprint taken;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
      static_cast<void>(entry);
      ++taken.descriptors;
    }
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      if (line.find(directory) != std::string::npos) {
        taken.mappings.insert(line.substr(line.find('/')));
      }
    }
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
      taken.files.insert(entry.path());
    }
    return taken;
  }
  friend bool operator==(const Footprint&, const Footprint&) = default;
};

inline constexpr base::Now kNow{.mono = Nanos{5'000'000'000}, .real = Nanos{1'763'718'000'000'000}};

[[nodiscard]] inline core::region::StreamGeometry small_geometry() {
  return {.stream_id = 10000,
          .nslots = 8,
          .pools = {{.pool_id = 1, .stride_bytes = 4096}, {.pool_id = 2, .stride_bytes = 64}}};
}

/// A test with a private base directory and an owner in it.
class RegionTest : public ::testing::Test {
 protected:
  [[nodiscard]] OwnerOptions owner() const { return {.base_dir = base_.path()}; }
  [[nodiscard]] OwnedStream create(const core::region::StreamGeometry& geometry) const {
    auto created = OwnedStream::create(system_calls(), owner(), geometry, kNow);
    if (!created) {
      ADD_FAILURE() << describe(created.error());
      std::abort();
    }
    return *std::move(created);
  }
  [[nodiscard]] RegionPolicy::Options allow_base() const {
    return {.allowed_base_dirs = {base_.path()}};
  }
  [[nodiscard]] static RegionPolicy policy(RegionPolicy::Options options) {
    auto made = RegionPolicy::create(system_calls(), std::move(options));
    if (!made) {
      ADD_FAILURE() << describe(made.error());
      std::abort();
    }
    return *std::move(made);
  }
  [[nodiscard]] Footprint footprint() const { return Footprint::take(base_.path()); }

  TemporaryDirectory base_;
};

}  // namespace tensorpool::os::test
