// Slots as buffers of a device: what the device does, whenever it does it, and what consumers see.
#include "tensorpool/buffer_queue.hpp"

#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "client_fixture.hpp"
#include "support/requirement.hpp"
#include "support/seed.hpp"

namespace tensorpool::test {
namespace {

constexpr std::size_t kFrameBytes = 1000;

class Buffers : public ClientTest {
 protected:
  void SetUp() override {
    client_.emplace(connect());
    producer_.emplace(produce(*client_, stream()));
  }
  [[nodiscard]] static BufferQueueOptions wanted() {
    return {.info = info(), .frame_bytes = kFrameBytes, .buffers = 4, .reorder = Nanos{0}};
  }
  [[nodiscard]] BufferQueue queue(const BufferQueueOptions& options) {
    Result<BufferQueue> made = BufferQueue::create(*producer_, options);
    EXPECT_TRUE(made) << describe(made.error());
    return std::move(*made);
  }
  void start_reading(FollowMode mode = FollowMode::kDescriptors) {
    consumer_.emplace(consume(*client_, reader(mode)));
    ASSERT_TRUE(joined(*producer_, *consumer_, mode));
  }
  /// Takes as many as there are.
  [[nodiscard]] static std::vector<DeviceBuffer> take_all(BufferQueue& queue) {
    std::vector<DeviceBuffer> taken;
    for (auto buffer = queue.take(); buffer; buffer = queue.take()) {
      taken.push_back(*buffer);
    }
    return taken;
  }
  static void fill(const DeviceBuffer& buffer, std::uint64_t seq) {
    const std::vector<std::byte> bytes = payload_of(seq);
    ASSERT_GE(buffer.memory.size(), bytes.size());
    std::memcpy(buffer.memory.data(), bytes.data(), bytes.size());
  }
  /// The numbers of the next `count` frames, whose content has to be that of their numbers.
  [[nodiscard]] std::vector<std::uint64_t> receive(std::size_t count) {
    std::vector<std::uint64_t> seqs;
    EXPECT_TRUE(eventually([&] {
      while (const std::optional<FrameView> view = consumer_->next()) {
        std::vector<std::byte> bytes(view->bytes().size());
        EXPECT_EQ(view->copy_to(bytes), CopyStatus::kCopied);
        EXPECT_EQ(bytes, payload_of(view->seq()));
        seqs.push_back(view->seq());
      }
      return seqs.size() >= count;
    }));
    return seqs;
  }
  [[nodiscard]] bool nothing_comes() { return !consumer_->next() && !consumer_->next(); }

