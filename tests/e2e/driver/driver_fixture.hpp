// A driver inside the test, called by it, and clients with leases from it.
#pragma once

#include <gmock/gmock.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "admin/ask.hpp"
#include "agents/attach_group.hpp"
#include "driver/host.hpp"
#include "os/clock.hpp"
#include "os/open_region.hpp"
#include "os/syscalls.hpp"
#include "support/eventually.hpp"
#include "support/requirement.hpp"
#include "support/scratch_directory.hpp"

namespace tensorpool::test {

/// A driver in a directory of its own.
class DriverTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kStream = 10000;

  /// One small stream, quick periods.
  [[nodiscard]] core::driver::Settings settings() const {
    core::driver::Settings wanted;
    wanted.instance_id = "e2e";
    wanted.aeron_dir = scratch_.path() + "/aeron";
    wanted.announce.stream_id = 1001;
    wanted.shm.base_dir = scratch_.path() + "/shm";
    wanted.policies.announce_period = std::chrono::milliseconds(200);
    wanted.policies.lease_keepalive_interval = std::chrono::milliseconds(200);
    wanted.policies.epoch_gc_min_age = Nanos{1};
    wanted.profiles = {
        {.name = "small", .header_nslots = 8, .pools = {{.pool_id = 1, .stride_bytes = 4096}}}};
    wanted.streams = {{.name = "cam", .stream_id = kStream, .profile = "small"}};
    return wanted;
  }
  /// With threads of its own, or, jobs included, to be called.
  void start(core::driver::Settings wanted,
             driver::Host::Threading threading = driver::Host::Threading::kBackground) {
    const bool invoked = threading == driver::Host::Threading::kInvoked;
    Result<std::unique_ptr<driver::Host>> host =
        driver::Host::start({.settings = std::move(wanted),
                             .media_driver = bus::DriverPolicy::kEmbedded,
                             .threading = threading,
                             .jobs = invoked ? driver::EpochKeeper::Jobs::kInvoked
                                             : driver::EpochKeeper::Jobs::kOwnThread});
    ASSERT_TRUE(host) << describe(host.error());
    driver_ = std::move(*host);
  }
  [[nodiscard]] std::string aeron_dir() const { return scratch_.path() + "/aeron"; }
  [[nodiscard]] Result<std::string> ask(admin::Operation operation) const {
    return admin::ask(admin::socket_path(aeron_dir(), 1000), {.operation = operation});
  }

  const ScratchDirectory scratch_{"/dev/shm"};
  std::unique_ptr<driver::Host> driver_;
};

/// A client of the driver: one connection, any number of leases. Maps nothing.
class LeaseHolder {
 public:
  explicit LeaseHolder(const std::string& aeron_dir)
      : connection_(std::move(*bus::Client::create({.aeron_dir = aeron_dir}))),
        control_(std::move(*agents::ControlBus::create(
            connection_, {.control_stream_id = 1000, .announce_stream_id = 1001}))) {}

  struct Lease {
    Lease(agents::AttachGroup& group, const core::attach::AttachMachine::Options& options)
        : agent(group, options,
                {.map = [](const auto&, Nanos) { return Status(); },
                 .unmap = [](UnmapReason, Nanos) {},
                 .report =
                     [this](const core::attach::AttachReport& report, std::string_view) {
                       lost += report.kind == core::attach::AttachReport::Kind::kLost ? 1 : 0;
                     }}) {}
    int lost = 0;
    agents::AttachAgent agent;
  };

  [[nodiscard]] std::unique_ptr<Lease> want(std::uint32_t stream_id, layout::Role role) {
    auto lease = std::make_unique<Lease>(
        group_, core::attach::AttachMachine::Options{.role = role, .stream_id = stream_id});
    lease->agent.want_attach(clock_.mono());
    return lease;
  }
  /// A lease that is held when this returns.
  [[nodiscard]] std::unique_ptr<Lease> attach(std::uint32_t stream_id,
                                              layout::Role role = layout::Role::kConsumer) {
    auto lease = want(stream_id, role);
    EXPECT_TRUE(until([&] { return state(*lease) == AttachState::kAttached; }));
    return lease;
  }
  void detach(Lease& lease) {
    lease.agent.close(clock_.mono());
    EXPECT_TRUE(until([&] { return state(lease) == AttachState::kUnattached; }));
  }
  /// Runs the client until the condition holds.
  template <class Condition>
  [[nodiscard]] bool until(Condition&& condition) {
    return eventually([&] {
      do_work();
      return condition();
    });
  }
  void do_work() {
    if (invoked_driver != nullptr) {
      invoked_driver->do_work();
    }
    const base::Now now = clock_.now();
    connection_.do_work(now.mono);
    control_->do_work(now, [&](auto&& give) {
      give(group_);
      if (listener != nullptr) {
        give(*listener);
      }
    });
    group_.do_work(now.mono);
  }
  [[nodiscard]] static AttachState state(const Lease& lease) {
    return lease.agent.machine().state();
  }

  agents::ControlListener* listener = nullptr;  ///< hears what the leases hear
  driver::Host* invoked_driver = nullptr;       ///< called along

 private:
  os::SystemClock clock_;
  bus::Client connection_;
  std::unique_ptr<agents::ControlBus> control_;
  agents::AttachGroup group_{*control_};
};

}  // namespace tensorpool::test
