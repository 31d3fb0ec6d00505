// The metadata set of one producer: what is in force now, and under which version. When it is sent
// is the Announcer's business (core/producer/announcer). Spec: §1.18 (W372..W374).
//
//     set(attributes)  -> version 1, 2, ... of this epoch; the same attributes again are no change
//     begin_epoch()    -> what is in force is version 1 of the next epoch
//
// Pure. Thread contract: one thread at a time. Allocates: in proportion to the set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "layout/messages_900.hpp"
#include "tensorpool/types/metadata.hpp"

namespace tensorpool::inline v0::core::metadata {

/// Bytes of the DataSourceMeta with these attributes, header included.
[[nodiscard]] std::uint64_t message_bytes(const std::vector<Attribute>& attributes) noexcept;

class ProducerSet {
 public:
  explicit ProducerSet(std::uint32_t attributes_max = MetadataLimits{}.max_attributes) noexcept
      : attributes_max_(attributes_max) {}

  /// Replaces the whole set (W373); of a key that is there twice the last one counts (W380).
  /// Refuses, and changes nothing: kMetadataTooLarge for more attributes than receivers take, or
  /// more bytes than `message_bytes_max` (W374); kInvalidArgument for a key or format that is not
  /// printable US-ASCII (W93), an empty key (W381), or a reserved name.
  [[nodiscard]] Status set(std::vector<Attribute> attributes, std::uint64_t timestamp_ns,
                           std::uint64_t message_bytes_max);

  /// Versions are counted per epoch.
  void begin_epoch() noexcept { version_ = version_ == 0 ? 0 : 1; }

  /// 0 before the first set.
  [[nodiscard]] std::uint32_t version() const noexcept { return version_; }
  [[nodiscard]] const std::vector<Attribute>& attributes() const noexcept { return attributes_; }
  /// A view, valid until the next set.
  [[nodiscard]] layout::DataSourceMeta message(std::uint32_t stream_id) const noexcept;

 private:
  std::uint32_t attributes_max_;
  std::uint32_t version_ = 0;
  std::uint64_t timestamp_ns_ = 0;
  std::vector<Attribute> attributes_;
  std::vector<layout::MetaAttribute> entries_;  // views of the attributes
};

}  // namespace tensorpool::inline v0::core::metadata
