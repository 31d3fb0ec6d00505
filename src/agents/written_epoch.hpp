// One epoch that a producer writes, shared by the control thread, which gets and loses it, and the
// producer's thread, which writes frames.
//
// Thread contract: deadline and holders any thread; `writer`, `open_claims` and `next_left` are the
// producer's thread's; the rest is immutable. The last holder unmaps.
//
// Life: the control thread creates it and offers it to the producer's thread. When the lease ends
// it moves the deadline to the beginning of time and withdraws the offer; the memory stays mapped
// as long as claims of it are open (D314).
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/atomics.hpp"
#include "bus/link.hpp"
#include "core/producer/frame_writer.hpp"
#include "core/ring/stream_memory.hpp"
#include "os/mapped_region.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::detail {

class WrittenEpoch {
 public:
  using Memory = core::ring::StreamMemory<base::DefaultAtom>;
  using Writer = core::producer::FrameWriter<base::DefaultAtom>;

  struct Options {
    std::uint32_t stream_id = 0;
    std::uint64_t epoch = 0;
    bool stamp_descriptors = false;
  };

  /// Takes over `mapped`; without it, somebody else keeps what `memory` lies in. `descriptors`
  /// outlives the use of the epoch. The creator is the first holder.
  WrittenEpoch(std::optional<os::MappedStream> mapped, Memory memory,
               bus::PublicationLink& descriptors, const Options& options);
  WrittenEpoch(const WrittenEpoch&) = delete;
  WrittenEpoch& operator=(const WrittenEpoch&) = delete;

  const std::optional<os::MappedStream> regions;
  const Memory memory;
  bus::PublicationLink& descriptors;
  Writer writer;
  std::uint32_t open_claims = 0;
  WrittenEpoch* next_left = nullptr;  ///< of the list of those that were left with open claims

  [[nodiscard]] std::uint64_t epoch() const noexcept { return writer.epoch(); }

  /// From when on nothing may be written, in now_mono. It stands alone: no order needed.
  void set_deadline(Nanos at) noexcept {
    if (deadline_ns_.load(std::memory_order_relaxed) != at.count()) {
      deadline_ns_.store(at.count(), std::memory_order_relaxed);
    }
  }
  [[nodiscard]] bool may_write(Nanos now) const noexcept {
    return now.count() < deadline_ns_.load(std::memory_order_relaxed);
  }

  void retain() noexcept { holders_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete this;
    }
  }

 private:
  ~WrittenEpoch() = default;
  std::atomic<Nanos::rep> deadline_ns_{Nanos::max().count()};
  std::atomic<std::uint32_t> holders_{1};
};

/// One holder's share of a WrittenEpoch.
class WrittenRef {
 public:
  /// Takes over the first holder's share.
  explicit WrittenRef(WrittenEpoch* adopted) noexcept : epoch_(adopted) {}
  WrittenRef(const WrittenRef& other) noexcept : epoch_(other.epoch_) { epoch_->retain(); }
  WrittenRef& operator=(WrittenRef other) noexcept {
    std::swap(epoch_, other.epoch_);
    return *this;
  }
  ~WrittenRef() { epoch_->release(); }
  [[nodiscard]] WrittenEpoch* get() const noexcept { return epoch_; }
  WrittenEpoch* operator->() const noexcept { return epoch_; }

 private:
  WrittenEpoch* epoch_;
};

}  // namespace tensorpool::inline v0::detail
