// Metadata and blobs through a bus that loses, doubles and reorders, against a second account that
// looks at the whole history at once. Replay with TENSORPOOL_TEST_SEED.
#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "codec/codec.hpp"
#include "core/metadata/blob_receiver.hpp"
#include "core/metadata/blob_sender.hpp"
#include "core/metadata/producer_set.hpp"
#include "core/metadata/set_store.hpp"
#include "support/requirement.hpp"
#include "support/seed.hpp"

namespace tensorpool::core::metadata {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kStream = 10000;
constexpr int kRuns = 300;

using Wire = std::vector<std::byte>;

template <class M>
[[nodiscard]] Wire encoded(const M& message) {
  Wire bytes(codec::encoded_size(message));
  EXPECT_TRUE(codec::encode(message, bytes));
  return bytes;
}

/// Messages under way.
class LossyBus {
 public:
  explicit LossyBus(base::Random& random) : random_(random) {}
  void send(Wire bytes) {
    if (faults && random_.chance(1, 40)) {
      return;
    }
    if (faults && random_.chance(1, 40)) {
      queue_.push_back(bytes);
    }
    queue_.push_back(std::move(bytes));
    if (faults && queue_.size() > 1 && random_.chance(1, 40)) {
      std::swap(queue_.back(), queue_[queue_.size() - 2]);
    }
  }
  [[nodiscard]] std::optional<Wire> receive() {
    if (queue_.empty()) {
      return std::nullopt;
    }
    Wire first = std::move(queue_.front());
    queue_.pop_front();
    return first;
  }
  bool faults = true;

 private:
  base::Random& random_;
  std::deque<Wire> queue_;
};

/// The rules of §1.18.1 as sentences about a history: what has been heard since the announce that
/// counts is exactly the blob, or nothing is delivered.
class BlobAccount {
 public:
  explicit BlobAccount(std::uint64_t limit) : limit_(limit) {}

  void on(const layout::MetaBlobAnnounce& message, Nanos now) {
    if (message.total_len <= limit_) {
      since_ = History{.announce = message, .heard_at = now};
    }
  }
  void on(const layout::MetaBlobChunk& message, Nanos now) {
    if (since_) {
      since_->good = since_->good && message.meta_version == since_->announce.meta_version &&
                     message.chunk_offset == since_->bytes.size() && !message.bytes.empty() &&
                     message.bytes.size() <= 65'536 &&
                     since_->bytes.size() + message.bytes.size() <= since_->announce.total_len;
      since_->bytes.insert(since_->bytes.end(), message.bytes.begin(), message.bytes.end());
      since_->heard_at = now;
    }
  }
  /// What has to be delivered.
  [[nodiscard]] std::optional<Wire> on(const layout::MetaBlobComplete& message) {
    const std::optional<History> history = std::exchange(since_, std::nullopt);
    if (!history || !history->good || history->bytes.size() != history->announce.total_len ||
        message.meta_version != history->announce.meta_version ||
        message.checksum != history->announce.checksum) {
      return std::nullopt;
    }
    Crc32c crc;
    crc.update(history->bytes);
    return message.checksum == 0 || message.checksum == crc.digest() ? std::optional(history->bytes)
                                                                     : std::nullopt;
  }
  void pass(Nanos now) {
    if (since_ && since_->good && now - since_->heard_at >= seconds(5)) {
      since_.reset();
    }
  }

 private:
  struct History {
    layout::MetaBlobAnnounce announce;
    Nanos heard_at;
    Wire bytes = {};
    bool good = true;
  };
  std::uint64_t limit_;
  std::optional<History> since_;
};

class BlobRun {
 public:
  explicit BlobRun(std::uint64_t seed) : random_(seed) {}

