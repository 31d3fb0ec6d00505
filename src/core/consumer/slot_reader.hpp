// hot-path: per frame: 3 loads of the commit word, 13 header words, 9 words compared, the callback,
// 1 load after use. No allocation, no system call, no clock.
//
// Reads the slot of one number: the reader protocol (§1.9.3), validation of the header, the
// callback, the check after use; counts what became of it. Which number comes next is the business
// of FrameReceiver and RingFollower. Spec: §1.9.3, §1.12 (W267..W275), §1.14.
//
// Thread contract: one thread at a time.
#pragma once

#include <cstdint>

#include "base/kill_point.hpp"
#include "base/mark.hpp"
#include "core/consumer/frame.hpp"
#include "core/ring/slot_header.hpp"
#include "tensorpool/types/counters.hpp"

namespace tensorpool::inline v0::core::consumer {

/// What a frame that cannot be read counts as.
enum class Missed : std::uint8_t { kLate, kGap };

/// The check after use has failed for frames that were counted as read (W173).
inline void count_changed_after_use(ConsumerCounters& counters, std::uint64_t frames) noexcept {
  TP_MARK("a frame is overwritten while it is used");
  counters.drops_late += frames;
  counters.drops_changed += frames;
  counters.changed_after_use += frames;
}

template <class Atom>
class SlotReader {
 public:
  using Memory = ring::StreamMemory<Atom>;

  /// Another mapping: nothing that was known about headers holds. `memory` stays valid meanwhile.
  void attach(const Memory& memory, std::uint64_t epoch) noexcept {
    memory_ = &memory;
    epoch_ = epoch;
    validator_.reset();
  }

  /// The slots of the coming frames have been written, so that looking at them early does not take
  /// them from the writer.
  void set_far_behind(bool far_behind) noexcept { far_behind_ = far_behind; }

  /// True when frame `seq` was whole and went to `sink`. `descriptor`: the one that spoke of it, or
  /// null. Precondition: attached.
  template <class Sink>
  bool read(std::uint64_t seq, const Descriptor* descriptor, Missed missed,
            ConsumerCounters& counters, Sink&& sink) noexcept {
    const std::uint32_t index = memory_->index_of(seq);
    const auto* const slot = memory_->slot(index);
    if (validator_.known_pool() < memory_->pools.size()) [[likely]] {
      // Most often this frame lies where the last one did: its line comes while the header does.
      __builtin_prefetch(Memory::payload(memory_->pools[validator_.known_pool()], index));
    }
    ring::CopiedHeader copied;
    const ring::ReadStatus status = ring::read_slot<Atom>(*slot, seq, [&]() noexcept {
      copied = ring::copy_header_words<Atom>(slot, validator_.known_words(), words_);
    });
    if (status != ring::ReadStatus::kOk) [[unlikely]] {
      count_missed(counters, missed, detail_of(status, counters));
      return false;
    }
    ring::FrameFields fields;
    const ring::PoolMemory* pool = nullptr;
    const ring::HeaderVerdict verdict =
        validator_.judge(words_, copied, index, *memory_, fields, pool);
    if (verdict != ring::HeaderVerdict::kOk) [[unlikely]] {
      count_missed(counters, Missed::kLate,
                   verdict == ring::HeaderVerdict::kHeaderInvalid ? counters.drops_header_invalid
                                                                  : counters.drops_payload_invalid);
      return false;
    }
    Frame<Atom> frame{.epoch = epoch_,
                      .seq = seq,
                      .tensor = &validator_.tensor(),
                      .payload = {Memory::payload(*pool, index), fields.values_len_bytes},
                      .timestamp_ns = fields.timestamp_ns,
                      .meta_version = fields.meta_version,
                      .commit = slot};
    if (descriptor != nullptr) {
      frame.descriptor_timestamp_ns = descriptor->timestamp_ns;
      frame.trace_id = descriptor->trace_id;
    }
    if (far_behind_) {
      prefetch_ahead(seq, *pool);
    }
    ++counters.frames_ok;
    TP_KILLPOINT("consumer.frame.taken");
    if (sink(static_cast<const Frame<Atom>&>(frame)) == Use::kDone &&
        !ring::unchanged_after_use<Atom>(*slot, seq)) [[unlikely]] {
      count_changed_after_use(counters, 1);
    }
    TP_KILLPOINT("consumer.frame.used");
    return true;
  }

 private:
  /// Lines that the writer has left long ago come from its cache one after the other unless they
  /// are asked for early.
  void prefetch_ahead(std::uint64_t seq, const ring::PoolMemory& pool) const noexcept {
    constexpr std::uint64_t kAhead = 8;
    const std::uint32_t index = memory_->index_of(seq + kAhead);
    __builtin_prefetch(memory_->slot(index));
    __builtin_prefetch(memory_->slot(index) + 8);
    __builtin_prefetch(Memory::payload(pool, index));
  }

  [[nodiscard]] static std::uint64_t& detail_of(ring::ReadStatus status,
                                                ConsumerCounters& counters) noexcept {
    switch (status) {
      case ring::ReadStatus::kInProgress:
        return counters.drops_in_progress;
      case ring::ReadStatus::kSeqMismatch:
        return counters.drops_seq_mismatch;
      case ring::ReadStatus::kChanged:
        TP_MARK("a frame is overwritten while its header is copied");
        break;
      case ring::ReadStatus::kOk:
        break;
    }
    return counters.drops_changed;
  }

  [[gnu::cold, gnu::noinline]] static void count_missed(ConsumerCounters& counters, Missed missed,
                                                        std::uint64_t& detail) noexcept {
    if (missed == Missed::kGap) {
      ++counters.drops_gap;
      return;
    }
    ++counters.drops_late;
    ++detail;
  }

  const Memory* memory_ = nullptr;
  std::uint64_t epoch_ = 0;
  ring::HeaderValidator validator_;
  ring::SlotWords words_{};
  bool far_behind_ = false;
};

}  // namespace tensorpool::inline v0::core::consumer
