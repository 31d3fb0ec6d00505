// Random histories of one stream: a writer that claims, aborts and laps; a bus that loses and
// doubles descriptors; a receiver in every mode, remapped now and then. After each step the
// accounting is compared with a second one, kept here from outside: which numbers the receiver has
// passed over, and which frames it was seen to deliver.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/consumer/frame_receiver.hpp"
#include "core/producer/frame_writer.hpp"
#include "support/counter_changes.hpp"
#include "support/requirement.hpp"
#include "support/ring_fixture.hpp"

namespace tensorpool::core {
namespace {

using base::DefaultAtom;
using consumer::Descriptor;
using consumer::Use;
using Receiver = consumer::FrameReceiver<DefaultAtom>;
using Writer = producer::FrameWriter<DefaultAtom>;

constexpr std::uint32_t kStream = 9;

/// The producer's side: memory and writer of the present epoch, and every descriptor on its way.
class Source {
 public:
  explicit Source(std::uint32_t nslots) : nslots_(nslots) { restart(); }

  /// A new epoch with new regions. The old ones stay, as they do while they are mapped.
  void restart() {
    ++epoch_;
    claims_.clear();
    streams_.push_back(std::make_unique<test::HeapStream<DefaultAtom>>(
        nslots_, std::initializer_list<test::PoolShape>{{.id = 1, .stride_bytes = 64},
                                                        {.id = 2, .stride_bytes = 128}}));
    writer_ =
        std::make_unique<Writer>(memory(), Writer::Options{.stream_id = kStream, .epoch = epoch_});
    committed_.clear();
  }

  /// Publishes, or ends the oldest claim where one is open.
  void publish() {
    if (!claims_.empty()) {
      return commit();
    }
    const std::size_t bytes = bytes_of(writer_->next_seq());
    RC_ASSERT(writer_->publish(test::bytes_tensor(bytes),
                               test::pattern(bytes, epoch_, writer_->next_seq()),
                               0) == PublishStatus::kPublished);
    sent();
  }
  void claim() {
    producer::OpenClaim claim;
    if (writer_->claim(bytes_of(writer_->next_seq()), claim) == PublishStatus::kPublished) {
      claims_.push_back(claim);
    }
  }
  void commit() {
    if (claims_.empty()) {
      return;
    }
    const producer::OpenClaim claim = claims_.front();
    claims_.pop_front();
    const std::size_t bytes = bytes_of(claim.seq);
    test::fill_pattern(claim.payload.first(bytes), epoch_, claim.seq);
    RC_ASSERT(writer_->commit(claim, test::bytes_tensor(bytes), bytes, 0) ==
              CommitStatus::kCommitted);
    sent();
  }
  void abort(std::size_t which) {
    if (!claims_.empty()) {
      const auto claim = claims_.begin() + static_cast<std::ptrdiff_t>(which % claims_.size());
      RC_ASSERT(writer_->abort(*claim));
      claims_.erase(claim);
    }
  }

  [[nodiscard]] std::uint32_t nslots() const { return nslots_; }
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  [[nodiscard]] std::uint64_t next_seq() const { return writer_->next_seq(); }
  [[nodiscard]] const ring::StreamMemory<DefaultAtom>& memory() const {
    return streams_.back()->memory();
  }
  [[nodiscard]] test::HeapStream<DefaultAtom>& stream() { return *streams_.back(); }
  /// Numbers of the present epoch that were committed.
  [[nodiscard]] const std::set<std::uint64_t>& committed() const { return committed_; }

  static std::size_t bytes_of(std::uint64_t seq) { return seq * 37 % 129; }

  std::deque<Descriptor> bus;        ///< on their way, oldest first
  std::vector<Descriptor> sent_ago;  ///< all of them

 private:
  void sent() {
    committed_.insert(writer_->descriptor().seq);
    bus.push_back(test::received(writer_->descriptor()));
    sent_ago.push_back(bus.back());
  }

