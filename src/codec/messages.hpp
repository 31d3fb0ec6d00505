// The messages of each schema as one type, and all of them as a list.
#pragma once

#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "layout/messages_900.hpp"
#include "layout/messages_901.hpp"
#include "layout/messages_902.hpp"
#include "layout/messages_903.hpp"
#include "layout/messages_904.hpp"
#include "layout/messages_910.hpp"

namespace tensorpool::inline v0::codec {

/// Without templates 50 to 52, which a receiver ignores (W89).
using Message900 =
    std::variant<layout::ShmPoolAnnounce, layout::ConsumerHello, layout::ConsumerConfig,
                 layout::FrameDescriptor, layout::QosConsumer, layout::QosProducer,
                 layout::DataSourceAnnounce, layout::DataSourceMeta, layout::ControlResponse,
                 layout::MetaBlobAnnounce, layout::FrameProgress, layout::MetaBlobChunk,
                 layout::MetaBlobComplete>;
using Message901 =
    std::variant<layout::ShmAttachRequest, layout::ShmAttachResponse, layout::ShmDetachRequest,
                 layout::ShmDetachResponse, layout::ShmLeaseKeepalive, layout::ShmDriverShutdown,
                 layout::ShmLeaseRevoked, layout::ShmDriverShutdownRequest>;
/// What a driver receives, and what a client of it does; each ignores the rest (D10, D15).
using DriverRequest = std::variant<layout::ShmAttachRequest, layout::ShmDetachRequest,
                                   layout::ShmLeaseKeepalive, layout::ShmDriverShutdownRequest>;
using DriverEvent = std::variant<layout::ShmAttachResponse, layout::ShmDetachResponse,
                                 layout::ShmLeaseRevoked, layout::ShmDriverShutdown>;
using Message902 = std::variant<layout::BridgeFrameChunk>;
using Message903 =
    std::variant<layout::SequenceMergeMapAnnounce, layout::SequenceMergeMapRequest,
                 layout::TimestampMergeMapAnnounce, layout::TimestampMergeMapRequest>;
using Message904 = std::variant<layout::TraceLinkSet>;
using Message910 = std::variant<layout::DiscoveryRequest, layout::DiscoveryResponse>;

/// The blocks of shared memory as messages, for tools and tests.
using ShmMessage =
    std::variant<layout::ShmRegionSuperblock, layout::SlotHeader, layout::TensorHeader>;

template <class>
inline constexpr bool kIsVariant = false;
template <class... M>
inline constexpr bool kIsVariant<std::variant<M...>> = true;

/// The schema of a message struct, or of all alternatives of a variant.
template <class M>
inline constexpr std::uint16_t kSchemaOf = M::kType.schema_id;
template <class First, class... Rest>
inline constexpr std::uint16_t kSchemaOf<std::variant<First, Rest...>> = First::kType.schema_id;

/// Calls `visit(std::type_identity<M>{})` for each alternative M of a variant, until one returns
/// true; tells whether one did.
template <class Variant, class Visit>
constexpr bool visit_types(Visit&& visit) {
  return [&]<class... M>(std::type_identity<std::variant<M...>>) {
    return (visit(std::type_identity<M>{}) || ...);
  }(std::type_identity<Variant>{});
}

/// The same over every message of every schema, templates 50 to 52 included.
template <class Visit>
constexpr bool visit_all_types(Visit&& visit) {
  return visit_types<Message900>(visit) || visit_types<ShmMessage>(visit) ||
         visit_types<Message901>(visit) || visit_types<Message902>(visit) ||
         visit_types<Message903>(visit) || visit_types<Message904>(visit) ||
         visit_types<Message910>(visit);
}

}  // namespace tensorpool::inline v0::codec
