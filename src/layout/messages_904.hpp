// The message of schema 904: which frames an output frame was made from. Spec: §7.5.
#pragma once

#include <cstdint>

#include "layout/message.hpp"

namespace tensorpool::inline v0::layout {

inline constexpr std::uint16_t kTraceLinkSchemaId = 904;

struct TraceLinkParent {
  static constexpr std::uint16_t kBlockLength = 8;

  std::uint64_t trace_id = 0;

  friend bool operator==(const TraceLinkParent&, const TraceLinkParent&) = default;
};

/// At least one parent: a set without parents is malformed (T88).
struct TraceLinkSet {
  static constexpr MessageType kType{kTraceLinkSchemaId, 1, 28, "TraceLinkSet"};

  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  std::uint64_t trace_id = 0;
  ListView<TraceLinkParent> parents{};

  friend bool operator==(const TraceLinkSet&, const TraceLinkSet&) = default;
};

}  // namespace tensorpool::inline v0::layout
