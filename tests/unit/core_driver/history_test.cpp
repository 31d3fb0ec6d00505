// Random histories of a driver: clients that behave and clients that do not, jobs that take their
// time, fail, or come too late; lost files, revocations, shutdown. After each step what the machine
// did is compared with a second account, kept here from outside.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "unit/core_driver/driver_fixture.hpp"

namespace tensorpool::test {
namespace {

using core::driver::PendingAttaches;
using core::driver::Settings;
using StreamEpoch = std::pair<std::uint32_t, std::uint64_t>;

[[nodiscard]] Settings random_settings(base::Random& random) {
  Settings settings = driver_settings();
  settings.streams.push_back({.name = "two", .stream_id = 10001, .profile = "small"});
  settings.stream_ids = {{.first = 20000, .last = 20000}, {.first = 30000, .last = 30000}};
  settings.policies.allow_dynamic_streams = random.chance(3, 4);
  settings.policies.max_leases = static_cast<std::uint32_t>(random.below(8));
  settings.policies.cleanup_shm_on_exit = random.chance(1, 2);
  settings.policies.epoch_gc_enabled = random.chance(3, 4);
  settings.policies.node_id_reuse_cooldown = milliseconds(random.below(5000));
  settings.policies.shutdown_timeout = milliseconds(random.below(4) * 1000);
  return settings;
}

/// The second account. Every action passes `on`; what must hold after a step is in `check`.
class Account {
 public:
  explicit Account(const Settings& settings) : settings_(settings) {}

  /// A request that has to be answered; a replay of one that waits may be dropped (D345).
  void asked(const layout::ShmAttachRequest& request) {
    const auto replayed = [&](const layout::ShmAttachRequest& waiting) {
      return waiting.client_id == request.client_id && waiting.role == request.role &&
             waiting.stream_id == request.stream_id &&
             waiting.correlation_id == request.correlation_id;
    };
    replay_.reset();
    if (std::any_of(unanswered_.begin(), unanswered_.end(), replayed)) {
      replay_ = request;
    } else if (!stopped_) {
      unanswered_.push_back(request);
    }
  }
  void asked_detach() { detaches_ += stopped_ ? 0 : 1; }
  void provisioned(StreamEpoch epoch) {
    RC_ASSERT(epochs_.insert(epoch).second);  // no number twice
    RC_ASSERT(epoch.second > newest_[epoch.first]);
    newest_[epoch.first] = epoch.second;
  }