  std::uint32_t nslots_;
  std::uint64_t epoch_ = 0;
  std::vector<std::unique_ptr<test::HeapStream<DefaultAtom>>> streams_;
  std::unique_ptr<Writer> writer_;
  std::deque<producer::OpenClaim> claims_;
  std::set<std::uint64_t> committed_;
};

/// The receiver and the second account.
class Audited {
  // First, since its type has to be known below: checks a frame and takes note of it.
  [[nodiscard]] auto sink() {
    return [this](const consumer::Frame<DefaultAtom>& frame) noexcept {
      ++seen_;
      const bool in_order = delivered_.empty() || frame.seq > *delivered_.rbegin();
      const auto expected = test::pattern(Source::bytes_of(frame.seq), mapped_, frame.seq);
      sound_ =
          sound_ && in_order && frame.epoch == mapped_ &&
          std::equal(frame.payload.begin(), frame.payload.end(), expected.begin(), expected.end());
      delivered_.insert(frame.seq);
      const std::uint64_t word = *frame.commit;
      if (during_callback) {
        std::exchange(during_callback, nullptr)();
      }
      if (keep) {
        kept_.emplace_back(frame.seq, frame.commit);
        return Use::kKept;
      }
      changed_ += *frame.commit == word ? 0U : 1U;
      return Use::kDone;
    };
  }

 public:
  Audited(Source& source, Receiver::Options options)
      : source_(source), recovers_(options.recover_gaps), sut(options) {
    map();
  }

  void map() {
    if (sut.attached()) {
      sut.detach();
    }
    const bool follows = mapped_ != 0 && source_.epoch() > mapped_;
    mapped_ = source_.epoch();
    stream_ = &source_.stream();
    sut.attach(stream_->memory(), mapped_);
    at_map_ = sut.counters();
    first_.reset();
    candidate_.reset();
    if (recovers_ && follows && sequence_in_slot(0) == 0) {
      first_ = 0;  // the ring still has the beginning of the epoch
    }
    RC_ASSERT(sut.tracking() == first_.has_value());
    delivered_.clear();
    changed_ = 0;
    kept_.clear();
  }

  void hear(const Descriptor& descriptor, int limit) {
    expect_first(descriptor.epoch == mapped_ && descriptor.stream_id == kStream &&
                         sequence_in_slot(descriptor.seq) >= descriptor.seq
                     ? std::optional(descriptor.seq)
                     : std::nullopt);
    frames_ += sut.on_descriptor(descriptor, false, sink(), limit);
    check();
  }
  void fill(int limit) { frames_ += sut.fill_gap(limit, sink()), check(); }
  void drained() { frames_ += sut.on_drained(sink()), check(); }
  void follow(int limit, bool latest) {
    const auto newest = newest_committed();
    expect_first(newest ? newest : first_of_an_empty_ring());
    frames_ += sut.follow_ring(limit, latest, sink());
    check();
  }
  void start_at_end() {
    const auto newest = newest_committed();
    expect_first(newest ? std::optional(*newest + 1) : first_of_an_empty_ring());
    sut.start_at_end();
    check();
  }
  /// Looks at what was kept, and reports what was overwritten meanwhile.
  void release_kept() {
    for (const auto& [seq, commit] : kept_) {
      if (!ring::unchanged_after_use<DefaultAtom>(*commit, seq)) {
        sut.report_changed_after_use();
        ++changed_;
      }
    }
    kept_.clear();
    check();
  }

  /// The numbers of the present mapping that were delivered.
  [[nodiscard]] const std::set<std::uint64_t>& delivered() const { return delivered_; }

 private:
  void expect_first(std::optional<std::uint64_t> seq) {
    if (!sut.tracking() && !sut.unmap_wanted()) {
      candidate_ = seq;
    }
  }

