#include "driver/admin_desk.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "core/region/ring_size.hpp"
#include "driver/consumer_streams.hpp"

namespace tensorpool::inline v0::driver {

namespace core_driver = core::driver;

namespace {

using Json = nlohmann::ordered_json;

constexpr Nanos kLookPeriod = std::chrono::milliseconds(5);
constexpr Nanos kSlackDefault = std::chrono::milliseconds(100);

[[nodiscard]] std::string to_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

[[nodiscard]] Json fine() {
  return {{"v", 1}, {"ok", true}};
}

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

[[nodiscard]] Json to_json(const core_driver::CollectOutcome& outcome) {
  Json kept = Json::array();
  for (const auto& each : outcome.kept) {
    kept.push_back({{"epoch", each.epoch},
                    {"reason", core_driver::to_string(each.reason)},
                    {"detail", each.detail}});
  }
  return {{"stream_id", outcome.stream_id}, {"removed", outcome.removed}, {"kept", kept}};
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

[[nodiscard]] bool changes_what_others_have(const admin::Request& request) noexcept {
  return request.operation == admin::Operation::kRevoke ||
         request.operation == admin::Operation::kShutdown ||
         (request.operation == admin::Operation::kCollect && !request.dry_run);
}

[[nodiscard]] Json refused(const Error& error) {
  return {{"error", to_string(error.code)}, {"message", describe(error)}};
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

Result<std::unique_ptr<AdminDesk>> AdminDesk::open(Options options,
                                                   const core_driver::Settings& settings,
                                                   core_driver::DriverMachine& machine,
                                                   EpochKeeper& keeper, AuditLog& audit,
                                                   CarryOut carry_out) {
  Result<StreamBook> book = StreamBook::open(options.book);
  if (!book) {
    return fail(book.error());
  }
  std::unique_ptr<AdminDesk> desk(new AdminDesk(std::move(options), std::move(*book), settings,
                                                machine, keeper, audit, std::move(carry_out)));
  Result<admin::Server> server =
      admin::Server::listen(desk->options_.socket, *desk, desk->options_.access.files.group);
  if (!server) {
    return fail(server.error());
  }
  desk->server_.emplace(std::move(*server));
  return desk;
}

AdminDesk::AdminDesk(Options options, StreamBook book, const core_driver::Settings& settings,
                     core_driver::DriverMachine& machine, EpochKeeper& keeper, AuditLog& audit,
                     CarryOut carry_out)
    : options_(std::move(options)),
      book_(std::move(book)),
      settings_(settings),
      machine_(machine),
      keeper_(keeper),
      audit_(audit),
      carry_out_(std::move(carry_out)) {}

int AdminDesk::do_work(Nanos now) {
  if (now < look_at_) {
    return 0;
  }
  now_ = now;
  const int taken = server_->do_work(now);
  look_at_ = taken > 0 ? now : now + kLookPeriod;
  return taken;
}

void AdminDesk::on_collected(admin::Ticket ticket,
                             const Result<core_driver::CollectOutcome>& outcome) {
  const auto found = collections_.find(ticket);
  if (found == collections_.end()) {
    return;
  }
  Collection& collection = found->second;
  collection.streams.push_back(to_line(outcome ? to_json(*outcome) : refused(outcome.error())));
  if (--collection.open == 0) {
    Json json = fine();
    json["streams"] = Json::array();
    for (const std::string& stream : collection.streams) {
      json["streams"].push_back(Json::parse(stream));
    }
    server_->finish(ticket, to_line(json));
    collections_.erase(found);
  }
}

std::optional<std::string> AdminDesk::answer(const admin::Request& request,
                                             const os::PeerCredentials& peer,
                                             admin::Ticket ticket) {
  const auto audit = [&](bool refused = false) {
    audit_.write_request((refused ? "refused: admin: " : "admin: ") +
                             admin::format_request(request) + " by process " +
                             std::to_string(peer.pid) + " of user " + std::to_string(peer.uid),
                         refused, now_);
  };
  if (changes_what_others_have(request) && !may_administer(peer)) {
    audit(true);
    return admin::refusal(make_error(Errc::kPermissionRejected,
                                     std::string(admin::to_string(request.operation)) +
                                         " is for root and the driver's user, not for user",
                                     peer.uid, ::geteuid()));
  }
  switch (request.operation) {
    case admin::Operation::kStatus:
      return status();
    case admin::Operation::kStreams:
      return streams();
    case admin::Operation::kLeases:
      return leases();
    case admin::Operation::kCounters:
      return counters();
    case admin::Operation::kConfig: {
      Json json = fine();
      json["toml"] = options_.toml;
      return to_line(json);
    }
    case admin::Operation::kResolveStream:
      return resolve(request);
    case admin::Operation::kPass: {
      const Result<std::string> granted = pass(request, peer);
      audit(!granted);
      return granted ? *granted : admin::refusal(granted.error());
    }
    case admin::Operation::kRevoke:
      audit();
      return revoke(request);
    case admin::Operation::kEnsureStream:
      audit();
      return ensure(request);
    case admin::Operation::kCollect:
      audit();
      return collect(request, ticket);
    case admin::Operation::kShutdown:
      audit();
      machine_.stop(now_);
      carry_out_(now_);
      return to_line(fine());
    case admin::Operation::kSetMetadata:
      break;  // its producer's business
  }
  return admin::refusal(
      make_error(Errc::kInvalidArgument,
                 "op " + std::string(admin::to_string(request.operation)) + " of a driver"));
}

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

std::string AdminDesk::revoke(const admin::Request& request) {
  const Status done = machine_.revoke(request.lease_id, request.text, now_);
  carry_out_(now_);
  return done ? to_line(fine()) : admin::refusal(done.error());
}

std::string AdminDesk::resolve(const admin::Request& request) const {
  const std::optional<std::uint32_t> id = find(request.name);
  if (!id) {
    return admin::refusal(make_error(Errc::kNotFound, "stream " + request.name));
  }
  Json json = fine();
  json["stream_id"] = *id;
  return to_line(json);
}

Result<std::string> AdminDesk::pass(const admin::Request& request,
                                    const os::PeerCredentials& peer) {
  const std::optional<std::uint32_t> id =
      request.name.empty() ? request.stream_id : find(request.name);
  if (!id) {
    return fail(make_error(Errc::kNotFound, "stream " + request.name));
  }
  const layout::Role role = request.produces ? layout::Role::kProducer : layout::Role::kConsumer;
  if (!options_.access.may_attach(peer, *id, role)) {
    return fail(make_error(Errc::kPermissionRejected,
                           std::string(request.produces ? "producers" : "consumers") +
                               " of stream " + std::to_string(*id) + ": user",
                           peer.uid));
  }
  const Status let =
      machine_.let_attach({.client_id = request.client_id, .stream_id = *id, .role = role}, now_);
  carry_out_(now_);
  if (!let) {
    return fail(let.error());
  }
  Json json = fine();
  json["stream_id"] = *id;
  json["needed"] = options_.access.is_closed(*id, role);
  json["valid_ms"] =
      std::chrono::duration_cast<std::chrono::milliseconds>(core_driver::Passes::kLifetime).count();
  return to_line(json);
}

std::string AdminDesk::ensure(const admin::Request& request) {
  const Result<std::uint32_t> id = find_or_make(request);
  if (!id) {
    return admin::refusal(id.error());
  }
  Json json = fine();
  json["stream_id"] = *id;
  return to_line(json);
}

std::optional<std::uint32_t> AdminDesk::find(std::string_view name) const {
  for (const core_driver::StaticStream& stream : settings_.streams) {
    if (stream.name == name) {
      return stream.stream_id;
    }
  }
  return book_.find(name);
}

/// That of dynamic streams.
const core_driver::Profile& AdminDesk::usual_profile() const {
  const auto usual = std::find_if(
      settings_.profiles.begin(), settings_.profiles.end(),
      [&](const auto& each) { return each.name == settings_.policies.default_profile; });
  return usual != settings_.profiles.end() ? *usual : settings_.profiles.front();
}

/// Of the stream that is asked for: what the frames need, or else as it is, or as the default
/// profile says.
core_driver::Profile AdminDesk::shape_for(const admin::Request& request,
                                          std::uint32_t known) const {
  core_driver::Profile shape{.name = {}, .pools = {}, .numa_node = usual_profile().numa_node};
  if (request.frame_bytes == 0) {
    for (const core_driver::StreamSnapshot& stream : machine_.snapshot().streams) {
      if (stream.stream_id == known && !stream.pools.empty()) {
        shape.header_nslots = stream.header_nslots;
        shape.pools = stream.pools;
        return shape;
      }
    }
    return usual_profile();
  }
  shape.header_nslots =
      request.nslots != 0
          ? request.nslots
          : core::region::slots_for(request.rate_hz,
                                    request.slack == Nanos{} ? kSlackDefault : request.slack);
  shape.pools = {
      {.pool_id = 1,
       .stride_bytes = static_cast<std::uint32_t>(core::region::stride_for(request.frame_bytes))}};
  return shape;
}

Result<std::uint32_t> AdminDesk::find_or_make(const admin::Request& request) {
  const auto configured = std::find_if(
      settings_.streams.begin(), settings_.streams.end(),
      [&](const core_driver::StaticStream& each) { return each.name == request.name; });
  if (configured != settings_.streams.end()) {
    const auto profile = std::find_if(
        settings_.profiles.begin(), settings_.profiles.end(),
        [&](const core_driver::Profile& each) { return each.name == configured->profile; });
    std::uint64_t largest = 0;
    for (const core::region::PoolGeometry& pool : profile == settings_.profiles.end()
                                                      ? std::vector<core::region::PoolGeometry>{}
                                                      : profile->pools) {
      largest = std::max<std::uint64_t>(largest, pool.stride_bytes);
    }
    return request.frame_bytes <= largest
               ? Result<std::uint32_t>(configured->stream_id)
               : fail(Errc::kNoPoolFits,
                      "stream " + request.name + ", profile " + configured->profile,
                      request.frame_bytes, largest);
  }
  const std::uint32_t known = book_.find(request.name).value_or(0);
  const Result<std::uint32_t> id = machine_.ensure(known, shape_for(request, known));
  carry_out_(now_);
  if (id && book_.find(request.name) != *id) {
    if (const Status kept = book_.put(request.name, *id); !kept && options_.log) {
      options_.log(LogLevel::kWarning, "names are not kept: " + describe(kept.error()));
    }
  }
  return id;
}

std::optional<std::string> AdminDesk::collect(const admin::Request& request, admin::Ticket ticket) {
  std::vector<core_driver::CollectRequest> wanted = machine_.collect_requests(false, now_);
  const std::optional<std::uint32_t> only =
      request.name.empty() ? request.stream_id : find(request.name);
  if (!request.name.empty() && !only) {
    return admin::refusal(make_error(Errc::kNotFound, "stream " + request.name));
  }
  if (only) {
    std::erase_if(wanted, [&](const auto& each) { return each.stream_id != *only; });
  }
  if (wanted.empty()) {
    Json json = fine();
    json["streams"] = Json::array();
    return to_line(json);
  }
  collections_[ticket].open = wanted.size();
  for (core_driver::CollectRequest& each : wanted) {
    each.dry_run = request.dry_run;
    keeper_.collect(each, ticket);
  }
  return std::nullopt;
}

}  // namespace tensorpool::inline v0::driver
