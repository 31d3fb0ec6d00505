// From a device to a consumer: in place where the device takes the addresses of slots, else by one
// copy; and what becomes of images that the device loses or spoils.
#include <chrono>
#include <optional>
#include <vector>

#include "apps/sources/v4l2_camera.hpp"
#include "e2e/client/client_fixture.hpp"
#include "support/fake_video.hpp"

namespace tensorpool::test {
namespace {

using apps::sources::Fed;
using apps::sources::V4l2Camera;

class Camera : public ClientTest {
 protected:
  void start() {
    client_.emplace(connect());
    producer_.emplace(produce(*client_, stream()));
    consumer_.emplace(consume(*client_, reader()));
    ASSERT_TRUE(joined(*producer_, *consumer_));
    auto camera = V4l2Camera::open(device_, {.device = "/dev/video0"});
    ASSERT_TRUE(camera) << describe(camera.error());
    camera_ = std::move(*camera);
    auto queue = BufferQueue::create(*producer_, {.info = camera_->info(),
                                                  .frame_bytes = camera_->buffer_bytes(),
                                                  .buffers = 4,
                                                  .reorder = Nanos{0}});
    ASSERT_TRUE(queue) << describe(queue.error());
    queue_.emplace(std::move(*queue));
  }
  /// Feeds until so many frames are committed.
  void feed(std::uint64_t frames) {
    while (queue_->counters().committed < frames && !HasFailure()) {
      const Result<Fed> fed = camera_->feed(*queue_, std::chrono::milliseconds(1));
      ASSERT_TRUE(fed) << describe(fed.error());
      receive();
    }
    EXPECT_TRUE(eventually([&] {
      receive();
      return images_.size() >= frames;
    }));
  }
  void receive() {
    while (const std::optional<FrameView> view = consumer_->next()) {
      std::vector<std::byte> bytes(view->bytes().size());
      ASSERT_EQ(view->copy_to(bytes), CopyStatus::kCopied);
      const auto image = static_cast<int>(bytes[0]);
      EXPECT_EQ(bytes, std::vector<std::byte>(bytes.size(), bytes[0]));
      EXPECT_EQ(view->timestamp_ns(), (1U + static_cast<unsigned>(image)) * 1'000'000'000ULL);
      images_.push_back(image);
    }
  }

  FakeVideo device_;
  std::optional<Client> client_;
  std::optional<Producer> producer_;
  std::optional<Consumer> consumer_;
  std::unique_ptr<V4l2Camera> camera_;
  std::optional<BufferQueue> queue_;
  std::vector<int> images_;
};

TEST_F(Camera, that_takes_our_memory_fills_the_slots_themselves) {
  start();
  feed(40);
  EXPECT_TRUE(camera_->in_place());
  EXPECT_EQ(queue_->counters().copied, 0U);
  EXPECT_EQ(queue_->counters().committed, 40U);
  for (int k = 0; k < 40; ++k) {
    EXPECT_EQ(images_[static_cast<std::size_t>(k)], k);
  }
  camera_->stop(*queue_);
  EXPECT_FALSE(device_.streaming);
  EXPECT_EQ(queue_->at_device(), 0U);
}

TEST_F(Camera, with_memory_of_its_own_costs_one_copy) {
  device_.takes_our_memory = false;
  start();
  feed(40);
  EXPECT_FALSE(camera_->in_place());
  EXPECT_EQ(queue_->counters().copied, 40U);
  EXPECT_EQ(images_.back(), 39);
  camera_->stop(*queue_);
  camera_.reset();
  EXPECT_EQ(device_.mappings, 0U);
  EXPECT_FALSE(device_.is_open);
}

TEST_F(Camera, that_wants_whole_pages_keeps_its_frames_and_they_are_copied) {
  device_.alignment = 4096;
  start();
  feed(20);
  EXPECT_FALSE(camera_->in_place());
  EXPECT_EQ(queue_->counters().copied, 20U);
  EXPECT_EQ(images_.back(), 19);
  camera_->stop(*queue_);
}

TEST_F(Camera, loses_and_spoils_images_and_all_of_that_is_counted) {
  device_.dropped = {3, 4};
  device_.faulty = {6};
  device_.cut = {8};
  start();
  feed(8);
  EXPECT_EQ(images_, (std::vector<int>{0, 1, 2, 5, 7, 9, 10, 11}));
  EXPECT_EQ(camera_->counters().missed, 2U);
  EXPECT_EQ(camera_->counters().broken, 2U);
  EXPECT_EQ(queue_->counters().given_back, 2U);
  EXPECT_EQ(consumer_->counters().drops_gap, 2U);
  camera_->stop(*queue_);
}

TEST_F(Camera, that_is_unplugged_says_so) {
  start();
  feed(4);
  device_.failing[VIDIOC_DQBUF] = ENODEV;
  const Result<Fed> fed = camera_->feed(*queue_, std::chrono::milliseconds(1));
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, Errc::kClosed);
  camera_->stop(*queue_);
  EXPECT_EQ(queue_->at_device(), 0U);
}

TEST_F(Camera, that_somebody_else_has_started_says_so) {
  device_.failing[VIDIOC_REQBUFS] = EBUSY;
  start();
  EXPECT_EQ(camera_->feed(*queue_, std::chrono::milliseconds(1)).error().code,
            Errc::kAlreadyExists);
}

TEST_F(Camera, gets_no_buffers_from_a_producer_that_has_ended) {
  start();
  feed(4);
  producer_.reset();
  std::optional<PublishStatus> starved;
  for (int k = 0; k < 10 && !starved; ++k) {
    const Result<Fed> fed = camera_->feed(*queue_, std::chrono::milliseconds(1));
    ASSERT_TRUE(fed);
    starved = fed->starved;
  }
  EXPECT_TRUE(starved);
  EXPECT_EQ(queue_->counters().stale, 3U);  // those that the device still had
}

}  // namespace
}  // namespace tensorpool::test
