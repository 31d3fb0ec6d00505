// A driver's machine with a file system that exists in the test alone: jobs are answered at once
// unless a test wants them to take their time, and everything that the machine ever asked for is
// kept for inspection.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/driver/driver_machine.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {

using core::driver::Action;
using core::driver::Announce;
using core::driver::AttachAnswer;
using core::driver::DetachAnswer;
using core::driver::DriverMachine;
using core::driver::DriverState;
using core::driver::LeaseNotice;
using core::driver::ShutdownNotice;
using layout::LeaseRevokeReason;
using layout::PublishMode;
using layout::ResponseCode;
using layout::Role;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr std::uint32_t kStaticStream = 10000;
inline constexpr std::uint64_t kFirstLease = 4711;

/// One static stream, ten dynamic ids, a token.
[[nodiscard]] inline core::driver::Settings driver_settings() {
  core::driver::Settings settings;
  settings.stream_ids = {{.first = 20000, .last = 20009}};
  settings.policies.allow_dynamic_streams = true;
  settings.policies.shutdown_token = "open sesame";
  settings.profiles = {
      {.name = "small",
       .header_nslots = 8,
       .pools = {{.pool_id = 7, .stride_bytes = 4096}, {.pool_id = 3, .stride_bytes = 64}}}};
  settings.streams = {{.name = "cam", .stream_id = kStaticStream, .profile = "small"}};
  return settings;
}

/// The regions of one epoch as os/ would have made them.
[[nodiscard]] inline core::region::MappingPlan provisioned_plan(
    const core::region::StreamGeometry& geometry, std::uint64_t epoch) {
  core::region::MappingPlan plan;
  const std::string directory = "shm:file?path=/dev/shm/test/" +
                                std::to_string(geometry.stream_id) + "/" + std::to_string(epoch) +
                                "/";
  for (const auto& region : core::region::regions_of(geometry, epoch)) {
    const bool ring = region.type == layout::RegionType::kHeaderRing;
    const std::string name = ring ? "header.ring" : std::to_string(region.pool_id) + ".pool";
    if (ring) {
      plan.header_ring = {.expected = region, .uri = directory + name};
    } else {
      plan.pools.push_back({.expected = region, .uri = directory + name});
    }
  }
  return plan;
}

class DriverWorld {
 public:
  explicit DriverWorld(core::driver::Settings settings = driver_settings(),
                       core::driver::PageFacts pages = {})
      : sut({.settings = std::move(settings), .pages = pages, .first_lease_id = kFirstLease}) {
    drain();
  }

  DriverMachine sut;
  Nanos now = seconds(1000);
  bool jobs_take_time = false;                      ///< then `finish_job` answers them
  std::optional<Error> failure;                     ///< of every provisioning
  std::set<std::uint64_t> broken;                   ///< epochs whose files are gone
  std::deque<core::driver::ProvisionRequest> jobs;  ///< not answered yet
  std::vector<Action> log;                          ///< since the last clear()

  // -- Inputs, each drained ----------------------------------------------------------------------

  void attach(const layout::ShmAttachRequest& request) {
    sut.on_attach(request, now);
    drain();
  }
  void detach(const layout::ShmDetachRequest& request) {
    sut.on_detach(request, now);
    drain();
  }
  bool keep_alive(const layout::ShmLeaseKeepalive& keepalive) {
    const bool accepted = sut.on_keepalive(keepalive, now).has_value();
    drain();
    return accepted;
  }
  void check_expiry() {
    sut.on_inputs_drained(now);
    drain();
  }
  void poll() {
    sut.poll(now);
    drain();
  }
  void stop() {
    sut.stop(now);
    drain();
  }
  void request_shutdown(const layout::ShmDriverShutdownRequest& request) {
    sut.on_shutdown_request(request, now);
    drain();
  }
  bool revoke(std::uint64_t lease_id, std::string_view text = "by hand") {
    const bool found = sut.revoke(lease_id, text, now).has_value();
    drain();
    return found;
  }
  /// Duty cycles every 50 ms.
  void run(Nanos span) {
    for (const Nanos end = now + span; now < end;) {
      now += milliseconds(50);
      check_expiry();
      poll();
    }
  }
  /// Answers the oldest job.
  void finish_job() {
    ASSERT_FALSE(jobs.empty());
    const core::driver::ProvisionRequest request = jobs.front();
    jobs.pop_front();
    const std::uint64_t epoch =
        std::max(request.known_epoch + 1, static_cast<std::uint64_t>(now.count()));
    core::driver::ProvisionOutcome outcome{.stream_id = request.geometry.stream_id,
                                           .known_epoch = epoch};
    if (failure) {
      outcome.regions = fail(*failure);
    } else {
      outcome.regions = provisioned_plan(request.geometry, epoch);
      provisioned.insert({request.geometry.stream_id, epoch});
    }
    sut.on_provisioned(std::move(outcome), now);
    drain();
  }

