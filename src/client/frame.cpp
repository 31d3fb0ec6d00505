#include "tensorpool/frame.hpp"

#include <optional>
#include <string>

#include "agents/mapped_epoch.hpp"
#include "base/atomics.hpp"
#include "core/consumer/ring_search.hpp"
#include "core/copy.hpp"
#include "core/ring/slot_protocol.hpp"

namespace tensorpool::inline v0::detail {

bool still_valid(const FrameRecord& record) noexcept {
  return core::ring::unchanged_after_use<base::DefaultAtom>(*record.commit, record.seq) &&
         record.mapping->current.load(
             std::memory_order_acquire) &&  // sync(mapping-current): observe
         !record.mapping->is_forked();
}

std::uint32_t lap_margin(const FrameRecord& record) noexcept {
  if (!still_valid(record)) {
    return 0;
  }
  const auto& memory = record.mapping->memory;
  const std::uint64_t newest = core::consumer::newest_from(memory, record.seq);
  const std::uint64_t ahead = newest - record.seq;
  return ahead >= memory.nslots ? 0 : static_cast<std::uint32_t>(memory.nslots - 1U - ahead);
}

bool copy_verified(const FrameRecord& record, std::byte* to) noexcept {
  core::copy_out(to, record.data, record.bytes);
  return still_valid(record);
}

std::shared_ptr<const MetadataSet> metadata_of(const FrameRecord& record) {
  const MappedEpoch& mapping = *record.mapping;
  if (mapping.metadata == nullptr || mapping.is_forked()) {
    return nullptr;  // in a forked child its lock may be held by a thread that is not there
  }
  return mapping.metadata->find(record.epoch, record.meta_version);
}

[[nodiscard]] Status check_extended(const std::shared_ptr<const MetadataSet>& set,
                                    ExtendedDtype wanted) {
  const std::optional<ExtendedDtype> said = set == nullptr ? std::nullopt : extended_dtype(*set);
  if (said == wanted) {
    return {};
  }
  return fail(Errc::kDtypeMismatch, said ? std::string(to_string(*said))
                                         : "elements without " + std::string(kDtypeAttribute));
}

void retain(MappedEpoch* mapping) noexcept {
  mapping->retain();
}

void release(const FrameRecord& record, bool already_reported) noexcept {
  if (!already_reported &&
      !core::ring::unchanged_after_use<base::DefaultAtom>(*record.commit, record.seq)) {
    record.mapping->changed_in_leases.fetch_add(1, std::memory_order_relaxed);  // W173
  }
  record.mapping->release();
}

}  // namespace tensorpool::inline v0::detail
