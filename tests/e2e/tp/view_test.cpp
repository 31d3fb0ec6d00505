// tp view: one frame printed, and one as a file, as another reader of PNG sees it. And a camera
// that is not there.
#include <memory>
#include <optional>

#include "apps/files/open.hpp"
#include "tp_process.hpp"

namespace tensorpool::test {
namespace {

class ViewVerb : public TpTest {
 protected:
  /// 16 rows and 32 columns that grow brighter to the right.
  void start_publisher() {
    std::string elements;
    for (int k = 0; k < 16 * 32; ++k) {
      elements += static_cast<char>(k % 32 * 8);
    }
    write_file(path("in.npy"), npy_file("|u1", "(16, 32)", elements));
    publisher_ = publish("cam1", {"--from", path("in.npy"), "--loop", "--hz", "50"});
  }
  [[nodiscard]] std::unique_ptr<TpProcess> view(Arguments arguments) {
    arguments.insert(arguments.begin(), {"view", "cam1", "--timeout", "60", "--shm-dir", path("")});
    return start(arguments);
  }

  std::unique_ptr<TpProcess> publisher_;
};

TEST_F(ViewVerb, prints_one_frame) {
  start_publisher();
  const auto sut = view({"--once", "--full", "--columns", "32"});
  ASSERT_EQ(sut->wait(), 0) << sut->err();
  const std::string out = sut->out();
  EXPECT_EQ(out.substr(0, 4), "cam1");
  EXPECT_NE(out.find("min 0  max 248"), std::string::npos) << out;
  EXPECT_NE(out.find("   ...:::"), std::string::npos) << out;  // dark to the left
  EXPECT_EQ(out.find('\x1b'), std::string::npos);
  const auto coloured = view({"--once", "--depth", "256", "--colours", "hot"});
  ASSERT_EQ(coloured->wait(), 0);
  EXPECT_NE(coloured->out().find("\x1b[38;5;"), std::string::npos);
}

TEST_F(ViewVerb, writes_one_frame_as_png) {
  start_publisher();
  const auto sut = view({"--png", path("now.png"), "--range", "0,255"});
  ASSERT_EQ(sut->wait(), 0) << sut->err();
  const auto image = apps::files::open_source({.from = path("now.png")});
  ASSERT_TRUE(image);
  ASSERT_EQ((*image)->info(), TensorInfo::packed(Dtype::kUint8, {16, 32}));
  const auto pixels = (*image)->next();
  ASSERT_TRUE(pixels && *pixels);
  for (std::size_t k = 0; k < 16 * 32; ++k) {
    EXPECT_EQ(std::to_integer<int>((**pixels)[k]), static_cast<int>(k % 32 * 8));
  }
  const auto coloured = view({"--png", path("hot.png"), "--colours", "hot"});
  ASSERT_EQ(coloured->wait(), 0);
  EXPECT_EQ((*apps::files::open_source({.from = path("hot.png")}))->info().ndims, 3);
}

TEST_F(ViewVerb, says_what_it_cannot_show) {
  start_publisher();
  const auto plane = view({"--once", "--plane", "3"});
  EXPECT_EQ(plane->wait(), 1);
  EXPECT_NE(plane->err().find("--plane"), std::string::npos);
  EXPECT_EQ(view({"--once", "--range", "9,3"})->wait(), 2);
  EXPECT_EQ(view({"--once", "--plane", "foo"})->wait(), 2);
}

TEST_F(ViewVerb, of_a_camera_that_is_not_there_never_begins) {
  const auto sut = publish("cam1", {"--from", "v4l2:" + path("video7")});
  EXPECT_EQ(sut->wait(), 1);
  EXPECT_NE(sut->err().find("no such device"), std::string::npos) << sut->err();
  write_file(path("file"), "no camera");
  const auto file = publish("cam1", {"--from", "v4l2:" + path("file")});
  EXPECT_EQ(file->wait(), 1);
  EXPECT_NE(file->err().find("not a video device"), std::string::npos) << file->err();
}

}  // namespace
}  // namespace tensorpool::test