  std::optional<Client> client_;
  std::optional<Producer> producer_;
  std::optional<Consumer> consumer_;
};

using Numbers = std::vector<std::uint64_t>;

TEST_F(Buffers, are_slots_in_their_order_and_nobody_reads_them_at_the_device) {
  TP_REQ("W179", "W181");
  start_reading(FollowMode::kDirect);
  BufferQueue sut = queue(wanted());
  const std::vector<DeviceBuffer> out = take_all(sut);
  ASSERT_EQ(out.size(), 4U);
  const std::vector<std::span<std::byte>> targets = sut.targets();
  ASSERT_EQ(targets.size(), 16U);
  for (std::uint32_t k = 0; k < 4; ++k) {
    EXPECT_EQ(out[k].target, k);
    EXPECT_EQ(out[k].memory.data(), targets[k].data());
    EXPECT_EQ(out[k].memory.size(), 4096U);
    fill(out[k], k);
  }
  EXPECT_EQ(sut.take().error(), PublishStatus::kTooManyClaims);
  EXPECT_EQ(sut.poll(), 0);
  EXPECT_TRUE(nothing_comes());
  EXPECT_EQ(sut.at_device(), 4U);
}

TEST_F(Buffers, are_committed_in_order_without_a_copy_in_whatever_order_they_come_back) {
  TP_REQ("W181");
  start_reading();
  BufferQueueOptions options = wanted();
  options.reorder = std::chrono::hours(1);
  BufferQueue sut = queue(options);
  const std::vector<DeviceBuffer> out = take_all(sut);
  for (const std::size_t k : {2U, 1U, 3U}) {
    fill(out[k], k);
    EXPECT_TRUE(sut.complete(out[k].id));
    EXPECT_EQ(sut.poll(), 0);
  }
  EXPECT_TRUE(nothing_comes());
  EXPECT_EQ(take_all(sut).size(), 3U);  // what is held back does not starve the device
  fill(out[0], 0);
  EXPECT_TRUE(sut.complete(out[0].id));
  EXPECT_EQ(sut.poll(), 4);
  EXPECT_EQ(receive(4), (Numbers{0, 1, 2, 3}));
  EXPECT_EQ(sut.counters().committed, 4U);
  EXPECT_EQ(sut.counters().copied, 0U);
  EXPECT_EQ(consumer_->counters().drops_gap, 0U);
}

TEST_F(Buffers, that_are_late_are_given_up_and_their_slot_is_left_alone_until_they_come_back) {
  TP_REQ("W181", "W182");
  start_reading();
  BufferQueue sut = queue(wanted());
  std::vector<DeviceBuffer> out = take_all(sut);
  const DeviceBuffer late = out[0];
  for (std::uint64_t seq = 1; seq < 4; ++seq) {
    fill(out[seq], seq);
    EXPECT_TRUE(sut.complete(out[seq].id));
  }
  EXPECT_EQ(sut.poll(), 3);
  EXPECT_EQ(receive(3), (Numbers{1, 2, 3}));
  EXPECT_EQ(sut.counters().late, 1U);
  EXPECT_EQ(sut.at_device(), 1U);

  // Three laps: slot 0 belongs to the device as long as it writes there.
  std::uint64_t committed = 3;
  for (int lap = 0; lap < 48; ++lap) {
    const auto buffer = sut.take();
    ASSERT_TRUE(buffer);
    EXPECT_NE(buffer->memory.data(), late.memory.data());
    std::memset(late.memory.data(), lap, late.memory.size());
    fill(*buffer, producer_->next_seq() - 1);
    EXPECT_TRUE(sut.complete(buffer->id));
    committed += static_cast<std::uint64_t>(sut.poll());
    const Numbers seqs = receive(1);
    ASSERT_EQ(seqs.size(), 1U);
    EXPECT_NE(seqs[0] % 16, 0U);
  }
  EXPECT_EQ(sut.counters().slots_skipped, 3U);
  EXPECT_EQ(committed, 51U);

  EXPECT_TRUE(sut.complete(late.id));
  EXPECT_EQ(sut.poll(), 0);
  EXPECT_EQ(sut.counters().late_returns, 1U);
  EXPECT_EQ(sut.at_device(), 0U);
  bool again = false;
  for (int k = 0; k < 16; ++k) {
    const auto buffer = sut.take();
    ASSERT_TRUE(buffer);
    again = again || buffer->memory.data() == late.memory.data();
    EXPECT_TRUE(sut.give_back(buffer->id));
    EXPECT_EQ(sut.poll(), 0);
  }
  EXPECT_TRUE(again);
}

TEST_F(Buffers, that_come_back_empty_leave_a_gap) {
  TP_REQ("W182");
  start_reading();
  BufferQueue sut = queue(wanted());
  const std::vector<DeviceBuffer> out = take_all(sut);
  for (std::uint64_t seq = 0; seq < 3; ++seq) {
    fill(out[seq], seq);
    EXPECT_TRUE(seq == 1 ? sut.give_back(out[seq].id) : sut.complete(out[seq].id));
  }
  EXPECT_EQ(sut.poll(), 2);
  EXPECT_EQ(receive(2), (Numbers{0, 2}));
  EXPECT_EQ(sut.counters().given_back, 1U);
  EXPECT_EQ(consumer_->counters().drops_gap, 1U);
}

TEST_F(Buffers, come_back_once) {
  BufferQueue sut = queue(wanted());
  const auto buffer = sut.take();
  ASSERT_TRUE(buffer);
  EXPECT_TRUE(sut.complete(buffer->id));
  EXPECT_FALSE(sut.complete(buffer->id));
  EXPECT_FALSE(sut.give_back(buffer->id));
  EXPECT_EQ(sut.poll(), 1);
  EXPECT_FALSE(sut.complete(buffer->id));
  EXPECT_FALSE(sut.complete(12345));
}

TEST_F(Buffers, have_the_times_lengths_and_shapes_that_they_came_with) {
  start_reading();
  BufferQueue sut = queue(wanted());
  const std::vector<DeviceBuffer> out = take_all(sut);
  fill(out[0], 0);
  fill(out[1], 1);
  EXPECT_TRUE(sut.complete(
      out[0].id,
      {.bytes = 300, .capture_time_ns = 4711, .info = TensorInfo::packed(Dtype::kUint16, {150})}));
  EXPECT_TRUE(sut.complete(out[1].id));
  EXPECT_TRUE(sut.complete(out[2].id, {.bytes = 5000}));  // longer than the slot
  EXPECT_EQ(sut.poll(), 2);
  EXPECT_EQ(sut.counters().refused, 1U);
  const std::optional<FrameView> first = wait_next(*consumer_);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->timestamp_ns(), 4711U);
  EXPECT_EQ(first->bytes().size(), 300U);
  EXPECT_EQ(first->info().dtype, Dtype::kUint16);
  const std::optional<FrameView> second = wait_next(*consumer_);
  ASSERT_TRUE(second);
  EXPECT_GT(second->timestamp_ns().value_or(0), 4711U);  // when it was completed
  EXPECT_EQ(second->info().shape().size(), 2U);
}

TEST_F(Buffers, are_copied_once_where_the_device_refuses_their_addresses) {
  start_reading();
  BufferQueue sut = queue(wanted());
  EXPECT_TRUE(sut.in_place());
  const auto refused = sut.take();
  ASSERT_TRUE(refused);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(refused->memory.data()) % 4096, 64U);
  const Result<DeviceBuffer> other = sut.substitute(refused->id);
  ASSERT_TRUE(other) << describe(other.error());
  EXPECT_EQ(other->id, refused->id);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(other->memory.data()) % 4096, 0U);
  EXPECT_EQ(sut.targets()[other->target].data(), other->memory.data());
  EXPECT_FALSE(sut.in_place());
  EXPECT_EQ(sut.substitute(refused->id).error().code, Errc::kMisaligned);
  EXPECT_EQ(sut.substitute(99).error().code, Errc::kNotFound);
  const auto next = sut.take();
  ASSERT_TRUE(next);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(next->memory.data()) % 4096, 0U);
  fill(*other, 0);
  fill(*next, 1);
  EXPECT_TRUE(sut.complete(other->id));
  EXPECT_TRUE(sut.complete(next->id));
  EXPECT_EQ(sut.poll(), 2);
  EXPECT_EQ(receive(2), (Numbers{0, 1}));
  EXPECT_EQ(sut.counters().copied, 2U);
  EXPECT_EQ(sut.counters().addresses_refused, 1U);
}

