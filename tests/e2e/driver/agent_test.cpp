// The driver's duty cycle where the system fails it, and what it warns of.
#include <gmock/gmock.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>

#include "agent_fixture.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

namespace fs = std::filesystem;
using layout::Role;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Fails the n-th system call that is no probe for openat2, for which there is another way.
class NthOfAttach {
 public:
  NthOfAttach(os::test::FaultySyscalls& calls, int nth) : calls_(calls), failure_(calls, nth, EIO) {
    calls.before = [next = calls.before](const char* call) {
      return std::string_view(call) == "openat2" ? 0 : next(call);
    };
  }
  NthOfAttach(const NthOfAttach&) = delete;
  NthOfAttach& operator=(const NthOfAttach&) = delete;
  ~NthOfAttach() {
    calls_.before = [](const char*) { return 0; };
  }
  [[nodiscard]] const std::string& failed() const noexcept { return failure_.failed(); }

 private:
  os::test::FaultySyscalls& calls_;
  os::test::NthFailure failure_;
};

TEST_F(DriverAgentTest, no_failing_call_of_an_attach_leaves_a_lease_or_anything_else_behind) {
  TP_REQ("D66", "D203");
  settings_.policies.mlock_shm = true;
  start();
  {  // the directories above the epochs stay, and the lock on the last of them
    calls_.before = [](std::string_view call) { return call == "fallocate" ? EIO : 0; };
    EXPECT_TRUE(attach(Role::kConsumer)->refused());
  }
  const os::test::Footprint before = footprint();
  std::set<std::string> failed;
  for (int nth = 0;; ++nth) {
    ASSERT_LT(nth, 300);
    const NthOfAttach failure(calls_, nth);
    const auto attempt = attach(Role::kConsumer);
    if (failure.failed().empty()) {
      EXPECT_TRUE(attempt->attached()) << attempt->text;
      EXPECT_THAT(sut_->snapshot().leases, SizeIs(1));
      leave(*attempt);
      break;
    }
    failed.insert(failure.failed());
    ASSERT_TRUE(attempt->refused()) << failure.failed() << ", call " << nth;
    EXPECT_EQ(attempt->report->code, layout::ResponseCode::kInternalError);
    EXPECT_THAT(attempt->text, HasSubstr("failed to provision SHM: "));
    EXPECT_THAT(sut_->snapshot().leases, IsEmpty()) << failure.failed();
    EXPECT_EQ(footprint(), before) << failure.failed() << ", call " << nth;
  }
  EXPECT_THAT(failed, ::testing::IsSupersetOf({"openat", "fstat", "fstatvfs", "mkdirat", "fchmod",
                                               "fallocate", "mmap", "madvise", "mlock", "msync"}));
  EXPECT_THAT(sut_->snapshot().leases, IsEmpty());
}

TEST_F(DriverAgentTest, a_producer_that_gets_no_epoch_takes_none_from_consumers) {
  TP_REQ("D188");
  start();
  const auto consumer = attach(Role::kConsumer);
  ASSERT_TRUE(consumer->attached());
  const auto before = sut_->snapshot().streams.front().epoch;
  const os::test::Footprint there = footprint();
  calls_.before = [](std::string_view call) { return call == "fallocate" ? ENOSPC : 0; };
  EXPECT_TRUE(attach(Role::kProducer)->refused());
  EXPECT_EQ(sut_->snapshot().streams.front().epoch, before);
  EXPECT_THAT(sut_->snapshot().leases, SizeIs(1));
  EXPECT_EQ(footprint(), there);
}

TEST_F(DriverAgentTest, ends_leases_in_a_cycle_in_which_nobody_says_anything) {
  TP_REQ("D138");
  settings_.policies.lease_keepalive_interval = std::chrono::milliseconds(20);
  start();
  const auto consumer = attach(Role::kConsumer);
  ASSERT_TRUE(consumer->attached());
  const Nanos expiry = sut_->snapshot().leases.front().expiry;
  ASSERT_TRUE(eventually([&] {  // of the driver alone: the client stands still
    const Nanos now = clock_.mono();
    sut_->do_work(now);
    EXPECT_EQ(sut_->snapshot().leases.empty(), now > expiry);
    return now > expiry;
  }));
  EXPECT_TRUE(until([&] { return consumer->report->kind == Attempt::Report::Kind::kLost; }));
}

