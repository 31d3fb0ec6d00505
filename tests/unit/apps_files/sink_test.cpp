// Writers: what they leave behind when all goes well, when they are interrupted and when they are
// killed.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "apps/files/raw.hpp"
#include "support.hpp"

namespace apps_files_test {
namespace {

using namespace tensorpool;
using namespace tensorpool::apps::files;
using testing::ElementsAre;

const TensorInfo kInfo = TensorInfo::packed(Dtype::kUint16, {2, 3});
const Bytes kFrame = to_bytes(std::vector<std::uint16_t>{1, 2, 3, 4, 5, 6});

std::unique_ptr<FrameSink> open_or_fail(const std::string& path) {
  auto sink = open_sink({.to = path});
  EXPECT_TRUE(sink) << describe(sink.error());
  return sink ? std::move(*sink) : nullptr;
}

std::uint64_t frames_in(const std::string& path) {
  const auto source = open_source({.from = path});
  return source ? (*source)->frame_count().value_or(0) : 0;
}

class StackSinkTest : public testing::TestWithParam<const char*> {
 protected:
  Scratch scratch;
  std::string path = scratch / GetParam();
};
INSTANTIATE_TEST_SUITE_P(Formats, StackSinkTest, testing::Values("out.npy", "out.fits"));

TEST_P(StackSinkTest, leaves_the_old_file_until_it_is_finished) {
  write_file(path, to_bytes("precious"));
  const auto sink = open_or_fail(path);
  ASSERT_TRUE(sink);
  ASSERT_TRUE(sink->write(kInfo, kFrame, 0));
  EXPECT_EQ(read_file(path), to_bytes("precious"));
  ASSERT_TRUE(sink->finish());
  EXPECT_EQ(frames_in(path), 1U);
  EXPECT_FALSE(std::filesystem::exists(path + ".part"));
}

TEST_P(StackSinkTest, makes_no_file_without_a_frame) {
  write_file(path, to_bytes("precious"));
  auto sink = open_or_fail(path);
  ASSERT_TRUE(sink);
  ASSERT_TRUE(sink->finish());
  sink.reset();
  EXPECT_EQ(read_file(path), to_bytes("precious"));
  EXPECT_FALSE(std::filesystem::exists(path + ".part"));
}

TEST_P(StackSinkTest, keeps_what_it_has_when_the_shape_changes) {
  const auto sink = open_or_fail(path);
  ASSERT_TRUE(sink);
  ASSERT_TRUE(sink->write(kInfo, kFrame, 0));
  const Status other = sink->write(TensorInfo::packed(Dtype::kUint16, {3, 2}), kFrame, 1);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::kShapeChanged);
  ASSERT_TRUE(sink->finish());
  EXPECT_EQ(frames_in(path), 1U);
}

TEST_P(StackSinkTest, keeps_whole_frames_when_it_is_dropped) {
  auto sink = open_or_fail(path);
  ASSERT_TRUE(sink);
  ASSERT_TRUE(sink->write(kInfo, kFrame, 0));
  sink.reset();
  EXPECT_EQ(frames_in(path), 1U);
}

TEST_P(StackSinkTest, keeps_whole_frames_when_the_disk_is_full) {
  // A limit on the size of files stands in for the disk.
  constexpr std::int32_t kSide = 300;
  const TensorInfo info = TensorInfo::packed(Dtype::kUint8, {kSide, kSide});
  const Bytes frame(std::size_t{kSide} * kSide, std::byte{7});
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const auto sink = open_or_fail(path);
  ASSERT_TRUE(sink);

  rlimit limit = old_limit;
  limit.rlim_cur = 1'000'000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  Status written;
  for (int i = 0; i < 100 && written; ++i) {
    written = sink->write(info, frame, 0);
  }
  const Status finished = sink->finish();
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);

  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::kNoSpace);
  EXPECT_TRUE(finished);
  const auto source = open_source({.from = path});
  ASSERT_TRUE(source) << describe(source.error());
  EXPECT_EQ((*source)->frame_count(), 11U);
  EXPECT_EQ(drain(**source), Bytes(11 * frame.size(), std::byte{7}));
}

