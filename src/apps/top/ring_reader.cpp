#include "apps/top/ring_reader.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "apps/files/input.hpp"
#include "apps/inspect.hpp"
#include "core/ring/commit_word.hpp"
#include "core/timing.hpp"
#include "layout/superblock.hpp"

namespace tensorpool::inline v0::apps::top {
namespace {

/// What a frame is judged by: everything up to its capture time.
constexpr std::size_t kBytesOfInterest = offsetof(layout::Slot, meta_version);

}  // namespace

Result<RingReader> RingReader::open(const std::string& path) {
  Result<files::InputFile> input = files::open_input(path);
  if (!input) {
    return fail(input.error());
  }
  return RingReader(path, std::move(input->file));
}

Result<RingSeen> RingReader::look(Nanos now) {
  const Result<layout::Superblock> block = read_superblock(file_.get(), path_);
  if (!block) {
    return fail(block.error());
  }
  if (block->region_type != static_cast<std::int16_t>(layout::RegionType::kHeaderRing)) {
    return fail(Errc::kSuperblockMismatch, path_);
  }
  RingSeen seen{.path = path_,
                .stream_id = block->stream_id,
                .epoch = block->epoch,
                .nslots = block->nslots,
                .pid = block->pid,
                .at = now,
                .silence = core::age_of(block->activity_timestamp_ns, now)};
  if (const Status read = read_new(seen.nslots, seen.frames); !read) {
    return fail(read.error());
  }
  seen.newest_seq = newest_;
  return seen;
}

/// From the slot behind the newest frame on, until there is nothing new, at most once around and
/// kSlotsPerLook.
Status RingReader::read_new(std::uint32_t nslots, std::vector<FrameSeen>& frames) {
  const std::uint64_t most = std::min<std::uint64_t>(nslots, kSlotsPerLook);
  std::uint64_t at = (newest_ ? *newest_ + 1 : next_slot_) % nslots;
  for (std::uint64_t done = 0; done < most;) {
    const std::uint64_t count = std::min({kSlotsAtOnce, nslots - at, most - done});
    const Result<bool> any = read_slots(at, count, nslots, frames);
    if (!any) {
      return fail(any.error());
    }
    if (newest_ && !*any) {
      break;
    }
    done += count;
    at = (at + count) % nslots;
  }
  next_slot_ = at;
  std::sort(frames.begin(), frames.end(),
            [](const FrameSeen& a, const FrameSeen& b) { return a.seq < b.seq; });
  if (frames.size() > kFramesMax) {
    frames.erase(frames.begin(), frames.end() - kFramesMax);
  }
  newest_ = frames.empty() ? newest_ : frames.back().seq;
  return {};
}

/// True when one of the slots is of a frame behind the newest known.
Result<bool> RingReader::read_slots(std::uint64_t first, std::uint64_t count, std::uint32_t nslots,
                                    std::vector<FrameSeen>& frames) {
  slots_.resize(count);
  again_.resize(count);
  const std::uint64_t offset = layout::kSuperblockBytes + first * layout::kHeaderSlotBytes;
  for (std::vector<layout::Slot>* to : {&slots_, &again_}) {
    const Status read = read_at(file_.get(), offset, std::as_writable_bytes(std::span(*to)), path_);
    if (!read) {
      return fail(read.error());
    }
  }
  bool any = false;
  for (std::uint64_t k = 0; k < count; ++k) {
    const layout::Slot& slot = slots_[k];
    const std::uint64_t seq = core::ring::sequence_of(slot.seq_commit);
    if (seq % nslots != first + k || (newest_ && seq <= *newest_)) {
      continue;
    }
    any = true;
    // Whichever way the kernel copies: what two reads agree on was there between them.
    if (!core::ring::is_committed(slot.seq_commit) ||
        std::memcmp(&slot, &again_[k], kBytesOfInterest) != 0) {
      continue;
    }
    FrameSeen frame{.seq = seq, .bytes = slot.values_len_bytes};
    if (slot.timestamp_ns != layout::kTimestampNone) {
      frame.captured_at = Nanos(static_cast<Nanos::rep>(slot.timestamp_ns.get()));
    }
    frames.push_back(frame);
  }
  return any;
}

}  // namespace tensorpool::inline v0::apps::top
