// What is no camera is refused with what there is instead; what is one says what its frames are.
#include "apps/sources/v4l2_camera.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

#include "support/fake_video.hpp"

namespace tensorpool::apps::sources {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

[[nodiscard]] CameraWish wish() {
  return {.device = "/dev/video0"};
}
[[nodiscard]] Error refusal(test::FakeVideo& device, const CameraWish& wanted = wish()) {
  const auto camera = V4l2Camera::open(device, wanted);
  EXPECT_FALSE(camera);
  EXPECT_FALSE(device.is_open);
  return camera ? Error{} : camera.error();
}
[[nodiscard]] std::unique_ptr<V4l2Camera> camera_of(test::FakeVideo& device,
                                                    const CameraWish& wanted = wish()) {
  auto camera = V4l2Camera::open(device, wanted);
  EXPECT_TRUE(camera) << describe(camera.error());
  return std::move(*camera);
}

TEST(V4l2Camera, that_is_not_there_is_not_found) {
  test::FakeVideo device;
  const Error error = refusal(device, {.device = "/dev/video7"});
  EXPECT_EQ(error.code, Errc::kNotFound);
  EXPECT_THAT(std::string(error.subject_view()), HasSubstr("/dev/video7: no such device"));
}

TEST(V4l2Camera, tells_why_it_cannot_be_opened) {
  test::FakeVideo device;
  device.open_errno = EACCES;
  EXPECT_EQ(refusal(device).os_errno, EACCES);
  EXPECT_THAT(describe(refusal(device)), HasSubstr("group `video`"));
  device.open_errno = EBUSY;
  EXPECT_EQ(refusal(device).code, Errc::kAlreadyExists);
}

TEST(V4l2Camera, refuses_what_takes_no_images) {
  test::FakeVideo device;
  device.capabilities = V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_STREAMING;
  EXPECT_THAT(describe(refusal(device)), HasSubstr("not a capture device"));
  device.capabilities = V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_STREAMING;
  EXPECT_THAT(describe(refusal(device)), HasSubstr("several planes"));
  device.capabilities = V4L2_CAP_VIDEO_CAPTURE;
  EXPECT_THAT(describe(refusal(device)), HasSubstr("cannot fill buffers"));
  device.failing[VIDIOC_QUERYCAP] = ENOTTY;
  EXPECT_THAT(describe(refusal(device)), HasSubstr("not a video device"));
}

TEST(V4l2Camera, names_the_formats_that_it_has_where_it_lacks_one) {
  test::FakeVideo device;
  device.formats = {"YUYV", "MJPG"};
  CameraWish wanted = wish();
  wanted.format = "GREY";
  const Error error = refusal(device, wanted);
  EXPECT_EQ(error.code, Errc::kInvalidArgument);
  EXPECT_THAT(std::string(error.subject_view()), HasSubstr("format GREY; it has YUYV MJPG"));
  device.formats = {"H264"};
  EXPECT_THAT(describe(refusal(device)), HasSubstr("format H264; it has H264"));
}

TEST(V4l2Camera, that_somebody_else_uses_says_so) {
  test::FakeVideo device;
  device.failing[VIDIOC_S_FMT] = EBUSY;
  EXPECT_EQ(refusal(device).code, Errc::kAlreadyExists);
}

TEST(V4l2Camera, keeps_its_format_or_takes_the_first_that_can_be_published) {
  test::FakeVideo device;
  device.formats = {"YUYV", "GREY"};
  EXPECT_EQ(camera_of(device)->format().name, "YUYV");
  device.formats = {"H264", "Y16", "GREY"};
  EXPECT_EQ(camera_of(device)->format().name, "Y16");
}

TEST(V4l2Camera, describes_its_frames) {
  test::FakeVideo device;
  device.formats = {"GREY", "RGB3", "Y16", "MJPG"};
  CameraWish wanted = wish();
  wanted.rows = 100;
  wanted.columns = 10'000;  // more than it has
  wanted.hz = 120;
  auto sut = camera_of(device, wanted);
  EXPECT_THAT(sut->info().shape(), ElementsAre(100, 640));
  EXPECT_EQ(sut->buffer_bytes(), 64'000U);
  EXPECT_EQ(sut->hz(), 120);
  EXPECT_EQ(sut->card(), "Fake camera");
  wanted.format = "RGB3";
  EXPECT_THAT(camera_of(device, wanted)->info().shape(), ElementsAre(100, 640, 3));
  wanted.format = "Y16";
  device.row_padding = 64;
  sut = camera_of(device, wanted);
  EXPECT_EQ(sut->info().dtype, Dtype::kUint16);
  EXPECT_EQ(sut->info().strides[0], 1280 + 64);
  EXPECT_EQ(sut->info().strides[1], 2);
  wanted.format = "MJPG";
  EXPECT_EQ(camera_of(device, wanted)->info().dtype, Dtype::kBytes);
}

TEST(V4l2Camera, without_a_rate_says_none) {
  test::FakeVideo device;
  device.failing[VIDIOC_G_PARM] = ENOTTY;
  EXPECT_EQ(camera_of(device)->hz(), 0);
}

TEST(PixelFormats, have_names_and_codes_that_fit) {
  for (const PixelFormat& format : pixel_formats()) {
    EXPECT_EQ(fourcc_name(fourcc_of(format.name)), format.name);
    EXPECT_EQ(find_pixel_format(format.name)->colour, format.colour);
    EXPECT_NE(element_bytes(format.dtype), 0U);
  }
  EXPECT_EQ(fourcc_of("YUYV"), static_cast<std::uint32_t>(V4L2_PIX_FMT_YUYV));
  EXPECT_EQ(fourcc_of("Y16"), static_cast<std::uint32_t>(V4L2_PIX_FMT_Y16));
  EXPECT_EQ(fourcc_name(0x0102'0304), "????");
  EXPECT_FALSE(find_pixel_format("H264"));
}

TEST(PixelFormats, refuse_images_that_cannot_be) {
  const PixelFormat grey = *find_pixel_format("GREY");
  EXPECT_FALSE(image_info(grey, 0, 10));
  EXPECT_FALSE(image_info(grey, 10, 1U << 21U));
  EXPECT_FALSE(image_info(grey, 10, 10, 9));
  EXPECT_TRUE(image_info(grey, 10, 10, 10));
}

}  // namespace
}  // namespace tensorpool::apps::sources