  void play(int steps) {
    for (int k = 0; k < steps && !::testing::Test::HasFailure(); ++k) {
      step();
    }
  }
  /// No more faults: what is pushed arrives, whole and in order.
  void heal() {
    bus_.faults = false;
    while (sender_.pending() != 0) {
      send();
    }
    deliver_all();
    const std::size_t before = delivered_.size();
    std::vector<Wire> expected;
    for (int k = 0; k < 3; ++k) {
      expected.push_back(random_blob());
      ASSERT_TRUE(sender_.push(1, 1, expected.back()));
    }
    while (sender_.pending() != 0) {
      send();
    }
    deliver_all();
    ASSERT_EQ(delivered_.size(), before + 3);
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), delivered_.end() - 3));
  }
  [[nodiscard]] std::size_t delivered() const { return delivered_.size(); }
  [[nodiscard]] std::uint64_t discarded() const { return receiver_.discarded(); }

 private:
  static constexpr std::uint64_t kLimit = 4000;
  static constexpr std::size_t kRoom = 28 + 700;

  [[nodiscard]] Wire random_blob() {
    Wire bytes(random_.chance(1, 8) ? 0 : random_.below(kLimit));
    for (std::byte& byte : bytes) {
      byte = static_cast<std::byte>(random_.next());
    }
    return bytes;
  }

  void step() {
    switch (random_.below(12)) {
      case 0:
        static_cast<void>(
            sender_.push(static_cast<std::uint32_t>(random_.between(1, 3)), 1, random_blob()));
        break;
      case 1:
        if (random_.chance(1, 4)) {
          sender_.begin_epoch(1);
        }
        break;
      case 2:
        now_ += random_.chance(1, 20) ? Nanos(seconds(6)) : Nanos(milliseconds(10));
        account_.pass(now_);
        receiver_.poll(now_);
        break;
      case 3:
        if (random_.chance(1, 10)) {
          send_nonsense();
        }
        break;
      case 4:
      case 5:
      case 6:
      case 7:
        send();
        break;
      default:
        deliver();
    }
    EXPECT_TRUE(receiver_.check_invariants());
  }

  void send() {
    const auto message = sender_.message(kStream, kRoom);
    if (message) {
      bus_.send(std::visit([](const auto& body) { return encoded(body); }, *message));
      sender_.sent(*message);
    }
  }

  void send_nonsense() {
    layout::MetaBlobAnnounce announce{.stream_id = kStream,
                                      .meta_version = 1,
                                      .total_len = random_.next() >> random_.below(64),
                                      .checksum = random_.chance(1, 2) ? 0 : random_.next()};
    bus_.send(encoded(announce));
  }

  void deliver_all() {
    while (deliver()) {
    }
  }

  bool deliver() {
    const std::optional<Wire> bytes = bus_.receive();
    if (!bytes) {
      return false;
    }
    const auto message = codec::decode<codec::Message900>(*bytes, scratch_);
    EXPECT_TRUE(message);
    if (const auto* const announce = std::get_if<layout::MetaBlobAnnounce>(&*message)) {
      account_.on(*announce, now_);
      receiver_.on_announce(*announce, now_);
    } else if (const auto* const chunk = std::get_if<layout::MetaBlobChunk>(&*message)) {
      account_.on(*chunk, now_);
      receiver_.on_chunk(*chunk, now_);
    } else if (const auto* const complete = std::get_if<layout::MetaBlobComplete>(&*message)) {
      MetadataBlob got;
      const bool delivered =
          receiver_.on_complete(*complete, got) == BlobReceiver::Verdict::kDelivered;
      const std::optional<Wire> expected = account_.on(*complete);
      EXPECT_EQ(delivered, expected.has_value());
      if (delivered && expected) {
        EXPECT_EQ(got.bytes, *expected);
        delivered_.push_back(std::move(got.bytes));
      }
    }
    return true;
  }

  base::Random random_;
  LossyBus bus_{random_};
  BlobSender sender_{{.blob_bytes_max = kLimit}};
  BlobReceiver receiver_{{.stream_id = kStream, .blob_bytes_max = kLimit}};
  BlobAccount account_{kLimit};
  codec::Scratch scratch_;
  Nanos now_ = seconds(1000);
  std::vector<Wire> delivered_;
};

