// Any messages on a metadata stream, one after the other, each behind two bytes of its length: the
// store and the blob receiver keep their bounds, and what they give out is whole.
#include <algorithm>
#include <variant>

#include "codec/codec.hpp"
#include "core/metadata/blob_receiver.hpp"
#include "core/metadata/set_store.hpp"
#include "harness/fuzz.hpp"

namespace {

using namespace tensorpool;
using core::metadata::BlobReceiver;
using core::metadata::SetStore;

constexpr std::uint64_t kBlobBytesMax = 100'000;
constexpr std::uint32_t kAttributesMax = 16;

struct Receiver {
  explicit Receiver(std::uint32_t stream_id)
      : store({.stream_id = stream_id, .attributes_max = kAttributesMax}),
        blobs({.stream_id = stream_id, .blob_bytes_max = kBlobBytesMax}) {}

  void on(const layout::DataSourceAnnounce& message) { store.on_announce(message, now); }
  void on(const layout::DataSourceMeta& message) {
    if (store.on_set(message) == SetStore::Verdict::kStored) {
      const auto& attributes = store.current()->attributes;
      TP_FUZZ_CHECK(attributes.size() <= kAttributesMax);
      for (const Attribute& one : attributes) {
        TP_FUZZ_CHECK(!one.key.empty() && store.current()->find(one.key) == &one);
        const std::string_view unit = one.unit();
        TP_FUZZ_CHECK(unit.size() <= one.format.size());
        TP_FUZZ_CHECK(!one.as_integer() || one.as_number());
      }
    }
  }
  void on(const layout::MetaBlobAnnounce& message) {
    if (blobs.on_announce(message, now) == BlobReceiver::Verdict::kOpened) {
      total_len = message.total_len;
      arrived = 0;
    }
  }
  void on(const layout::MetaBlobChunk& message) {
    if (blobs.on_chunk(message, now) == BlobReceiver::Verdict::kAppended) {
      arrived += message.bytes.size();
      TP_FUZZ_CHECK(blobs.capacity() <= 2 * arrived);
    }
  }
  void on(const layout::MetaBlobComplete& message) {
    MetadataBlob blob;
    if (blobs.on_complete(message, blob) == BlobReceiver::Verdict::kDelivered) {
      TP_FUZZ_CHECK(blob.bytes.size() == total_len && total_len <= kBlobBytesMax);
    }
  }
  template <class Other>
  void on(const Other&) {}

  SetStore store;
  BlobReceiver blobs;
  Nanos now = std::chrono::seconds(1000);
  std::uint64_t total_len = 0;
  std::uint64_t arrived = 0;
};

void feed(Receiver& receiver, std::span<const std::byte> bytes, codec::Scratch& scratch) {
  const auto message = codec::decode<codec::Message900>(bytes, scratch);
  if (message) {
    std::visit([&](const auto& body) { receiver.on(body); }, *message);
  }
  TP_FUZZ_CHECK(receiver.blobs.check_invariants());
}

/// That of a message: otherwise few would be for the receiver.
std::uint32_t stream_of(std::span<const std::byte> message) {
  constexpr std::size_t kOffset = 8;
  std::uint32_t id = 10000;
  for (std::size_t k = 0; message.size() >= kOffset + 4 && k < 4; ++k) {
    id = id >> 8U | std::to_integer<std::uint32_t>(message[kOffset + k]) << 24U;
  }
  return id;
}

}  // namespace

int fuzz_metadata_messages(std::span<const std::byte> input) {
  codec::Scratch scratch;
  Receiver alone(stream_of(input));  // golden vectors are messages by themselves
  feed(alone, input, scratch);

  Receiver receiver(stream_of(input.subspan(std::min<std::size_t>(input.size(), 2))));
  while (input.size() > 2) {
    const std::size_t wanted =
        std::to_integer<std::size_t>(input[0]) | std::to_integer<std::size_t>(input[1]) << 8U;
    input = input.subspan(2);
    const std::size_t length = std::min(wanted, input.size());
    feed(receiver, input.first(length), scratch);
    input = input.subspan(length);
    receiver.now += std::chrono::seconds(wanted % 2);
    receiver.blobs.poll(receiver.now);
  }
  return 0;
}
