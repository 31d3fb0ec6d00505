// What consumers, producer and supervisor of one stream tell each other, on its way: each message
// with what its texts and lists point to.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/metadata/blob_sender.hpp"
#include "layout/messages_900.hpp"

namespace tensorpool::inline v0::sim::service {

struct Message {
  using Body =
      std::variant<layout::ConsumerHello, layout::ConsumerConfig, layout::QosConsumer,
                   layout::FrameProgress, layout::DataSourceAnnounce, layout::DataSourceMeta,
                   layout::MetaBlobAnnounce, layout::MetaBlobChunk, layout::MetaBlobComplete>;
  Body body{};
  std::shared_ptr<const void> kept{};  ///< what the views in `body` look at
  std::uint32_t producer_session = 0;  ///< of a producer's life that has sent it
};

/// A message without texts.
template <class Body>
[[nodiscard]] Message plain(const Body& body) {
  return {.body = body};
}

/// A hello or a config with channels of its own.
template <class Body>
[[nodiscard]] Message keeping_channels(Body body) {
  struct Texts {
    std::string descriptor;
    std::string control;
  };
  const auto texts = std::make_shared<const Texts>(
      Texts{std::string(body.descriptor_channel), std::string(body.control_channel)});
  body.descriptor_channel = texts->descriptor;
  body.control_channel = texts->control;
  return {.body = body, .kept = texts};
}

[[nodiscard]] inline Message keeping_attributes(layout::DataSourceMeta body) {
  struct Set {
    std::vector<Attribute> attributes;
    std::vector<layout::MetaAttribute> views;
  };
  const auto set = std::make_shared<Set>();
  for (const layout::MetaAttribute& one : body.attributes) {
    set->attributes.push_back({.key = std::string(one.key),
                               .format = std::string(one.format),
                               .value = {one.value.begin(), one.value.end()}});
  }
  for (const Attribute& one : set->attributes) {
    set->views.push_back(
        {.key = one.key, .format = one.format, .value = {one.value.data(), one.value.size()}});
  }
  body.attributes = {set->views.data(), set->views.size()};
  return {.body = body, .kept = set};
}

[[nodiscard]] inline Message keeping_bytes(const core::metadata::BlobMessage& message) {
  Message kept;
  std::visit([&kept](const auto& body) { kept.body = body; }, message);
  if (auto* const chunk = std::get_if<layout::MetaBlobChunk>(&kept.body)) {
    const auto bytes =
        std::make_shared<const std::vector<std::byte>>(chunk->bytes.begin(), chunk->bytes.end());
    chunk->bytes = {bytes->data(), bytes->size()};
    kept.kept = bytes;
  }
  return kept;
}

/// A FrameDescriptor, and what the protocol does not say: whom it was sent for.
struct Notice {
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  Nanos at{};
  std::uint32_t for_consumer = 0;  ///< 0: for everybody
};

}  // namespace tensorpool::inline v0::sim::service