TEST_P(StackSinkTest, leaves_the_old_file_whole_when_killed_while_writing) {
  write_file(path, to_bytes("precious"));
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto sink = open_sink({.to = path});
    const Bytes frame(1'000'000, std::byte{1});
    const TensorInfo info = TensorInfo::packed(Dtype::kUint8, {1000, 1000});
    for (std::uint64_t i = 0; i < 1000; ++i) {
      if (!sink || !(*sink)->write(info, frame, i) || ::write(pipe[1], "x", 1) != 1) {
        ::_exit(1);
      }
    }
    ::pause();
  }
  ::close(pipe[1]);
  std::array<char, 3> beats{};
  std::size_t seen = 0;
  while (seen < beats.size()) {
    const ssize_t count = ::read(pipe[0], beats.data(), beats.size() - seen);
    ASSERT_GT(count, 0);
    seen += static_cast<std::size_t>(count);
  }
  const auto second = open_sink({.to = path});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kAlreadyExists);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(pipe[0]);

  EXPECT_EQ(read_file(path), to_bytes("precious"));
  const auto sink = open_or_fail(path);  // what the killed one left is no hindrance
  ASSERT_TRUE(sink);
  ASSERT_TRUE(sink->write(kInfo, kFrame, 0));
  ASSERT_TRUE(sink->finish());
  const auto source = open_source({.from = path});
  ASSERT_TRUE(source);
  EXPECT_EQ(drain(**source), kFrame);
}

TEST_P(StackSinkTest, writes_where_a_symbolic_link_points) {
  write_file(scratch / "real", to_bytes("old"));
  std::filesystem::create_symlink("real", path);
  const auto sink = open_or_fail(path);
  ASSERT_TRUE(sink);
  ASSERT_TRUE(sink->write(kInfo, kFrame, 0));
  ASSERT_TRUE(sink->finish());
  EXPECT_TRUE(std::filesystem::is_symlink(path));
  EXPECT_EQ(frames_in(scratch / "real"), 1U);
}

TEST(OpenSink, refuses_places_it_cannot_write) {
  const Scratch scratch;
  ASSERT_EQ(::mkfifo((scratch / "fifo.npy").c_str(), 0600), 0);
  write_file(scratch / "file", to_bytes("x"));
  struct Row {
    std::string to;
    Errc code;
  };
  const Row rows[] = {
      {scratch / "fifo.npy", Errc::kInvalidArgument},
      {scratch / "unknown.xyz", Errc::kInvalidArgument},
      {scratch / "none/out.npy", Errc::kNotFound},
      {scratch / "file/", Errc::kOsFailure},
  };
  for (const Row& row : rows) {
    const auto sink = open_sink({.to = row.to});
    ASSERT_FALSE(sink) << row.to;
    EXPECT_EQ(sink.error().code, row.code) << row.to << ' ' << describe(sink.error());
  }
}

TEST(DirectorySink, names_files_by_sequence_number) {
  const Scratch scratch;
  const auto sink = open_or_fail(scratch / "frames/");
  ASSERT_TRUE(sink);
  ASSERT_TRUE(sink->write(kInfo, kFrame, 123));
  ASSERT_TRUE(sink->write(kInfo, kFrame, 125));
  ASSERT_TRUE(sink->write(TensorInfo::packed(Dtype::kUint8, {12}), kFrame, 126));
  const auto again = sink->write(kInfo, kFrame, 125);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kAlreadyExists);
  ASSERT_TRUE(sink->finish());
  for (const char* name :
       {"frames/000000123.npy", "frames/000000125.npy", "frames/000000126.npy"}) {
    const auto source = open_source({.from = scratch / name});
    ASSERT_TRUE(source) << name;
    EXPECT_EQ(drain(**source), kFrame);
  }
  const auto second = open_sink({.to = scratch / "frames"});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kAlreadyExists);
}

TEST(StreamSink, says_quietly_that_its_reader_has_gone) {
  const auto old_handler = std::signal(SIGPIPE, SIG_IGN);
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  StreamSink sut({.fd = pipe[1], .name = "pipe"});
  ASSERT_TRUE(sut.write(kInfo, kFrame, 0));
  Bytes read(kFrame.size());
  ASSERT_EQ(::read(pipe[0], read.data(), read.size()), static_cast<ssize_t>(read.size()));
  EXPECT_EQ(read, kFrame);
  ::close(pipe[0]);
  const Status broken = sut.write(kInfo, kFrame, 1);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, Errc::kClosed);
  ::close(pipe[1]);
  std::signal(SIGPIPE, old_handler);
}

TEST(Packer, refuses_a_payload_that_is_shorter_than_the_shape) {
  Packer sut;
  const auto packed = sut.pack(kInfo, FrameBytes(kFrame).first(11));
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code, Errc::kExtentExceedsPayload);
  EXPECT_EQ(packed.error().value, 11U);
  EXPECT_EQ(packed.error().limit, 12U);
}

TEST(Packer, leaves_packed_bits_as_they_are) {
  Packer sut;
  const auto packed = sut.pack(TensorInfo::packed(Dtype::kBit, {100}), kFrame);
  ASSERT_TRUE(packed);
  EXPECT_EQ(packed->bytes.data(), kFrame.data());
  EXPECT_EQ(packed->bytes.size(), kFrame.size());
}

}  // namespace
}  // namespace apps_files_test
