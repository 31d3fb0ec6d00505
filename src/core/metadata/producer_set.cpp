#include "core/metadata/producer_set.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace tensorpool::inline v0::core::metadata {
namespace {

[[nodiscard]] bool is_printable(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

/// A reserved name with a value that it may have.
[[nodiscard]] bool is_known(const Attribute& attribute) noexcept {
  const std::optional<std::string_view> value = attribute.as_text();
  return attribute.key == kDtypeAttribute && value && extended_dtype_from_string(*value);
}

[[nodiscard]] Status check(const Attribute& attribute) noexcept {
  if (attribute.key.empty()) {
    return fail(Errc::kInvalidArgument, "attribute key: must not be empty");
  }
  if (!is_printable(attribute.key) || !is_printable(attribute.format)) {
    return fail(Errc::kInvalidArgument, "attribute key or format: printable US-ASCII only");
  }
  if (attribute.key.starts_with(kReservedAttributePrefix) && !is_known(attribute)) {
    return fail(Errc::kInvalidArgument, "attribute: tensorpool.* is reserved");
  }
  return {};
}

/// Leaves the last of those with the same key, in its place.
void keep_last_of_each_key(std::vector<Attribute>& attributes) {
  for (auto at = attributes.begin(); at != attributes.end();) {
    const bool again = std::any_of(at + 1, attributes.end(),
                                   [&](const Attribute& later) { return later.key == at->key; });
    at = again ? attributes.erase(at) : at + 1;
  }
}

}  // namespace

std::uint64_t message_bytes(const std::vector<Attribute>& attributes) noexcept {
  std::uint64_t bytes = layout::kMessageHeaderBytes + layout::DataSourceMeta::kType.block_length +
                        layout::kGroupHeaderBytes;
  for (const Attribute& one : attributes) {
    bytes += 3 * layout::kVarLengthBytes + one.key.size() + one.format.size() + one.value.size();
  }
  return bytes;
}

Status ProducerSet::set(std::vector<Attribute> attributes, std::uint64_t timestamp_ns,
                        std::uint64_t message_bytes_max) {
  if (attributes.size() > attributes_max_) {  // so that what follows is bounded, too
    return fail(Errc::kMetadataTooLarge, "attributes", attributes.size(), attributes_max_);
  }
  for (const Attribute& one : attributes) {
    if (const Status fine = check(one); !fine) {
      return fine;
    }
  }
  keep_last_of_each_key(attributes);
  const std::uint64_t bytes = message_bytes(attributes);
  if (bytes > message_bytes_max) {
    return fail(Errc::kMetadataTooLarge, "metadata set", bytes, message_bytes_max);
  }
  if (version_ != 0 && attributes == attributes_) {
    return {};
  }
  if (version_ == layout::kMetaVersionNull - 1) {
    return fail(Errc::kLimitReached, "metadata versions of an epoch", version_, version_);
  }
  ++version_;
  timestamp_ns_ = timestamp_ns;
  attributes_ = std::move(attributes);
  entries_.clear();
  for (const Attribute& one : attributes_) {
    entries_.push_back({.key = one.key,
                        .format = one.format,
                        .value = layout::Bytes(one.value.data(), one.value.size())});
  }
  return {};
}

layout::DataSourceMeta ProducerSet::message(std::uint32_t stream_id) const noexcept {
  layout::DataSourceMeta message;
  message.stream_id = stream_id;
  message.meta_version = version_;
  message.timestamp_ns = timestamp_ns_;
  message.attributes = layout::ListView<layout::MetaAttribute>(entries_.data(), entries_.size());
  return message;
}

}  // namespace tensorpool::inline v0::core::metadata