TEST_F(DriverAgentTest, lives_on_when_somebody_cuts_its_files_off) {
  settings_.policies.announce_period = std::chrono::milliseconds(20);
  start();
  const auto consumer = attach(Role::kConsumer);
  ASSERT_TRUE(consumer->attached());
  const auto epoch = sut_->snapshot().streams.front().epoch;
  for (const auto& entry : fs::recursive_directory_iterator(base_.path())) {
    if (entry.is_regular_file()) {
      fs::resize_file(entry.path(), 0);
    }
  }
  EXPECT_TRUE(until([&] { return sut_->snapshot().streams.front().epoch > epoch; }));
}

TEST_F(DriverAgentTest, goes_on_without_mlock_where_there_is_none_and_says_so_once) {
  TP_REQ("D208");
  settings_.policies.mlock_shm = true;
  calls_.before = [](std::string_view call) { return call == "mlock" ? ENOSYS : 0; };
  start();
  EXPECT_TRUE(attach(Role::kProducer)->attached());
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("policies.mlock_shm")));
}

TEST_F(DriverAgentTest, warns_once_of_what_the_settings_cannot_have) {
  TP_REQ("D213", "D216");
  settings_.shm.require_hugepages = true;
  settings_.policies.reuse_existing_shm = true;
  start();
  EXPECT_EQ(attach(Role::kConsumer)->text, "hugepages required but unavailable");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("shm.require_hugepages"),
                                     HasSubstr("policies.reuse_existing_shm")));
}

TEST_F(DriverAgentTest, warns_of_a_base_directory_in_which_others_can_exchange_files) {
  fs::permissions(base_.path(), fs::perms(0777));
  start();
  EXPECT_THAT(warnings_, ElementsAre(AllOf(HasSubstr("shm.base_dir"), HasSubstr("sticky"))));
  warnings_.clear();
  sut_.reset();
  fs::permissions(base_.path(), fs::perms(01777));
  start();
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(DriverAgentTest, warns_once_of_an_epoch_that_it_cannot_remove) {
  TP_REQ("D232");
  start();
  auto producer = attach(Role::kProducer);
  ASSERT_TRUE(producer->attached());
  const fs::path epoch =
      fs::path(producer->agent->machine().grant().plan.header_ring.uri.substr(14)).parent_path();
  std::ofstream(epoch / "notes.txt").put('x');
  for (int round = 0; round < 3; ++round) {
    leave(*producer);
    producer = attach(Role::kProducer);
    ASSERT_TRUE(producer->attached());
  }
  EXPECT_TRUE(until([&] { return sut_->counters().epoch_gc_failures >= 2; }));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("foreign_file")));
  EXPECT_TRUE(fs::exists(epoch / "notes.txt"));
}

TEST_F(DriverAgentTest, removes_its_own_epochs_at_the_end_after_the_jobs_that_are_under_way) {
  TP_REQ("D268");
  settings_.policies.cleanup_shm_on_exit = true;
  settings_.policies.shutdown_timeout = Nanos{0};
  for (const auto jobs :
       {driver::EpochKeeper::Jobs::kInvoked, driver::EpochKeeper::Jobs::kOwnThread}) {
    start(jobs);
    ASSERT_TRUE(attach(Role::kProducer)->attached());
    sut_->stop(clock_.mono());
    EXPECT_TRUE(until([&] { return sut_->has_ended(); }));
    for (const auto& entry : fs::recursive_directory_iterator(base_.path())) {
      EXPECT_FALSE(entry.is_regular_file()) << entry.path();
    }
    sut_.reset();
  }
}

TEST_F(DriverAgentTest, removes_its_own_epochs_even_when_nobody_waits_for_it) {
  TP_REQ("D268");
  settings_.policies.cleanup_shm_on_exit = true;
  settings_.policies.shutdown_timeout = Nanos{0};
  start(driver::EpochKeeper::Jobs::kOwnThread);
  ASSERT_TRUE(attach(Role::kProducer)->attached());
  sut_->stop(clock_.mono());
  sut_.reset();
  for (const auto& entry : fs::recursive_directory_iterator(base_.path())) {
    EXPECT_FALSE(entry.is_regular_file()) << entry.path();
  }
}

}  // namespace
}  // namespace tensorpool::test
