// A consumer's side of the words by which its producer wakes it: finds them for the epoch that is
// read, and lets them go. Decision: docs/adr/0030.
//
// Thread contract: the polling thread. Makes system calls: for one that is about to sleep.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "os/wake_file.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::detail {

class Parking {
 public:
  /// `directory`: that of the media driver.
  explicit Parking(std::string directory) : directory_(std::move(directory)) {}

  /// Those of this epoch, or null: the producer has none, or none yet. Files are looked for again
  /// after kRetry, and looked at again after kRecheck: with a new media driver there are new ones.
  [[nodiscard]] const std::shared_ptr<os::WakeFile>& find(std::uint32_t stream_id,
                                                          std::uint64_t epoch, Nanos now);
  /// Precondition: found().
  [[nodiscard]] const os::WakeFile& file() const noexcept { return *file_; }
  /// Whether the last find() came to something.
  [[nodiscard]] bool found() const noexcept { return file_ != nullptr; }

 private:
  static constexpr Nanos kRetry = std::chrono::milliseconds(50);
  static constexpr Nanos kRecheck = std::chrono::seconds(1);

  std::string directory_;
  std::shared_ptr<os::WakeFile> file_;  // shared with the helper thread of an event descriptor
  std::uint64_t epoch_ = 0;
  Nanos look_at_{};
};

}  // namespace tensorpool::inline v0::detail
