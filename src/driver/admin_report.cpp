// What the admin desk tells of a driver: its state, its streams, its leases, what it has counted.
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "driver/admin_desk.hpp"
#include "driver/admin_json.hpp"
#include "driver/consumer_streams.hpp"

namespace tensorpool::inline v0::driver {

namespace core_driver = core::driver;

namespace {

[[nodiscard]] std::string_view name_of(core_driver::DriverState state) noexcept {
  switch (state) {
    case core_driver::DriverState::kRunning:
      return "running";
    case core_driver::DriverState::kDraining:
      return "draining";
    case core_driver::DriverState::kStopped:
      break;
  }
  return "stopped";
}

[[nodiscard]] Json to_json(const core_driver::Endpoint& endpoint) {
  return {{"channel", endpoint.channel}, {"stream_id", endpoint.stream_id}};
}

[[nodiscard]] Json to_json(const core_driver::Lease& lease, Nanos now) {
  const core_driver::LeaseGrant& grant = lease.grant;
  Json json = {{"lease_id", lease.id},
               {"stream_id", grant.stream_id},
               {"client_id", grant.client_id},
               {"role", grant.role == layout::Role::kProducer ? "producer" : "consumer"},
               {"state", lease.kept_alive ? "active" : "attached"},
               {"epoch", grant.epoch}};
  json["node_id"] = grant.node_id ? Json(*grant.node_id) : Json();
  json["expires_in_ms"] =
      std::chrono::duration_cast<std::chrono::milliseconds>(lease.expiry - now).count();
  return json;
}

[[nodiscard]] Json to_json(const Telemetry::Summaries& summaries) {
  Json json;
  for (std::size_t k = 0; k < summaries.size(); ++k) {
    const agents::Histogram::Summary& each = summaries[k];
    json[std::string(kMeasureNames[k])] = {{"count", each.count},        {"p50", each.p50.count()},
                                           {"p90", each.p90.count()},    {"p99", each.p99.count()},
                                           {"p99_9", each.p999.count()}, {"max", each.max.count()}};
  }
  return json;
}

[[nodiscard]] Json pools_json(const core_driver::StreamSnapshot& stream) {
  Json json = Json::array();
  for (std::size_t k = 0; k < stream.pools.size(); ++k) {
    json.push_back(
        {{"pool_id", stream.pools[k].pool_id}, {"stride_bytes", stream.pools[k].stride_bytes}});
    if (k < stream.pool_uris.size()) {
      json.back()["uri"] = stream.pool_uris[k];
    }
  }
  return json;
}

/// Of the leases with these ids.
[[nodiscard]] Json leases_json(const core_driver::Snapshot& snapshot,
                               const std::set<std::uint64_t>& ids, Nanos now) {
  Json json = Json::array();
  for (const core_driver::Lease& lease : snapshot.leases) {
    if (ids.contains(lease.id)) {
      json.push_back(to_json(lease, now));
    }
  }
  return json;
}

[[nodiscard]] std::int64_t ms_since(Nanos then, Nanos now) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(now - then).count();
}

/// What a supervisor has heard of those who hold leases, into their leases (D288).
void add_seen(Json& leases, const agents::SupervisorAgent& supervisor, Nanos now) {
  std::map<std::tuple<bool, std::uint32_t, std::uint32_t>, Json> seen;
  for (const core::supervisor::ProducerSeen& each : supervisor.machine().producers()) {
    seen[{true, each.stream_id, each.producer_id}] = {
        {"current_seq", each.current_seq},
        {"stale", each.stale},
        {"heard_ms_ago", ms_since(each.heard_at, now)}};
  }
  for (const core::supervisor::ConsumerSeen& each : supervisor.machine().consumers()) {
    seen[{false, each.stream_id, each.consumer_id}] = {
        {"last_seq_seen", each.last_seq_seen},
        {"drops_gap", each.drops_gap},
        {"drops_late", each.drops_late},
        {"heard_ms_ago", ms_since(each.heard_at, now)}};
  }
  for (Json& lease : leases) {
    const auto found =
        seen.find({lease["role"] == "producer", lease["stream_id"].get<std::uint32_t>(),
                   lease["client_id"].get<std::uint32_t>()});
    lease["seen"] = found == seen.end() ? Json() : found->second;
  }
}

}  // namespace

std::string AdminDesk::status() const {
  const core_driver::Counters& counters = machine_.counters();
  Json json = fine();
  json["instance_id"] = settings_.instance_id;
  json["state"] = name_of(machine_.state());
  json["pid"] = ::getpid();
  json["aeron_dir"] = options_.aeron_dir;
  json["control"] = to_json(settings_.control);
  json["announce"] = to_json(settings_.announce);
  json["answers_hellos"] =
      ConsumerStreams::is_responder(settings_) || settings_.supervisor.has_value();
  json["active_leases"] = counters.active_leases;
  json["provisioned_streams"] = counters.provisioned_streams;
  return to_line(json);
}

std::string AdminDesk::streams() const {
  const core_driver::Snapshot snapshot = machine_.snapshot();
  Json list = Json::array();
  for (const core_driver::StreamSnapshot& stream : snapshot.streams) {
    const std::string_view name =
        stream.name.empty() ? book_.name_of(stream.stream_id) : std::string_view(stream.name);
    Json json = {{"stream_id", stream.stream_id},
                 {"name", name},
                 {"dynamic", stream.dynamic},
                 {"profile", stream.profile},
                 {"epoch", stream.epoch},
                 {"header_nslots", stream.header_nslots},
                 {"header_region_uri", stream.header_ring_uri},
                 {"pools", pools_json(stream)},
                 {"provisioning", stream.provisioning},
                 {"waiting", stream.waiting}};
    json["held_back_ms"] = std::max<std::int64_t>(
        0, std::chrono::duration_cast<std::chrono::milliseconds>(stream.held_until - now_).count());
    const Json producer = leases_json(snapshot, {stream.producer_lease}, now_);
    json["producer"] = producer.empty() ? Json() : producer.front();
    json["consumers"] =
        leases_json(snapshot, {stream.consumer_leases.begin(), stream.consumer_leases.end()}, now_);
    list.push_back(std::move(json));
  }
  Json json = fine();
  json["streams"] = std::move(list);
  return to_line(json);
}

std::string AdminDesk::leases() const {
  Json list = Json::array();
  for (const core_driver::Lease& lease : machine_.snapshot().leases) {
    list.push_back(to_json(lease, now_));
  }
  if (options_.supervisor != nullptr) {
    add_seen(list, *options_.supervisor, now_);
  }
  Json json = fine();
  json["leases"] = std::move(list);
  return to_line(json);
}

std::string AdminDesk::counters() const {
  Json json = fine();
  json["instance"] = settings_.instance_id;
  for (const core_driver::CounterField& field : core_driver::kCounterFields) {
    json["counters"][std::string(field.name)] = machine_.counters().*field.value;
  }
  if (options_.supervisor != nullptr) {
    for (const core::supervisor::CounterField& field : core::supervisor::kCounterFields) {
      json["supervisor"][std::string(field.name)] =
          options_.supervisor->machine().counters().*field.value;
    }
  }
  if (options_.telemetry != nullptr && options_.telemetry->enabled()) {
    json["interval_ms"] =
        std::chrono::duration_cast<std::chrono::milliseconds>(options_.telemetry->interval())
            .count();
    json["histograms"] = to_json(options_.telemetry->last());
  }
  return to_line(json);
}

}  // namespace tensorpool::inline v0::driver
