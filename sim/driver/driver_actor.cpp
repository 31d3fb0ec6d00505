#include "driver/driver_actor.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

namespace tensorpool::inline v0::sim::driver {

namespace core_driver = core::driver;

using layout::ShmLeaseRevoked;
using layout::ShmPoolAnnounce;

namespace {

constexpr int kMessagesPerCycle = 4096;  // D136

/// What the sender has to count.
struct KindOf {
  template <class Message>
  core_driver::MessageKind operator()(const Message& message) const {
    if constexpr (requires { core_driver::kind_of(message); }) {
      return core_driver::kind_of(message);
    }
    return core_driver::MessageKind::kAnnounce;  // no request is ever sent
  }
};

/// The geometry that frames of an epoch have.
Geometry geometry_of(const core::region::MappingPlan& plan, std::uint32_t shape_period) {
  Geometry geometry{.nslots = plan.nslots(), .strides = {}, .shape_period = shape_period};
  for (const auto& pool : plan.pools) {
    geometry.strides.push_back(pool.expected.stride_bytes);
  }
  return geometry;
}

}  // namespace

DriverActor::DriverActor(Environment& environment)
    : world_(&environment),
      random_(random_for(environment.scenario.seed, 20)),
      works_(environment, random_for(environment.scenario.seed, 21)) {}

// ---- life ----

void DriverActor::start() {
  process = {};
  alive = true;
  ++life;
  const Nanos now = world_->clock.mono();
  const Scenario& scenario = world_->scenario;
  works_.bug = bug;
  works_.start({.pid = scenario.same_pid ? 500U : 500U + life,
                .pid_of_others = scenario.other_at_pid,
                .former_pid = 500U + life - 1});
  answers_.emplace();
  announces_.emplace();
  replies_.clear();
  notice_sent_ = in_duty_ = in_jobs_ = false;
  world_->account.driver_starts();
  world_->answers.new_image(now);
  world_->announces.new_image(now);
  for (auto& topic : world_->requests) {
    topic.subscribe(0, now, 0);
  }
  machine_.emplace(
      Machine::Options{.settings = scenario.settings,
                       .pages = {},
                       .first_lease_id = random_.between(1, core_driver::LeaseTable::kFirstIdMax)});
  carry_out_all(now);                                         // of startup
  if (!world_->healed && life > 1 && random_.chance(1, 8)) {  // once more, while it starts
    process.stores_left = random_.below(200);
  }
}

void DriverActor::bury() {
  alive = false;
  machine_.reset();
  epochs_.clear();
  works_.start({});
  world_->account.driver_ends();
  const bool lingers = world_->scenario.links_linger && !world_->healed;
  for (auto& topic : world_->requests) {
    if (!lingers) {
      topic.unsubscribe(0);
    }
  }
}

bool DriverActor::has_ended() const {
  return machine_->state() == core_driver::DriverState::kStopped && notice_sent_ &&
         machine_->jobs() == 0 && !works_.removes();
}

Nanos DriverActor::mean_interval() const {
  const Nanos most = std::chrono::milliseconds(5);
  return world_->healed ? std::min(world_->scenario.driver_interval, most)
                        : world_->scenario.driver_interval;
}

// ---- duty cycle ----

void DriverActor::run() {
  const std::uint64_t which =
      world_->scenario.jobs_thread && !world_->healed ? random_.below(3) : 0;
  if (which != 1) {
    in_duty_ = true;
    work_duty();
    in_duty_ = false;
  }
  if (which != 2) {
    in_jobs_ = true;
    work_jobs();
    in_jobs_ = false;
  }
  if (!dead() && has_ended()) {
    TP_MARK("the driver ends by itself");
    note("has ended");
    process.dead = true;
  }
}

void DriverActor::run_beside() {
  if (!world_->scenario.jobs_thread) {
    return;
  }
  if (in_duty_ && !in_jobs_) {
    TP_MARK("a job goes on in the middle of a duty cycle");
    in_jobs_ = true;
    work_jobs();
    in_jobs_ = false;
  } else if (in_jobs_ && !in_duty_) {
    TP_MARK("a duty cycle in the middle of a job");
    in_duty_ = true;
    work_duty();
    in_duty_ = false;
  }
}

void DriverActor::work_jobs() {
  // As many pieces as a thread of its own would do meanwhile.
  for (std::uint64_t left = random_.between(1, 16); left != 0 && !dead() && works_.step(); --left) {
  }
}

void DriverActor::work_duty() {
  const Nanos now = world_->clock.mono();
  flush(now);
  hear_requests(now);
  if (bug != PlantedBug::kNoExpiry) {
    const bool early = bug == PlantedBug::kEarlyExpiry;
    machine_->on_inputs_drained(early ? now + std::chrono::milliseconds(600) : now);
    carry_out_all(now);
  }
  if (!dead() && machine_->state() != core_driver::DriverState::kStopped) {
    world_->account.expiry_checked(now);
  }
  machine_->poll(now);
  carry_out_all(now);
  take_results(now);
  if (!machine_->check_invariants()) {
    world_->verdict.fail(Failure::kSafety, "the driver's machine broke its invariants");
  }
}

void DriverActor::hear_requests(Nanos now) {
  const std::size_t first = random_.below(world_->requests.size());
  for (std::size_t k = 0; k < world_->requests.size(); ++k) {
    auto& topic = world_->requests[(first + k) % world_->requests.size()];
    if (!topic.connected(0)) {
      topic.subscribe(0, now, 0);  // it was stopped for too long
    }
    topic.poll(0, world_->clock.mono(), kMessagesPerCycle,
               [&](const ControlMessage& message, Nanos) { handle(message, now); });
  }
}

void DriverActor::handle(const ControlMessage& message, Nanos now) {
  if (dead()) {
    return;
  }
  if (const auto* const attach = std::get_if<layout::ShmAttachRequest>(&message.body)) {
    if (bug == PlantedBug::kDeafAfterRestart && life > 1) {
      return;
    }
    machine_->on_attach(*attach, now);
  } else if (const auto* const alive_sign = std::get_if<layout::ShmLeaseKeepalive>(&message.body)) {
    if (machine_->state() != core_driver::DriverState::kStopped) {
      world_->account.heard(*alive_sign, now);
    }
    machine_->on_keepalive(*alive_sign, now);
  } else if (const auto* const detach = std::get_if<layout::ShmDetachRequest>(&message.body)) {
    machine_->on_detach(*detach, now);
  } else if (const auto* const end = std::get_if<layout::ShmDriverShutdownRequest>(&message.body)) {
    machine_->on_shutdown_request(*end, now);
  }
  carry_out_all(now);
}

void DriverActor::take_results(Nanos now) {
  while (auto result = works_.next_result()) {
    std::visit([&](auto&& each) { take(std::move(each), now); }, *std::move(result));
    carry_out_all(now);
  }
}

void DriverActor::take(Provisioned result, Nanos now) {
  if (dead()) {
    return;
  }
  if (result.outcome.regions) {
    const core::region::MappingPlan& plan = *result.outcome.regions;
    const EpochId id{plan.stream_id(), plan.epoch()};
    note("has provisioned", id.first, id.second);
    world_->account.provisioned(plan);
    world_->truth.begin(id.first, id.second, geometry_of(plan, world_->scenario.shape_period));
    world_->regions.emplace(id, std::make_shared<const AnnouncedRegions>(plan));
    epochs_[id] = std::move(result.epoch);
  } else {
    note(to_string(result.outcome.regions.error().code).data(), result.outcome.stream_id);
  }
  machine_->on_provisioned(std::move(result.outcome), now);
}

void DriverActor::take(const core_driver::CollectOutcome& outcome, Nanos) {
  machine_->on_collected(outcome);
}

void DriverActor::take(const SpaceWanted& wanted, Nanos now) {
  auto requests = machine_->collect_requests(wanted.of_all_streams, now);
  if (!wanted.of_all_streams) {
    std::erase_if(requests,
                  [&](const auto& request) { return request.stream_id != wanted.stream_id; });
  }
  works_.make_space(wanted.stream_id, requests);
}

// ---- actions ----

void DriverActor::carry_out_all(Nanos now) {
  for (;;) {
    while (auto action = machine_->next_action()) {
      if (!dead()) {
        std::visit([&](const auto& each) { carry_out(each, now); }, *action);
      }
    }
    if (replies_.empty()) {
      return;
    }
    const Verified reply = std::move(replies_.front());
    replies_.pop_front();
    machine_->on_verified(reply.stream_id, reply.epoch, reply.files, now);
  }
}

void DriverActor::carry_out(core_driver::AttachAnswer action, Nanos now) {
  layout::ShmAttachResponse& response = action.response;
  if (bug == PlantedBug::kSameNodeId && response.node_id) {
    response.node_id = 1;
  }
  if (bug == PlantedBug::kTwoProducers && response.error_message == "producer already attached") {
    response = grant_of_nobody(action.request);
  }
  world_->account.on(action, now);
  if (response.code != layout::ResponseCode::kOk) {
    note("refuses", static_cast<std::uint64_t>(response.code), action.request.client_id);
    return send(keeping_text(response), now);
  }
  note("grants", *response.lease_id, *response.epoch);
  const auto regions = world_->regions.find({*response.stream_id, *response.epoch});
  if (regions != world_->regions.end()) {
    send(keeping_regions(response, regions->second), now);
  }
}

/// What the machine would never answer.
layout::ShmAttachResponse DriverActor::grant_of_nobody(const layout::ShmAttachRequest& request) {
  const std::uint64_t epoch = world_->truth.current(request.stream_id);
  const auto regions = world_->regions.find({request.stream_id, epoch});
  return {.correlation_id = request.correlation_id,
          .code = layout::ResponseCode::kOk,
          .lease_id = random_.next(),
          .stream_id = request.stream_id,
          .epoch = epoch,
          .header_region_uri = regions == world_->regions.end()
                                   ? layout::Text()
                                   : layout::Text(regions->second->plan.header_ring.uri)};
}

void DriverActor::carry_out(const core_driver::DetachAnswer& action, Nanos now) {
  send(keeping_text(action.response), now);
}

void DriverActor::carry_out(const core_driver::LeaseNotice& action, Nanos now) {
  note(action.notice.role == layout::Role::kProducer ? "ends a producer's lease, reason"
                                                     : "ends a consumer's lease, reason",
       action.notice.lease_id, static_cast<std::uint64_t>(action.notice.reason));
  world_->account.on(action, now);
  send(keeping_text(action.notice), now);
}

void DriverActor::carry_out(const core_driver::Announce& action, Nanos now) {
  world_->account.on(action, now);
  const auto regions = world_->regions.find({action.message.stream_id, action.message.epoch});
  if (regions != world_->regions.end()) {
    send(keeping_regions(action.message, regions->second), now);
  }
}

void DriverActor::carry_out(const core_driver::ShutdownNotice& action, Nanos now) {
  note("says that it goes down");
  send(keeping_text(action.message), now);
}

void DriverActor::carry_out(const core_driver::Provision& action, Nanos) {
  works_.provision(action.request);
}

void DriverActor::carry_out(const core_driver::CancelProvisioning& action, Nanos) {
  works_.cancel(action.stream_id);
}

void DriverActor::carry_out(const core_driver::VerifyEpoch& action, Nanos) {
  const EpochId id{action.plan->stream_id(), action.plan->epoch()};
  replies_.push_back({.stream_id = id.first, .epoch = id.second, .files = check_files(id)});
}

Status DriverActor::check_files(const EpochId& id) {
  const auto found = epochs_.find(id);
  Status files = found == epochs_.end()
                     ? Status(fail(Errc::kNotFound))
                     : world_->disk.check_files(world_->regions.at(id)->plan, *found->second);
  if (!files) {
    TP_MARK("files of the present epoch are gone");
  }
  return files;
}

void DriverActor::carry_out(const core_driver::RefreshActivity& action, Nanos now) {
  const EpochId id{action.stream_id, action.epoch};
  if (!epochs_.contains(id)) {
    return;
  }
  if (Status files = check_files(id); !files) {
    TP_MARK("the driver finds by itself that files are gone");
    replies_.push_back({.stream_id = id.first, .epoch = id.second, .files = std::move(files)});
    return;
  }
  world_->account.refreshes(action.stream_id, action.epoch);
  epochs_.at(id)->refresh_activity(now);
}

void DriverActor::carry_out(const core_driver::RetireEpoch& action, Nanos) {
  world_->account.retires(action.stream_id, action.epoch);
  epochs_.erase({action.stream_id, action.epoch});
}

void DriverActor::carry_out(const core_driver::Collect& action, Nanos) {
  works_.collect(action.request);
}

void DriverActor::carry_out(const core_driver::CollectAtStart& action, Nanos) {
  std::vector<std::uint32_t> ids = action.static_streams;
  for (const std::uint32_t id : world_->disk.stream_ids()) {
    if (std::any_of(action.ranges.begin(), action.ranges.end(),
                    [&](const auto& range) { return range.contains(id); })) {
      ids.push_back(id);
    }
  }
  for (const std::uint32_t id : ids) {
    works_.collect({.stream_id = id});
  }
}

void DriverActor::carry_out(const core_driver::RemoveOwnEpochs&, Nanos) {
  epochs_.clear();
  works_.remove_own_epochs();
}

// ---- messages ----

void DriverActor::send(ControlMessage message, Nanos now) {
  if (bug == PlantedBug::kBusyActivity) {
    if (const auto* const announce = std::get_if<ShmPoolAnnounce>(&message.body)) {
      carry_out(
          core_driver::RefreshActivity{.stream_id = announce->stream_id, .epoch = announce->epoch},
          now);
    }
  }
  const bool announce = std::holds_alternative<ShmPoolAnnounce>(message.body);
  Queue& queue = announce ? announce_queue() : *answers_;
  SimTopic<ControlMessage>& topic = announce ? world_->announce_topic() : world_->answers;
  queue.send(
      std::move(message), {}, now,
      [&](const ControlMessage& tag, auto) { return offer(topic, tag); },
      [&](const ControlMessage& tag, core_driver::Ending ending) { ended(tag, ending); });
}

void DriverActor::flush(Nanos now) {
  const auto flush_one = [&](Queue& queue, SimTopic<ControlMessage>& topic) {
    queue.flush(
        now, [&](const ControlMessage& tag, auto) { return offer(topic, tag); },
        [&](const ControlMessage& tag, core_driver::Ending ending) { ended(tag, ending); });
  };
  flush_one(*answers_, world_->answers);
  flush_one(*announces_, world_->announces);
}

bool DriverActor::holds_notice(std::uint32_t stream_id) const {
  return answers_->holds([&](const ControlMessage& waiting) {
    const auto* const notice = std::get_if<ShmLeaseRevoked>(&waiting.body);
    return notice != nullptr && notice->stream_id == stream_id;
  });
}

core_driver::Offer DriverActor::offer(SimTopic<ControlMessage>& topic,
                                      const ControlMessage& message) {
  const auto* const announce = std::get_if<ShmPoolAnnounce>(&message.body);
  if (announce != nullptr && &topic == &world_->announces && bug != PlantedBug::kHastyAnnounce &&
      holds_notice(announce->stream_id)) {
    TP_MARK("an announce waits for the end of a lease to be sent");
    return core_driver::Offer::kLater;  // D152
  }
  if (!steps->message()) {
    return core_driver::Offer::kFailed;
  }
  switch (topic.offer(message, world_->clock.mono())) {
    case Offer::kSent:
      return core_driver::Offer::kPublished;
    case Offer::kNotConnected:
      return core_driver::Offer::kNobody;
    case Offer::kBackPressured:
      break;
  }
  TP_MARK("a message of the driver waits");
  return core_driver::Offer::kLater;
}

void DriverActor::ended(const ControlMessage& message, core_driver::Ending ending) {
  const core_driver::MessageKind kind = std::visit(KindOf{}, message.body);
  core_driver::Counters& counters = machine_->counters();
  switch (ending) {
    case core_driver::Ending::kPublished:
      core_driver::count_published(counters, kind);
      break;
    case core_driver::Ending::kUnheard:
      core_driver::count_unheard(counters, kind);
      break;
    case core_driver::Ending::kGivenUp:
      TP_MARK("a message of the driver is given up");
      core_driver::count_given_up(counters, kind);
      break;
  }
  notice_sent_ = notice_sent_ || kind == core_driver::MessageKind::kShutdown;
  if (dead()) {
    return;
  }
  if (const auto* const notice = std::get_if<ShmLeaseRevoked>(&message.body)) {
    world_->account.sent(*notice);
  } else if (const auto* const announce = std::get_if<ShmPoolAnnounce>(&message.body);
             announce != nullptr && ending == core_driver::Ending::kPublished) {
    world_->account.sent(*announce);
  }
}

// ---- people ----

void DriverActor::stop() {
  note("is asked to stop");
  const Nanos now = world_->clock.mono();
  machine_->stop(now);
  carry_out_all(now);
}

void DriverActor::shut_down_by_message() {
  const Nanos now = world_->clock.mono();
  machine_->on_shutdown_request(
      {.correlation_id = 1,
       .reason = layout::ShutdownReason::kAdmin,
       .token = random_.chance(3, 4)
                    ? layout::Text(world_->scenario.settings.policies.shutdown_token)
                    : layout::Text("guess")},
      now);
  carry_out_all(now);
}

void DriverActor::revoke_some_lease() {
  const auto leases = machine_->snapshot().leases;
  if (leases.empty()) {
    return;
  }
  TP_MARK("a lease is revoked by an operator");
  const Nanos now = world_->clock.mono();
  static_cast<void>(machine_->revoke(leases[random_.below(leases.size())].id, "go away", now));
  carry_out_all(now);
}

void DriverActor::revoke_producer(std::uint32_t stream_id) {
  const Nanos now = world_->clock.mono();
  for (const auto& lease : machine_->snapshot().leases) {
    if (lease.grant.stream_id == stream_id && lease.grant.role == layout::Role::kProducer) {
      static_cast<void>(machine_->revoke(lease.id, "its files are gone", now));
      carry_out_all(now);
    }
  }
}

void DriverActor::reshape_some_stream() {
  const auto& ranges = world_->scenario.settings.stream_ids;
  if (ranges.empty()) {
    return;
  }
  const auto shape = stream_geometry(1, Geometry::draw(random_));
  const auto id = static_cast<std::uint32_t>(random_.between(ranges[0].first, ranges[0].last));
  if (machine_->ensure(id,
                       {.name = "asked", .header_nslots = shape.nslots, .pools = shape.pools})) {
    TP_MARK("a stream is given another shape");
  }
  carry_out_all(world_->clock.mono());
}

void DriverActor::collect_all() {
  for (const auto& request : machine_->collect_requests(false, world_->clock.mono())) {
    works_.collect(request);
  }
}

}  // namespace tensorpool::inline v0::sim::driver
