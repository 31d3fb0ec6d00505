// A received frame: borrowed (FrameView), or taken along (FrameLease). Spec: §1.9.2, §1.12; design
// §4.
//
// A frame is read in place, out of memory that the producer will overwrite when it comes round:
// that is why reading costs nothing, and why every result has to be confirmed. Read, then ask
// `still_valid()`; only when it says true were all the bytes you read those of this frame (W171).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "tensorpool/export.hpp"
#include "tensorpool/tensor_view.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/extended_element.hpp"
#include "tensorpool/types/metadata.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::inline v0 {

namespace detail {

class MappedEpoch;

/// What both kinds of frame know. `info` and `mapping` are borrowed by a view and owned by a lease.
struct FrameRecord {
  std::uint64_t seq = 0;
  std::uint64_t epoch = 0;
  std::uint64_t timestamp_ns = 0;             // null value: not provided
  std::uint64_t descriptor_timestamp_ns = 0;  // null value: not provided
  std::uint64_t trace_id = 0;
  std::uint64_t extent_bytes = 0;
  const std::byte* data = nullptr;
  const std::uint64_t* commit = nullptr;
  MappedEpoch* mapping = nullptr;
  std::uint32_t bytes = 0;
  std::uint32_t meta_version = 0;  // null value: not provided
  bool contiguous = false;
};

[[nodiscard]] TENSORPOOL_EXPORT bool still_valid(const FrameRecord& record) noexcept;
[[nodiscard]] TENSORPOOL_EXPORT std::uint32_t lap_margin(const FrameRecord& record) noexcept;
[[nodiscard]] TENSORPOOL_EXPORT bool copy_verified(const FrameRecord& record,
                                                   std::byte* to) noexcept;
[[nodiscard]] TENSORPOOL_EXPORT std::shared_ptr<const MetadataSet> metadata_of(
    const FrameRecord& record);
/// kDtypeMismatch when `set` does not say that elements are of that type.
[[nodiscard]] TENSORPOOL_EXPORT Status check_extended(const std::shared_ptr<const MetadataSet>& set,
                                                      ExtendedDtype wanted);
TENSORPOOL_EXPORT void retain(MappedEpoch* mapping) noexcept;
TENSORPOOL_EXPORT void release(const FrameRecord& record, bool already_reported) noexcept;

}  // namespace detail

/// What a verified copy came to.
enum class CopyStatus : std::uint8_t {
  kCopied,    ///< every byte is this frame's (W174)
  kChanged,   ///< the producer overwrote the frame meanwhile: what was copied is not to be used
  kTooSmall,  ///< the buffer is shorter than `bytes().size()`; nothing was copied
};

class FrameLease;

