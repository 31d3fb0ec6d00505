// What a driver's garbage collection deletes, what it leaves, and the reasons it gives.
#include "os/collect_epochs.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "layout/superblock.hpp"
#include "support/requirement.hpp"
#include "unit/os/driver_fixture.hpp"

namespace tensorpool::os {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using core::driver::CollectOutcome;
using core::driver::CollectRequest;
using core::driver::KeepReason;
using test::kNow;
using test::kStream;
using test::PolicySettings;
using test::provision;

class CollectEpochs : public test::DriverFilesTest {
 protected:
  /// Epochs 5000000000, 5000000001, … of an earlier life of this driver: all complete, none held.
  void leave_epochs(int count) {
    const auto earlier = store_of(shm());
    std::uint64_t known = 0;
    for (int i = 0; i < count; ++i) {
      known = std::stoull(leave_epoch(*earlier, known).filename());
    }
  }
  [[nodiscard]] fs::path epoch(int index) const {
    return stream_directory() / std::to_string(5'000'000'000 + index);
  }
  /// Writes one word of the superblock of an epoch's header ring.
  void set_word(int index, std::streamoff offset, std::uint64_t value) const {
    std::fstream ring(epoch(index) / "header.ring",
                      std::ios::in | std::ios::out | std::ios::binary);
    ring.seekp(offset).write(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void set_pid(int index, std::uint64_t pid) const { set_word(index, 40, pid); }
  void set_activity(int index, Nanos at) const {
    set_word(index, 56, static_cast<std::uint64_t>(at.count()));
  }
  /// Ten seconds after the files were made, on both clocks.
  [[nodiscard]] static base::Now later() {
    return {.mono = kNow.mono + 10s,
            .real = std::chrono::system_clock::now().time_since_epoch() + 10s};
  }
  [[nodiscard]] CollectOutcome collect(const CollectRequest& request,
                                       const PolicySettings& policies = {},
                                       base::Now now = later()) const {
    const auto outcome = collect_epochs(store_->stream(kStream), policies, request, now);
    EXPECT_TRUE(outcome.has_value());
    return outcome ? *outcome : CollectOutcome{};
  }
  /// Why an epoch stays; "gone" for one that does not, "nothing" for one that nobody spoke of.
  [[nodiscard]] std::string fate(const CollectOutcome& outcome, int index) const {
    const auto number = static_cast<std::uint64_t>(5'000'000'000 + index);
    for (const auto& kept : outcome.kept) {
      if (kept.epoch == number) {
        EXPECT_TRUE(fs::exists(epoch(index)));
        return std::string(to_string(kept.reason));
      }
    }
    const bool removed =
        std::find(outcome.removed.begin(), outcome.removed.end(), number) != outcome.removed.end();
    return removed ? "gone" : "nothing";
  }

  std::unique_ptr<EpochStore> store_ = store_of(shm());
};

TEST_F(CollectEpochs, deletes_what_is_obsolete_and_keeps_the_newest) {
  TP_REQ("D225", "D228", "D233");
  leave_epochs(4);
  const CollectOutcome outcome = collect({.current_epoch = 5'000'000'003});
  EXPECT_EQ(outcome.stream_id, kStream);
  EXPECT_EQ(outcome.known_epoch, 5'000'000'003U);
  EXPECT_EQ(outcome.removed, (std::vector<std::uint64_t>{5'000'000'000, 5'000'000'001}));
  EXPECT_FALSE(fs::exists(epoch(0)) || fs::exists(epoch(1)));
  EXPECT_EQ(fate(outcome, 2), "rank");
  EXPECT_EQ(fate(outcome, 3), "rank");
  EXPECT_TRUE(fs::exists(epoch(2) / "2.pool") && fs::exists(epoch(3) / "2.pool"));
}

TEST_F(CollectEpochs, the_current_epoch_and_those_with_a_lease_stay) {
  TP_REQ("D225");
  leave_epochs(5);
  const CollectOutcome outcome = collect(
      {.current_epoch = 5'000'000'002, .referenced = {5'000'000'000}}, {.epoch_gc_keep = 1});
  EXPECT_EQ(fate(outcome, 0), "referenced");
  EXPECT_EQ(fate(outcome, 1), "gone");
  EXPECT_EQ(fate(outcome, 2), "current");
  EXPECT_EQ(fate(outcome, 3), "current");
  EXPECT_EQ(fate(outcome, 4), "rank");
}

TEST_F(CollectEpochs, without_a_current_epoch_the_highest_existing_counts) {
  TP_REQ("D230");
  leave_epochs(3);
  const CollectOutcome outcome = collect({}, {.epoch_gc_keep = 1});
  EXPECT_EQ(outcome.removed.size(), 2U);
  EXPECT_EQ(fate(outcome, 2), "rank");
}

TEST_F(CollectEpochs, the_age_of_the_activity_decides) {
  TP_REQ("D225", "D226");
  leave_epochs(3);
  const PolicySettings policies{.epoch_gc_keep = 1};
  set_activity(0, later().mono - policies.gc_min_age());
  set_activity(1, later().mono - policies.gc_min_age() - Nanos{1});
  const CollectOutcome outcome = collect({}, policies);
  EXPECT_EQ(fate(outcome, 0), "age");
  EXPECT_EQ(fate(outcome, 1), "gone");
}

TEST_F(CollectEpochs, the_directory_decides_where_the_activity_says_nothing) {
  TP_REQ("D226", "D227");
  leave_epochs(6);
  set_activity(0, Nanos{0});
  set_activity(1, later().mono + 1s);
  set_word(2, 0, 0);  // the magic
  fs::resize_file(epoch(3) / "header.ring", 63);
  fs::remove(epoch(4) / "header.ring");
  set_pid(2, static_cast<std::uint64_t>(::getppid()));  // without magic it says nothing
  const PolicySettings policies{.epoch_gc_keep = 1};
  const auto now = std::chrono::file_clock::now();
  for (int index = 0; index < 5; ++index) {
    fs::last_write_time(epoch(index), now);
  }
  CollectOutcome outcome = collect({}, policies, {.mono = later().mono, .real = later().real - 8s});
  for (int index = 0; index < 5; ++index) {
    EXPECT_EQ(fate(outcome, index), "age") << index;
  }
  outcome = collect({}, policies);
  for (int index = 0; index < 5; ++index) {
    EXPECT_EQ(fate(outcome, index), "gone") << index;
  }
}

TEST_F(CollectEpochs, a_living_writer_protects_its_epoch_and_this_process_does_not) {
  TP_REQ("D225");
  const pid_t dead = ::fork();
  if (dead == 0) {
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(dead, nullptr, 0), dead);
  leave_epochs(7);
  set_pid(0, static_cast<std::uint64_t>(::getppid()));
  set_pid(1, static_cast<std::uint64_t>(dead));
  set_pid(2, 0);
  set_pid(3, static_cast<std::uint64_t>(::getpid()));
  set_pid(4, 1ULL << 40U);            // no process can have it
  set_pid(5, 0xFFFF'FFFF'FFFF'FFFF);  // nor is this "everybody"
  const CollectOutcome outcome = collect({}, {.epoch_gc_keep = 1});
  EXPECT_EQ(fate(outcome, 0), "writer_alive");
  for (const int index : {1, 2, 3, 4, 5}) {
    EXPECT_EQ(fate(outcome, index), "gone") << index;
  }
}

TEST_F(CollectEpochs, a_process_that_may_not_be_signalled_runs) {
  TP_REQ("D225");
  leave_epochs(2);
  set_pid(0, static_cast<std::uint64_t>(::getppid()));
  test::FaultySyscalls calls;
  calls.before = [](std::string_view call) { return call == "kill" ? EPERM : 0; };
  const auto store = store_of(shm(), calls);
  const auto outcome = collect_epochs(store->stream(kStream), {.epoch_gc_keep = 1}, {}, later());
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(fate(*outcome, 0), "writer_alive");
}

TEST_F(CollectEpochs, an_unreadable_header_ring_keeps_its_epoch) {
  TP_REQ("D225");
  leave_epochs(2);
  test::FaultySyscalls calls;
  const auto store = store_of(shm(), calls);
  calls.before = [](std::string_view call) { return call == "mmap" ? ENOMEM : 0; };
  const auto outcome = collect_epochs(store->stream(kStream), {.epoch_gc_keep = 1}, {}, later());
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(fate(*outcome, 0), "failed");
}

TEST_F(CollectEpochs, waiving_the_age_waives_nothing_else) {
  TP_REQ("D231");
  leave_epochs(5);
  for (int index = 0; index < 5; ++index) {
    set_activity(index, later().mono);
  }
  set_pid(0, static_cast<std::uint64_t>(::getppid()));
  CollectRequest request{.current_epoch = 5'000'000'003, .referenced = {5'000'000'001}};
  EXPECT_TRUE(collect(request, {.epoch_gc_keep = 1}).removed.empty());
  request.waive_age = true;
  const CollectOutcome outcome = collect(request, {.epoch_gc_keep = 1});
  EXPECT_EQ(fate(outcome, 0), "writer_alive");
  EXPECT_EQ(fate(outcome, 1), "referenced");
  EXPECT_EQ(fate(outcome, 2), "gone");
  EXPECT_EQ(fate(outcome, 3), "current");
  EXPECT_EQ(fate(outcome, 4), "rank");
}

TEST_F(CollectEpochs, foreign_entries_stay_with_their_directory) {
  TP_REQ("D232");
  leave_epochs(2);
  std::ofstream(base_ / "precious").put('x');
  const auto plant = [&] {
    std::ofstream(epoch(0) / "notes.txt").put('x');
    std::ofstream(epoch(0) / "01.pool").put('x');
    fs::create_directory(epoch(0) / "3.pool");
    fs::create_symlink(base_ / "precious", epoch(0) / "4.pool");
  };
  plant();
  CollectRequest request{.dry_run = true};
  EXPECT_EQ(fate(collect(request, {.epoch_gc_keep = 1}), 0), "foreign_file");
  EXPECT_TRUE(fs::exists(epoch(0) / "header.ring"));
  request.dry_run = false;
  const CollectOutcome outcome = collect(request, {.epoch_gc_keep = 1});
  EXPECT_EQ(fate(outcome, 0), "foreign_file");
  EXPECT_FALSE(outcome.kept.front().detail.empty());
  for (const char* name : {"notes.txt", "01.pool", "3.pool", "4.pool"}) {
    EXPECT_TRUE(fs::exists(fs::symlink_status(epoch(0) / name))) << name;
  }
  EXPECT_TRUE(fs::exists(base_ / "precious"));
  EXPECT_FALSE(fs::exists(epoch(0) / "header.ring"));
  EXPECT_FALSE(fs::exists(epoch(0) / "1.pool"));
}

TEST_F(CollectEpochs, a_header_ring_that_is_a_link_is_not_followed) {
  TP_REQ("D227", "D232");
  leave_epochs(2);
  fs::rename(epoch(0) / "header.ring", base_ / "ring");
  fs::create_symlink(base_ / "ring", epoch(0) / "header.ring");
  CollectRequest request{.waive_age = true};
  EXPECT_EQ(fate(collect(request, {.epoch_gc_keep = 1}), 0), "foreign_file");
  EXPECT_TRUE(fs::exists(base_ / "ring"));
}

TEST_F(CollectEpochs, only_real_directories_with_the_name_of_an_epoch_are_touched) {
  TP_REQ("D181", "D225");
  leave_epochs(2);
  const test::TemporaryDirectory elsewhere;
  fs::create_directory(elsewhere / "victim");
  std::ofstream(elsewhere / "victim/header.ring").put('x');
  fs::create_directory_symlink(elsewhere / "victim", stream_directory() / "5");
  const std::vector<std::string> names = {"0", "07", "x", "-5", "9223372036854775808"};
  for (const std::string& name : names) {
    fs::create_directory(stream_directory() / name);
    std::ofstream(stream_directory() / name / "header.ring").put('x');
  }
  const CollectOutcome outcome = collect({.waive_age = true}, {.epoch_gc_keep = 1});
  EXPECT_EQ(outcome.removed, std::vector<std::uint64_t>{5'000'000'000});
  EXPECT_EQ(outcome.kept.size(), 1U);
  for (const std::string& name : names) {
    EXPECT_TRUE(fs::exists(stream_directory() / name / "header.ring")) << name;
  }
  EXPECT_TRUE(fs::exists(elsewhere / "victim/header.ring"));
}

TEST_F(CollectEpochs, directories_that_are_not_the_drivers_stay) {
  TP_REQ("D225");
  leave_epochs(3);
  fs::permissions(epoch(0), fs::perms(0777));
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(epoch(1).c_str(), 12345, 12345), 0);
  } else {
    fs::permissions(epoch(1), fs::perms(0707));
  }
  const CollectOutcome outcome = collect({.waive_age = true}, {.epoch_gc_keep = 1});
  EXPECT_EQ(fate(outcome, 0), "unmanaged");
  EXPECT_EQ(fate(outcome, 1), "unmanaged");
  EXPECT_TRUE(fs::exists(epoch(0) / "header.ring") && fs::exists(epoch(1) / "header.ring"));
}

TEST_F(CollectEpochs, nothing_outside_the_allowed_directories_is_deleted) {
  TP_REQ("D225");
  leave_epochs(2);
  fs::create_directory(base_ / "allowed");
  test::ShmSettings settings = shm();
  settings.allowed_base_dirs = {base_ / "allowed"};
  const auto store = store_of(settings);
  const auto outcome = collect_epochs(store->stream(kStream), {.epoch_gc_keep = 1}, {}, later());
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(fate(*outcome, 0), "unmanaged");
}

TEST_F(CollectEpochs, a_stream_that_another_driver_manages_is_left_alone) {
  TP_REQ("D214", "D225");
  leave_epochs(3);
  const auto other = store_of(shm());
  ASSERT_TRUE(other->stream(kStream).open(ManagedStream::Absent::kRefuse).has_value());
  const auto outcome = collect_epochs(store_->stream(kStream), {.epoch_gc_keep = 1}, {}, later());
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, Errc::kAlreadyExists);
  EXPECT_TRUE(fs::exists(epoch(0)));
}

TEST_F(CollectEpochs, looking_at_a_stream_does_not_take_it_into_possession) {
  TP_REQ("D214");
  leave_epochs(1);
  const test::Footprint before = footprint();
  static_cast<void>(collect({}));
  EXPECT_EQ(footprint(), before);
  const auto other = store_of(shm());
  EXPECT_TRUE(other->stream(kStream).open(ManagedStream::Absent::kRefuse).has_value());
}

TEST_F(CollectEpochs, a_dry_run_says_the_same_and_does_nothing) {
  TP_REQ("D225");
  leave_epochs(4);
  set_pid(0, static_cast<std::uint64_t>(::getppid()));
  const test::Footprint before = footprint();
  CollectRequest request{.current_epoch = 5'000'000'003, .dry_run = true};
  const CollectOutcome said = collect(request);
  EXPECT_EQ(footprint(), before);
  request.dry_run = false;
  const CollectOutcome done = collect(request);
  EXPECT_EQ(said.removed, done.removed);
  EXPECT_EQ(said.removed, std::vector<std::uint64_t>{5'000'000'001});
  for (int index = 0; index < 4; ++index) {
    EXPECT_EQ(index == 1 ? "gone" : fate(said, index), fate(done, index)) << index;
  }
}

TEST_F(CollectEpochs, nothing_goes_while_collection_is_disabled) {
  TP_REQ("D234");
  leave_epochs(4);
  const PolicySettings off{.epoch_gc_enabled = false, .epoch_gc_keep = 1};
  for (const bool waive : {false, true}) {
    const CollectOutcome outcome = collect({.waive_age = waive}, off);
    EXPECT_TRUE(outcome.removed.empty());
    EXPECT_EQ(fate(outcome, 0), "disabled");
  }
}

TEST_F(CollectEpochs, the_files_of_earlier_processes_go_on_demand_and_their_numbers_stay_known) {
  TP_REQ("D215", "D234");
  leave_epochs(3);
  set_pid(1, static_cast<std::uint64_t>(::getppid()));
  const CollectOutcome outcome =
      collect({.earlier_processes = true}, {.epoch_gc_enabled = false}, kNow);
  EXPECT_EQ(fate(outcome, 0), "gone");
  EXPECT_EQ(fate(outcome, 1), "writer_alive");
  EXPECT_EQ(fate(outcome, 2), "gone");
  EXPECT_EQ(outcome.known_epoch, 5'000'000'002U);
  const auto next =
      provision(store_->stream(kStream), {},
                {.geometry = test::small_geometry(), .known_epoch = outcome.known_epoch});
  EXPECT_EQ(next.outcome.known_epoch, 5'000'000'003U);
}

TEST_F(CollectEpochs, a_stream_without_directory_has_nothing_to_collect) {
  const CollectOutcome outcome = collect({});
  EXPECT_TRUE(outcome.removed.empty() && outcome.kept.empty());
  EXPECT_FALSE(fs::exists(user_directory())) << "looking creates nothing";
}

TEST_F(CollectEpochs, mappings_outlive_the_files) {
  TP_REQ("D225", "W422");
  const auto made = provision(store_->stream(kStream));
  ASSERT_TRUE(made.epoch.has_value());
  const auto mapped =
      open_stream(system_calls(), policy(allow_base()), *made.outcome.regions, Access::kReadOnly);
  ASSERT_TRUE(mapped.has_value());
  leave_epoch(*store_, made.outcome.known_epoch);
  EXPECT_EQ(collect({}, {.epoch_gc_keep = 1}).removed.size(), 1U);
  EXPECT_TRUE(mapped->recheck(system_calls(), *made.outcome.regions).has_value());
}

TEST_F(CollectEpochs, at_the_end_a_driver_removes_its_own_epochs_and_nothing_else) {
  TP_REQ("D268");
  leave_epochs(2);  // of an earlier life
  std::uint64_t known = 0;
  for (int i = 2; i < 6; ++i) {
    known = std::stoull(leave_epoch(*store_, known).filename());
  }
  core::region::StreamGeometry other = test::small_geometry();
  other.stream_id = 10001;
  auto held = provision(store_->stream(10001), {}, {.geometry = other});
  store_->release(10001);  // reclaimed meanwhile
  std::ofstream(epoch(4) / "notes.txt").put('x');
  fs::remove_all(epoch(5));
  ASSERT_EQ(collect({.current_epoch = known, .referenced = {5'000'000'000, 5'000'000'001}}).removed,
            std::vector<std::uint64_t>{5'000'000'002});

  const auto outcome = remove_provisioned(store_->stream(kStream));
  const auto of_other = remove_provisioned(store_->stream(10001));
  ASSERT_TRUE(outcome && of_other);
  EXPECT_EQ(outcome->removed, (std::vector<std::uint64_t>{5'000'000'003, 5'000'000'005}));
  EXPECT_EQ(fate(*outcome, 4), "foreign_file");
  EXPECT_EQ(of_other->removed, std::vector<std::uint64_t>{5'000'000'000});
  EXPECT_TRUE(fs::exists(epoch(0) / "header.ring") && fs::exists(epoch(1) / "header.ring"));
  EXPECT_TRUE(fs::exists(epoch(4) / "notes.txt"));
  EXPECT_TRUE(fs::is_empty(stream_directory(10001)));
  EXPECT_TRUE(held.epoch.has_value()) << "mapped as long as it is held";
}

TEST_F(CollectEpochs, removing_at_the_end_survives_what_others_have_removed) {
  TP_REQ("D268");
  leave_epoch(*store_);
  fs::remove_all(user_directory());
  ManagedStream& stream = store_->stream(kStream);
  const auto outcome = remove_provisioned(stream);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->removed.size(), 1U);
  EXPECT_FALSE(remove_provisioned(stream));
  EXPECT_FALSE(remove_provisioned(store_->stream(10002)));
}

}  // namespace
}  // namespace tensorpool::os