  void on(const AttachAnswer& answer, Nanos now) {
    RC_ASSERT(!stopped_);
    take(answer.request);
    const auto& response = answer.response;
    RC_ASSERT(response.correlation_id == answer.request.correlation_id);
    if (response.code != ResponseCode::kOk) {
      const bool provisioning = response.error_message.starts_with("failed to provision SHM:");
      seen.emplace(response.error_message.substr(0, provisioning ? 24 : 40));
      RC_ASSERT(!response.lease_id && !response.epoch && !response.stream_id);
      RC_ASSERT(!response.error_message.empty());
      return;
    }
    RC_ASSERT(response.lease_id && response.epoch && response.stream_id);
    RC_ASSERT(epochs_.contains({*response.stream_id, *response.epoch}));
    if (const auto known = leases_.find(*response.lease_id); known != leases_.end()) {
      const Held& held = known->second;  // a repetition
      RC_ASSERT(held.client_id == answer.request.client_id && held.role == answer.request.role);
      RC_ASSERT(held.stream_id == *response.stream_id && held.node_id == response.node_id);
      seen.insert(now > answer.received_at ? "repetition that waited" : "repetition");
      return;
    }
    RC_ASSERT(now - answer.received_at <= PendingAttaches::kPatience);
    seen.insert(refreshed_ == *response.stream_id ? "a spare epoch is used" : "a lease");
    if (answer.request.stream_id == 0 && announced_[*response.stream_id] != 0) {
      seen.insert("a stream is reclaimed");
    }
    RC_ASSERT(issued_.insert(*response.lease_id).second);  // D131
    for (const auto& [id, held] : leases_) {
      RC_ASSERT(held.client_id != answer.request.client_id);
      RC_ASSERT(!held.node_id || held.node_id != response.node_id);  // D101
      RC_ASSERT(held.role != Role::kProducer || answer.request.role != Role::kProducer ||
                held.stream_id != *response.stream_id);  // D175
    }
    if (answer.request.role == Role::kProducer) {
      RC_ASSERT(produced_.insert({*response.stream_id, *response.epoch}).second);  // D183
    }
    leases_[*response.lease_id] = {.stream_id = *response.stream_id,
                                   .client_id = answer.request.client_id,
                                   .role = answer.request.role,
                                   .node_id = response.node_id,
                                   .epoch = *response.epoch,
                                   .expiry = now + settings_.policies.lease_duration()};
  }
  void on(const DetachAnswer&, Nanos) {
    RC_ASSERT(detaches_ > 0);
    --detaches_;
  }
  void on(const LeaseNotice& ended, Nanos now) {
    if (!ended.expiry) {
      seen.insert("notice of an unknown lease");
      RC_ASSERT(!issued_.contains(ended.notice.lease_id));
      return;
    }
    const auto found = leases_.find(ended.notice.lease_id);
    RC_ASSERT(found != leases_.end());  // once, and only of what was issued
    const Held& held = found->second;
    seen.emplace(ended.notice.error_message.substr(0, 18));
    RC_ASSERT(held.client_id == ended.notice.client_id && held.role == ended.notice.role);
    if (ended.notice.reason == LeaseRevokeReason::kExpired) {
      RC_ASSERT(now > held.expiry);
    }
    if (held.role == Role::kProducer) {
      announced_.erase(held.stream_id);  // only a newer one may follow
      ended_[held.stream_id] = held.epoch;
    }
    leases_.erase(found);
  }
  void on(const Announce& announce, Nanos) {
    const auto& message = announce.message;
    RC_ASSERT(epochs_.contains({message.stream_id, message.epoch}));
    RC_ASSERT(message.epoch >= announced_[message.stream_id]);
    RC_ASSERT(message.epoch > ended_[message.stream_id]);
    announced_[message.stream_id] = message.epoch;
    std::uint32_t producer = 0;
    for (const auto& [id, held] : leases_) {
      if (held.stream_id == message.stream_id && held.role == Role::kProducer) {
        producer = held.client_id;
        RC_ASSERT(held.epoch == message.epoch);
      }
    }
    RC_ASSERT(message.producer_id == producer);
  }
  void on(const core::driver::Collect& collect, Nanos) {
    RC_ASSERT(settings_.policies.epoch_gc_enabled);
    check_references(collect.request);
  }
  void on(const core::driver::RefreshActivity& refresh, Nanos) {
    refreshed_ = refresh.stream_id;
    for (const auto& [id, held] : leases_) {
      RC_ASSERT(held.stream_id != refresh.stream_id || held.role != Role::kProducer);  // D35
    }
  }
  void on(const ShutdownNotice&, Nanos) {
    RC_ASSERT(!std::exchange(stopped_, true));
    leases_.clear();
    RC_ASSERT(unanswered_.empty() && detaches_ == 0);
  }
  void on(const core::driver::CancelProvisioning&, Nanos) { seen.insert("a job is cancelled"); }
  void on(const core::driver::RemoveOwnEpochs&, Nanos) {
    seen.insert("own epochs are removed");
    RC_ASSERT(stopped_ && settings_.policies.cleanup_shm_on_exit);
  }
  template <class Other>
  void on(const Other&, Nanos) {}

  void kept_alive(std::uint64_t lease_id, Nanos now) {
    leases_.at(lease_id).expiry = now + settings_.policies.lease_duration();
  }

  /// No lease is left out: a producer's epoch, a consumer's or a newer one.
  void check_references(const core::driver::CollectRequest& request) {
    for (const auto& entry : leases_) {
      const Held& held = entry.second;
      const auto protects = [&held](std::uint64_t epoch) {
        return held.role == Role::kProducer ? epoch == held.epoch : epoch >= held.epoch;
      };
      RC_ASSERT(held.stream_id != request.stream_id ||
                std::any_of(request.referenced.begin(), request.referenced.end(), protects));
    }
  }

