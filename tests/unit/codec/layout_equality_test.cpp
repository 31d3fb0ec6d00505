// The hot path writes and reads descriptors, slots and superblocks through the structs of
// src/layout. Here those are proven equal to what the generated code makes of the schema.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstring>

#include "layout/descriptor.hpp"
#include "layout/slot.hpp"
#include "layout/superblock.hpp"
#include "support/random_message.hpp"
#include "support/requirement.hpp"

namespace tensorpool::codec {
namespace {

template <class T>
std::vector<std::byte> bytes_of(const T& value) {
  std::vector<std::byte> bytes(sizeof(T));
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

/// Without the message header, as it stands in shared memory.
template <class M>
std::vector<std::byte> bare(const M& message) {
  auto bytes = test::encoded(message);
  bytes.erase(bytes.begin(), bytes.begin() + layout::kMessageHeaderBytes);
  return bytes;
}

test::RandomMessages random_messages() {
  return test::RandomMessages(*rc::gen::arbitrary<std::uint64_t>());
}

RC_GTEST_PROP(LayoutEquality, descriptor_of_the_hot_path_is_the_message, ()) {
  TP_REQ("W72", "W190", "W192", "W193");
  const auto message = random_messages().make<layout::FrameDescriptor>();
  layout::FrameDescriptorMessage sut{};
  sut.block_length = layout::kFrameDescriptorBlockLength;
  sut.template_id = layout::kFrameDescriptorTemplateId;
  sut.schema_id = layout::kWireSchemaId;
  sut.version = layout::kWireSchemaVersion;
  sut.stream_id = message.stream_id;
  sut.epoch = message.epoch;
  sut.seq = message.seq;
  sut.timestamp_ns = message.timestamp_ns.value_or(layout::kTimestampNone);
  sut.meta_version = message.meta_version.value_or(layout::kMetaVersionNull);
  sut.trace_id = message.trace_id.value_or(0);
  RC_ASSERT(bytes_of(sut) == test::encoded(message));
}

RC_GTEST_PROP(LayoutEquality, superblock_is_template_50_without_its_header, ()) {
  TP_REQ("W3", "W10", "W12", "W18");
  const auto message = random_messages().make<layout::ShmRegionSuperblock>();
  layout::Superblock sut{};
  sut.magic = message.magic;
  sut.layout_version = message.layout_version;
  sut.epoch = message.epoch;
  sut.stream_id = message.stream_id;
  sut.region_type = static_cast<std::int16_t>(message.region_type);
  sut.pool_id = message.pool_id;
  sut.nslots = message.nslots;
  sut.slot_bytes = message.slot_bytes;
  sut.stride_bytes = message.stride_bytes;
  sut.pid = message.pid;
  sut.start_timestamp_ns = message.start_timestamp_ns;
  sut.activity_timestamp_ns = message.activity_timestamp_ns;
  RC_ASSERT(bytes_of(sut) == bare(message));
}

RC_GTEST_PROP(LayoutEquality, slot_is_template_51_with_template_52_embedded, ()) {
  TP_REQ("W24", "W25", "W26", "W27", "W30");
  auto messages = random_messages();
  auto header = messages.make<layout::SlotHeader>();
  auto tensor = messages.make<layout::TensorHeader>();
  tensor.pad_align = 0;
  const auto embedded = test::encoded(tensor);
  header.header_bytes = layout::Bytes(embedded.data(), embedded.size());

  layout::Slot sut{};
  sut.seq_commit = header.seq_commit;
  sut.values_len_bytes = header.values_len_bytes;
  sut.payload_slot = header.payload_slot;
  sut.pool_id = header.pool_id;
  sut.payload_offset = header.payload_offset;
  sut.timestamp_ns = header.timestamp_ns;
  sut.meta_version = header.meta_version;
  sut.header_bytes_length = layout::kEmbeddedHeaderBytes;
  sut.block_length = layout::kTensorHeaderBlockLength;
  sut.template_id = layout::kTensorHeaderTemplateId;
  sut.schema_id = layout::kWireSchemaId;
  sut.version = layout::kWireSchemaVersion;
  sut.dtype = static_cast<std::int16_t>(tensor.dtype);
  sut.major_order = static_cast<std::int16_t>(tensor.major_order);
  sut.ndims = tensor.ndims;
  sut.progress_unit = static_cast<std::uint8_t>(tensor.progress_unit);
  sut.progress_stride_bytes = tensor.progress_stride_bytes;
  std::copy(tensor.dims.begin(), tensor.dims.end(), sut.dims.begin());
  std::copy(tensor.strides.begin(), tensor.strides.end(), sut.strides.begin());
  RC_ASSERT(bytes_of(sut) == bare(header));
}

}  // namespace
}  // namespace tensorpool::codec
