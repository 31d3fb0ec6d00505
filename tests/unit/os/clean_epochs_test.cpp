#include "os/clean_epochs.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>

#include "support/requirement.hpp"
#include "unit/os/faulty_syscalls.hpp"
#include "unit/os/fixture.hpp"

namespace tensorpool::os {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Reason = CleanReport::Reason;

/// A process id that is free: its process has ended and was waited for.
[[nodiscard]] std::uint64_t dead_pid() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return static_cast<std::uint64_t>(child);
}

class CleanEpochs : public test::RegionTest {
 protected:
  /// An epoch that an earlier run left behind, changed by `change`. Gives its directory.
  fs::path leave(const std::function<void(const OwnedStream&)>& change = [](auto&) {}) {
    OwnerOptions options = owner();
    options.user = "alice";
    options.remove_on_close = false;
    auto created = OwnedStream::create(system_calls(), options, test::small_geometry(), test::kNow);
    if (!created) {
      ADD_FAILURE() << describe(created.error());
      std::abort();
    }
    set_pid(*created, dead_);
    change(*created);
    return stream_directory() / std::to_string(created->epoch());
  }
  static void set_pid(const OwnedStream& stream, std::uint64_t pid) {
    std::memcpy(stream.regions().header_ring.writable_bytes().data() + 40, &pid, sizeof(pid));
  }
  [[nodiscard]] fs::path stream_directory() const {
    return base_.path() / "tensorpool-alice" / "default" / "10000";
  }
  /// Ten seconds after the files were made, on both clocks.
  [[nodiscard]] CleanOptions options() const {
    return {.base_dir = base_.path(),
            .place = {.user = "alice", .name_space = "default", .stream_id = 10000},
            .current_epoch = 1,
            .now = {.mono = test::kNow.mono + 10s, .real = real_now() + 10s}};
  }
  [[nodiscard]] static Nanos real_now() {
    return std::chrono::system_clock::now().time_since_epoch();
  }
  [[nodiscard]] CleanReport clean(const CleanOptions& with) const {
    auto report = clean_epochs(system_calls(), with);
    EXPECT_TRUE(report.has_value());
    return report ? *report : CleanReport{};
  }
  static void expect_left(const CleanReport& report, const fs::path& path, Reason reason) {
    const bool listed =
        std::any_of(report.left.begin(), report.left.end(), [&](const CleanReport::Left& left) {
          return path.string().ends_with(left.path) && left.reason == reason;
        });
    EXPECT_TRUE(listed) << path;
    EXPECT_TRUE(fs::exists(fs::symlink_status(path))) << path;
  }

  std::uint64_t dead_ = dead_pid();
};

TEST_F(CleanEpochs, an_abandoned_epoch_is_removed) {
  TP_REQ("W418", "W419", "W421", "W422");
  const fs::path epoch = leave();
  const CleanReport report = clean(options());
  EXPECT_EQ(report.removed.size(), 1U);
  EXPECT_TRUE(report.left.empty());
  EXPECT_FALSE(fs::exists(epoch));
  EXPECT_TRUE(fs::exists(stream_directory()));
}

TEST_F(CleanEpochs, the_current_epoch_stays_whatever_it_looks_like) {
  TP_REQ("W417");
  const fs::path epoch = leave();
  CleanOptions with = options();
  with.current_epoch = std::stoull(epoch.filename());
  EXPECT_TRUE(clean(with).removed.empty());
  EXPECT_TRUE(fs::exists(epoch / "header.ring"));
}

TEST_F(CleanEpochs, an_active_epoch_stays_until_its_window_is_over) {
  TP_REQ("W418");
  const fs::path epoch = leave();
  CleanOptions with = options();
  with.now.mono = test::kNow.mono + 3s;
  expect_left(clean(with), epoch, Reason::kFresh);
  with.now.mono += Nanos{1};
  EXPECT_EQ(clean(with).removed.size(), 1U);
}

TEST_F(CleanEpochs, activity_from_the_future_protects_nobody) {
  TP_REQ("W418");
  static_cast<void>(leave(
      [](const OwnedStream& stream) { stream.regions().store_activity(test::kNow.mono + 3600s); }));
  EXPECT_EQ(clean(options()).removed.size(), 1U);
}

TEST_F(CleanEpochs, a_live_owner_protects_its_epoch_and_the_cleaner_itself_does_not) {
  TP_REQ("W419");
  const fs::path parent =
      leave([](auto& stream) { set_pid(stream, static_cast<std::uint64_t>(::getppid())); });
  const fs::path unprobeable = leave([](auto& stream) { set_pid(stream, 1ULL << 40U); });
  const fs::path none = leave([](auto& stream) { set_pid(stream, 0); });
  const fs::path own =
      leave([](auto& stream) { set_pid(stream, static_cast<std::uint64_t>(::getpid())); });
  const CleanReport report = clean(options());
  expect_left(report, parent, Reason::kOwnerAlive);
  expect_left(report, unprobeable, Reason::kOwnerAlive);
  expect_left(report, none, Reason::kOwnerAlive);
  EXPECT_FALSE(fs::exists(own));
}

