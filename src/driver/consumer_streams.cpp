#include "driver/consumer_streams.hpp"

#include <limits>
#include <string>
#include <utility>

#include "agents/own_transport.hpp"
#include "base/assert.hpp"
#include "bus/channel.hpp"

namespace tensorpool::inline v0::driver {

using core::registration::ConsumerKey;
using core::registration::OwnStream;
using core::registration::Responder;
using core::registration::ResponderAction;

namespace {

[[nodiscard]] std::vector<Responder::IdRange> ranges_of(
    const std::vector<core::driver::IdRange>& ranges) {
  std::vector<Responder::IdRange> all;
  for (const core::driver::IdRange& range : ranges) {
    all.push_back({.first = range.first, .last = range.last});
  }
  return all;
}

/// Leases bound who is in the table, so it is as large as the ids that there are, and a silent
/// consumer keeps what it has (D251).
[[nodiscard]] Responder make_responder(const core::driver::Settings& settings) {
  Responder::Options options;
  options.adds_publications = false;
  options.transport_of = agents::own_transport;
  for (const core::driver::Endpoint* const shared :
       {&settings.control, &settings.announce, &settings.qos}) {
    if (Result<std::string> transport = agents::own_transport(shared->channel)) {
      options.taken.push_back({.transport = *transport, .stream_id = shared->stream_id});
    }
  }
  options.taken.push_back(agents::usual_descriptor_streams());
  options.handed_out =
      Responder::HandedOut{.descriptors = ranges_of(settings.descriptor_stream_ids),
                           .controls = ranges_of(settings.control_stream_ids)};
  options.capacity = 65'536;
  options.stale_timeout = Nanos{std::numeric_limits<Nanos::rep>::max() / 4};
  auto made = Responder::create(std::move(options));
  TP_ASSERT(made.has_value());
  return std::move(*made);
}

}  // namespace

ConsumerStreams::ConsumerStreams(const core::driver::Settings& settings,
                                 core::driver::Counters& counters, HoldsLease holds_lease)
    : responder_(make_responder(settings)),
      counters_(counters),
      holds_lease_(std::move(holds_lease)) {}

void ConsumerStreams::on_hello(const layout::ConsumerHello& hello, Nanos now, const Send& send) {
  const ConsumerKey key{.stream_id = hello.stream_id, .consumer_id = hello.consumer_id};
  if (!holds_lease_(key)) {
    return;
  }
  const bool asks =
      !OwnStream::of(hello.descriptor_channel, hello.descriptor_stream_id).is_absent() ||
      !OwnStream::of(hello.control_channel, hello.control_stream_id).is_absent();
  const auto known = responder_.find(key);
  const bool has_one = known && (known->descriptor_stream_id != 0 || known->control_stream_id != 0);
  if (asks || has_one) {  // D249
    layout::ConsumerHello said = hello;
    said.expected_layout_version = 0;  // useShm says what the hello says (D254)
    responder_.on_hello(said, now);
    while (const std::optional<ResponderAction> action = responder_.next_action()) {
      send(action->config);
    }
    count();
  }
  if (!asks && known) {
    responder_.on_lease_ended(key);  // has nothing any more
  }
}

void ConsumerStreams::on_lease_notice(const layout::ShmLeaseRevoked& notice) {
  const ConsumerKey key{.stream_id = notice.stream_id, .consumer_id = notice.client_id};
  if (notice.role == layout::Role::kConsumer && !holds_lease_(key)) {
    responder_.on_lease_ended(key);
  }
}

void ConsumerStreams::count() {
  counters_.consumer_streams_assigned = responder_.counters().assigned;
  counters_.consumer_streams_declined = responder_.counters().declined();
}

}  // namespace tensorpool::inline v0::driver
