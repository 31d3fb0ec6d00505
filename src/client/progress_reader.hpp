// hot-path: an idle poll is 1 Aeron poll. Per message the decoder, the tracker, and per readable
// prefix what core/progress/prefix says. No system call; allocates when an epoch is attached, one
// entry per slot.
//
// What one consumer hears of frames that are being filled. Frames and their losses are none of its
// business (W273, W368). The machine that judges is core/progress/progress_tracker. Spec: §1.17.2.
//
// Thread contract: the polling thread.
#pragma once

#include <cstdint>
#include <span>

#include "agents/mapped_epoch.hpp"
#include "base/atomics.hpp"
#include "bus/subscription.hpp"
#include "codec/codec.hpp"
#include "core/progress/progress_tracker.hpp"
#include "tensorpool/progress.hpp"
#include "tensorpool/types/counters.hpp"

namespace tensorpool::inline v0::detail {

class ProgressReader {
 public:
  explicit ProgressReader(bool early_header) noexcept
      : prefixes_(early_header), early_header_(early_header) {}

  /// `epoch` stays mapped until detach().
  void attach(const MappedEpoch& epoch);
  void detach() noexcept;

  /// `in`: the shared control stream, whose malformed messages the control thread counts, or one of
  /// the consumer's own, whose nobody else does (W328). `sink(const PrefixView&)` for each report,
  /// `changed(seq)` for those overwritten in use (W172).
  template <class Sink, class Changed>
  ProgressResult poll(bus::Subscription& in, bool is_own, std::size_t limit,
                      ConsumerCounters& counters, Sink&& sink, Changed&& changed) noexcept {
    ProgressResult result;
    in.poll_messages(
        [&](const bus::Message& message) noexcept {
          PrefixRecord record;
          if (!judge(message.bytes, is_own, record, counters)) {
            return;
          }
          ++result.reports;
          const PrefixView view(record);
          sink(view);
          if (view.is_readable() && !prefix_unchanged(record)) [[unlikely]] {
            ++counters.prefixes_changed;
            ++result.changed_after_use;
            changed(record.seq);
          }
        },
        limit);
    return result;
  }

  /// The check after use alone (W366, W369).
  [[nodiscard]] static bool prefix_unchanged(const PrefixRecord& record) noexcept {
    return core::progress::prefix_unchanged<base::DefaultAtom>(*record.commit, record.seq,
                                                               record.early_header);
  }

 private:
  /// False when there is nothing to hand out.
  [[nodiscard]] bool judge(std::span<const std::byte> bytes, bool is_own, PrefixRecord& record,
                           ConsumerCounters& counters) noexcept;

  core::progress::ProgressTracker tracker_{{}};
  core::progress::PrefixReader<base::DefaultAtom> prefixes_;
  bool early_header_;
  const MappedEpoch* epoch_ = nullptr;
  codec::Scratch scratch_;
};

}  // namespace tensorpool::inline v0::detail