/// One frame, borrowed. Trivially copyable; valid until the next call that polls its consumer.
///
/// Thread contract: use it on the polling thread; `still_valid()` and `lap_margin()` may be called
/// on any thread while the view is valid.
class FrameView {
 public:
  [[nodiscard]] std::uint64_t seq() const noexcept { return record_.seq; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return record_.epoch; }
  /// Element type, shape, effective strides.
  [[nodiscard]] const TensorInfo& info() const noexcept { return *info_; }
  /// The payload in place.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {record_.data, record_.bytes};
  }
  /// True when the elements are densely packed (W64).
  [[nodiscard]] bool contiguous() const noexcept { return record_.contiguous; }
  /// Capture time in ns of the producer's clock domain, if the producer gave one (W195).
  [[nodiscard]] std::optional<std::uint64_t> timestamp_ns() const noexcept {
    return provided(record_.timestamp_ns);
  }
  /// Publish time in ns, if the producer stamps descriptors; never in direct mode or for a
  /// recovered frame.
  [[nodiscard]] std::optional<std::uint64_t> descriptor_timestamp_ns() const noexcept {
    return provided(record_.descriptor_timestamp_ns);
  }
  /// Metadata version of the frame, if there is one (W197).
  [[nodiscard]] std::optional<std::uint32_t> meta_version() const noexcept {
    if (record_.meta_version == 0 || record_.meta_version == 0xFFFF'FFFFU) {
      return std::nullopt;
    }
    return record_.meta_version;
  }
  /// The metadata that was in force when the frame was taken; null when it has none, or when the
  /// set of its version has not arrived yet (W382), or was superseded long ago. Takes a lock.
  [[nodiscard]] std::shared_ptr<const MetadataSet> meta() const {
    return meta_version() ? detail::metadata_of(record_) : nullptr;
  }
  /// Trace id, 0 when the frame is not traced.
  [[nodiscard]] std::uint64_t trace_id() const noexcept { return record_.trace_id; }

  /// A typed view of the elements; fails when type, extent or alignment do not allow it. For types
  /// that the wire lacks (types/extended_element.hpp) the frame's metadata has to say so, which
  /// takes a lock: kDtypeMismatch otherwise.
  template <class T>
  [[nodiscard]] Result<TensorView<const T>> as() const {
    if constexpr (is_extended_element<T>) {
      if (const Status said = detail::check_extended(meta(), detail::Carrier<T>::kType); !said) {
        return fail(said.error());
      }
    }
    return TensorView<const T>::create(*info_, record_.extent_bytes, bytes());
  }

  /// True when the slot still holds this frame and its mapping is the current one, so that every
  /// byte read before this call was this frame's (W170, W176). Async-signal-safe.
  [[nodiscard]] bool still_valid() const noexcept { return detail::still_valid(record_); }

  /// How many more frames the producer can write before it overwrites this one: an upper bound at
  /// the time of the call, not a promise. 0 when it has been overwritten.
  [[nodiscard]] std::uint32_t lap_margin() const noexcept { return detail::lap_margin(record_); }

  /// Copies the payload and checks afterwards (W174).
  [[nodiscard]] CopyStatus copy_to(std::span<std::byte> to) const noexcept {
    if (to.size() < record_.bytes) {
      return CopyStatus::kTooSmall;
    }
    return detail::copy_verified(record_, to.data()) ? CopyStatus::kCopied : CopyStatus::kChanged;
  }

  /// Takes the frame along: see FrameLease.
  [[nodiscard]] FrameLease keep() const noexcept;

 private:
  friend class Consumer;
  friend class FrameLease;
  friend struct FrameViewFactory;
  FrameView(const detail::FrameRecord& record, const TensorInfo* info, bool* kept) noexcept
      : record_(record), info_(info), kept_(kept) {}
  [[nodiscard]] static std::optional<std::uint64_t> provided(std::uint64_t stamp) noexcept {
    if (stamp == 0xFFFF'FFFF'FFFF'FFFFULL) {
      return std::nullopt;
    }
    return stamp;
  }

  detail::FrameRecord record_;
  const TensorInfo* info_;
  bool* kept_;  // tells the consumer that the check after use is the lease's now
};

/// One frame, taken along. Keeps its mapping in memory, also after the consumer has unmapped or was
/// closed (W175), but not the frame's bytes from being overwritten: ask `still_valid()` after use.
/// Move-only.
///
/// When the frame was overwritten before the lease ends, that is counted once, as
/// `changed_after_use` (W173).
///
/// Thread contract: one thread at a time; it may go to another thread. `still_valid()` on any
/// thread.
class FrameLease {
 public:
  FrameLease(FrameLease&& other) noexcept
      : record_(other.record_), info_(other.info_), reported_(other.reported_) {
    other.record_.mapping = nullptr;
  }
  FrameLease& operator=(FrameLease&& other) noexcept {
    std::swap(record_, other.record_);
    std::swap(info_, other.info_);
    std::swap(reported_, other.reported_);
    return *this;
  }
  FrameLease(const FrameLease&) = delete;
  FrameLease& operator=(const FrameLease&) = delete;
  ~FrameLease() {
    if (record_.mapping != nullptr) {
      detail::release(record_, reported_);
    }
  }

  /// The frame as a view, valid as long as this lease.
  [[nodiscard]] FrameView view() const noexcept { return {record_, &info_, nullptr}; }
  [[nodiscard]] std::uint64_t seq() const noexcept { return record_.seq; }
  [[nodiscard]] const TensorInfo& info() const noexcept { return info_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {record_.data, record_.bytes};
  }
  template <class T>
  [[nodiscard]] Result<TensorView<const T>> as() const {
    return view().template as<T>();
  }
  /// As FrameView::meta.
  [[nodiscard]] std::shared_ptr<const MetadataSet> meta() const { return view().meta(); }
  [[nodiscard]] bool still_valid() const noexcept { return detail::still_valid(record_); }
  [[nodiscard]] std::uint32_t lap_margin() const noexcept { return detail::lap_margin(record_); }

 private:
  friend class FrameView;
  FrameLease(const detail::FrameRecord& record, const TensorInfo& info, bool reported) noexcept
      : record_(record), info_(info), reported_(reported) {
    detail::retain(record_.mapping);
  }

  detail::FrameRecord record_;
  TensorInfo info_;
  bool reported_;  // somebody else makes the check after use
};

inline FrameLease FrameView::keep() const noexcept {
  const bool reported = kept_ == nullptr || *kept_;
  if (kept_ != nullptr) {
    *kept_ = true;
  }
  return {record_, *info_, reported};
}

}  // namespace tensorpool::inline v0
