// Follows a header ring from outside: no mapping, no Aeron, nothing written, nobody told.
//
// Each look reads the slots that are new since the last one, with pread, so that a file that
// shrinks is a short read. Slots are read twice; only what did not change is believed.
//
// Thread contract: one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/top/sample.hpp"
#include "layout/slot.hpp"
#include "os/unique_fd.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::apps::top {

class RingReader {
 public:
  static constexpr std::size_t kFramesMax = 2048;  ///< of one look: the newest

  /// Errors: it cannot be opened, or is no file.
  [[nodiscard]] static Result<RingReader> open(const std::string& path);

  /// Errors: the file is no header ring, or not any more.
  [[nodiscard]] Result<RingSeen> look(Nanos now);

 private:
  /// As many as are read at once.
  static constexpr std::uint64_t kSlotsAtOnce = 64;
  /// Of one look. A ring says itself how large it is: one that is larger takes several looks.
  static constexpr std::uint64_t kSlotsPerLook = 1U << 18U;

  RingReader(std::string path, os::UniqueFd file)
      : path_(std::move(path)), file_(std::move(file)) {}
  [[nodiscard]] Status read_new(std::uint32_t nslots, std::vector<FrameSeen>& frames);
  [[nodiscard]] Result<bool> read_slots(std::uint64_t first, std::uint64_t count,
                                        std::uint32_t nslots, std::vector<FrameSeen>& frames);

  std::string path_;
  os::UniqueFd file_;
  std::optional<std::uint64_t> newest_;
  std::uint64_t next_slot_ = 0;  // to look at where no frame was found so far
  std::vector<layout::Slot> slots_;
  std::vector<layout::Slot> again_;
};

}  // namespace tensorpool::inline v0::apps::top