TEST_F(Buffers, are_copied_from_where_the_device_has_them) {
  start_reading();
  BufferQueue sut = queue(wanted());
  const auto buffer = sut.take();
  ASSERT_TRUE(buffer);
  const std::vector<std::byte> own = payload_of(0);
  EXPECT_TRUE(sut.complete(buffer->id, {.elsewhere = own}));
  EXPECT_EQ(sut.poll(), 1);
  EXPECT_EQ(receive(1), (Numbers{0}));
  EXPECT_EQ(sut.counters().copied, 1U);
}

TEST_F(Buffers, are_refused_where_they_would_be_too_many_or_would_have_to_be_copied) {
  BufferQueueOptions options = wanted();
  options.buffers = 5;
  const Result<BufferQueue> many = BufferQueue::create(*producer_, options);
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().code, Errc::kInvalidArgument);
  EXPECT_EQ(many.error().value, 5U);
  EXPECT_EQ(many.error().limit, 4U);
  options.buffers = 0;
  EXPECT_EQ(BufferQueue::create(*producer_, options).error().code, Errc::kInvalidArgument);
  options = wanted();
  options.frame_bytes = 4097;
  EXPECT_EQ(BufferQueue::create(*producer_, options).error().code, Errc::kNoPoolFits);
  options = wanted();
  options.alignment = 4096;
  options.may_copy = false;
  EXPECT_EQ(BufferQueue::create(*producer_, options).error().code, Errc::kMisaligned);
  options.may_copy = true;
  const BufferQueue copying = queue(options);
  EXPECT_FALSE(copying.in_place());
  options.alignment = 3;
  EXPECT_EQ(BufferQueue::create(*producer_, options).error().code, Errc::kInvalidArgument);
}