TEST(BlobHistory, what_is_delivered_is_what_an_account_of_the_whole_history_says) {
  TP_REQ("W383", "W384", "W386", "W387", "W388", "W389");
  const std::uint64_t seed = test::announced_seed();
  std::size_t delivered = 0;
  std::uint64_t discarded = 0;
  for (int run = 0; run < kRuns && !HasFailure(); ++run) {
    BlobRun sut(seed + static_cast<std::uint64_t>(run));
    sut.play(400);
    delivered += sut.delivered();
    discarded += sut.discarded();
    sut.heal();
  }
  EXPECT_GT(delivered, 100U);  // otherwise the runs show nothing
  EXPECT_GT(discarded, 100U);
}

/// One producer with epochs and sets, one store; announces and sets may be lost and doubled, and
/// are repeated.
class SetRun {
 public:
  explicit SetRun(std::uint64_t seed) : random_(seed) { static_cast<void>(change()); }

  void play(int steps) {
    for (int k = 0; k < steps && !::testing::Test::HasFailure(); ++k) {
      switch (random_.below(8)) {
        case 0:
          static_cast<void>(change());
          break;
        case 1:
          if (random_.chance(1, 4)) {
            ++epoch_;
            set_.begin_epoch();
            made_[{epoch_, set_.version()}] = set_.attributes();
          }
          break;
        default:
          repeat();
      }
      check();
    }
  }
  void heal() {
    bus_.faults = false;
    repeat();
    ASSERT_NE(store_.current(), nullptr);
    EXPECT_EQ(store_.current()->epoch, epoch_);
    EXPECT_EQ(store_.current()->version, set_.version());
    EXPECT_EQ(store_.current()->attributes, set_.attributes());
  }

 private:
  [[nodiscard]] Status change() {
    std::vector<Attribute> attributes;
    for (std::uint64_t k = random_.below(4); k > 0; --k) {
      attributes.push_back(Attribute::integer("k" + std::to_string(random_.below(4)),
                                              static_cast<std::int64_t>(random_.below(100))));
    }
    const Status status = set_.set(std::move(attributes), 1, 10'000);
    made_[{epoch_, set_.version()}] = set_.attributes();
    return status;
  }
  /// What a producer sends every period; all that arrives is taken before the next.
  void repeat() {
    now_ += seconds(1);
    bus_.send(encoded(layout::DataSourceAnnounce{
        .stream_id = kStream, .epoch = epoch_, .meta_version = set_.version()}));
    bus_.send(encoded(set_.message(kStream)));
    while (const std::optional<Wire> bytes = bus_.receive()) {
      const auto message = codec::decode<codec::Message900>(*bytes, scratch_);
      ASSERT_TRUE(message);
      if (const auto* const announce = std::get_if<layout::DataSourceAnnounce>(&*message)) {
        store_.on_announce(*announce, now_);
      } else {
        store_.on_set(std::get<layout::DataSourceMeta>(*message));
      }
    }
  }
  /// Whatever is stored is a set that was in force, with the contents that it had.
  void check() {
    const auto& current = store_.current();
    if (current == nullptr) {
      return;
    }
    bool found = false;
    for (const auto& [key, attributes] : made_) {
      // A set whose announce was lost is taken for one of the epoch before.
      found = found || (key.first >= current->epoch && key.second == current->version &&
                        attributes == current->attributes);
    }
    EXPECT_TRUE(found) << "epoch " << current->epoch << " version " << current->version;
  }

  base::Random random_;
  LossyBus bus_{random_};
  ProducerSet set_;
  SetStore store_{{.stream_id = kStream}};
  codec::Scratch scratch_;
  std::uint64_t epoch_ = 1;
  Nanos now_ = seconds(1000);
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::vector<Attribute>> made_;
};

TEST(SetHistory, what_is_stored_was_in_force_and_the_newest_arrives_in_the_end) {
  TP_REQ("W372", "W373", "W376", "W377");
  const std::uint64_t seed = test::announced_seed();
  for (int run = 0; run < kRuns && !HasFailure(); ++run) {
    SetRun sut(seed + static_cast<std::uint64_t>(run));
    sut.play(100);
    sut.heal();
  }
}

}  // namespace
}  // namespace tensorpool::core::metadata
