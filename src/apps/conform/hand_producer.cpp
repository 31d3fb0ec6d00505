#include "apps/conform/hand_producer.hpp"

#include <cstring>
#include <utility>

#include "core/region/uri.hpp"
#include "core/ring/slot_protocol.hpp"
#include "os/syscalls.hpp"

namespace tensorpool::inline v0::apps::conform {
namespace {

using Atom = base::DefaultAtom;

constexpr std::uint32_t kProducer = 78'001;
constexpr std::uint16_t kPool = 1;
constexpr std::int32_t kElements = 64;
constexpr int kOffers = 3;  // a log turns its page in one of them

}  // namespace

HandProducer::HandProducer(Workbench& bench, os::OwnedStream stream)
    : bench_(bench),
      stream_(std::move(stream)),
      pools_(core::region::announced_pools(stream_.plan())) {
  const auto tensor = core::tensor::resolve(TensorInfo::packed(Dtype::kUint8, {kElements}));
  tensor_ = core::ring::encode_tensor_words(*tensor);
}

Result<std::unique_ptr<HandProducer>> HandProducer::create(Workbench& bench) {
  Result<os::OwnedStream> stream =
      os::OwnedStream::create(os::system_calls(), {.base_dir = bench.places().shm_dir},
                              {.stream_id = bench.places().stream_id,
                               .nslots = kSlots,
                               .pools = {{.pool_id = kPool, .stride_bytes = kStride}}},
                              bench.clock().now());
  if (!stream) {
    return fail(stream.error());
  }
  return std::unique_ptr<HandProducer>(new HandProducer(bench, std::move(*stream)));
}

std::vector<std::string> HandProducer::paths() const {
  std::vector<std::string> paths;
  const auto add = [&](const core::region::PlannedRegion& region) {
    if (const auto uri = core::region::parse_region_uri(region.uri)) {
      paths.emplace_back(uri->path);
    }
  };
  add(stream_.plan().header_ring);
  for (const core::region::PlannedRegion& pool : stream_.plan().pools) {
    add(pool);
  }
  return paths;
}

Atom::Word* HandProducer::slot(std::uint64_t seq) const noexcept {
  std::byte* const ring = stream_.regions().header_ring.writable_bytes().data();
  return reinterpret_cast<Atom::Word*>(ring + layout::kSuperblockBytes) +
         (seq & (kSlots - 1)) * layout::kSlotWords;
}

std::uint64_t HandProducer::take() noexcept {
  const std::uint64_t seq = next_seq_++;
  core::ring::begin_write<Atom>(*slot(seq), seq, core::ring::Stores::kOrdered);
  return seq;
}

std::uint64_t HandProducer::put(const Change& change) {
  const std::uint64_t seq = take();
  const auto index = static_cast<std::uint32_t>(seq & (kSlots - 1));
  std::byte* const pool = stream_.regions().pools.front().writable_bytes().data();
  std::memset(pool + layout::kSuperblockBytes + std::size_t{index} * kStride,
              static_cast<int>(seq & 0xFFU), kElements);
  core::ring::SlotWords words = tensor_;
  core::ring::encode_frame_words({.values_len_bytes = kElements,
                                  .payload_slot = index,
                                  .pool_id = kPool,
                                  .timestamp_ns = static_cast<std::uint64_t>(bench_.now().count())},
                                 words);
  if (change) {
    layout::Slot header = core::ring::as_slot(words);
    change(header);
    std::memcpy(words.data(), &header, sizeof(header));
  }
  for (std::size_t k = 1; k < layout::kSlotWords; ++k) {
    core::ring::store_header_word<Atom>(slot(seq)[k], words[k]);
  }
  core::ring::commit_write<Atom>(*slot(seq), seq);
  return seq;
}

layout::FrameDescriptor HandProducer::descriptor(std::uint64_t seq) const noexcept {
  return {.stream_id = bench_.places().stream_id, .epoch = epoch(), .seq = seq};
}

void HandProducer::describe(std::uint64_t seq, Wire on) {
  const layout::FrameDescriptor message = descriptor(seq);
  for (int k = 0; k < kOffers && !bench_.send(on, message); ++k) {
  }
}

std::uint64_t HandProducer::publish(Wire on) {
  const std::uint64_t seq = put();
  describe(seq, on);
  return seq;
}

void HandProducer::refresh() const noexcept {
  stream_.regions().store_activity(bench_.now());
}

layout::ShmPoolAnnounce HandProducer::announcement() const noexcept {
  layout::ShmPoolAnnounce message;
  message.stream_id = bench_.places().stream_id;
  message.producer_id = kProducer;
  message.epoch = epoch();
  message.announce_timestamp_ns = static_cast<std::uint64_t>(bench_.now().count());
  message.header_nslots = kSlots;
  message.payload_pools = pools();
  message.header_region_uri = stream_.plan().header_ring.uri;
  return message;
}

void HandProducer::announce(const std::function<void(layout::ShmPoolAnnounce&)>& change) {
  layout::ShmPoolAnnounce message = announcement();
  if (change) {
    change(message);
  }
  bench_.send(Wire::kControl, message);
  if (bench_.places().announce_stream != bench_.places().control_stream) {
    bench_.send(Wire::kAnnounce, message);
  }
}

}  // namespace tensorpool::inline v0::apps::conform
