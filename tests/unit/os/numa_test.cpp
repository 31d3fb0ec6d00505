// NUMA nodes: which there are, and where the pages of a provisioned epoch lie.
#include "os/numa.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "support/requirement.hpp"
#include "unit/os/driver_fixture.hpp"

namespace tensorpool::os {
namespace {

using core::driver::provision_detail;
using test::kStream;
using test::PolicySettings;
using test::provision;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(NumberList, is_read_as_the_kernel_writes_it) {
  EXPECT_THAT(parse_number_list("0\n"), ElementsAre(0));
  EXPECT_THAT(parse_number_list("0-2,5,8-9\n"), ElementsAre(0, 1, 2, 5, 8, 9));
  EXPECT_THAT(parse_number_list(""), IsEmpty());
  EXPECT_THAT(parse_number_list("x"), IsEmpty());
  EXPECT_THAT(parse_number_list("1,x"), ElementsAre(1));
  EXPECT_THAT(parse_number_list("5-2"), IsEmpty());
  EXPECT_THAT(parse_number_list("0-99999999999"), IsEmpty());
}

TEST(MemoryNodes, are_those_that_the_kernel_names) {
  const test::TemporaryDirectory root;
  EXPECT_THAT(memory_nodes(root.path()), ElementsAre(0)) << "a kernel without nodes";
  std::filesystem::create_directories(root / "sys/devices/system/node");
  std::ofstream(root / "sys/devices/system/node/has_memory") << "0,2-3\n";
  EXPECT_THAT(memory_nodes(root.path()), ElementsAre(0, 2, 3));
}

class NumaTest : public test::DriverFilesTest {
 protected:
  [[nodiscard]] static test::ProvisionRequest on_node(std::uint32_t node) {
    return {.geometry = test::small_geometry(), .numa_node = node};
  }
};

TEST_F(NumaTest, pages_lie_on_the_node_that_was_asked_for) {
  const std::uint32_t node = memory_nodes().back();
  if (node_of_page(&node) == std::nullopt) {
    TP_SKIP_WITHOUT("get_mempolicy");
  }
  const auto store = store_of(shm());
  for (const bool prefault : {true, false}) {
    const auto made =
        provision(store->stream(kStream), PolicySettings{.prefault_shm = prefault}, on_node(node));
    ASSERT_TRUE(made.epoch.has_value()) << describe(made.outcome.regions.error());
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(base_.path())) {
      if (entry.is_regular_file()) {
        EXPECT_EQ(node_of_file(entry.path()), node) << entry.path();
        ++files;
      }
    }
    EXPECT_GE(files, 3U);
  }
}

TEST_F(NumaTest, a_node_that_is_not_there_is_an_error_and_leaves_nothing_behind) {
  TP_REQ("D203");
  const auto store = store_of(shm());
  ASSERT_TRUE(store->stream(kStream).open(ManagedStream::Absent::kCreate).has_value());
  const test::Footprint before = footprint();
  const auto made = provision(store->stream(kStream), {}, on_node(777));
  ASSERT_FALSE(made.outcome.regions.has_value());
  EXPECT_THAT(made.outcome.regions.error().os_errno,
              ::testing::AnyOf(EINVAL, ENOSYS));  // an emulator does not know mbind
  EXPECT_THAT(provision_detail(made.outcome.regions.error()), HasSubstr("mbind"));
  EXPECT_EQ(footprint(), before);
}

TEST_F(NumaTest, a_kernel_that_forbids_to_bind_is_an_error_and_no_memory_elsewhere) {
  test::FaultySyscalls calls;
  const auto store = store_of(shm(), calls);
  ASSERT_TRUE(store->stream(kStream).open(ManagedStream::Absent::kCreate).has_value());
  const test::Footprint before = footprint();
  for (const std::string_view failing : {"mbind", "mmap"}) {
    calls.before = [failing](std::string_view call) { return call == failing ? EPERM : 0; };
    EXPECT_FALSE(provision(store->stream(kStream), {}, on_node(0)).epoch.has_value());
    EXPECT_EQ(footprint(), before) << failing;
  }
}

TEST(NodeOfFile, is_absent_where_there_is_none) {
  const test::TemporaryDirectory base;
  EXPECT_EQ(node_of_file(base / "absent"), std::nullopt);
  EXPECT_EQ(node_of_file(base.path()), std::nullopt) << "a directory";
  std::ofstream(base / "empty").flush();
  EXPECT_EQ(node_of_file(base / "empty"), std::nullopt);
}

}  // namespace
}  // namespace tensorpool::os