TEST_F(CleanEpochs, a_pid_that_may_not_be_probed_counts_as_alive) {
  TP_REQ("W419");
  const fs::path epoch = leave();
  test::FaultySyscalls calls;
  calls.before = [](std::string_view call) { return call == "kill" ? EPERM : 0; };
  const auto report = clean_epochs(calls, options());
  ASSERT_TRUE(report.has_value());
  expect_left(*report, epoch, Reason::kOwnerAlive);
}

TEST_F(CleanEpochs, without_a_valid_ring_the_newest_change_decides) {
  TP_REQ("W420", "W425");
  const auto break_magic = [](const OwnedStream& stream) {
    stream.regions().header_ring.writable_bytes()[0] = std::byte{0};
    set_pid(stream, static_cast<std::uint64_t>(::getppid()));
  };
  const std::function<fs::path()> broken[] = {
      [&] { return leave(break_magic); },
      [&] {
        fs::path epoch = leave();
        fs::resize_file(epoch / "header.ring", 63);
        return epoch;
      },
      [&] {
        fs::path epoch = leave();
        fs::remove(epoch / "header.ring");
        return epoch;
      },
      [&] {  // describes another epoch
        fs::path epoch = leave();
        fs::rename(epoch, stream_directory() / "77");
        return stream_directory() / "77";
      },
  };
  for (const auto& make : broken) {
    const fs::path epoch = make();
    CleanOptions with = options();
    with.now.real = real_now();
    expect_left(clean(with), epoch, Reason::kFresh);
    with.now.real += 4s;
    EXPECT_EQ(clean(with).removed.size(), 1U);
    EXPECT_FALSE(fs::exists(epoch));
  }
}

TEST_F(CleanEpochs, foreign_entries_stay_and_are_reported) {
  TP_REQ("W421");
  const fs::path epoch = leave();
  std::ofstream(epoch / "notes.txt").put('x');
  fs::create_directory(epoch / "3.pool");
  fs::create_symlink("/etc/passwd", epoch / "4.pool");
  const CleanReport report = clean(options());
  EXPECT_TRUE(report.removed.empty());
  for (const char* name : {"notes.txt", "3.pool", "4.pool"}) {
    expect_left(report, epoch / name, Reason::kForeignEntry);
  }
  EXPECT_FALSE(fs::exists(epoch / "header.ring"));
}

TEST_F(CleanEpochs, only_real_directories_with_decimal_names_are_considered) {
  TP_REQ("W416");
  const fs::path epoch = leave();
  const test::TemporaryDirectory elsewhere;
  fs::rename(epoch, elsewhere / "5");
  fs::create_directory_symlink(elsewhere / "5", stream_directory() / "5");
  for (const char* name : {"05", "x", "5x", "-5"}) {
    fs::create_directory(stream_directory() / name);
  }
  const CleanReport report = clean(options());
  EXPECT_TRUE(report.removed.empty());
  expect_left(report, stream_directory() / "5", Reason::kRefused);
  EXPECT_EQ(report.left.size(), 1U);
  EXPECT_TRUE(fs::exists(elsewhere / "5/header.ring"));
  for (const char* name : {"05", "x", "5x", "-5"}) {
    EXPECT_TRUE(fs::exists(stream_directory() / name));
  }
}

TEST_F(CleanEpochs, a_link_on_the_way_to_the_stream_is_refused) {
  TP_REQ("W416");
  const fs::path epoch = leave();
  fs::rename(base_ / "tensorpool-alice", base_ / "real");
  fs::create_directory_symlink(base_ / "real", base_ / "tensorpool-alice");
  const auto report = clean_epochs(system_calls(), options());
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, Errc::kPathRejected);
  EXPECT_TRUE(fs::exists(epoch));
}

TEST_F(CleanEpochs, a_stream_without_directory_is_clean) {
  const CleanReport report = clean(options());
  EXPECT_TRUE(report.removed.empty() && report.left.empty());
}

TEST_F(CleanEpochs, mappings_of_others_outlive_the_files) {
  TP_REQ("W422");
  std::optional<MappedStream> mapped;
  core::region::MappingPlan plan;
  static_cast<void>(leave([&](const OwnedStream& stream) {
    plan = stream.plan();
    mapped = *open_stream(system_calls(), policy(allow_base()), plan, Access::kReadOnly);
  }));
  EXPECT_EQ(clean(options()).removed.size(), 1U);
  EXPECT_TRUE(mapped->recheck(system_calls(), plan).has_value());
}

TEST_F(CleanEpochs, any_failing_call_leaves_a_report_and_no_leak) {
  std::string failed = "first";
  for (int nth = 0; !failed.empty(); ++nth) {
    static_cast<void>(leave());
    const test::Footprint before = footprint();
    test::FaultySyscalls calls;
    const test::NthFailure failure(calls, nth, EIO);
    const auto report = clean_epochs(calls, options());
    failed = failure.failed();
    const test::Footprint after = footprint();
    EXPECT_EQ(after.descriptors, before.descriptors) << failed;
    EXPECT_EQ(after.mappings, before.mappings) << failed;
    ASSERT_LT(nth, 200);
    fs::remove_all(stream_directory());
  }
}

}  // namespace
}  // namespace tensorpool::os
