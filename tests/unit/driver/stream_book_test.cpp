#include "driver/stream_book.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/scratch_directory.hpp"

namespace tensorpool::driver {
namespace {

using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(StreamBook, keeps_names_over_its_own_death) {
  const test::ScratchDirectory scratch;
  const std::string path = scratch.path() + "/names";
  {
    Result<StreamBook> sut = StreamBook::open(path);
    ASSERT_TRUE(sut);
    EXPECT_FALSE(sut->find("cam1"));
    ASSERT_TRUE(sut->put("cam1", 20000));
    ASSERT_TRUE(sut->put("cam2", 20001));
  }
  const Result<StreamBook> again = StreamBook::open(path);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->find("cam1"), 20000U);
  EXPECT_EQ(again->name_of(20001), "cam2");
  EXPECT_EQ(again->name_of(7), "");
}

TEST(StreamBook, gives_a_number_to_one_name_only) {
  const test::ScratchDirectory scratch;
  Result<StreamBook> sut = StreamBook::open(scratch.path() + "/names");
  ASSERT_TRUE(sut);
  ASSERT_TRUE(sut->put("old", 20000));
  ASSERT_TRUE(sut->put("new", 20000));
  EXPECT_FALSE(sut->find("old"));
  EXPECT_EQ(sut->name_of(20000), "new");
}

TEST(StreamBook, goes_on_in_memory_where_it_cannot_write) {
  const test::ScratchDirectory scratch;
  Result<StreamBook> sut = StreamBook::open(scratch.path() + "/nowhere/names");
  ASSERT_TRUE(sut);
  EXPECT_FALSE(sut->put("cam1", 20000));
  EXPECT_EQ(sut->find("cam1"), 20000U);
}

TEST(StreamBook, leaves_out_what_is_no_entry) {
  EXPECT_THAT(parse_stream_book("cam1 20000\n"
                                "cam1 20001\n"        // the name again
                                "cam2 20000\n"        // the number again
                                "../cam 20002\n"      // no name
                                "cam3 0\n"            // no stream
                                "cam4 4294967295\n"   // no stream
                                "cam5 99999999999\n"  // no number
                                "cam6 12x\n"
                                "cam7\n"
                                "\n"
                                "cam8 20008"),
              UnorderedElementsAre(Pair("cam1", 20000U), Pair("cam8", 20008U)));
  EXPECT_THAT(parse_stream_book(std::string("\0\xff 1\n", 5)), IsEmpty());
}

}  // namespace
}  // namespace tensorpool::driver