  void check() {
    if (!first_ && sut.tracking()) {
      RC_ASSERT(candidate_.has_value());
      first_ = candidate_;
    }
    RC_ASSERT(sut.check_invariants());
    RC_ASSERT(sound_);
    const ConsumerCounters& now = sut.counters();
    RC_ASSERT(static_cast<std::uint64_t>(frames_) == seen_);
    RC_ASSERT(now.frames_ok == seen_);
    RC_ASSERT(now.frames_ok - at_map_.frames_ok == delivered_.size());
    RC_ASSERT(now.changed_after_use - at_map_.changed_after_use == changed_);
    RC_ASSERT(now.drops_late == now.drops_in_progress + now.drops_seq_mismatch + now.drops_changed +
                                    now.drops_header_invalid + now.drops_payload_invalid);
    for (const auto& [name, by] : test::changes(before_, now)) {
      RC_ASSERT(by < std::uint64_t{1} << 63U);  // never down (W279)
    }
    before_ = now;

    // What was passed over and not delivered is in one counter each.
    const std::uint64_t lost =
        (now.drops_late - at_map_.drops_late) - (now.implausible - at_map_.implausible) - changed_ +
        (now.drops_gap - at_map_.drops_gap) + (now.skipped_by_reader - at_map_.skipped_by_reader);
    if (first_ && sut.last_seq() != 0) {
      RC_ASSERT(sut.last_seq() + 1 - *first_ == delivered_.size() + lost);
    } else {
      RC_ASSERT(delivered_.size() + lost <= 1U);
    }
    if (!delivered_.empty()) {
      RC_ASSERT(*delivered_.begin() >= *first_);
      RC_ASSERT(*delivered_.rbegin() <= sut.last_seq());
    }
  }

  /// What a look at every word gives.
  [[nodiscard]] std::optional<std::uint64_t> newest_committed() const {
    std::optional<std::uint64_t> newest;
    for (std::uint32_t index = 0; index < source_.nslots(); ++index) {
      const std::uint64_t word = stream_->word(index);
      if (ring::is_committed(word) && (!newest || ring::sequence_of(word) > *newest)) {
        newest = ring::sequence_of(word);
      }
    }
    return newest;
  }
  [[nodiscard]] std::optional<std::uint64_t> first_of_an_empty_ring() const {
    for (std::uint32_t index = 0; index < source_.nslots(); ++index) {
      if (stream_->word(index) > ring::committed(index)) {
        return std::nullopt;
      }
    }
    return 0;
  }
  [[nodiscard]] std::uint64_t sequence_in_slot(std::uint64_t seq) const {
    return ring::sequence_of(stream_->word(static_cast<std::uint32_t>(seq % source_.nslots())));
  }

  Source& source_;
  const bool recovers_;
  test::HeapStream<DefaultAtom>* stream_ = nullptr;
  std::uint64_t mapped_ = 0;
  ConsumerCounters at_map_;
  ConsumerCounters before_;
  std::optional<std::uint64_t> candidate_;
  std::optional<std::uint64_t> first_;
  std::set<std::uint64_t> delivered_;
  std::vector<std::pair<std::uint64_t, const std::uint64_t*>> kept_;
  std::uint64_t changed_ = 0;
  std::uint64_t seen_ = 0;
  int frames_ = 0;
  bool sound_ = true;