struct Flushes {
  std::vector<const std::byte*> addresses;
  static void flush(void* context, std::span<std::byte> memory) noexcept {
    static_cast<Flushes*>(context)->addresses.push_back(memory.data());
    std::memcpy(memory.data(), payload_of_zero().data(), kFrameBytes);
  }
  static const std::vector<std::byte>& payload_of_zero() {
    static const std::vector<std::byte> bytes = [] {
      std::vector<std::byte> made(kFrameBytes);
      for (std::size_t k = 0; k < made.size(); ++k) {
        made[k] = static_cast<std::byte>(k);
      }
      return made;
    }();
    return bytes;
  }
};

TEST_F(Buffers, are_flushed_before_they_are_committed_or_copied) {
  TP_REQ("W155");
  start_reading();
  Flushes flushes;
  BufferQueueOptions options = wanted();
  options.flush = {.flush = &Flushes::flush, .context = &flushes};
  {
    BufferQueue sut = queue(options);
    const auto buffer = sut.take();
    ASSERT_TRUE(buffer);
    EXPECT_TRUE(sut.complete(buffer->id));
    EXPECT_EQ(sut.poll(), 1);
    EXPECT_EQ(flushes.addresses, (std::vector<const std::byte*>{buffer->memory.data()}));
    EXPECT_EQ(receive(1), (Numbers{0}));  // what the flush has stored
  }
  options.alignment = 4096;
  BufferQueue copying = queue(options);
  const auto buffer = copying.take();
  ASSERT_TRUE(buffer);
  EXPECT_TRUE(copying.complete(buffer->id));
  EXPECT_EQ(copying.poll(), 1);
  EXPECT_EQ(flushes.addresses.back(), buffer->memory.data());
  std::vector<std::byte> copied(kFrameBytes);
  const std::optional<FrameView> view = wait_next(*consumer_);
  ASSERT_TRUE(view);
  ASSERT_EQ(view->copy_to(copied), CopyStatus::kCopied);
  EXPECT_EQ(copied, Flushes::payload_of_zero());
}

TEST_F(Buffers, stay_mapped_when_the_producer_goes_and_are_stale_when_they_come_back) {
  TP_REQ("W183");
  BufferQueue sut = queue(wanted());
  const std::vector<DeviceBuffer> out = take_all(sut);
  producer_.reset();
  for (const DeviceBuffer& buffer : out) {
    fill(buffer, 1);
    EXPECT_TRUE(sut.complete(buffer.id));
  }
  EXPECT_EQ(sut.poll(), 0);
  EXPECT_EQ(sut.counters().stale, 4U);
  EXPECT_EQ(sut.at_device(), 0U);
  EXPECT_EQ(sut.take().error(), PublishStatus::kClosed);
}

TEST_F(Buffers, that_nobody_gives_back_stay_mapped_for_good) {
  std::vector<DeviceBuffer> out;
  {
    BufferQueue sut = queue(wanted());
    out = take_all(sut);
  }
  publish(*producer_, 1);  // the claims of the queue are over
  producer_.reset();
  client_.reset();
  for (const DeviceBuffer& buffer : out) {
    fill(buffer, 1);
  }
}

TEST_F(Buffers, wake_their_owner_when_they_come_back) {
  BufferQueue sut = queue(wanted());
  const auto buffer = sut.take();
  ASSERT_TRUE(buffer);
  std::thread device([&sut, id = buffer->id] { sut.complete(id); });
  while (sut.poll() == 0) {
    sut.wait(std::chrono::hours(1));
  }
  device.join();
  EXPECT_EQ(sut.counters().committed, 1U);
}

