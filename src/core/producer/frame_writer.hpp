// hot-path: one-shot publish of a known shape: 2 stores of the commit word, 4 header words, the
// copy, 1 descriptor in private memory; no allocation, no system call, no clock.
//
// Writes the frames of one epoch into its regions: sequence numbers, claims, header template,
// descriptor. Pure: the caller owns the memory, reads the clock and sends the descriptor. Spec:
// §1.9.1, §1.10.1, §1.10.2.
//
// Thread contract: one thread at a time (W163).
//
// Invariants
//  1. [oldest_open_, next_seq_) is the window of taken numbers that may still be open; it never
//     exceeds nslots, so no slot is claimed twice.
//  2. A number is taken exactly when its slot is set IN_PROGRESS, and never again (W161).
//  3. template_of_slot_[i] is the template whose words lie in slot i, or 0: words that this writer
//     stored in this epoch and that would not change are not stored again (W156).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/kill_point.hpp"
#include "base/prefetch.hpp"
#include "core/copy.hpp"
#include "core/ring/slot_header.hpp"
#include "layout/descriptor.hpp"
#include "tensorpool/types/counters.hpp"
#include "tensorpool/types/publish.hpp"

namespace tensorpool::inline v0::core::producer {

using detail::OpenClaim;

template <class Atom, class Copier = PayloadCopier>
class FrameWriter {
 public:
  using Memory = ring::StreamMemory<Atom>;

  struct Options {
    std::uint32_t stream_id = 0;
    std::uint64_t epoch = 0;
    std::uint64_t first_seq = 0;  ///< 0 in a new epoch (W178)
    CopyKind copy_kind = CopyKind::kCached;
    /// Both timestamp series are filled, so that each has to be non-decreasing (W427).
    bool descriptor_timestamps = false;
  };

  /// Precondition: `memory` outlives this object; its regions have been checked.
  /// Allocates: one word per slot, here and never again.
  FrameWriter(const Memory& memory, const Options& options)
      : memory_(&memory),
        options_(options),
        next_seq_(options.first_seq),
        oldest_open_(options.first_seq),
        slots_(std::make_unique<SlotState[]>(memory.nslots)) {
    descriptor_.block_length = layout::kFrameDescriptorBlockLength;
    descriptor_.template_id = layout::kFrameDescriptorTemplateId;
    descriptor_.schema_id = layout::kWireSchemaId;
    descriptor_.version = layout::kWireSchemaVersion;
    descriptor_.stream_id = options.stream_id;
    descriptor_.epoch = options.epoch;
    descriptor_.timestamp_ns = layout::kTimestampNone;
    descriptor_.meta_version = layout::kMetaVersionNull;
    descriptor_.trace_id = 0;
  }

  /// Copies `payload` into a slot and commits it. With kPublished, its descriptor is to be sent
  /// (W159).
  [[nodiscard]] PublishStatus publish(const TensorInfo& info, std::span<const std::byte> payload,
                                      std::uint64_t timestamp_ns) noexcept {
    if (oldest_open_ != next_seq_) [[unlikely]] {
      return PublishStatus::kCommitOutOfOrder;
    }
    std::uint32_t pool_index = 0;
    if (const PublishStatus status = choose_pool(payload.size(), pool_index);
        status != PublishStatus::kPublished) [[unlikely]] {
      return status;
    }
    if (!prepare(info, timestamp_ns)) [[unlikely]] {
      ++counters_.invalid_params;
      return PublishStatus::kInvalidParams;
    }
    if (next_seq_ >= layout::kSeqLimit) [[unlikely]] {
      return PublishStatus::kClosed;  // W162
    }
    const std::uint64_t seq = next_seq_++;
    const std::uint32_t index = memory_->index_of(seq);
    auto* const slot = memory_->slot(index);
    const ring::PoolMemory& pool = memory_->pools[pool_index];
    // The copier fences its own streaming stores; a copy too short to stream needs none.
    const ring::Stores stores =
        payload.size() >= kSelfStreamingBytes ? ring::Stores::kStreaming : ring::Stores::kOrdered;
    ring::begin_write<Atom>(*slot, seq, stores);
    TP_KILLPOINT("producer.frame.in_progress");
    Copier::in(Memory::payload(pool, index), payload.data(), payload.size(), options_.copy_kind);
    TP_KILLPOINT("producer.frame.payload");
    finish(slot, seq, index, pool, static_cast<std::uint32_t>(payload.size()), timestamp_ns,
           stores);
    oldest_open_ = next_seq_;
    prefetch_ahead(pool);
    return PublishStatus::kPublished;
  }