  // -- What came of it ---------------------------------------------------------------------------

  void clear() { log.clear(); }
  template <class T>
  [[nodiscard]] std::vector<T> all() const {
    std::vector<T> found;
    for (const Action& action : log) {
      if (const T* const one = std::get_if<T>(&action); one != nullptr) {
        found.push_back(*one);
      }
    }
    return found;
  }
  /// The only one of its kind since clear().
  template <class T>
  [[nodiscard]] T only() const {
    const std::vector<T> found = all<T>();
    EXPECT_EQ(found.size(), 1U);
    return found.empty() ? T{} : found.front();
  }
  /// The kinds of actions since clear(), in their order: A attach answer, D detach answer, L notice
  /// of a lease, N announce, S shutdown, P provision, X cancel, V verify, r refresh activity, R
  /// retire, C collect, c collect at start, F forget a stream, O remove own epochs.
  [[nodiscard]] std::string order() const {
    constexpr std::string_view kLetters = "ADLNSPXVrRCcFO";
    static_assert(kLetters.size() == std::variant_size_v<Action>);
    std::string letters;
    for (const Action& action : log) {
      letters += kLetters[action.index()];
    }
    return letters;
  }
  /// order() of messages and provisionings alone.
  [[nodiscard]] std::string messages() const {
    std::string letters = order();
    std::erase_if(letters, [](char c) { return std::string_view("ADLNSP").find(c) > 5; });
    return letters;
  }
  [[nodiscard]] const core::driver::Counters& counters() const { return sut.counters(); }

  /// Attaches and returns the answer.
  layout::ShmAttachResponse answer_to(const layout::ShmAttachRequest& request) {
    clear();
    attach(request);
    return only<AttachAnswer>().response;
  }
  /// Attaches successfully.
  layout::ShmAttachResponse lease(std::uint32_t client_id, Role role = Role::kConsumer,
                                  std::uint32_t stream_id = kStaticStream) {
    const auto response = answer_to({.correlation_id = 1000 + client_id,
                                     .stream_id = stream_id,
                                     .client_id = client_id,
                                     .role = role,
                                     .publish_mode = PublishMode::kExistingOrCreate});
    EXPECT_EQ(response.code, ResponseCode::kOk) << response.error_message;
    return response;
  }

  /// Everything that was ever provisioned: stream and epoch.
  std::set<std::pair<std::uint32_t, std::uint64_t>> provisioned;

 private:
  /// Takes all actions, then does what they ask for.
  void drain() {
    std::vector<Action> fresh;
    while (auto action = sut.next_action()) {
      fresh.push_back(kept(*std::move(action)));
    }
    EXPECT_TRUE(sut.check_invariants());
    log.insert(log.end(), fresh.begin(), fresh.end());
    for (const Action& action : fresh) {
      if (const auto* const job = std::get_if<core::driver::Provision>(&action)) {
        jobs.push_back(job->request);
        if (!jobs_take_time) {
          finish_job();
        }
      } else if (const auto* const verify = std::get_if<core::driver::VerifyEpoch>(&action)) {
        const core::region::MappingPlan& plan = *verify->plan;
        sut.on_verified(
            plan.stream_id(), plan.epoch(),
            broken.contains(plan.epoch()) ? Status(fail(Errc::kNotFound, "1.pool")) : Status(),
            now);
        drain();
      }
    }
  }

  /// The action with everything it points to.
  [[nodiscard]] Action kept(Action action) {
    std::visit(
        [this]<class T>(T& one) {
          if constexpr (std::is_same_v<T, AttachAnswer>) {
            keep(one.response.error_message);
            keep(one.response.header_region_uri);
            keep(one.response.payload_pools);
          } else if constexpr (std::is_same_v<T, DetachAnswer>) {
            keep(one.response.error_message);
          } else if constexpr (std::is_same_v<T, LeaseNotice>) {
            keep(one.notice.error_message);
          } else if constexpr (std::is_same_v<T, Announce>) {
            keep(one.message.header_region_uri);
            keep(one.message.payload_pools);
          } else if constexpr (std::is_same_v<T, ShutdownNotice>) {
            keep(one.message.error_message);
          } else if constexpr (std::is_same_v<T, core::driver::VerifyEpoch>) {
            one.plan = &plans_.emplace_back(*one.plan);
          }
        },
        action);
    return action;
  }
  void keep(layout::Text& text) { text = texts_.emplace_back(text); }
  void keep(layout::ListView<layout::PayloadPool>& pools) {
    auto& own = pools_.emplace_back(pools.begin(), pools.end());
    for (layout::PayloadPool& pool : own) {
      keep(pool.region_uri);
    }
    pools = {own.data(), own.size()};
  }

  std::deque<std::string> texts_;
  std::deque<std::vector<layout::PayloadPool>> pools_;
  std::deque<core::region::MappingPlan> plans_;
};

}  // namespace tensorpool::test
