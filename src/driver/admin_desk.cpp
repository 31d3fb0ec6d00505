#include "driver/admin_desk.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "core/region/ring_size.hpp"
#include "driver/admin_json.hpp"

namespace tensorpool::inline v0::driver {

namespace core_driver = core::driver;

namespace {

constexpr Nanos kLookPeriod = std::chrono::milliseconds(5);
constexpr Nanos kSlackDefault = std::chrono::milliseconds(100);

[[nodiscard]] Json to_json(const core_driver::CollectOutcome& outcome) {
  Json kept = Json::array();
  for (const auto& each : outcome.kept) {
    kept.push_back({{"epoch", each.epoch},
                    {"reason", core_driver::to_string(each.reason)},
                    {"detail", each.detail}});
  }
  return {{"stream_id", outcome.stream_id}, {"removed", outcome.removed}, {"kept", kept}};
}

[[nodiscard]] bool changes_what_others_have(const admin::Request& request) noexcept {
  return request.operation == admin::Operation::kRevoke ||
         request.operation == admin::Operation::kShutdown ||
         (request.operation == admin::Operation::kCollect && !request.dry_run);
}

[[nodiscard]] Json refused(const Error& error) {
  return {{"error", to_string(error.code)}, {"message", describe(error)}};
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
