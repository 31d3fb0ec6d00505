// Opening by content, raw input, pipes, directories, and the words of the command line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

#include "apps/files/raw.hpp"
#include "support.hpp"

namespace apps_files_test {
namespace {

using namespace tensorpool;
using namespace tensorpool::apps::files;
using testing::ElementsAre;

const Bytes kNpy =
    npy_file("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), }", to_bytes("ABCD"));

TEST(OpenSource, tells_formats_apart_by_content) {
  const Scratch scratch;
  write_file(scratch / "a.jpg", kNpy);
  write_file(scratch / "b.npy", to_bytes("P5 2 2 255\nABCD"));
  for (const char* name : {"a.jpg", "b.npy"}) {
    const auto source = open_source({.from = scratch / name});
    ASSERT_TRUE(source) << name;
    EXPECT_EQ(drain(**source), to_bytes("ABCD"));
  }
}

TEST(OpenSource, refuses_what_it_cannot_read) {
  const Scratch scratch;
  write_file(scratch / "a.npy", kNpy);
  write_file(scratch / "raw", to_bytes("ABCDEFG"));
  write_file(scratch / "empty", {});
  std::filesystem::create_directory(scratch / "none");
  ASSERT_EQ(::mkfifo((scratch / "fifo").c_str(), 0600), 0);
  struct Row {
    SourceOptions options;
    Errc code;
  };
  const Row rows[] = {
      {{.from = scratch / "missing"}, Errc::kNotFound},
      {{.from = scratch / "fifo"}, Errc::kInvalidArgument},
      {{.from = "/dev/null"}, Errc::kInvalidArgument},
      {{.from = scratch / "none"}, Errc::kNotFound},
      {{.from = scratch / "raw"}, Errc::kFileFormat},
      {{.from = scratch / "empty"}, Errc::kFileFormat},
      {{.from = "-"}, Errc::kInvalidArgument},
      {{.from = scratch / "raw", .shape = {2}}, Errc::kInvalidArgument},
      {{.from = scratch / "raw", .shape = {4}, .dtype = Dtype::kUint8}, Errc::kTruncatedInput},
      {{.from = scratch / "empty", .shape = {4}, .dtype = Dtype::kUint8}, Errc::kTruncatedInput},
      {{.from = scratch / "a.npy", .shape = {4}, .dtype = Dtype::kUint8}, Errc::kInvalidArgument},
  };
  for (const Row& row : rows) {
    const auto source = open_source(row.options);
    ASSERT_FALSE(source) << row.options.from;
    EXPECT_EQ(source.error().code, row.code) << describe(source.error());
  }
}

TEST(OpenSource, reads_raw_files_with_a_given_shape) {
  const Scratch scratch;
  write_file(scratch / "raw", to_bytes("ABCDEFGHIJKL"));
  const auto source =
      open_source({.from = scratch / "raw", .shape = {3, 2}, .dtype = Dtype::kUint8});
  ASSERT_TRUE(source);
  EXPECT_EQ((*source)->frame_count(), 2U);
  EXPECT_EQ((*source)->info(), TensorInfo::packed(Dtype::kUint8, {3, 2}));
  EXPECT_EQ(drain(**source), to_bytes("ABCDEFGHIJKL"));
}

TEST(DirectorySource, reads_alike_files_in_the_order_of_their_names) {
  const Scratch scratch;
  write_file(scratch / "2.npy", kNpy);
  write_file(scratch / "1.PGM", to_bytes("P5 2 2 255\nEFGH"));
  write_file(scratch / "notes.txt", to_bytes("P5 2 2 255\n...."));
  write_file(scratch / ".hidden.npy", kNpy);
  write_file(scratch / "3.npy.part", kNpy);
  const auto source = open_source({.from = scratch / ""});
  ASSERT_TRUE(source) << describe(source.error());
  EXPECT_EQ(drain(**source), to_bytes("EFGHABCD"));
  ASSERT_TRUE((*source)->rewind());
  EXPECT_EQ(drain(**source), to_bytes("EFGHABCD"));
}

TEST(DirectorySource, stops_at_a_file_of_another_shape) {
  const Scratch scratch;
  write_file(scratch / "1.pgm", to_bytes("P5 2 2 255\nEFGH"));
  write_file(scratch / "2.pgm", to_bytes("P5 4 1 255\nABCD"));
  const auto source = open_source({.from = scratch / ""});
  ASSERT_TRUE(source);
  ASSERT_TRUE((*source)->next());
  const auto second = (*source)->next();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kShapeChanged);
}

class StreamSourceTest : public testing::Test {
 protected:
  StreamSourceTest() { EXPECT_EQ(::pipe(pipe_.data()), 0); }
  ~StreamSourceTest() override {
    ::close(pipe_[0]);
    close_writer();
  }
  std::unique_ptr<FrameSource> open(const std::atomic<bool>* stop = nullptr) {
    const std::array<std::uint64_t, 1> shape = {4};
    const auto frame = frame_format(Dtype::kUint8, MajorOrder::kRow, shape, "pipe");
    auto source =
        StreamSource::create({.frame = *frame, .fd = pipe_[0], .name = "pipe", .stop = stop});
    EXPECT_TRUE(source);
    return std::move(*source);
  }
  void feed(std::string_view text) {
    EXPECT_EQ(::write(pipe_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void close_writer() {
    if (pipe_[1] >= 0) {
      ::close(std::exchange(pipe_[1], -1));
    }
  }

 private:
  std::array<int, 2> pipe_{};
};

TEST_F(StreamSourceTest, puts_frames_together_from_any_pieces) {
  const auto sut = open();
  std::thread writer([this] {
    for (const char letter : std::string("ABCDEFGH")) {
      feed({&letter, 1});
    }
    close_writer();
  });
  EXPECT_EQ(drain(*sut), to_bytes("ABCDEFGH"));
  writer.join();
  EXPECT_FALSE(sut->rewind());
}

TEST_F(StreamSourceTest, delivers_whole_frames_before_it_names_what_is_missing) {
  const auto sut = open();
  feed("ABCDEFG");
  close_writer();
  const auto first = sut->next();
  ASSERT_TRUE(first && *first);
  const auto second = sut->next();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kTruncatedInput);
  EXPECT_EQ(second.error().value, 3U);
  EXPECT_EQ(second.error().limit, 4U);
}

TEST_F(StreamSourceTest, ends_a_wait_when_told_to_stop) {
  std::atomic<bool> stop{false};
  const auto sut = open(&stop);
  std::thread stopper([&stop] { stop = true; });
  const auto frame = sut->next();
  stopper.join();
  ASSERT_TRUE(frame);
  EXPECT_FALSE(*frame);
}

TEST(ParseShape, takes_commas_and_crosses) {
  EXPECT_THAT(parse_shape("480,640,3").value(), ElementsAre(480U, 640U, 3U));
  EXPECT_THAT(parse_shape("480x640").value(), ElementsAre(480U, 640U));
  for (const char* text :
       {"", ",", "4,", "4,,4", "-4", "4 4", "0", "4x0", "99999999999999999999"}) {
    const auto shape = parse_shape(text);
    ASSERT_FALSE(shape) << text;
    EXPECT_EQ(shape.error().code, Errc::kInvalidArgument) << text;
  }
}

TEST(ParseDtype, refuses_names_it_does_not_know) {
  EXPECT_EQ(parse_dtype("u2").value(), Dtype::kUint16);
  EXPECT_EQ(parse_dtype("float32").value(), Dtype::kFloat32);
  EXPECT_EQ(parse_dtype("f16").error().code, Errc::kInvalidArgument);
}

TEST(ParseArrangement, knows_three_words) {
  EXPECT_EQ(parse_arrangement("auto").value(), Arrangement::kAuto);
  EXPECT_EQ(parse_arrangement("one").value(), Arrangement::kOne);
  EXPECT_EQ(parse_arrangement("stack").value(), Arrangement::kStack);
  EXPECT_EQ(parse_arrangement("many").error().code, Errc::kInvalidArgument);
}

TEST(FileError, keeps_what_is_wrong_and_the_end_of_a_long_name) {
  const Error sut =
      file_error(Errc::kFileFormat, std::string(200, 'd') + "/last.npy", "what", 1, 2);
  EXPECT_THAT(std::string(sut.subject_view()), testing::EndsWith("/last.npy: what"));
  EXPECT_THAT(std::string(sut.subject_view()), testing::StartsWith("...ddd"));
}

}  // namespace
}  // namespace apps_files_test
