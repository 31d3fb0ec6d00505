// Random faults through the public API: readers of every kind that fall behind, skip, keep frames
// and let the producer lap them; a producer that bursts, aborts and starts anew; a peer that sends
// descriptors which are not true. Each reader's accounts have to come out even all along, and every
// frame it is handed has to be the one it claims to be.
#include <array>
#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "base/random.hpp"
#include "client_fixture.hpp"
#include "layout/descriptor.hpp"
#include "raw_sender.hpp"
#include "support/requirement.hpp"
#include "support/seed.hpp"

namespace tensorpool::test {
namespace {

constexpr auto kBudget = std::chrono::seconds(8);

/// A frame of one epoch: its number and epoch, repeated.
using Words = std::array<std::uint64_t, 64>;
[[nodiscard]] Words words_of(std::uint64_t epoch, std::uint64_t seq) {
  Words words;
  for (std::size_t k = 0; k < words.size(); ++k) {
    words[k] = k % 2 == 0 ? seq : epoch;
  }
  return words;
}
[[nodiscard]] TensorInfo words_info() {
  return TensorInfo::packed(Dtype::kUint64, {static_cast<int>(Words{}.size())});
}

/// One consumer under random use, and a second account of what it was handed.
class Audited {
 public:
  Audited(Client& client, ConsumerOptions options, base::Random& random) : random_(random) {
    options.on_event = events_->sink();
    sut_.emplace(client.create_consumer(options).value());
  }

  /// Polls in one way or another, or not at all.
  void use() {
    const std::uint64_t before = handed_out_;
    switch (random_.below(6)) {
      case 0:
        look_at(sut_->next());
        break;
      case 1:
        look_at(sut_->latest());
        break;
      case 2:
        break;
      default:
        sut_->poll([this](const FrameView& view) { check(view); },
                   static_cast<int>(1 + random_.below(40)));
    }
    if (!leases_.empty() && random_.chance(1, 4)) {
      leases_.pop_front();
    }
    audit(handed_out_ > before);
  }

  [[nodiscard]] const Consumer& consumer() const { return *sut_; }
  [[nodiscard]] std::uint64_t audits() const { return audits_; }
  /// Ends of mappings that were told.
  [[nodiscard]] std::size_t ends() const {
    return events_->count(ConsumerEvent::Kind::kDiscontinuity);
  }

 private:
  void look_at(const std::optional<FrameView>& view) {
    if (view) {
      check(*view);
    }
  }
  void check(const FrameView& view) {
    ++handed_out_;
    Words read{};
    EXPECT_EQ(view.bytes().size(), sizeof(read));
    if (view.copy_to(std::as_writable_bytes(std::span(read))) == CopyStatus::kCopied) {
      EXPECT_EQ(read, words_of(view.epoch(), view.seq()));
    }
    if (random_.chance(1, 8) && leases_.size() < 4) {
      leases_.push_back(view.keep());
    }
  }
  /// Within one mapping, the counters go over exactly the numbers that `last_seq` goes over.
  void audit(bool tracking) {
    const ConsumerCounters now = sut_->counters();
    EXPECT_EQ(now.frames_ok, handed_out_);
    if (now.remaps != remaps_) {
      remaps_ = now.remaps;
      reckoning_.reset();
    }
    if (reckoning_) {
      EXPECT_EQ(reckoning_->tracked(*sut_), reckoning_->accounted(*sut_));
      ++audits_;
    } else if (tracking) {
      reckoning_.emplace(*sut_);
    }
  }

