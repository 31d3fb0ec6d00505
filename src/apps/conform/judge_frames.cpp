// Judges of producers: slots, commit words and descriptors.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "apps/conform/producer_judges.hpp"
#include "apps/text.hpp"
#include "core/ring/commit_word.hpp"
#include "core/ring/slot_header.hpp"

namespace tensorpool::inline v0::apps::conform::judges {
namespace {

using core::ring::committed;
using core::ring::is_committed;
using core::ring::sequence_of;
using layout::FrameDescriptor;

[[nodiscard]] layout::Slot slot_of(const SlotLook& look) noexcept {
  layout::Slot slot;
  std::memcpy(&slot, look.bytes.data(), sizeof(slot));
  return slot;
}

/// Whole, and the one that the descriptor spoke of: the only ones whose bytes mean anything.
[[nodiscard]] bool is_whole(const SlotLook& look) noexcept {
  return look.word_before == committed(look.seq) && look.word_after == look.word_before;
}

/// Judges whole slots by `fault_of(look, slot, life)`.
template <class FaultOf>
[[nodiscard]] Finding judge_slots(const ProducerRecord& record, FaultOf&& fault_of) {
  std::size_t judged = 0;
  for (const ProducerLife& life : record.lives) {
    for (const SlotLook& look : life.slots) {
      if (!is_whole(look)) {
        continue;
      }
      ++judged;
      if (std::string fault = fault_of(look, slot_of(look), life); !fault.empty()) {
        return failed(fmt::format("frame {}: {}", look.seq, fault));
      }
    }
  }
  return judged == 0 ? not_observable("no whole frame was seen") : passed(counted(judged, "frame"));
}

[[nodiscard]] const RegionLook* pool_of(const ProducerLife& life, std::uint64_t epoch,
                                        std::uint16_t pool_id) {
  for (const RegionLook& region : life.regions) {
    if (region.expected.type == layout::RegionType::kPayloadPool &&
        region.expected.epoch == epoch && region.expected.pool_id == pool_id) {
      return &region;
    }
  }
  return nullptr;
}

/// Descriptors of the shared stream, in order.
template <class See>
std::size_t each_descriptor(const ProducerRecord& record, const ProducerLife& life, See&& see) {
  std::size_t count = 0;
  each<FrameDescriptor>(life.heard, [&](const FrameDescriptor& descriptor, const Heard& heard) {
    if (descriptor.stream_id == record.stream_id && heard.on == Wire::kDescriptor) {
      ++count;
      see(descriptor);
    }
  });
  return count;
}

[[nodiscard]] bool is_zero(const void* bytes, std::size_t count) {
  const auto* const first = static_cast<const std::byte*>(bytes);
  return std::all_of(first, first + count, [](std::byte one) { return one == std::byte{0}; });
}

[[nodiscard]] std::string order_fault(const ProducerRecord& record, const ProducerLife& life,
                                      std::size_t& count) {
  std::set<std::uint64_t> announced;
  each<layout::ShmPoolAnnounce>(
      life.heard, [&](const auto& announce, const Heard&) { announced.insert(announce.epoch); });
  std::string fault;
  std::map<std::uint64_t, std::uint64_t> last;
  count += each_descriptor(record, life, [&](const FrameDescriptor& one) {
    const auto [at, first] = last.try_emplace(one.epoch, one.seq);
    if (fault.empty() && !announced.contains(one.epoch)) {
      fault = fmt::format("frame {} of epoch {}, which was never announced", one.seq, one.epoch);
    } else if (fault.empty() && !first && one.seq <= at->second) {
      fault = fmt::format("frame {} after {}", one.seq, at->second);
    }
    at->second = one.seq;
  });
  return fault;
}

/// What a ring said that was not full yet; nothing where it tells nothing.
[[nodiscard]] std::optional<Finding> judge_young_ring(const RingLook& ring) {
  const auto is_used = [](std::uint64_t word) { return word != 0; };
  const auto& words = ring.words;
  // IN_PROGRESS(0) is 0 as well: slot 0 tells nothing about emptiness.
  const bool is_young = words.size() > 1 && !std::all_of(words.begin() + 1, words.end(), is_used);
  const auto first = std::find_if(words.begin(), words.end(), is_used);
  if (!is_young || first == words.end()) {
    return std::nullopt;
  }
  for (std::size_t k = 0; k < words.size(); ++k) {
    if (words[k] != 0 && sequence_of(words[k]) != k) {
      return failed(
          fmt::format("frame {} in slot {} of a ring with empty slots", sequence_of(words[k]), k));
    }
  }
  return first - words.begin() > 1
             ? failed(fmt::format("the first frame is {}", first - words.begin()))
             : passed("the ring began to fill with frame 0");
}

}  // namespace

Finding slot_header(const ProducerRecord& record) {
  return judge_slots(
      record, [](const SlotLook& look, const layout::Slot& slot, const ProducerLife& life) {
        core::ring::SlotWords words{};
        std::memcpy(words.data(), look.bytes.data(), look.bytes.size());
        if (const auto tensor = core::ring::decode_tensor_words(words); !tensor) {
          return describe(tensor.error());
        }
        if (slot.payload_slot != look.index || slot.payload_offset != 0U) {
          return fmt::format("payload slot {} at offset {}", std::uint32_t{slot.payload_slot},
                             std::uint32_t{slot.payload_offset});
        }
        const RegionLook* const pool = pool_of(life, look.epoch, slot.pool_id);
        if (pool == nullptr || slot.values_len_bytes > pool->expected.stride_bytes) {
          return fmt::format("{} in pool {}", bytes_text(slot.values_len_bytes),
                             std::uint16_t{slot.pool_id});
        }
        return std::string();
      });
}

Finding slot_padding(const ProducerRecord& record) {
  return judge_slots(
      record, [](const SlotLook&, const layout::Slot& slot, const ProducerLife&) -> std::string {
        if (!is_zero(slot.pad.data(), slot.pad.size()) || slot.pad_align != 0U ||
            !is_zero(slot.tail_pad.data(), slot.tail_pad.size())) {
          return "padding that is not zero";
        }
        for (std::size_t k = slot.ndims; k < kMaxDims; ++k) {
          if (slot.dims[k] != 0 || slot.strides[k] != 0) {
            return fmt::format("dims or strides [{}] of {} dimensions are not 0", k,
                               std::uint8_t{slot.ndims});
          }
        }
        const bool none = slot.progress_unit == static_cast<std::uint8_t>(ProgressUnit::kNone);
        return none && slot.progress_stride_bytes != 0U ? "a progress stride without a unit" : "";
      });
}

Finding commit_word(const ProducerRecord& record) {
  std::size_t judged = 0;
  for (const ProducerLife& life : record.lives) {
    std::map<std::uint64_t, std::size_t> nslots;
    std::map<std::tuple<std::uint64_t, std::uint32_t>, std::uint64_t> last;
    for (const RingLook& ring : life.rings) {
      nslots[ring.epoch] = ring.words.size();
    }
    for (const WordLook& look : life.words) {
      std::uint64_t& before = last[{look.epoch, look.index}];
      const std::size_t slots = nslots[look.epoch];
      if (look.word < before) {
        return failed(fmt::format("slot {}: {:#x} after {:#x}", look.index, look.word, before));
      }
      if (slots != 0 && look.word != 0 && sequence_of(look.word) % slots != look.index) {
        return failed(
            fmt::format("frame {} in slot {} of {}", sequence_of(look.word), look.index, slots));
      }
      before = look.word;
      judged += look.word != 0 ? 1 : 0;
    }
  }
  return judged == 0 ? not_observable("no commit word has changed")
                     : passed(counted(judged, "commit word"));
}

Finding commit_before_descriptor(const ProducerRecord& record) {
  std::size_t judged = 0;
  for (const ProducerLife& life : record.lives) {
    for (const SlotLook& look : life.slots) {
      ++judged;
      const std::uint64_t there = sequence_of(look.word_before);
      if (there < look.seq || (there == look.seq && !is_committed(look.word_before))) {
        return failed(fmt::format("the descriptor of frame {} came while the slot was at {:#x}",
                                  look.seq, look.word_before));
      }
    }
  }
  return judged == 0 ? not_observable("no descriptor was heard")
                     : passed(counted(judged, "descriptor"));
}

Finding descriptor_order(const ProducerRecord& record) {
  std::size_t count = 0;
  for (const ProducerLife& life : record.lives) {
    if (std::string fault = order_fault(record, life, count); !fault.empty()) {
      return failed(std::move(fault));
    }
  }
  return count == 0 ? not_observable("no descriptor was heard")
                    : passed(counted(count, "descriptor"));
}

Finding descriptor_complete(const ProducerRecord& record) {
  std::size_t count = 0;
  for (const ProducerLife& life : record.lives) {
    std::set<std::tuple<std::uint64_t, std::uint64_t>> whole;
    for (const WordLook& look : life.words) {
      if (is_committed(look.word)) {
        whole.emplace(look.epoch, sequence_of(look.word));
      }
    }
    std::optional<FrameDescriptor> last;
    std::string fault;
    count += each_descriptor(record, life, [&](const FrameDescriptor& one) {
      if (last && last->epoch == one.epoch && one.seq > last->seq) {
        const auto missed = whole.lower_bound({one.epoch, last->seq + 1});
        if (missed != whole.end() && *missed < std::tuple(one.epoch, one.seq)) {
          fault = fmt::format("frame {} was committed and never described", std::get<1>(*missed));
        }
      }
      last = one;
    });
    if (!fault.empty()) {
      return failed(std::move(fault));
    }
  }
  return count < 2 ? not_observable("fewer than two descriptors were heard")
                   : passed(counted(count, "descriptor"));
}

Finding descriptor_fields(const ProducerRecord& record) {
  std::size_t judged = 0;
  for (const ProducerLife& life : record.lives) {
    std::map<std::tuple<std::uint64_t, std::uint64_t>, const SlotLook*> slots;
    for (const SlotLook& look : life.slots) {
      if (is_whole(look)) {
        slots[{look.epoch, look.seq}] = &look;
      }
    }
    std::string fault;
    std::optional<std::uint64_t> last_time;
    std::uint64_t last_epoch = 0;
    each_descriptor(record, life, [&](const FrameDescriptor& one) {
      const auto found = slots.find({one.epoch, one.seq});
      if (found == slots.end() || !fault.empty()) {
        return;
      }
      ++judged;
      const std::uint32_t in_slot = slot_of(*found->second).meta_version;
      const bool none = in_slot == 0 || in_slot == layout::kMetaVersionNull;
      if (one.seq >= layout::kSeqLimit) {
        fault = fmt::format("frame {}", one.seq);
      } else if (none ? one.meta_version.has_value() : one.meta_version != in_slot) {
        fault = fmt::format("frame {}: metadata {} in the descriptor, {} in the slot", one.seq,
                            one.meta_version ? std::to_string(*one.meta_version) : "none",
                            none ? "none" : std::to_string(in_slot));
      } else if (last_epoch == one.epoch && last_time && one.timestamp_ns &&
                 *one.timestamp_ns < *last_time) {
        fault = fmt::format("frame {}: time {} after {}", one.seq, *one.timestamp_ns, *last_time);
      }
      last_epoch = one.epoch;
      last_time = one.timestamp_ns ? one.timestamp_ns : last_time;
    });
    if (!fault.empty()) {
      return failed(std::move(fault));
    }
  }
  return judged == 0 ? not_observable("no descriptor with its slot was seen")
                     : passed(counted(judged, "descriptor"));
}

Finding first_frame(const ProducerRecord& record) {
  for (const ProducerLife& life : record.lives) {
    for (const RingLook& ring : life.rings) {
      if (std::optional<Finding> finding = judge_young_ring(ring)) {
        return *finding;
      }
    }
    std::optional<std::uint64_t> first;
    each_descriptor(record, life, [&](const FrameDescriptor& one) {
      first = first ? first : std::optional(one.seq);
    });
    if (first == 0U) {
      return passed("the first descriptor was that of frame 0");
    }
  }
  return not_observable("no beginning was seen: the ring was empty or full");
}

}  // namespace tensorpool::inline v0::apps::conform::judges