  void check(const DriverMachine& machine) {
    RC_ASSERT(machine.check_invariants());
    refreshed_ = 0;
    const auto snapshot = machine.snapshot();
    if (stopped_) {
      return;
    }
    RC_ASSERT(snapshot.leases.size() == leases_.size());
    RC_ASSERT(machine.counters().active_leases == leases_.size());
    std::size_t waiting = 0;
    std::size_t provisioned = 0;
    for (const auto& stream : snapshot.streams) {
      waiting += stream.waiting;
      provisioned += stream.epoch != 0 ? 1 : 0;
      RC_ASSERT(stream.epoch == 0 || epochs_.contains({stream.stream_id, stream.epoch}));
    }
    RC_ASSERT(waiting == unanswered_.size());  // every request is answered or waits
    RC_ASSERT(machine.counters().provisioned_streams == provisioned);
    RC_ASSERT(machine.counters().epoch_bumps == epochs_.size());
  }

  struct Held {
    std::uint32_t stream_id = 0;
    std::uint32_t client_id = 0;
    Role role = Role::kConsumer;
    std::optional<std::uint32_t> node_id{};
    std::uint64_t epoch = 0;
    Nanos expiry{};
  };
  [[nodiscard]] const std::map<std::uint64_t, Held>& leases() const { return leases_; }

  std::set<std::string> seen;  ///< what happened, in a few words

 private:
  /// D40: exactly one answer.
  void take(const layout::ShmAttachRequest& request) {
    const auto found = std::find(unanswered_.begin(), unanswered_.end(), request);
    if (found != unanswered_.end()) {
      unanswered_.erase(found);
      return;
    }
    RC_ASSERT(replay_ == request);
    replay_.reset();
  }

  Settings settings_;
  std::vector<layout::ShmAttachRequest> unanswered_;
  std::optional<layout::ShmAttachRequest> replay_;  ///< of one that waits
  std::size_t detaches_ = 0;
  std::map<std::uint64_t, Held> leases_;
  std::set<std::uint64_t> issued_;
  std::set<StreamEpoch> epochs_;
  std::set<StreamEpoch> produced_;  ///< handed to a producer
  std::map<std::uint32_t, std::uint64_t> newest_;
  std::map<std::uint32_t, std::uint64_t> announced_;
  std::map<std::uint32_t, std::uint64_t> ended_;
  std::uint32_t refreshed_ = 0;  ///< the last stream of this step whose activity was refreshed
  bool stopped_ = false;
};

class History {
 public:
  explicit History(std::uint64_t seed)
      : random_(seed),
        settings_(random_settings(random_)),
        sut_({.settings = settings_, .pages = {}, .first_lease_id = kFirstLease}),
        account_(settings_) {
    drain();
  }

