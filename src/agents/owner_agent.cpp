#include "agents/owner_agent.hpp"

#include "core/naming/stream_names.hpp"

namespace tensorpool::inline v0::agents {

namespace {

/// The same with the descriptor stream, which nobody gets for himself (W306).
[[nodiscard]] RegistryAgent::Options registry_of(const OwnerAgent::Options& options,
                                                 const bus::PublicationLink& descriptors) {
  RegistryAgent::Options registry = options.registry;
  registry.descriptor_channel = descriptors.channel();
  registry.descriptor_stream_id = descriptors.stream_id();
  return registry;
}

}  // namespace

OwnerAgent::OwnerAgent(const os::OwnedStream& stream, bus::Client& client, ControlBus& control,
                       Shared shared, Options options, Nanos now)
    : stream_(stream),
      options_(std::move(options)),
      shared_(shared),
      metadata_(options_.metadata),
      announcer_({.timing = options_.timing, .has_name = metadata_.has_anything()}, now),
      qos_(options_.timing.qos_interval, now),
      pools_(core::region::announced_pools(stream.plan())),
      descriptors_(
          client,
          {.channel = options_.descriptor_channel,
           .stream_id = options_.descriptor_stream_id != 0
                            ? options_.descriptor_stream_id
                            : core::naming::descriptor_stream_id(stream.plan().stream_id())}),
      registry_(client, control, shared.own_streams, stream.plan().stream_id(),
                registry_of(options_, descriptors_)) {
  if (options_.counters != nullptr) {
    report_.emplace(client, *options_.counters, options_.metadata.name);
  }
}

int OwnerAgent::do_work(ControlBus& control, const base::Now& now) {
  int work = descriptors_.do_work(now.mono) + registry_.do_work(now.mono);
  options_.cleaner.poll(now);
  const core::producer::Announcer::Due due = announcer_.poll(now.mono);
  if (due.refresh_activity) {
    stream_.regions().store_activity(now.mono);
    announcer_.activity_refreshed(now.mono);
    ++work;
  }
  if (due.announce) {
    if (announce(control, now)) {
      announcer_.announced(now.mono);
      announces_sent_.fetch_add(1, std::memory_order_relaxed);
      ++work;
    } else {
      announces_failed_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  if (due.data_source && metadata_.announce(control, speaker())) {
    announcer_.data_source_sent(now.mono);
    ++work;
  }
  if (qos_.is_due(now.mono) && tell_qos(control)) {
    qos_.sent(now.mono);
  }
  show_outside(now.mono);
  return work + metadata_.send_blobs(control, speaker());
}

void OwnerAgent::show_outside(Nanos now) {
  if (!report_) {
    return;
  }
  report_->settle(now);
  if (!report_->is_due(now)) {
    return;
  }
  ProducerReport::Now known{.stream_id = stream_.plan().stream_id(),
                            .client_id = options_.producer_id,
                            .ring_uri = stream_.plan().header_ring.uri};
  static_cast<ProducerCounters&>(known.reading) = shared_.tally.read();
  known.reading.announces_sent = announces_sent();
  known.reading.announces_failed = announces_failed();
  known.reading.epoch = stream_.epoch();
  report_->show(known, now);
}

Result<std::uint32_t> OwnerAgent::set_metadata(std::vector<Attribute> attributes,
                                               ControlBus& control, Nanos now) {
  if (const Status set = metadata_.set(std::move(attributes), control, now); !set) {
    return fail(set.error());
  }
  announcer_.data_source_changed();
  if (metadata_.announce(control, speaker())) {  // each version is heard, not only the last one
    announcer_.data_source_sent(now);
  }
  return metadata_.version();
}

void OwnerAgent::on_hello(const layout::ConsumerHello& hello, const base::Now& now) {
  if (hello.stream_id == stream_.plan().stream_id()) {
    announcer_.on_hello(hello.consumer_id, now.mono);
    registry_.on_hello(hello, now.mono);
  }
}

void OwnerAgent::on_qos(const layout::QosConsumer& qos, const base::Now& now) {
  registry_.on_qos(qos, now.mono);
}

void OwnerAgent::on_foreign_config(const layout::ConsumerConfig& config, const base::Now& now) {
  registry_.on_config(config, now.mono);
}

bool OwnerAgent::announce(ControlBus& control, const base::Now& now) {
  const core::region::MappingPlan& plan = stream_.plan();
  layout::ShmPoolAnnounce message;
  message.stream_id = plan.stream_id();
  message.producer_id = options_.producer_id;
  message.epoch = plan.epoch();
  message.announce_timestamp_ns = static_cast<std::uint64_t>(now.mono.count());  // W207, W208
  message.header_nslots = plan.nslots();
  message.payload_pools = layout::ListView<layout::PayloadPool>(pools_.begin(), pools_.end());
  message.header_region_uri = plan.header_ring.uri;
  return control.send_announce(message);
}

bool OwnerAgent::tell_qos(ControlBus& control) {
  layout::QosProducer message;
  message.stream_id = stream_.plan().stream_id();
  message.producer_id = options_.producer_id;
  message.epoch = stream_.epoch();
  message.current_seq = shared_.next_seq.of(message.epoch).value_or(0);  // W395
  return control.send_qos(message);
}

MetadataSource::Speaker OwnerAgent::speaker() const noexcept {
  return {.stream_id = stream_.plan().stream_id(),
          .producer_id = options_.producer_id,
          .epoch = stream_.epoch()};
}

}  // namespace tensorpool::inline v0::agents