  base::Random& random_;
  std::shared_ptr<EventLog> events_ = std::make_shared<EventLog>();
  std::optional<Consumer> sut_;
  std::deque<FrameLease> leases_;
  std::optional<Reckoning> reckoning_;
  std::uint64_t remaps_ = 0;
  std::uint64_t handed_out_ = 0;
  std::uint64_t audits_ = 0;
};

class RandomFaults : public ClientTest {
 protected:
  void publish_some() {
    for (std::uint64_t k = random_.below(30); k > 0; --k) {
      const Words words = words_of(producer_->epoch(), producer_->next_seq());
      static_cast<void>(producer_->publish(words_info(), std::as_bytes(std::span(words))));
    }
  }
  /// Several claims at once: committed in order, aborted, or let go.
  void claim_some() {
    std::deque<Claim> claims;
    for (std::uint64_t k = random_.below(5); k > 0; --k) {
      if (auto claim = producer_->claim(sizeof(Words))) {
        const Words words = words_of(producer_->epoch(), claim->seq());
        std::memcpy(claim->payload().data(), words.data(), sizeof(words));
        claims.push_back(std::move(*claim));
      }
    }
    for (; !claims.empty(); claims.pop_front()) {
      if (random_.chance(1, 6)) {
        claims.front().abort();
      } else if (!random_.chance(1, 6)) {
        EXPECT_EQ(claims.front().commit(words_info()), CommitStatus::kCommitted);
      }
    }
  }
  /// A descriptor that is a copy, ahead, behind, or of another epoch.
  void lie() {
    layout::FrameDescriptorMessage message{};
    message.block_length = layout::kFrameDescriptorBlockLength;
    message.template_id = layout::kFrameDescriptorTemplateId;
    message.schema_id = layout::kWireSchemaId;
    message.version = layout::kWireSchemaVersion;
    message.stream_id = producer_->stream_id();
    message.epoch = producer_->epoch();
    message.seq = producer_->next_seq() - 1;
    switch (random_.below(40)) {
      case 0:
        message.seq = message.seq - 1U - random_.below(5);  // ends the mapping
        break;
      case 1:
        message.epoch = message.epoch + 1U;  // likewise
        break;
      case 2:
      case 3:
        message.epoch = message.epoch - 1U;
        break;
      case 4:
      case 5:
        message.seq = message.seq + 1U + random_.below(100);
        break;
      default:
        break;
    }
    liar_->send(kDescriptorStream, std::as_bytes(std::span(&message, 1)));
  }
  void start_producer() {
    producer_.reset();
    producer_.emplace(produce(*client_, stream()));
  }

  base::Random random_{announced_seed()};
  std::optional<Client> client_{connect()};
  std::optional<RawSender> liar_{client_->aeron_dir()};
  std::optional<Producer> producer_;
};

TEST_F(RandomFaults, leave_the_accounts_of_every_reader_even_and_no_frame_false) {
  TP_REQ("W247", "W264", "W280");
  start_producer();
  std::deque<Audited> readers;
  for (const FollowMode mode : {FollowMode::kDescriptors, FollowMode::kDirect}) {
    for (const std::uint64_t resync_above : {0U, 8U}) {
      for (const bool recover : {true, false}) {
        ConsumerOptions wanted = reader(mode);
        wanted.recover_gaps = recover;
        wanted.max_outstanding_seq_gap = resync_above;
        readers.emplace_back(*client_, wanted, random_);
      }
    }
  }
  const auto began = std::chrono::steady_clock::now();
  auto restart_at = began;
  for (auto now = began; now < began + kBudget; now = std::chrono::steady_clock::now()) {
    if (now > restart_at) {
      start_producer();
      restart_at = now + std::chrono::milliseconds(500 + random_.below(500));
    }
    random_.chance(1, 3) ? claim_some() : publish_some();
    if (producer_->next_seq() > 10 && random_.chance(1, 20)) {
      lie();
    }
    for (Audited& one : readers) {
      one.use();
    }
    if (HasFailure()) {
      return;
    }
  }

  // Once the faults have ended, everybody comes to the newest frame.
  ASSERT_TRUE(eventually([&] {
    publish_some();
    const std::uint64_t newest = producer_->next_seq() - 1;
    bool all = producer_->next_seq() != 0;
    for (Audited& one : readers) {
      one.use();
      all = all && one.consumer().epoch() == producer_->epoch() &&
            one.consumer().last_seq() + 64 > newest;
    }
    return all;
  }));
  ConsumerCounters sum;
  for (const Audited& one : readers) {
    const ConsumerCounters counters = one.consumer().counters();
    EXPECT_GT(one.audits(), 100U);
    EXPECT_GE(counters.discontinuities, 3U);
    EXPECT_EQ(counters.remaps, counters.discontinuities + 1);
    EXPECT_TRUE(eventually([&] { return one.ends() == counters.discontinuities; }));
    sum.frames_ok += counters.frames_ok;
    sum.drops_gap += counters.drops_gap;
    sum.recovered += counters.recovered;
    sum.skipped_by_reader += counters.skipped_by_reader;
    sum.changed_after_use += counters.changed_after_use;
    sum.resyncs += counters.resyncs;
    sum.implausible += counters.implausible;
    sum.drops_duplicate += counters.drops_duplicate;
    sum.seq_regressions += counters.seq_regressions;
  }
  for (const auto& [name, count] :
       {std::pair{"frames", sum.frames_ok}, std::pair{"gaps", sum.drops_gap},
        std::pair{"recovered", sum.recovered}, std::pair{"skipped", sum.skipped_by_reader},
        std::pair{"changed after use", sum.changed_after_use}, std::pair{"resyncs", sum.resyncs},
        std::pair{"implausible", sum.implausible}, std::pair{"duplicates", sum.drops_duplicate},
        std::pair{"regressions", sum.seq_regressions}}) {
    std::printf("%s %llu\n", name, static_cast<unsigned long long>(count));
    EXPECT_GT(count, 0U) << name;
  }
}

}  // namespace
}  // namespace tensorpool::test