  void step() {
    now_ += Nanos(static_cast<std::int64_t>(
        random_.chance(1, 3) ? 0
                             : random_.below(random_.chance(1, 25) ? 6'000'000'000 : 200'000'000)));
    switch (random_.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return attach();
      case 4:
      case 5:
      case 6:
        return keep_alive();
      case 7:
        return detach();
      case 8:
      case 9:
      case 10:
        return finish_job();
      case 11:
        verify();
        return lose_files();
      case 12:
        return administer();
      default:
        return duty_cycle();
    }
  }

  [[nodiscard]] const std::set<std::string>& seen() const { return account_.seen; }

  /// Answers what is under way and lets everything expire.
  void settle() {
    for (int i = 0; i < 200; ++i) {
      now_ += milliseconds(100);
      duty_cycle();
      verify();
      if (random_.chance(1, 2)) {
        finish_job();
      }
    }
    RC_ASSERT(account_.leases().empty());
    while (sut_.jobs() != 0) {
      finish_job();
    }
    for (const auto& stream : sut_.snapshot().streams) {
      RC_ASSERT(stream.waiting == 0U);
    }
  }

 private:
  template <class T>
  [[nodiscard]] T one_of(std::initializer_list<T> values) {
    return values.begin()[random_.below(values.size())];
  }
  [[nodiscard]] std::uint32_t any_stream() {
    return one_of<std::uint32_t>({0, 10000, 10000, 10001, 20000, 20001, 30000, 777, 0xFFFF'FFFF});
  }
  [[nodiscard]] Role any_role() {
    return one_of({Role::kProducer, Role::kConsumer, Role::kConsumer, Role{0}, Role{255}});
  }

  void attach() {
    layout::ShmAttachRequest request{
        .correlation_id = static_cast<std::int64_t>(random_.below(4)),
        .stream_id = any_stream(),
        .client_id = static_cast<std::uint32_t>(random_.below(9)),
        .role = any_role(),
        .expected_layout_version = random_.chance(1, 20) ? 2U : 0U,
        .publish_mode = one_of<std::optional<PublishMode>>(
            {PublishMode::kExistingOrCreate, PublishMode::kExistingOrCreate,
             PublishMode::kRequireExisting, std::nullopt, PublishMode{9}}),
        .desired_node_id = one_of<std::optional<std::uint32_t>>({std::nullopt, 0U, 5U, 5000U})};
    if (!requests_.empty() && random_.chance(1, 3)) {
      request = requests_[random_.below(requests_.size())];  // said before
    }
    requests_.push_back(request);
    account_.asked(request);
    sut_.on_attach(request, now_);
    drain();
  }

  /// Mostly a lease that exists, with a field that may be wrong.
  template <class Message>
  [[nodiscard]] Message about_a_lease() {
    Message message;
    if (!account_.leases().empty()) {
      const auto lease =
          std::next(account_.leases().begin(),
                    static_cast<std::ptrdiff_t>(random_.below(account_.leases().size())));
      message.lease_id = lease->first;
      message.stream_id = lease->second.stream_id;
      message.client_id = lease->second.client_id;
      message.role = lease->second.role;
    }
    if (random_.chance(1, 5)) {
      message.lease_id += random_.below(3);
      message.stream_id = random_.chance(1, 2) ? any_stream() : message.stream_id;
      message.client_id += static_cast<std::uint32_t>(random_.below(2));
      message.role = random_.chance(1, 2) ? any_role() : message.role;
    }
    return message;
  }
  void keep_alive() {
    const auto message = about_a_lease<layout::ShmLeaseKeepalive>();
    if (sut_.on_keepalive(message, now_)) {
      account_.kept_alive(message.lease_id, now_);
    }
    drain();
  }
  void detach() {
    account_.asked_detach();
    sut_.on_detach(about_a_lease<layout::ShmDetachRequest>(), now_);
    drain();
  }

  void finish_job() {
    if (jobs_.empty()) {
      return;
    }
    const auto job = jobs_.begin() + static_cast<std::ptrdiff_t>(random_.below(jobs_.size()));
    const core::driver::ProvisionRequest request = *job;
    jobs_.erase(job);
    const std::uint64_t epoch =
        std::max(request.known_epoch + 1, static_cast<std::uint64_t>(now_.count()));
    core::driver::ProvisionOutcome outcome{.stream_id = request.geometry.stream_id,
                                           .known_epoch = epoch};
    if (random_.chance(4, 5)) {
      account_.provisioned({request.geometry.stream_id, epoch});
      outcome.regions = provisioned_plan(request.geometry, epoch);
    }
    sut_.on_provisioned(std::move(outcome), now_);
    drain();
  }

  void lose_files() {
    for (const auto& stream : sut_.snapshot().streams) {
      if (stream.epoch != 0 && random_.chance(1, 3)) {
        sut_.on_verified(stream.stream_id, stream.epoch, fail(Errc::kNotFound, "1.pool"), now_);
        return drain();
      }
    }
  }

  void administer() {
    switch (random_.below(12)) {
      case 0:
        sut_.stop(now_);
        return drain();
      case 1:
        sut_.on_shutdown_request({.reason = layout::ShutdownReason::kAdmin,
                                  .token = random_.chance(1, 3) ? "open sesame" : "wrong"},
                                 now_);
        return drain();
      case 2: {
        core::driver::Profile shape = settings_.profiles[0];
        shape.header_nslots = random_.chance(1, 2) ? 8 : 16;
        static_cast<void>(sut_.ensure(any_stream(), shape));
        return drain();
      }
      case 3:
        for (const auto& request : sut_.collect_requests(true, now_)) {
          account_.check_references(request);
        }
        return;
      default:
        const auto message = about_a_lease<layout::ShmDetachRequest>();
        static_cast<void>(sut_.revoke(message.lease_id, "by hand", now_));
        return drain();
    }
  }

  void duty_cycle() {
    sut_.on_inputs_drained(now_);
    drain();
    for (const auto& [id, held] : account_.leases()) {
      RC_ASSERT(now_ <= held.expiry);  // D139: in the first check
    }
    sut_.poll(now_);
    drain();
  }

  /// Files are looked at at once, as a rule.
  void verify() {
    if (verifications_.empty()) {
      return;
    }
    const StreamEpoch one = verifications_.back();
    verifications_.pop_back();
    Status files;
    if (random_.chance(1, 8)) {
      files = fail(Errc::kRegionTooSmall, "header.ring");
    }
    sut_.on_verified(one.first, one.second, files, now_);
    drain();
  }

  void drain() {
    while (const auto action = sut_.next_action()) {
      std::visit([&](const auto& one) { account_.on(one, now_); }, *action);
      if (const auto* const job = std::get_if<core::driver::Provision>(&*action)) {
        jobs_.push_back(job->request);
      } else if (const auto* const files = std::get_if<core::driver::VerifyEpoch>(&*action)) {
        verifications_.emplace_back(files->plan->stream_id(), files->plan->epoch());
      }
    }
    RC_ASSERT(jobs_.size() == sut_.jobs());
    account_.check(sut_);
    if (!random_.chance(1, 6)) {
      verify();
    }
  }

  base::Random random_;
  Settings settings_;
  DriverMachine sut_;
  Account account_;
  Nanos now_ = seconds(1000);
  std::vector<core::driver::ProvisionRequest> jobs_;
  std::vector<StreamEpoch> verifications_;
  std::vector<layout::ShmAttachRequest> requests_;
};

RC_GTEST_PROP(DriverHistory, keeps_its_promises_whatever_happens, ()) {
  TP_REQ("D40", "D101", "D129", "D131", "D139", "D150", "D175", "D182", "D183", "D186", "D222",
         "D225", "D345");
  History history(*rc::gen::arbitrary<std::uint64_t>());
  const int steps = *rc::gen::inRange(1, 400);
  for (int i = 0; i < steps; ++i) {
    history.step();
  }
  history.settle();
}

// A history in which nothing happens proves nothing.
TEST(DriverHistory, comes_by_everything_that_can_happen) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    History history(seed);
    for (int i = 0; i < 400; ++i) {
      history.step();
    }
    seen.insert(history.seen().begin(), history.seen().end());
  }
  for (const char* const event : {"a lease",
                                  "repetition",
                                  "repetition that waited",
                                  "a spare epoch is used",
                                  "a stream is reclaimed",
                                  "a job is cancelled",
                                  "own epochs are removed",
                                  "notice of an unknown lease",
                                  "lease detached",
                                  "lease expired",
                                  "by hand",
                                  "region files lost:",
                                  "invalid role",
                                  "client_id must be non-zero",
                                  "unsupported publish_mode",
                                  "invalid stream_id",
                                  "client_id already attached",
                                  "stream not provisioned",
                                  "stream_id outside stream_id_range",
                                  "stream_id_range exhausted",
                                  "layout_version mismatch",
                                  "producer already attached",
                                  "node_id unavailable",
                                  "lease limit reached",
                                  "driver draining",
                                  "the regions were not ready within 5 s: t",
                                  "given up for a newer request of this cli",
                                  "failed to provision SHM:"}) {
    EXPECT_TRUE(seen.contains(event)) << event;
  }
}

}  // namespace
}  // namespace tensorpool::test