  /// Takes the next number and gives its payload slot away for external filling (W179).
  [[nodiscard]] PublishStatus claim(std::size_t bytes, OpenClaim& out,
                                    FillWith fill = FillWith::kAnything) noexcept {
    std::uint32_t pool_index = 0;
    if (const PublishStatus status = choose_pool(bytes, pool_index);
        status != PublishStatus::kPublished) [[unlikely]] {
      return status;
    }
    if (next_seq_ - oldest_open_ >= memory_->nslots) [[unlikely]] {
      return PublishStatus::kTooManyClaims;  // W180
    }
    if (next_seq_ >= layout::kSeqLimit) [[unlikely]] {
      return PublishStatus::kClosed;  // W162
    }
    const std::uint64_t seq = next_seq_++;
    const std::uint32_t index = memory_->index_of(seq);
    const ring::PoolMemory& pool = memory_->pools[pool_index];
    ring::begin_write<Atom>(*memory_->slot(index), seq, stores_of(fill));
    TP_KILLPOINT("producer.claim.taken");
    slots_[index].open = true;
    out = {.seq = seq,
           .epoch = options_.epoch,
           .payload = {Memory::payload(pool, index), pool.stride_bytes},
           .pool_index = pool_index,
           .fill = fill};
    return PublishStatus::kPublished;
  }

  /// Whether an open claim could be committed like this, its turn aside.
  [[nodiscard]] CommitStatus check(const OpenClaim& claim, const TensorInfo& info,
                                   std::size_t values_bytes, std::uint64_t timestamp_ns) noexcept {
    if (!is_open(claim)) [[unlikely]] {
      return CommitStatus::kStaleClaim;
    }
    if (!may_become(claim, info, values_bytes, timestamp_ns)) [[unlikely]] {
      ++counters_.invalid_params;
      return CommitStatus::kInvalidParams;
    }
    return CommitStatus::kCommitted;
  }

  /// Stores the whole header of an open claim before its payload is there (W369), for readers that
  /// have agreed to look at the beginning of such frames. Length and shape are then those of the
  /// commit; anything else is refused there with kInvalidParams. May be repeated with the same.
  [[nodiscard]] CommitStatus store_header_early(const OpenClaim& claim, const TensorInfo& info,
                                                std::size_t values_bytes,
                                                std::uint64_t timestamp_ns) noexcept {
    const CommitStatus status = check(claim, info, values_bytes, timestamp_ns);
    if (status == CommitStatus::kCommitted) {
      const std::uint32_t index = memory_->index_of(claim.seq);
      store_header(index, memory_->pools[claim.pool_index],
                   static_cast<std::uint32_t>(values_bytes), timestamp_ns);
      slots_[index].early = true;
    }
    return status;
  }
  [[nodiscard]] bool has_early_header(const OpenClaim& claim) const noexcept {
    return is_open(claim) && slots_[memory_->index_of(claim.seq)].early;
  }

  /// To be called before a message tells of bytes of an open claim (W369): what was streamed is
  /// ordered before it. Ordinary stores are, by the release with which messages are sent.
  static void release_prefix(const OpenClaim& claim) noexcept {
    ring::end_payload<Atom>(stores_of(claim.fill));
  }

  /// Commits the oldest open claim (W181, W185). With kCommitted, its descriptor is to be sent.
  [[nodiscard]] CommitStatus commit(const OpenClaim& claim, const TensorInfo& info,
                                    std::size_t values_bytes, std::uint64_t timestamp_ns) noexcept {
    if (!is_open(claim)) [[unlikely]] {
      return CommitStatus::kStaleClaim;
    }
    if (claim.seq != oldest_open_) [[unlikely]] {
      return CommitStatus::kCommitOutOfOrder;
    }
    if (!may_become(claim, info, values_bytes, timestamp_ns)) [[unlikely]] {
      ++counters_.invalid_params;
      return CommitStatus::kInvalidParams;
    }
    const std::uint32_t index = memory_->index_of(claim.seq);
    finish(memory_->slot(index), claim.seq, index, memory_->pools[claim.pool_index],
           static_cast<std::uint32_t>(values_bytes), timestamp_ns, stores_of(claim.fill));
    close(index);
    prefetch_ahead(memory_->pools[claim.pool_index]);
    return CommitStatus::kCommitted;
  }

  /// Gives a claim up: its number is used, its slot stays IN_PROGRESS, consumers see a gap (W182).
  /// False when the claim is not open here.
  bool abort(const OpenClaim& claim) noexcept {
    if (!is_open(claim)) {
      return false;
    }
    close(memory_->index_of(claim.seq));
    return true;
  }

