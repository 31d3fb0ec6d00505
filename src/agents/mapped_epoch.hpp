// One mapped epoch of a stream, shared by the control thread, which maps and gives it up, one data
// thread, which reads it, and the leases that the application keeps.
//
// Thread contract: what is not marked is immutable. `retain` and `release` on any thread; the last
// one unmaps (W175).
//
// Life: the control thread creates it, offers it to the data thread, and at the end withdraws it:
// `current` turns false (W176), the data thread lets go at its next poll and leaves `last_seq`, and
// the memory is unmapped when nobody holds it any more.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "agents/metadata_history.hpp"
#include "base/atomics.hpp"
#include "core/ring/stream_memory.hpp"
#include "os/mapped_region.hpp"
#include "os/process.hpp"

namespace tensorpool::inline v0::detail {

class MappedEpoch {
 public:
  using Memory = core::ring::StreamMemory<base::DefaultAtom>;

  /// Takes over the regions. The creator is the first holder.
  explicit MappedEpoch(os::MappedStream mapped,
                       std::shared_ptr<const MetadataHistory> sets = nullptr);
  MappedEpoch(const MappedEpoch&) = delete;
  MappedEpoch& operator=(const MappedEpoch&) = delete;

  const os::MappedStream regions;
  const Memory memory;
  /// Of the stream, this epoch's among them; null where nobody hears any.
  const std::shared_ptr<const MetadataHistory> metadata;
  [[nodiscard]] std::uint64_t epoch() const noexcept { return regions.epoch(); }

  /// True in a forked child, where nobody tells when the mapping is given up.
  [[nodiscard]] bool is_forked() const noexcept { return os::fork_generation() != generation_; }

  /// Any thread; false once the mapping was given up.
  std::atomic<bool> current{true};
  /// Data thread to control thread: what the data path demands, a UnmapReason.
  std::atomic<std::uint8_t> unmap_wanted{0};
  /// Data thread to control thread: valid once `let_go` is true.
  std::uint64_t last_seq = 0;
  bool any_frame = false;
  std::atomic<bool> let_go{false};
  /// Leases to the data thread: frames that were overwritten while they were kept (W173).
  std::atomic<std::uint64_t> changed_in_leases{0};

  void retain() noexcept { holders_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete this;
    }
  }
  /// Control thread: true when nobody else can use it any more.
  [[nodiscard]] bool is_sole_holder() const noexcept {
    return holders_.load(std::memory_order_acquire) == 1;
  }

 private:
  ~MappedEpoch() = default;
  const std::uint32_t generation_ = os::fork_generation();
  std::atomic<std::uint32_t> holders_{1};
};

/// One holder's share of a MappedEpoch.
class EpochRef {
 public:
  /// Takes over the first holder's share.
  explicit EpochRef(MappedEpoch* adopted) noexcept : epoch_(adopted) {}
  EpochRef(const EpochRef& other) noexcept : epoch_(other.epoch_) { epoch_->retain(); }
  EpochRef(EpochRef&& other) noexcept : epoch_(std::exchange(other.epoch_, nullptr)) {}
  EpochRef& operator=(EpochRef other) noexcept {
    std::swap(epoch_, other.epoch_);
    return *this;
  }
  ~EpochRef() {
    if (epoch_ != nullptr) {
      epoch_->release();
    }
  }
  [[nodiscard]] MappedEpoch* get() const noexcept { return epoch_; }
  MappedEpoch* operator->() const noexcept { return epoch_; }
  MappedEpoch& operator*() const noexcept { return *epoch_; }

 private:
  MappedEpoch* epoch_;
};

/// Addresses of mapped regions in the form the core works on.
[[nodiscard]] MappedEpoch::Memory memory_of(const os::MappedStream& regions);

}  // namespace tensorpool::inline v0::detail