/// A device with a thread of its own: returns buffers out of order, without a frame, late, twice.
class Device {
 public:
  Device(BufferQueue& queue, std::uint64_t seed)
      : queue_(queue), random_(seed), thread_([this] { run(); }) {}
  ~Device() {
    stop_ = true;
    thread_.join();
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  struct Job {
    DeviceBuffer buffer;
    std::uint64_t seq = 0;
  };
  void queue(const Job& job) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(job);
  }
  [[nodiscard]] std::size_t size() {
    const std::lock_guard lock(mutex_);
    return jobs_.size();
  }

 private:
  void run() {
    while (!stop_ || size() != 0) {
      std::optional<Job> job;
      {
        const std::lock_guard lock(mutex_);
        if (!jobs_.empty() && (stop_ || random_.chance(3, 4))) {
          const auto which =
              static_cast<std::ptrdiff_t>(random_.chance(1, 4) ? random_.below(jobs_.size()) : 0);
          job = jobs_[static_cast<std::size_t>(which)];
          jobs_.erase(jobs_.begin() + which);
        }
      }
      if (!job) {
        std::this_thread::yield();
        continue;
      }
      for (std::size_t k = 0; k < kFrameBytes; ++k) {
        job->buffer.memory[k] = static_cast<std::byte>(job->seq * 31 + k);
      }
      const bool empty = random_.chance(1, 10);
      EXPECT_TRUE(empty ? queue_.give_back(job->buffer.id) : queue_.complete(job->buffer.id));
      EXPECT_FALSE(queue_.complete(job->buffer.id));
    }
  }

  BufferQueue& queue_;
  base::Random random_;
  std::mutex mutex_;
  std::vector<Job> jobs_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST_F(Buffers, that_come_back_in_order_are_never_late_even_where_nothing_waits) {
  TP_REQ("W181");
  BufferQueue sut = queue(wanted());
  constexpr std::uint64_t kFrames = 20'000;
  std::mutex mutex;
  std::deque<std::uint64_t> queued;
  std::atomic<bool> stop{false};
  std::jthread device([&] {
    while (!stop) {
      const std::lock_guard lock(mutex);
      for (; !queued.empty(); queued.pop_front()) {
        sut.complete(queued.front());
      }
    }
  });
  while (sut.counters().committed + sut.counters().late < kFrames) {
    {
      const std::lock_guard lock(mutex);
      for (auto buffer = sut.take(); buffer; buffer = sut.take()) {
        queued.push_back(buffer->id);
      }
    }
    sut.poll();
  }
  stop = true;
  device.join();
  EXPECT_EQ(sut.counters().late, 0U);
}

TEST_F(Buffers, of_a_device_that_does_as_it_likes_reach_consumers_whole_and_in_order) {
  TP_REQ("W181", "W182");
  const std::uint64_t seed = announced_seed();
  start_reading();
  BufferQueue sut = queue(wanted());
  std::uint64_t last = 0;
  std::uint64_t frames = 0;
  const auto read = [&] {
    consumer_->poll([&](const FrameView& view) {
      std::vector<std::byte> bytes(view.bytes().size());
      if (view.copy_to(bytes) == CopyStatus::kCopied) {
        EXPECT_EQ(bytes, payload_of(view.seq()));
        EXPECT_TRUE(frames == 0 || view.seq() > last);
        last = view.seq();
        ++frames;
      }
    });
  };
  {
    Device device(sut, seed);
    while (sut.counters().committed < 3000 && !HasFailure()) {
      while (const auto buffer = sut.take()) {
        device.queue({.buffer = *buffer, .seq = producer_->next_seq() - 1});
      }
      sut.poll();
      read();
    }
  }
  sut.poll();
  read();
  EXPECT_GT(frames, 0U);
  const BufferQueueCounters& counters = sut.counters();
  EXPECT_EQ(sut.at_device(), 0U);
  EXPECT_EQ(counters.taken, counters.committed + counters.late + counters.given_back);
  EXPECT_EQ(counters.late, counters.late_returns);
  EXPECT_GT(counters.late, 0U);
  EXPECT_EQ(producer_->counters().frames_published, counters.committed);
  EXPECT_EQ(producer_->counters().claims_aborted,
            counters.late + counters.given_back + counters.slots_skipped);
  EXPECT_EQ(producer_->next_seq(), counters.taken + counters.slots_skipped);
}

}  // namespace
}  // namespace tensorpool::test
