// Jobs of the driver on real files, done by the caller and in a thread.
#include "driver/epoch_keeper.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "os/clock.hpp"
#include "os/syscalls.hpp"
#include "support/eventually.hpp"
#include "support/requirement.hpp"
#include "support/scratch_directory.hpp"

namespace tensorpool::driver {
namespace {

namespace core_driver = core::driver;
using ::testing::SizeIs;

class EpochKeeperTest : public ::testing::TestWithParam<EpochKeeper::Jobs> {
 protected:
  void SetUp() override {
    settings_.shm.base_dir = scratch_.path();
    settings_.policies.epoch_gc_min_age = Nanos{1};
    Result<std::unique_ptr<EpochKeeper>> keeper =
        EpochKeeper::create(os::system_calls(), settings_, clock_, GetParam());
    ASSERT_TRUE(keeper) << describe(keeper.error());
    sut_ = std::move(*keeper);
  }
  static core_driver::Provision provision(std::uint32_t stream_id, std::uint32_t nslots = 8) {
    return {.request = {.geometry = {.stream_id = stream_id,
                                     .nslots = nslots,
                                     .pools = {{.pool_id = 1, .stride_bytes = 4096}}}}};
  }
  /// The next result of this kind.
  template <class Kind>
  [[nodiscard]] std::optional<Kind> await() {
    std::optional<Kind> found;
    EXPECT_TRUE(test::eventually([&] {
      sut_->do_work();
      std::optional<TaskResult> result = sut_->next_result();
      if (result && std::holds_alternative<Kind>(*result)) {
        found.emplace(std::move(std::get<Kind>(*result)));
      }
      return found.has_value();
    }));
    return found;
  }
  [[nodiscard]] std::size_t files() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch_.path())) {
      count += entry.is_regular_file() ? 1 : 0;
    }
    return count;
  }

  test::ScratchDirectory scratch_{"/dev/shm"};
  core_driver::Settings settings_;
  os::SystemClock clock_;
  std::unique_ptr<EpochKeeper> sut_;
};

TEST_P(EpochKeeperTest, provisions_and_keeps_what_it_has_made) {
  TP_REQ("D34");
  TP_REQ("D345");
  sut_->carry_out(provision(10000));
  const auto made = await<Provisioned>();
  ASSERT_TRUE(made && made->outcome.regions) << describe(made->outcome.regions.error());
  const core::region::MappingPlan& plan = *made->outcome.regions;
  EXPECT_EQ(plan.stream_id(), 10000U);
  EXPECT_EQ(files(), 2U);
  EXPECT_TRUE(sut_->carry_out(core_driver::VerifyEpoch{.plan = &plan}));
  EXPECT_TRUE(sut_->carry_out(
      core_driver::RefreshActivity{.stream_id = 10000, .epoch = plan.epoch()}, clock_.mono()));
}

TEST_P(EpochKeeperTest, stores_nothing_in_files_that_somebody_has_cut_off) {
  sut_->carry_out(provision(10000));
  const auto made = await<Provisioned>();
  ASSERT_TRUE(made && made->outcome.regions);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch_.path())) {
    if (entry.is_regular_file()) {
      std::filesystem::resize_file(entry.path(), 0);
    }
  }
  const Status stored = sut_->carry_out(
      core_driver::RefreshActivity{.stream_id = 10000, .epoch = made->outcome.regions->epoch()},
      clock_.mono());
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, Errc::kRegionTooSmall);
}

TEST_P(EpochKeeperTest, works_on_many_streams_and_one_job_of_each_at_a_time) {
  for (const std::uint32_t id : {1U, 2U, 3U, 1U}) {
    sut_->carry_out(provision(id));
  }
  std::multiset<std::uint32_t> done;
  std::set<std::uint64_t> epochs;
  for (int k = 0; k < 4; ++k) {
    const auto made = await<Provisioned>();
    ASSERT_TRUE(made && made->outcome.regions);
    done.insert(made->outcome.stream_id);
    if (made->outcome.stream_id == 1) {
      epochs.insert(made->outcome.regions->epoch());
    }
  }
  EXPECT_EQ(done, (std::multiset<std::uint32_t>{1, 1, 2, 3}));
  EXPECT_THAT(epochs, SizeIs(2));
}

