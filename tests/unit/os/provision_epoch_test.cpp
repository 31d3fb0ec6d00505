// What a driver's provisioning creates, in which order and how, and how it ends.
#include "os/provision_epoch.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <thread>

#include "layout/superblock.hpp"
#include "support/requirement.hpp"
#include "unit/os/driver_fixture.hpp"

namespace tensorpool::os {
namespace {

namespace fs = std::filesystem;
using core::driver::provision_detail;
using test::kNow;
using test::kStream;
using test::locked_kib;
using test::provision;
using Step = ProvisionJob::Step;

class ProvisionEpoch : public test::DriverFilesTest {
 protected:
  [[nodiscard]] static std::vector<const MappedRegion*> regions_of(const OwnedEpoch& epoch) {
    std::vector<const MappedRegion*> regions = {&epoch.regions().header_ring};
    for (const MappedRegion& pool : epoch.regions().pools) {
      regions.push_back(&pool);
    }
    return regions;
  }
  std::unique_ptr<EpochStore> store_ = store_of(shm());
};

[[nodiscard]] struct stat stat_of(const fs::path& path) {
  struct stat found {};
  EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path;
  return found;
}

TEST_F(ProvisionEpoch, files_lie_where_the_specification_puts_them) {
  TP_REQ("D77", "D178", "W111", "W137", "W138");
  const test::Provisioned made = provision(store_->stream(kStream));
  ASSERT_TRUE(made.epoch.has_value());
  const fs::path epoch = stream_directory() / "5000000000";  // CLOCK_MONOTONIC of the test
  EXPECT_EQ(made.outcome.stream_id, kStream);
  EXPECT_EQ(made.outcome.known_epoch, 5'000'000'000U);
  ASSERT_TRUE(made.outcome.regions.has_value());
  const auto& plan = *made.outcome.regions;
  EXPECT_EQ(plan.epoch(), 5'000'000'000U);
  EXPECT_EQ(plan.header_ring.uri, "shm:file?path=" + (epoch / "header.ring").string());
  ASSERT_EQ(plan.pools.size(), 2U);
  EXPECT_EQ(plan.pools[0].uri, "shm:file?path=" + (epoch / "1.pool").string());
  EXPECT_EQ(plan.pools[1].uri, "shm:file?path=" + (epoch / "2.pool").string());
  EXPECT_EQ(fs::file_size(epoch / "header.ring"), 64U + 8 * 256);
  EXPECT_EQ(fs::file_size(epoch / "1.pool"), 64U + 8 * 4096);
  EXPECT_EQ(fs::file_size(epoch / "2.pool"), 64U + 8 * 64);
}

TEST_F(ProvisionEpoch, the_user_is_the_account_and_not_the_environment) {
  TP_REQ("D194");
  for (const char* name : {"USER", "LOGNAME", "USERNAME", "HOME"}) {
    ::setenv(name, "mallory", 1);
  }
  const auto store = store_of(shm());
  EXPECT_TRUE(provision(store->stream(kStream)).epoch.has_value());
  EXPECT_TRUE(fs::exists(stream_directory()));
  EXPECT_EQ(std::distance(fs::directory_iterator(base_.path()), {}), 1);
}

TEST_F(ProvisionEpoch, clients_can_open_what_a_driver_provisions) {
  TP_REQ("D33", "D38", "D76");
  const test::Provisioned made = provision(store_->stream(kStream));
  ASSERT_TRUE(made.epoch.has_value());
  for (const Access access : {Access::kReadOnly, Access::kReadWrite}) {
    const auto mapped =
        open_stream(system_calls(), policy(allow_base()), *made.outcome.regions, access);
    ASSERT_TRUE(mapped.has_value()) << describe(mapped.error());
    EXPECT_TRUE(mapped->recheck(system_calls(), *made.outcome.regions).has_value());
  }
}

TEST_F(ProvisionEpoch, superblocks_are_complete_and_the_rest_is_zero) {
  TP_REQ("D200", "D201");
  ProvisionJob job(store_->stream(kStream), {}, {.geometry = test::small_geometry()});
  Nanos now = kNow.mono;
  while (job.step(now) != Step::kDone) {
    now += Nanos{1};  // superblocks carry the time of their creation, not of the job's start
  }
  const auto epoch = job.take_epoch();
  ASSERT_TRUE(epoch.has_value());
  for (const MappedRegion* region : regions_of(*epoch)) {
    const layout::Superblock block = region->superblock();
    EXPECT_EQ(block.magic, 0x544F504C53484D31U);
    EXPECT_TRUE(check_superblock(block, region->expected()).has_value());
    EXPECT_EQ(block.pid, static_cast<std::uint64_t>(::getpid()));
    EXPECT_GT(block.start_timestamp_ns, epoch->epoch());
    EXPECT_LE(block.start_timestamp_ns, static_cast<std::uint64_t>(now.count()));
    EXPECT_EQ(block.activity_timestamp_ns, block.start_timestamp_ns);
    const auto rest = region->bytes().subspan(layout::kSuperblockBytes);
    EXPECT_TRUE(std::all_of(rest.begin(), rest.end(), [](auto b) { return b == std::byte{}; }));
  }
}

TEST_F(ProvisionEpoch, everything_else_is_in_place_before_the_first_magic) {
  TP_REQ("D202", "W148");
  test::FaultySyscalls calls;
  const auto store = store_of(shm(), calls);
  int synchronised = 0;
  calls.before = [&](std::string_view call) {
    if (call != "msync") {
      return 0;
    }
    ++synchronised;
    int magics = 0;
    const fs::path epoch = stream_directory() / "5000000000";
    for (const auto& [name, bytes] :
         std::map<std::string, std::uintmax_t>{{"header.ring", 64U + 8 * 256},
                                               {"1.pool", 64U + 8 * 4096},
                                               {"2.pool", 64U + 8 * 64}}) {
      EXPECT_EQ(fs::file_size(epoch / name), bytes) << name;
      EXPECT_EQ(stat_of(epoch / name).st_mode & 07777, 0660U) << name;
      std::uint64_t magic = 0;
      std::ifstream(epoch / name).read(reinterpret_cast<char*>(&magic), sizeof(magic));
      EXPECT_TRUE(magic == 0 || magic == layout::kSuperblockMagic);
      magics += magic == 0 ? 0 : 1;
    }
    EXPECT_EQ(magics, synchronised);
    return 0;
  };
  EXPECT_TRUE(provision(store->stream(kStream)).epoch.has_value());
  EXPECT_EQ(synchronised, 3);
}

TEST_F(ProvisionEpoch, modes_are_exact_and_do_not_depend_on_the_umask) {
  TP_REQ("D195", "D196");
  const struct {
    mode_t file;
    mode_t directory;
  } table[] = {{0660, 02770}, {0600, 0700}, {0640, 02750}, {0644, 02755}, {0664, 02775}};
  for (const auto& [file, directory] : table) {
    for (const mode_t mask : {mode_t{0000}, mode_t{0022}, mode_t{0077}, mode_t{0177}}) {
      const test::TemporaryDirectory parent;
      const mode_t before = ::umask(mask);
      const auto store = store_of({.base_dir = parent / "base", .permissions_mode = file});
      const auto made = provision(store->stream(kStream));
      ::umask(before);
      ASSERT_TRUE(made.epoch.has_value()) << describe(made.outcome.regions.error());
      int entries = 0;
      for (const auto& entry : fs::recursive_directory_iterator(parent.path())) {
        const mode_t expected = entry.is_directory() ? directory : file;
        EXPECT_EQ(stat_of(entry.path()).st_mode & 07777, expected) << entry.path();
        ++entries;
      }
      EXPECT_EQ(entries, 1 + 4 + 3) << "base, four levels, three files";
    }
  }
}

TEST_F(ProvisionEpoch, each_is_higher_than_the_one_before_and_new) {
  TP_REQ("D178", "D185", "D216", "W141");
  ManagedStream& stream = store_->stream(kStream);
  const auto first = provision(stream);
  ASSERT_TRUE(first.epoch.has_value());
  const fs::path files = stream_directory() / std::to_string(first.epoch->epoch());
  const auto inode = stat_of(files / "1.pool").st_ino;
  const auto second =
      provision(stream, {.reuse_existing_shm = true},
                {.geometry = test::small_geometry(), .known_epoch = first.outcome.known_epoch});
  ASSERT_TRUE(second.epoch.has_value());
  EXPECT_EQ(second.epoch->epoch(), first.epoch->epoch() + 1);
  EXPECT_EQ(stat_of(files / "1.pool").st_ino, inode);
  EXPECT_NE(stat_of(stream_directory() / std::to_string(second.epoch->epoch()) / "1.pool").st_ino,
            inode);
}

TEST_F(ProvisionEpoch, the_first_use_of_a_stream_looks_at_what_earlier_processes_left) {
  TP_REQ("D178", "D180", "D181");
  fs::create_directories(stream_directory() / "7000000000");
  for (const char* name : {"007100000000", "+7200000000", "-7300000000", "7400000000x",
                           " 7500000000", "9223372036854775808", "18446744073709551616", "0"}) {
    fs::create_directory(stream_directory() / name);
  }
  std::ofstream(stream_directory() / "7600000000").put('x');
  fs::create_directory_symlink(base_.path(), stream_directory() / "7700000000");
  const auto made = provision(store_->stream(kStream));
  ASSERT_TRUE(made.epoch.has_value()) << describe(made.outcome.regions.error());
  EXPECT_EQ(made.epoch->epoch(), 7'000'000'001U);
  EXPECT_EQ(made.outcome.known_epoch, 7'000'000'001U);
}

TEST_F(ProvisionEpoch, the_highest_number_exhausts_the_stream) {
  TP_REQ("D179", "D180");
  fs::create_directories(stream_directory() / "9223372036854775807");
  const Error error = expect_refused(*store_);
  EXPECT_EQ(error.code, Errc::kEpochExhausted);
  EXPECT_EQ(provision_detail(error), "epoch space exhausted");
  fs::rename(stream_directory() / "9223372036854775807",
             stream_directory() / "9223372036854775806");
  const auto last = provision(store_->stream(kStream));
  ASSERT_TRUE(last.epoch.has_value());
  EXPECT_EQ(last.epoch->epoch(), 9'223'372'036'854'775'807U);
}

TEST_F(ProvisionEpoch, numbers_that_are_taken_meanwhile_become_known) {
  TP_REQ("D199");
  for (const int taken : {1, 7, 8}) {
    test::FaultySyscalls calls;
    const auto store = store_of(shm(), calls);
    int left = 0;
    calls.before = [&](std::string_view call) {
      if (call == "mkdirat" && fs::exists(stream_directory()) && left-- > 0) {
        const std::uint64_t number = 5'000'000'000U + static_cast<std::uint64_t>(taken - left - 1);
        fs::create_directory(stream_directory() / std::to_string(number));
      }
      return 0;
    };
    EXPECT_TRUE(store->stream(kStream).open(ManagedStream::Absent::kCreate).has_value());
    left = taken;
    const auto made = provision(store->stream(kStream));
    EXPECT_EQ(made.epoch.has_value(), taken < 8) << taken;
    const std::uint64_t last = 5'000'000'000U + static_cast<std::uint64_t>(taken);
    EXPECT_EQ(made.outcome.known_epoch, taken < 8 ? last : last - 1);
    fs::remove_all(user_directory());
  }
}

/// KiB below `directory` that this process has in its page tables.
[[nodiscard]] std::uint64_t resident_kib(const fs::path& directory) {
  std::ifstream mappings("/proc/self/smaps");
  std::uint64_t sum = 0;
  bool ours = false;
  for (std::string line; std::getline(mappings, line);) {
    if (line.find('-') < line.find(' ')) {  // an address range: a mapping begins
      ours = line.find(directory) != std::string::npos;
    } else if (ours && line.starts_with("Rss:")) {
      sum += std::stoull(line.substr(4));
    }
  }
  return sum;
}

TEST_F(ProvisionEpoch, blocks_exist_and_pages_are_present_when_prefault_is_wanted) {
  TP_REQ("D205");
  for (const bool old_kernel : {false, true}) {
    test::FaultySyscalls calls;
    const auto store = store_of(shm(), calls);
    std::vector<std::string> order;
    calls.before = [&](std::string_view call) {
      if (call == "fallocate" || call == "madvise" || call == "mmap") {
        order.emplace_back(call);
      }
      const bool touching = call == "madvise" && order.size() > 9;  // before: MADV_DONTFORK
      return old_kernel && touching ? EINVAL : 0;
    };
    const auto made = provision(store->stream(kStream));
    ASSERT_TRUE(made.epoch.has_value()) << describe(made.outcome.regions.error());
    const std::vector<std::string> expected = {
        "fallocate", "fallocate", "fallocate", "mmap",    "madvise", "mmap",    "madvise", "mmap",
        "madvise",   "madvise",   "madvise",   "madvise", "madvise", "madvise", "madvise"};
    EXPECT_EQ(order, expected);
    for (const MappedRegion* region : regions_of(*made.epoch)) {
      const std::size_t pages = (region->bytes().size() + 4095) / 4096;
      std::vector<unsigned char> present(pages);
      ASSERT_EQ(::mincore(const_cast<std::byte*>(region->bytes().data()), region->bytes().size(),
                          present.data()),
                0);
      EXPECT_TRUE(
          std::all_of(present.begin(), present.end(), [](auto page) { return (page & 1U) != 0; }));
    }
    for (const auto& entry : fs::directory_iterator(stream_directory() / "5000000000")) {
      EXPECT_GE(static_cast<std::uint64_t>(stat_of(entry.path()).st_blocks) * 512,
                entry.file_size());
    }
    fs::remove_all(user_directory());
  }
}

TEST_F(ProvisionEpoch, without_prefault_only_superblocks_have_blocks) {
  TP_REQ("D206");
  const auto made = provision(store_->stream(kStream), {.prefault_shm = false});
  ASSERT_TRUE(made.epoch.has_value()) << describe(made.outcome.regions.error());
  const fs::path epoch = stream_directory() / "5000000000";
  for (const char* name : {"header.ring", "1.pool", "2.pool"}) {
    EXPECT_EQ(stat_of(epoch / name).st_blocks * 512, 4096) << name;
  }
  EXPECT_EQ(fs::file_size(epoch / "1.pool"), 64U + 8 * 4096);
  EXPECT_TRUE(
      open_stream(system_calls(), policy(allow_base()), *made.outcome.regions, Access::kReadOnly)
          .has_value());
}

TEST_F(ProvisionEpoch, regions_stay_locked_until_the_epoch_goes) {
  TP_REQ("D207");
  if (!test::mlock_works()) {
    TP_SKIP_WITHOUT("mlock: sanitizers take it away");
  }
  for (const bool prefault : {true, false}) {
    const std::uint64_t before = locked_kib();
    auto made = provision(store_->stream(kStream), {.prefault_shm = prefault, .mlock_shm = true});
    ASSERT_TRUE(made.epoch.has_value()) << describe(made.outcome.regions.error());
    EXPECT_EQ(locked_kib(), before + 4 + 36 + 4);
    made.epoch.reset();
    EXPECT_EQ(locked_kib(), before);
  }
}

TEST_F(ProvisionEpoch, a_lock_that_fails_is_a_failure_and_never_ignored) {
  TP_REQ("D203", "D207");
  for (const int os_errno : {ENOMEM, EPERM, EAGAIN}) {
    test::FaultySyscalls calls;
    calls.before = [&](std::string_view call) { return call == "mlock" ? os_errno : 0; };
    const auto store = store_of(shm(), calls);
    const Error error = expect_refused(*store, {.mlock_shm = true});
    EXPECT_EQ(provision_detail(error).find("mlock"), 0U) << provision_detail(error);
    EXPECT_EQ(error.os_errno, os_errno);
  }
}

TEST_F(ProvisionEpoch, more_than_the_free_space_asks_for_collections_and_is_refused_then) {
  TP_REQ("D204");
  test::PretendingSyscalls calls;
  const auto store = store_of(shm(), calls);
  const std::uint64_t needed = (64 + 8 * 256) + (64 + 8 * 4096) + (64 + 8 * 64);
  for (const bool enabled : {true, false}) {
    calls.free_bytes = needed - 1;
    std::vector<Step> asked;
    const auto made = provision(store->stream(kStream), {.epoch_gc_enabled = enabled},
                                {.geometry = test::small_geometry()}, [&](Step step) {
                                  if (step != Step::kMore) {
                                    asked.push_back(step);
                                  }
                                });
    ASSERT_FALSE(made.outcome.regions.has_value());
    EXPECT_EQ(provision_detail(made.outcome.regions.error()),
              "insufficient space: need 35520 bytes, have 35519");
    EXPECT_EQ(asked, enabled ? (std::vector{Step::kCollectStream, Step::kCollectAll})
                             : std::vector<Step>{});
    EXPECT_EQ(made.outcome.known_epoch, 0U) << "no number was used";
    EXPECT_TRUE(fs::is_empty(stream_directory()));
  }
  EXPECT_EQ(needed, 35520U);
}

TEST_F(ProvisionEpoch, memory_that_the_control_group_does_not_allow_is_no_free_space) {
  TP_REQ("D204", "D205");
  test::PretendingSyscalls calls;
  calls.headroom_bytes = 35519;
  const auto store = store_of(shm(), calls);
  const auto made = provision(store->stream(kStream));
  ASSERT_FALSE(made.outcome.regions.has_value());
  EXPECT_EQ(provision_detail(made.outcome.regions.error()),
            "insufficient space: need 35520 bytes, have 35519");
  EXPECT_TRUE(provision(store->stream(kStream), {.prefault_shm = false}).epoch.has_value())
      << "takes none yet";
}

TEST_F(ProvisionEpoch, files_take_whole_blocks) {
  TP_REQ("D204");
  test::PretendingSyscalls calls;
  const auto store = store_of(shm(), calls);
  constexpr std::uint64_t kBlocks = 4096 + 9 * 4096 + 4096;
  calls.free_bytes = kBlocks - 1;
  const auto made = provision(store->stream(kStream));
  ASSERT_FALSE(made.outcome.regions.has_value());
  EXPECT_EQ(provision_detail(made.outcome.regions.error()),
            "insufficient space: need 45056 bytes, have 45055");
  calls.free_bytes = kBlocks;
  EXPECT_TRUE(provision(store->stream(kStream)).epoch.has_value());
}

TEST_F(ProvisionEpoch, space_that_a_collection_frees_is_used) {
  TP_REQ("D204");
  for (const Step last : {Step::kCollectStream, Step::kCollectAll}) {
    test::PretendingSyscalls calls;
    const auto store = store_of(shm(), calls);
    calls.free_bytes = 0;
    std::vector<Step> asked;
    const auto made =
        provision(store->stream(kStream), {}, {.geometry = test::small_geometry()}, [&](Step step) {
          if (step != Step::kMore) {
            asked.push_back(step);
          }
          if (step == last) {
            calls.free_bytes = 1U << 20U;
          }
        });
    EXPECT_TRUE(made.epoch.has_value());
    EXPECT_EQ(asked.back(), last);
    fs::remove_all(user_directory());
  }
}

TEST_F(ProvisionEpoch, sums_beyond_64_bits_do_not_fit_anywhere) {
  core::region::StreamGeometry geometry = test::small_geometry();
  geometry.nslots = 1U << 31U;
  geometry.pools.assign(256, {});
  for (std::uint16_t i = 0; i < 256; ++i) {
    geometry.pools[i] = {.pool_id = i, .stride_bytes = 1U << 31U};
  }
  const auto made = provision(store_->stream(kStream), {}, {.geometry = geometry});
  ASSERT_FALSE(made.outcome.regions.has_value());
  EXPECT_EQ(made.outcome.regions.error().code, Errc::kNoSpace);
  EXPECT_EQ(made.outcome.regions.error().value, ~std::uint64_t{0});
}

TEST_F(ProvisionEpoch, hugetlbfs_rounds_lengths_and_marks_uris) {
  TP_REQ("D77", "D204", "D211");
  test::PretendingSyscalls calls;
  calls.hugepage_bytes = 16384;
  calls.free_bytes = 0;  // is not asked there
  const auto store = store_of(shm(), calls);
  for (const bool prefault : {true, false}) {
    const auto made = provision(store->stream(kStream), {.prefault_shm = prefault});
    ASSERT_TRUE(made.epoch.has_value()) << describe(made.outcome.regions.error());
    const fs::path epoch = stream_directory() / std::to_string(made.epoch->epoch());
    EXPECT_EQ(fs::file_size(epoch / "header.ring"), 16384U);
    EXPECT_EQ(fs::file_size(epoch / "1.pool"), 3 * 16384U);
    EXPECT_EQ(fs::file_size(epoch / "2.pool"), 16384U);
    const auto& plan = *made.outcome.regions;
    for (const std::string& uri : {plan.header_ring.uri, plan.pools[0].uri, plan.pools[1].uri}) {
      EXPECT_TRUE(uri.ends_with("|require_hugepages=true")) << uri;
    }
  }
}

TEST_F(ProvisionEpoch, works_in_slices) {
  TP_REQ("D345");
  class Recording final : public test::FaultySyscalls {
   public:
    std::uint64_t largest = 0;
    int fallocate(int fd, off_t offset, off_t bytes) override {
      ++in_step;
      largest = std::max(largest, static_cast<std::uint64_t>(bytes));
      return FaultySyscalls::fallocate(fd, offset, bytes);
    }
    int madvise(void* address, std::size_t bytes, int advice) override {
      ++in_step;
      largest = advice == MADV_DONTFORK ? largest : std::max(largest, bytes);
      return FaultySyscalls::madvise(address, bytes, advice);
    }
    int in_step = 0;
  } calls;
  const auto store = store_of(shm(), calls);
  const core::region::StreamGeometry geometry{
      .stream_id = kStream, .nslots = 16, .pools = {{.pool_id = 1, .stride_bytes = 8U << 20U}}};
  ProvisionJob job(store->stream(kStream), {}, {.geometry = geometry});
  int steps = 0;
  int busiest = 0;
  for (Step step = Step::kMore; step != Step::kDone; ++steps) {
    calls.in_step = 0;
    step = job.step(kNow.mono);
    busiest = std::max(busiest, calls.in_step);
  }
  EXPECT_TRUE(job.outcome().regions.has_value());
  EXPECT_EQ(calls.largest, 64U << 20U);
  EXPECT_LE(busiest, 2) << "made present and let go";
  EXPECT_LT(resident_kib(base_.path()), 1024U) << "of 128 MiB: what a superblock needs";
  // Three for directories, then for each file: created, mapped, finished; a slice for the ring and
  // three for the pool, allocated and touched.
  EXPECT_EQ(steps, 3 + 2 * 3 + 2 * (1 + 3));
}

TEST_F(ProvisionEpoch, jobs_of_several_streams_run_on_threads_of_their_own) {
  TP_REQ("D345");
  std::vector<ManagedStream*> streams;
  for (std::uint32_t id = 1; id <= 4; ++id) {
    streams.push_back(&store_->stream(id));
  }
  std::vector<std::optional<OwnedEpoch>> made(streams.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    threads.emplace_back([&, i] {
      core::region::StreamGeometry geometry = test::small_geometry();
      geometry.stream_id = streams[i]->stream_id();
      made[i] = provision(*streams[i], {}, {.geometry = geometry}).epoch;
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const auto& epoch : made) {
    ASSERT_TRUE(epoch.has_value());
    EXPECT_TRUE(epoch->check_files(system_calls()).has_value());
  }
}

TEST_F(ProvisionEpoch, a_job_that_is_cancelled_leaves_nothing_behind) {
  TP_REQ("D203");
  ASSERT_TRUE(store_->stream(kStream).open(ManagedStream::Absent::kCreate).has_value());
  const test::Footprint before = footprint();
  bool done = false;
  for (int steps = 0; !done; ++steps) {
    {
      ProvisionJob job(store_->stream(kStream), {.mlock_shm = true},
                       {.geometry = test::small_geometry()});
      for (int step = 0; step < steps && !done; ++step) {
        done = job.step(kNow.mono) == Step::kDone;
      }
    }
    if (!done) {
      ASSERT_EQ(footprint(), before) << steps;
    }
  }
}

TEST_F(ProvisionEpoch, the_number_of_a_failure_stays_used) {
  TP_REQ("D203");
  test::FaultySyscalls calls;
  calls.before = [](std::string_view call) { return call == "fallocate" ? ENOSPC : 0; };
  const auto store = store_of(shm(), calls);
  const auto failed = provision(store->stream(kStream));
  ASSERT_FALSE(failed.outcome.regions.has_value());
  EXPECT_EQ(failed.outcome.regions.error().code, Errc::kNoSpace);
  EXPECT_EQ(failed.outcome.known_epoch, 5'000'000'000U);
  EXPECT_TRUE(fs::is_empty(stream_directory()));
  calls.before = [](const char*) { return 0; };
  const auto next =
      provision(store->stream(kStream), {},
                {.geometry = test::small_geometry(), .known_epoch = failed.outcome.known_epoch});
  EXPECT_EQ(next.outcome.known_epoch, 5'000'000'001U);
}

TEST_F(ProvisionEpoch, activity_is_refreshed_in_every_region) {
  TP_REQ("D34");
  const auto made = provision(store_->stream(kStream));
  ASSERT_TRUE(made.epoch.has_value());
  made.epoch->store_activity(Nanos{6'000'000'000});
  const auto mapped =
      open_stream(system_calls(), policy(allow_base()), *made.outcome.regions, Access::kReadOnly);
  ASSERT_TRUE(mapped.has_value());
  EXPECT_EQ(mapped->header_ring.activity_ns(), 6'000'000'000U);
  for (const MappedRegion& pool : mapped->pools) {
    EXPECT_EQ(pool.activity_ns(), 6'000'000'000U);
  }
}

TEST_F(ProvisionEpoch, files_that_are_gone_short_or_exchanged_are_found) {
  TP_REQ("D69");
  const auto make = [&](std::uint64_t known) {
    return provision(store_->stream(kStream), {},
                     {.geometry = test::small_geometry(), .known_epoch = known});
  };
  const auto path_of = [&](const test::Provisioned& made) {
    return stream_directory() / std::to_string(made.outcome.known_epoch);
  };
  std::uint64_t number = 100'000'000'000;
  for (const std::string name : {"header.ring", "1.pool", "2.pool"}) {
    const auto removed = make(++number);
    ASSERT_TRUE(removed.epoch.has_value());
    EXPECT_TRUE(removed.epoch->check_files(system_calls()).has_value());
    fs::remove(path_of(removed) / name);
    EXPECT_EQ(removed.epoch->check_files(system_calls()).error().code, Errc::kNotFound) << name;

    std::ofstream(path_of(removed) / name) << std::string(100'000, 'x');
    EXPECT_EQ(removed.epoch->check_files(system_calls()).error().code, Errc::kNotFound) << name;

    number = removed.outcome.known_epoch;
    const auto shrunk = make(++number);
    ASSERT_TRUE(shrunk.epoch.has_value());
    fs::resize_file(path_of(shrunk) / name, fs::file_size(path_of(shrunk) / name) - 1);
    EXPECT_EQ(shrunk.epoch->check_files(system_calls()).error().code, Errc::kRegionTooSmall);
    number = shrunk.outcome.known_epoch;
  }
  const auto moved = make(++number);
  ASSERT_TRUE(moved.epoch.has_value());
  fs::rename(user_directory(), base_ / "elsewhere");
  EXPECT_EQ(moved.epoch->check_files(system_calls()).error().code, Errc::kNotFound);
}

TEST_F(ProvisionEpoch, nothing_stays_open_once_epoch_and_store_are_gone) {
  const test::Footprint before = footprint();
  {
    const auto store = store_of(shm());
    const auto made = provision(store->stream(kStream), {.mlock_shm = true});
    EXPECT_TRUE(made.epoch.has_value());
  }
  const test::Footprint after = footprint();
  EXPECT_EQ(after.descriptors, before.descriptors);
  EXPECT_EQ(after.mappings, before.mappings);
}

}  // namespace
}  // namespace tensorpool::os