 public:
  std::function<void()> during_callback;  ///< done once
  bool keep = false;
  Receiver sut;
};

enum class Op : std::uint8_t {
  kPublish,
  kClaim,
  kCommit,
  kAbort,
  kHear,
  kLose,
  kDouble,
  kDrain,
  kFill,
  kFollow,
  kStartAtEnd,
  kLatest,
  kResubscribe,
  kRepeatOld,
  kForge,
  kLapInCallback,
  kKeep,
  kRelease,
  kSpoilHeader,
  kRemap,
  kRestart,
};

struct Step {
  Op op{};
  std::uint32_t pick = 0;
};
std::ostream& operator<<(std::ostream& out, const Step& step) {
  return out << static_cast<int>(step.op) << ':' << step.pick;
}

rc::Gen<std::vector<Step>> any_history() {
  const auto op = rc::gen::weightedElement<Op>(
      {{12, Op::kPublish},    {3, Op::kClaim},     {3, Op::kCommit},      {1, Op::kAbort},
       {12, Op::kHear},       {3, Op::kLose},      {2, Op::kDouble},      {4, Op::kDrain},
       {3, Op::kFill},        {4, Op::kFollow},    {1, Op::kStartAtEnd},  {2, Op::kLatest},
       {1, Op::kResubscribe}, {1, Op::kRepeatOld}, {1, Op::kForge},       {2, Op::kLapInCallback},
       {1, Op::kKeep},        {1, Op::kRelease},   {1, Op::kSpoilHeader}, {1, Op::kRemap},
       {1, Op::kRestart}});
  const auto step = rc::gen::map(rc::gen::pair(op, rc::gen::inRange(0U, 20U)), [](const auto& p) {
    return Step{p.first, p.second};
  });
  return rc::gen::scale(4.0, rc::gen::container<std::vector<Step>>(step));
}

/// As the agent does: gives the mapping up when the receiver asks for it.
void obey(Audited& reader) {
  if (reader.sut.unmap_wanted()) {
    reader.map();
  }
}

void hear_next(Source& source, Audited& reader, int limit) {
  if (reader.sut.filling_gap()) {
    reader.fill(limit);
  } else if (!source.bus.empty()) {
    const Descriptor descriptor = source.bus.front();
    source.bus.pop_front();
    reader.hear(descriptor, limit);
  }
}

void consumer_step(const Step& step, Source& source, Audited& reader) {
  const int limit = 1 + static_cast<int>(step.pick) % 5;
  switch (step.op) {
    case Op::kHear:
      for (std::uint32_t k = 0; k <= step.pick % 6; ++k) {
        hear_next(source, reader, limit);
        obey(reader);
      }
      break;
    case Op::kDrain:
      while (reader.sut.draining() && !source.bus.empty()) {
        hear_next(source, reader, 1000);
        obey(reader);
      }
      reader.drained();
      break;
    case Op::kFill:
      reader.fill(limit);
      break;
    case Op::kFollow:
      reader.follow(limit, step.pick % 3 == 0);
      break;
    case Op::kStartAtEnd:
      reader.start_at_end();
      break;
    case Op::kLatest:
      reader.sut.begin_latest();
      while (!source.bus.empty()) {
        hear_next(source, reader, 1);
        obey(reader);
      }
      reader.sut.end_latest();
      reader.drained();
      break;
    case Op::kKeep:
      reader.keep = !reader.keep;
      break;
    case Op::kRelease:
      reader.release_kept();
      break;
    case Op::kRemap:
      reader.map();
      break;
    default:
      break;
  }
}

void bus_step(const Step& step, Source& source, Audited& reader) {
  switch (step.op) {
    case Op::kLose:
      for (std::uint32_t k = 0; k <= step.pick % 8 && !source.bus.empty(); ++k) {
        source.bus.pop_front();
      }
      break;
    case Op::kDouble:
      if (!source.bus.empty()) {
        source.bus.push_front(source.bus.front());
      }
      break;
    case Op::kResubscribe:
      reader.sut.subscription_changed();
      [[fallthrough]];
    case Op::kRepeatOld:
      for (std::size_t k = 0; k < step.pick % 5 && k < source.sent_ago.size(); ++k) {
        source.bus.push_front(source.sent_ago[source.sent_ago.size() - 1 - k]);
      }
      break;
    case Op::kForge: {
      Descriptor forged{.stream_id = kStream, .epoch = source.epoch(), .seq = source.next_seq()};
      forged.seq += step.pick % 4 == 0 ? 0 : std::uint64_t{1} << (step.pick * 3);
      forged.stream_id += step.pick % 4 == 1 ? 1 : 0;
      source.bus.push_front(forged);
      break;
    }
    default:
      break;
  }
}

void producer_step(const Step& step, Source& source, Audited& reader) {
  switch (step.op) {
    case Op::kPublish:
      for (std::uint32_t k = 0; k <= step.pick; ++k) {
        source.publish();
      }
      break;
    case Op::kClaim:
      source.claim();
      break;
    case Op::kCommit:
      source.commit();
      break;
    case Op::kAbort:
      source.abort(step.pick);
      break;
    case Op::kLapInCallback:
      reader.during_callback = [&source, laps = step.pick % 3 + 1]() noexcept {
        for (std::uint32_t k = 0; k < laps * source.nslots(); ++k) {
          source.publish();
        }
      };
      break;
    case Op::kSpoilHeader:
      source.stream().poke(step.pick % source.nslots(), offsetof(layout::Slot, dtype),
                           std::int16_t{99});
      break;
    case Op::kRestart:
      source.restart();
      break;
    default:
      break;
  }
}

TEST(History, is_accounted_for_to_the_last_number) {
  TP_REQ("W161", "W178", "W181", "W182", "W244", "W247", "W257", "W258", "W259", "W260", "W261",
         "W264", "W274", "W278", "W279", "W280");
  EXPECT_TRUE(rc::check("any history, any mode", [] {
    Source source(1U << *rc::gen::inRange(0U, 5U));
    Audited reader(source,
                   {.stream_id = kStream,
                    .recover_gaps = *rc::gen::arbitrary<bool>(),
                    .max_outstanding_seq_gap = *rc::gen::element<std::uint64_t>(0, 1, 3, 256)});
    for (const Step& step : *any_history()) {
      producer_step(step, source, reader);
      bus_step(step, source, reader);
      consumer_step(step, source, reader);
      obey(reader);
    }
    const ConsumerCounters& counters = reader.sut.counters();
    RC_CLASSIFY(counters.frames_ok > 20, "over 20 frames");
    RC_CLASSIFY(counters.recovered > 0, "recovered");
    RC_CLASSIFY(counters.resyncs > 0, "resynced");
    RC_CLASSIFY(counters.drops_late > counters.implausible, "late");
    RC_CLASSIFY(counters.changed_after_use > 0, "changed after use");
    RC_CLASSIFY(counters.seq_regressions > 0, "regressed");
  }));
}

/// Everything that was committed, from the first frame of the epoch.
void expect_all_delivered(const Source& source, const Audited& reader) {
  RC_ASSERT(reader.delivered() == source.committed());
}

/// Takes up to nslots - 1 numbers, some of which are aborted, and commits the others.
void take_less_than_a_lap(Source& source) {
  const auto taken = *rc::gen::inRange(0U, source.nslots());
  for (std::uint32_t k = 0; k < taken; ++k) {
    source.claim();
    if (*rc::gen::inRange(0, 5) == 0) {
      source.abort(k);
    }
  }
  for (std::uint32_t k = 0; k < taken; ++k) {
    source.commit();
  }
}

TEST(History, loses_no_frame_of_lost_descriptors_while_the_ring_holds_them) {
  TP_REQ("W260");
  EXPECT_TRUE(rc::check("recover_gaps, less than a lap between two descriptors that arrive", [] {
    Source source(1U << *rc::gen::inRange(1U, 6U));
    Audited reader(source, {.stream_id = kStream, .recover_gaps = true});
    source.publish();
    const auto rounds = *rc::gen::inRange(1, 20);
    for (int round = 0; round < rounds; ++round) {
      take_less_than_a_lap(source);
      if (!source.bus.empty()) {
        const Descriptor last = source.bus.back();
        while (!source.bus.empty()) {
          const Descriptor descriptor = source.bus.front();
          source.bus.pop_front();
          if (descriptor.seq == 0 || descriptor.seq == last.seq || *rc::gen::arbitrary<bool>()) {
            reader.hear(descriptor, *rc::gen::inRange(1, 4));
            while (reader.sut.filling_gap()) {
              reader.fill(*rc::gen::inRange(1, 4));
            }
          }
        }
        expect_all_delivered(source, reader);
      }
    }
  }));
}

TEST(History, loses_no_frame_in_direct_mode_while_the_ring_holds_them) {
  TP_REQ("W182");
  EXPECT_TRUE(rc::check("direct mode, less than a lap between two looks", [] {
    Source source(1U << *rc::gen::inRange(1U, 6U));
    Audited reader(source, {.stream_id = kStream});
    reader.follow(1, false);
    const auto rounds = *rc::gen::inRange(1, 20);
    for (int round = 0; round < rounds; ++round) {
      take_less_than_a_lap(source);
      source.publish();  // a whole frame behind what was aborted
      // An abort is proved by looking at one later slot a call.
      for (std::uint32_t k = 0; k < source.nslots() * source.nslots(); ++k) {
        reader.follow(*rc::gen::inRange(1, 4), false);
      }
      expect_all_delivered(source, reader);
    }
  }));
}

}  // namespace
}  // namespace tensorpool::core