TEST_P(EpochKeeperTest, leaves_nothing_of_a_job_that_was_cancelled) {
  TP_REQ("D203");
  sut_->carry_out(provision(10000));
  sut_->carry_out(provision(10000));  // waits for the first
  sut_->carry_out(core_driver::CancelProvisioning{.stream_id = 10000});
  int cancelled = 0;
  for (int k = 0; k < 2; ++k) {
    const auto ended = await<Provisioned>();
    ASSERT_TRUE(ended);
    cancelled += ended->outcome.regions ? 0 : 1;
  }
  EXPECT_GE(cancelled, 1);
  EXPECT_EQ(files(), 2U * static_cast<std::size_t>(2 - cancelled));
}

TEST_P(EpochKeeperTest, cancels_only_what_was_ordered_before) {
  TP_REQ("D203");
  sut_->carry_out(provision(1, 8192));  // 32 MiB: whoever does the jobs is busy with it
  sut_->carry_out(core_driver::CancelProvisioning{.stream_id = 10000});  // its job has just ended
  sut_->carry_out(provision(10000));
  for (int k = 0; k < 2; ++k) {
    const auto ended = await<Provisioned>();
    ASSERT_TRUE(ended);
    EXPECT_TRUE(ended->outcome.regions) << ended->outcome.stream_id;
  }
}

TEST_P(EpochKeeperTest, finds_that_files_are_gone) {
  TP_REQ("D69");
  sut_->carry_out(provision(10000));
  const auto made = await<Provisioned>();
  ASSERT_TRUE(made && made->outcome.regions);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch_.path())) {
    if (entry.path().extension() == ".pool") {
      std::filesystem::remove(entry.path());
      break;
    }
  }
  EXPECT_FALSE(sut_->carry_out(core_driver::VerifyEpoch{.plan = &*made->outcome.regions}));
}

TEST_P(EpochKeeperTest, says_why_it_cannot_provision) {
  TP_REQ("D66");
  core_driver::Provision large = provision(10000, 1U << 20U);
  large.request.geometry.pools[0].stride_bytes = 1U << 30U;
  sut_->carry_out(large);
  for (int round = 0; round < 2; ++round) {  // D204: of the stream, then of all
    const auto wanted = await<SpaceWanted>();
    ASSERT_TRUE(wanted);
    EXPECT_EQ(wanted->stream_id, 10000U);
    EXPECT_EQ(wanted->of_all_streams, round == 1);
    sut_->make_space(10000, {});
  }
  const auto ended = await<Provisioned>();
  ASSERT_TRUE(ended && !ended->outcome.regions);
  EXPECT_EQ(ended->outcome.regions.error().code, Errc::kNoSpace);
  EXPECT_EQ(files(), 0U);
}

TEST_P(EpochKeeperTest, collects_for_people_and_says_whom_for) {
  for (int k = 0; k < 3; ++k) {
    sut_->carry_out(provision(10000));
    ASSERT_TRUE(await<Provisioned>());
  }
  sut_->collect({.stream_id = 10000, .dry_run = true}, 7);
  const auto dry = await<Collected>();
  ASSERT_TRUE(dry && dry->outcome);
  EXPECT_EQ(dry->ticket, 7U);
  EXPECT_THAT(dry->outcome->removed, SizeIs(1));
  EXPECT_EQ(files(), 6U);
  sut_->collect({.stream_id = 10000}, 8);
  const auto real = await<Collected>();
  ASSERT_TRUE(real && real->outcome);
  EXPECT_EQ(real->outcome->removed, dry->outcome->removed);
  EXPECT_EQ(files(), 4U);
}

