#include "core/ring/slot_header.hpp"

namespace tensorpool::inline v0::core::ring {

SlotWords encode_tensor_words(const tensor::Layout& layout) noexcept {
  const TensorInfo& info = layout.info;
  layout::Slot slot{};
  slot.header_bytes_length = layout::kEmbeddedHeaderBytes;
  slot.block_length = layout::kTensorHeaderBlockLength;
  slot.template_id = layout::kTensorHeaderTemplateId;
  slot.schema_id = layout::kWireSchemaId;
  slot.version = layout::kWireSchemaVersion;
  slot.dtype = static_cast<std::int16_t>(info.dtype);
  slot.major_order = static_cast<std::int16_t>(info.order);
  slot.ndims = info.ndims;
  slot.progress_unit = static_cast<std::uint8_t>(info.progress_unit);
  slot.progress_stride_bytes = info.progress_stride_bytes;
  for (std::size_t k = 0; k < info.ndims; ++k) {
    slot.dims[k] = info.dims[k];
    slot.strides[k] = static_cast<std::int32_t>(info.strides[k]);
  }
  SlotWords words{};
  std::memcpy(words.data(), &slot, sizeof(slot));
  return words;
}

Result<tensor::Layout> decode_tensor_words(const SlotWords& words) noexcept {
  const layout::Slot slot = as_slot(words);
  if (slot.header_bytes_length != layout::kEmbeddedHeaderBytes) {  // W28
    return fail(Errc::kInvalidParams, "headerBytes length", slot.header_bytes_length,
                layout::kEmbeddedHeaderBytes);
  }
  if (slot.block_length != layout::kTensorHeaderBlockLength ||
      slot.template_id != layout::kTensorHeaderTemplateId ||
      slot.schema_id != layout::kWireSchemaId ||
      slot.version != layout::kWireSchemaVersion) {  // W29
    return fail(Errc::kInvalidParams, "embedded message header");
  }
  TensorInfo info;
  info.dtype = static_cast<Dtype>(slot.dtype.get());
  info.order = static_cast<MajorOrder>(slot.major_order.get());
  info.ndims = slot.ndims;
  info.progress_unit = static_cast<ProgressUnit>(slot.progress_unit.get());
  info.progress_stride_bytes = slot.progress_stride_bytes;
  for (std::size_t k = 0; k < info.shape().size(); ++k) {
    info.dims[k] = slot.dims[k];
    info.strides[k] = slot.strides[k];
  }
  return tensor::resolve(info);
}

bool HeaderValidator::learn_tensor(const SlotWords& words, std::size_t end) noexcept {
  const Result<tensor::Layout> layout = decode_tensor_words(words);
  if (!layout) {
    return false;
  }
  tensor_ = *layout;
  known_ = words;
  known_end_ = end;
  return true;
}

}  // namespace tensorpool::inline v0::core::ring
