// A driver's duty cycle over a media driver and a file system of the test's own, on system calls
// that can be made to fail, and a client of it, all in one thread.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agents/attach_group.hpp"
#include "agents/control_bus.hpp"
#include "driver/driver_agent.hpp"
#include "e2e/bus/bus_fixture.hpp"
#include "os/clock.hpp"
#include "support/eventually.hpp"
#include "unit/os/faulty_syscalls.hpp"
#include "unit/os/fixture.hpp"

namespace tensorpool::test {

/// What became of one attach.
struct Attempt {
  using Report = core::attach::AttachReport;
  std::optional<Report> report = {};
  std::string text = {};
  std::unique_ptr<agents::AttachAgent> agent = {};

  [[nodiscard]] bool attached() const { return report && report->kind == Report::Kind::kAttached; }
  [[nodiscard]] bool refused() const { return report && report->kind == Report::Kind::kRefused; }
};

class DriverAgentTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kStream = 10000;

  void SetUp() override {
    auto started = bus::MediaDriver::start({.aeron_dir = dir_.aeron()});
    ASSERT_TRUE(started) << describe(started.error());
    media_.emplace(std::move(*started));
    settings_.announce.stream_id = 1001;
    settings_.shm.base_dir = base_.path();
    settings_.policies.epoch_gc_keep = 1;
    settings_.policies.epoch_gc_min_age = Nanos{1};
    settings_.profiles = {
        {.name = "small", .header_nslots = 8, .pools = {{.pool_id = 1, .stride_bytes = 4096}}}};
    settings_.streams = {{.name = "cam", .stream_id = kStream, .profile = "small"}};
    of_driver_ = std::make_unique<bus::Client>(bus::testing::make_client(dir_.aeron()));
    of_client_ = std::make_unique<bus::Client>(bus::testing::make_client(dir_.aeron()));
    ASSERT_TRUE(bus::testing::bring_up(*of_driver_) && bus::testing::bring_up(*of_client_));
  }

  /// Starts the driver with `settings_`.
  void start(driver::EpochKeeper::Jobs jobs = driver::EpochKeeper::Jobs::kInvoked) {
    auto made = driver::DriverAgent::create(
        calls_, *of_driver_, clock_,
        {.settings = settings_, .jobs = jobs, .log = [this](LogLevel level, std::string_view line) {
           (level >= LogLevel::kWarning ? warnings_ : lines_).emplace_back(line);
         }});
    ASSERT_TRUE(made) << describe(made.error());
    sut_ = std::move(*made);
    group_.reset();
    control_ = std::move(*agents::ControlBus::create(*of_client_, {.announce_stream_id = 1001}));
    group_.emplace(*control_);
    ASSERT_TRUE(until([&] { return sut_->is_ready() && control_->is_control_connected(); }));
  }
  template <class Condition>
  [[nodiscard]] bool until(Condition&& condition) {
    return eventually([&] {
      const base::Now now = clock_.now();
      sut_->do_work(now.mono);
      of_client_->do_work(now.mono);
      control_->do_work(now, [&](auto&& give) { give(*group_); });
      group_->do_work(now.mono);
      return condition();
    });
  }
  /// Attaches once, and waits for the answer.
  [[nodiscard]] std::unique_ptr<Attempt> attach(layout::Role role) {
    auto attempt = std::make_unique<Attempt>();
    const agents::AttachAgent::User user{
        .map = [](const core::region::MappingPlan&, Nanos) { return Status(); },
        .unmap = [](UnmapReason, Nanos) {},
        .report =
            [at = attempt.get()](const Attempt::Report& report, std::string_view text) {
              at->report = report;
              at->text = text;
            }};
    attempt->agent = std::make_unique<agents::AttachAgent>(
        *group_, core::attach::AttachMachine::Options{.role = role, .stream_id = kStream}, user);
    attempt->agent->want_attach(clock_.mono());
    EXPECT_TRUE(until([&] { return attempt->report.has_value(); }));
    if (!attempt->attached()) {
      leave(*attempt);
    }
    return attempt;
  }
  /// Gives a lease back, or gives up.
  void leave(Attempt& attempt) {
    attempt.agent->close(clock_.mono());
    EXPECT_TRUE(
        until([&] { return attempt.agent->machine().state() == AttachState::kUnattached; }));
  }
  [[nodiscard]] os::test::Footprint footprint() const {
    return os::test::Footprint::take(base_.path());
  }

  bus::testing::PrivateDir dir_;
  os::test::TemporaryDirectory base_;
  std::optional<bus::MediaDriver> media_;
  os::SystemClock clock_;
  core::driver::Settings settings_;
  os::test::FaultySyscalls calls_;
  std::vector<std::string> lines_;
  std::vector<std::string> warnings_;
  std::unique_ptr<bus::Client> of_driver_;
  std::unique_ptr<bus::Client> of_client_;
  std::unique_ptr<driver::DriverAgent> sut_;
  std::unique_ptr<agents::ControlBus> control_;
  std::optional<agents::AttachGroup> group_;
};

}  // namespace tensorpool::test