TEST_P(EpochKeeperTest, removes_its_own_epochs_when_asked_to) {
  TP_REQ("D268");
  sut_->carry_out(provision(10000));
  ASSERT_TRUE(await<Provisioned>());
  sut_->carry_out(core_driver::RemoveOwnEpochs{});
  EXPECT_EQ(sut_->removals(), 1U);
  const auto removed = await<Removed>();
  ASSERT_TRUE(removed && removed->outcome);
  EXPECT_THAT(removed->outcome->removed, SizeIs(1));
  EXPECT_EQ(sut_->removals(), 0U);
  EXPECT_EQ(files(), 0U);
}

TEST_P(EpochKeeperTest, removes_nothing_of_a_stream_while_a_job_works_on_it) {
  TP_REQ("D268");
  for (const std::uint32_t id : {1U, 2U, 3U}) {
    sut_->carry_out(provision(id, 1024));
  }
  sut_->carry_out(core_driver::RemoveOwnEpochs{});  // whatever they make goes, too
  for (int k = 0; k < 3; ++k) {
    const auto removed = await<Removed>();
    ASSERT_TRUE(removed && removed->outcome);
    EXPECT_THAT(removed->outcome->removed, SizeIs(1));
  }
  EXPECT_EQ(files(), 0U);
}

TEST_P(EpochKeeperTest, carries_out_removals_even_when_it_is_destroyed_meanwhile) {
  TP_REQ("D268");
  sut_->carry_out(provision(10000));
  ASSERT_TRUE(await<Provisioned>());
  sut_->carry_out(core_driver::RemoveOwnEpochs{});
  sut_.reset();
  EXPECT_EQ(files(), 0U);
}

/// Descriptors of this process on directories of the test.
[[nodiscard]] std::size_t held_directories(const std::string& base) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone);
    count += !gone && target.native().starts_with(base) && std::filesystem::is_directory(target);
  }
  return count;
}

TEST_P(EpochKeeperTest, holds_no_directory_of_a_stream_that_was_forgotten) {
  TP_REQ("D214");
  core_driver::Provision doomed = provision(10000, 1U << 20U);
  doomed.request.geometry.pools[0].stride_bytes = 1U << 30U;
  for (int round = 0; round < 2; ++round) {
    sut_->carry_out(doomed);
    for (int wanted = 0; wanted < 2; ++wanted) {
      ASSERT_TRUE(await<SpaceWanted>());
      sut_->make_space(10000, {});
    }
    ASSERT_TRUE(await<Provisioned>());
    EXPECT_EQ(held_directories(scratch_.path()), 1U);
    sut_->carry_out(core_driver::ForgetStream{.stream_id = 10000});
    EXPECT_TRUE(test::eventually([&] {
      sut_->do_work();
      EXPECT_FALSE(sut_->next_result());
      return held_directories(scratch_.path()) == 0;
    }));
  }
}

TEST_P(EpochKeeperTest, keeps_a_forgotten_stream_that_is_wanted_again) {
  TP_REQ("D214");
  sut_->carry_out(core_driver::ForgetStream{.stream_id = 10000});
  sut_->carry_out(provision(10000));
  sut_->carry_out(core_driver::ForgetStream{.stream_id = 10001});
  const auto made = await<Provisioned>();
  ASSERT_TRUE(made && made->outcome.regions);
  EXPECT_TRUE(sut_->carry_out(core_driver::VerifyEpoch{.plan = &*made->outcome.regions}));
  EXPECT_GE(held_directories(scratch_.path()), 1U);
}

INSTANTIATE_TEST_SUITE_P(Jobs, EpochKeeperTest,
                         ::testing::Values(EpochKeeper::Jobs::kInvoked,
                                           EpochKeeper::Jobs::kOwnThread),
                         [](const auto& param_info) {
                           return param_info.param == EpochKeeper::Jobs::kInvoked ? "invoked"
                                                                                  : "thread";
                         });

}  // namespace
}  // namespace tensorpool::driver