  /// Writes the descriptor of the frame that was committed last; its timestamp is the caller's to
  /// set (W191).
  void write_descriptor(layout::FrameDescriptorMessage& out) const noexcept {
    out = descriptor_;
    // Not a member of `descriptor_`: a wide copy of a field that was stored a moment ago would wait
    // for the stores before it, those to the slot included.
    out.seq = committed_seq_;
  }
  [[nodiscard]] layout::FrameDescriptorMessage descriptor() const noexcept {
    layout::FrameDescriptorMessage message;
    write_descriptor(message);
    return message;
  }
  [[nodiscard]] std::uint64_t committed_seq() const noexcept { return committed_seq_; }
  /// The next number to be assigned (W395).
  [[nodiscard]] std::uint64_t next_seq() const noexcept { return next_seq_; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return options_.epoch; }
  [[nodiscard]] const Memory& memory() const noexcept { return *memory_; }
  /// The pool with the smallest stride that holds `bytes`; on equal strides the first (W45). Null
  /// when there is none.
  [[nodiscard]] const ring::PoolMemory* find_pool(std::size_t bytes) const noexcept {
    const ring::PoolMemory* best = nullptr;
    for (const ring::PoolMemory& pool : memory_->pools) {
      if (pool.stride_bytes >= bytes &&
          (best == nullptr || pool.stride_bytes < best->stride_bytes)) {
        best = &pool;
      }
    }
    return best;
  }
  [[nodiscard]] std::size_t payload_bytes_max() const noexcept {
    std::size_t most = 0;
    for (const ring::PoolMemory& pool : memory_->pools) {
      most = pool.stride_bytes > most ? pool.stride_bytes : most;
    }
    return most;
  }
  [[nodiscard]] ProducerCounters& counters() noexcept { return counters_; }
  [[nodiscard]] const ProducerCounters& counters() const noexcept { return counters_; }

  /// The metadata version of the frames to come; 0 for none (W192, W196).
  void set_meta_version(std::uint32_t version) noexcept {
    meta_version_ = version;
    descriptor_.meta_version = version == 0 ? layout::kMetaVersionNull : version;
  }

 private:
  struct SlotState {
    std::uint32_t template_id = 0;  ///< of the words in the slot; 0 = not written by this process
    bool open = false;
    bool early = false;  ///< the header of the open claim was stored (W369)
  };

  [[nodiscard]] bool may_become(const OpenClaim& claim, const TensorInfo& info,
                                std::size_t values_bytes, std::uint64_t timestamp_ns) noexcept {
    return values_bytes <= claim.payload.size() && prepare(info, timestamp_ns) &&
           keeps_early_header(memory_->index_of(claim.seq), values_bytes);
  }

  /// Whether the early header of slot `index`, if it has one, tells of this length and of the shape
  /// that `prepare` was called with. The slot itself remembers them: nobody else writes it.
  [[nodiscard]] bool keeps_early_header(std::uint32_t index,
                                        std::size_t values_bytes) const noexcept {
    return !slots_[index].early || equals_early_header(memory_->slot(index), values_bytes);
  }
  [[nodiscard]] bool equals_early_header(const typename Atom::Word* slot,
                                         std::size_t values_bytes) const noexcept {
    bool equal = static_cast<std::uint32_t>(ring::load_header_word<Atom>(slot[1])) == values_bytes;
    for (std::size_t k = layout::kSlotTensorFirstWord; k < layout::kSlotTensorEndWord; ++k) {
      equal = equal && ring::load_header_word<Atom>(slot[k]) == template_words_[k];
    }
    return equal;
  }

  [[nodiscard]] static constexpr ring::Stores stores_of(FillWith fill) noexcept {
    return fill == FillWith::kOrdinaryStores ? ring::Stores::kOrdered : ring::Stores::kStreaming;
  }

  [[nodiscard]] PublishStatus choose_pool(std::size_t bytes, std::uint32_t& chosen) noexcept {
    const ring::PoolMemory* const best = find_pool(bytes);
    if (best == nullptr) [[unlikely]] {
      ++counters_.drops_no_pool;  // W46
      return PublishStatus::kNoPoolFits;
    }
    chosen = static_cast<std::uint32_t>(best - memory_->pools.begin());
    return PublishStatus::kPublished;
  }

  /// Readers have had the slots of the coming frames in their caches since the last lap: asks for
  /// those lines early, so that the stores of a fast stream do not wait for each of them in turn.
  void prefetch_ahead(const ring::PoolMemory& pool) const noexcept {
    constexpr std::uint64_t kAhead = 6;
    const std::uint32_t index = memory_->index_of(next_seq_ + kAhead);
    base::prefetch_for_write(memory_->slot(index));
    base::prefetch_for_write(Memory::payload(pool, index));
  }

