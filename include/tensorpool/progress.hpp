// The beginning of a frame, while the rest of it may still be on its way. Spec: §1.17.2; design §4.
//
// A producer tells how far it has filled a claim; a consumer that asked for it
// (`ConsumerOptions::progress`) takes these reports from `Consumer::poll_progress`. Until the frame
// is committed a report is a number only, unless both ends have `early_header`; then, and from the
// commit on, the bytes that it speaks of can be read in place. As with frames, every result has to
// be confirmed by `still_valid()`.
//
// A report is no frame. Some are lost; the frame itself comes by the other polls, and whoever has
// used its beginning goes on from there. A frame of which there were reports and that never comes
// was given up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensorpool/export.hpp"
#include "tensorpool/types/progress.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::inline v0 {

namespace detail {

class MappedEpoch;

struct PrefixRecord {
  std::uint64_t seq = 0;
  std::uint64_t epoch = 0;
  std::uint64_t filled_bytes = 0;
  const std::byte* data = nullptr;
  std::size_t readable_bytes = 0;
  std::size_t payload_bytes = 0;
  const TensorInfo* info = nullptr;  // null: nothing can be read
  const std::uint64_t* commit = nullptr;
  const MappedEpoch* mapping = nullptr;
  ProgressState state = ProgressState::kStarted;
  bool early_header = false;
};

[[nodiscard]] TENSORPOOL_EXPORT bool still_valid(const PrefixRecord& record) noexcept;

}  // namespace detail

/// One report of progress, borrowed. Trivially copyable; valid inside the handler that it is given
/// to.
///
/// Thread contract: as FrameView's.
class PrefixView {
 public:
  explicit PrefixView(const detail::PrefixRecord& record) noexcept : record_(record) {}

  [[nodiscard]] std::uint64_t seq() const noexcept { return record_.seq; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return record_.epoch; }
  [[nodiscard]] ProgressState state() const noexcept { return record_.state; }
  /// How many bytes of the payload are there, by the producer's word. They never become fewer.
  [[nodiscard]] std::uint64_t filled_bytes() const noexcept { return record_.filled_bytes; }

  /// True when the frame can be read: it is committed, or both ends have `early_header`. What
  /// follows is for such reports.
  [[nodiscard]] bool is_readable() const noexcept { return record_.info != nullptr; }
  /// Element type, shape, effective strides. Precondition: is_readable().
  [[nodiscard]] const TensorInfo& info() const noexcept { return *record_.info; }
  /// What can be read by now: whole rows or columns where the frame is told in these, else all
  /// that is filled, of a tensor without holes (W367). Empty unless readable.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {record_.data, record_.readable_bytes};
  }
  /// Rows or columns in `bytes()`; 0 where the frame is not told in these.
  [[nodiscard]] std::size_t units() const noexcept {
    const bool has_units = is_readable() && info().progress_unit != ProgressUnit::kNone;
    return has_units ? record_.readable_bytes / info().progress_stride_bytes : 0;
  }
  /// Length of the whole payload; 0 unless readable.
  [[nodiscard]] std::size_t payload_bytes() const noexcept { return record_.payload_bytes; }

  /// True when the slot still holds this frame and its mapping is the current one, so that every
  /// byte of `bytes()` read before this call was this frame's (W366, W369). False of what is not
  /// readable. Async-signal-safe.
  [[nodiscard]] bool still_valid() const noexcept {
    return is_readable() && detail::still_valid(record_);
  }

 private:
  detail::PrefixRecord record_;
};

/// What one look at progress came to.
struct ProgressResult {
  int reports = 0;  ///< handed out, the overwritten ones included
  int changed_after_use =
      0;  ///< of these: overwritten while they were in use; their results do not count
};

}  // namespace tensorpool::inline v0