  /// Validates description and time before anything is touched (W184, W185, W427).
  [[nodiscard]] bool prepare(const TensorInfo& info, std::uint64_t timestamp_ns) noexcept {
    if (options_.descriptor_timestamps && timestamp_ns < last_timestamp_ns_) [[unlikely]] {
      return false;
    }
    return (template_id_ != 0 && info == template_info_) || make_template(info);
  }

  [[gnu::cold, gnu::noinline]] bool make_template(const TensorInfo& info) noexcept {
    const Result<tensor::Layout> layout = tensor::resolve(info);
    if (!layout) {
      return false;
    }
    for (std::size_t k = 0; k < layout->info.ndims; ++k) {
      if (layout->info.strides[k] > INT32_MAX) {  // W65
        return false;
      }
    }
    template_info_ = info;
    template_words_ = ring::encode_tensor_words(*layout);
    if (++template_counter_ == 0) {  // 2^32 shapes later: forget what lies where
      for (std::uint32_t k = 0; k < memory_->nslots; ++k) {
        slots_[k].template_id = 0;
      }
      template_counter_ = 1;
    }
    template_id_ = template_counter_;
    return true;
  }

  void finish(typename Atom::Word* slot, std::uint64_t seq, std::uint32_t index,
              const ring::PoolMemory& pool, std::uint32_t values_bytes, std::uint64_t timestamp_ns,
              ring::Stores stores) noexcept {
    ring::end_payload<Atom>(stores);
    store_header(index, pool, values_bytes, timestamp_ns);
    TP_KILLPOINT("producer.frame.header");
    ring::commit_write<Atom>(*slot, seq);
    TP_KILLPOINT("producer.frame.committed");
    last_timestamp_ns_ = timestamp_ns;
    committed_seq_ = seq;
    ++counters_.frames_published;
  }

  /// Writer step 3 (W156): the words that change, and those of another description than the slot
  /// has.
  void store_header(std::uint32_t index, const ring::PoolMemory& pool, std::uint32_t values_bytes,
                    std::uint64_t timestamp_ns) noexcept {
    auto* const slot = memory_->slot(index);
    ring::encode_frame_words({.values_len_bytes = values_bytes,
                              .payload_slot = index,
                              .pool_id = pool.pool_id,
                              .payload_offset = 0,
                              .timestamp_ns = timestamp_ns,
                              .meta_version = meta_version_},
                             template_words_);
    store_words(slot, layout::kSlotFrameFirstWord, layout::kSlotFrameEndWord);
    SlotState& state = slots_[index];
    if (state.template_id != template_id_) [[unlikely]] {
      // A slot that this process has not written yet may hold anything in its pads.
      store_words(slot, layout::kSlotFrameEndWord,
                  state.template_id == 0 ? layout::kSlotWords : layout::kSlotTensorEndWord);
      state.template_id = template_id_;
    }
  }

  void store_words(typename Atom::Word* slot, std::size_t first, std::size_t end) noexcept {
    for (std::size_t k = first; k < end; ++k) {
      ring::store_header_word<Atom>(slot[k], template_words_[k]);
    }
  }

  [[nodiscard]] bool is_open(const OpenClaim& claim) const noexcept {
    return claim.epoch == options_.epoch && claim.seq - oldest_open_ < next_seq_ - oldest_open_ &&
           slots_[memory_->index_of(claim.seq)].open;
  }

  /// Ends the claim of slot `index` and moves the window past everything that is done.
  void close(std::uint32_t index) noexcept {
    slots_[index].open = false;
    slots_[index].early = false;
    while (oldest_open_ != next_seq_ && !slots_[memory_->index_of(oldest_open_)].open) {
      ++oldest_open_;
    }
  }

  const Memory* memory_;
  Options options_;
  std::uint64_t next_seq_;
  std::uint64_t oldest_open_;
  std::unique_ptr<SlotState[]> slots_;
  TensorInfo template_info_;
  ring::SlotWords template_words_{};
  std::uint32_t template_id_ = 0;
  std::uint32_t template_counter_ = 0;
  std::uint32_t meta_version_ = 0;
  std::uint64_t last_timestamp_ns_ = 0;
  layout::FrameDescriptorMessage descriptor_{};  // all but its seq
  std::uint64_t committed_seq_ = 0;
  ProducerCounters counters_;
};

}  // namespace tensorpool::inline v0::core::producer
