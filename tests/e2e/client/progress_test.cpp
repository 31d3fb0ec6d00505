// Frames that are told of, and read, while they are being filled. Spec: §1.17.
#include <array>
#include <atomic>
#include <thread>

#include "registration_fixture.hpp"
#include "support/counter_changes.hpp"

namespace tensorpool::test {
namespace {

using layout::FrameProgress;
using State = layout::FrameProgressState;

constexpr std::size_t kRows = kPeerRows;
constexpr std::size_t kRowBytes = kPeerRowBytes;
constexpr std::size_t kFrameBytes = kPeerFrameBytes;
constexpr std::int32_t kOwnControl = 32'000;

/// A report, without what it lends.
struct Told {
  std::uint64_t seq = 0;
  ProgressState state = ProgressState::kStarted;
  std::uint64_t filled_bytes = 0;
  std::size_t units = 0;
  bool readable = false;
  bool right = true;  ///< each row that could be read was what fill_rows() had written

  friend bool operator==(const Told&, const Told&) = default;
};

[[nodiscard]] bool is_right(const PrefixView& view) {
  for (std::size_t row = 0; row < view.units(); ++row) {
    for (const std::byte byte : view.bytes().subspan(row * kRowBytes, kRowBytes)) {
      if (byte != static_cast<std::byte>(view.seq() + row) && view.still_valid()) {
        return false;
      }
    }
  }
  return true;
}
[[nodiscard]] Told told_by(const PrefixView& view) {
  return {.seq = view.seq(),
          .state = view.state(),
          .filled_bytes = view.filled_bytes(),
          .units = view.units(),
          .readable = view.is_readable(),
          .right = is_right(view)};
}

class Progress : public RegistrationTest {
 protected:
  /// Tells each row.
  [[nodiscard]] StreamOptions row_stream(bool early_header = false) const {
    StreamOptions wanted = wide_stream(64);
    wanted.pools = {{.stride_bytes = kFrameBytes}};
    wanted.progress = kEveryRow;
    wanted.early_header = early_header;
    return wanted;
  }
  [[nodiscard]] static ConsumerOptions watching(bool early_header = false) {
    ConsumerOptions wanted = asking(0);
    wanted.progress = {.wanted = true, .early_header = early_header};
    return wanted;
  }
  [[nodiscard]] static ConsumerOptions watching_alone(std::int32_t stream_id = kOwnControl) {
    ConsumerOptions wanted = watching();
    wanted.own_control = {.wanted = true, .channel = kOwnChannel, .stream_id = stream_id};
    return wanted;
  }
  [[nodiscard]] static std::vector<Told> take_reports(Consumer& consumer) {
    std::vector<Told> reports;
    while (consumer.poll_progress([&](const PrefixView& view) { reports.push_back(told_by(view)); })
               .reports != 0) {
    }
    return reports;
  }
  /// Publishes until all of these hear of it, and takes what there is.
  [[nodiscard]] static bool told(Producer& producer, std::initializer_list<Consumer*> consumers) {
    for (Consumer* const consumer : consumers) {
      if (!joined(producer, *consumer) || !eventually([&] {
            publish(producer);
            drop_frames(*consumer);
            return !take_reports(*consumer).empty();
          })) {
        return false;
      }
    }
    for (Consumer* const consumer : consumers) {
      drop_frames(*consumer);
      static_cast<void>(take_reports(*consumer));
    }
    return true;
  }
  [[nodiscard]] static std::vector<Told> wait_reports(Consumer& consumer, std::size_t count) {
    std::vector<Told> reports;
    EXPECT_TRUE(eventually([&] {
      for (const Told& one : take_reports(consumer)) {
        reports.push_back(one);
      }
      return reports.size() >= count;
    }));
    return reports;
  }
  [[nodiscard]] static Claim claim(Producer& producer) {
    auto made = producer.claim(kFrameBytes);
    EXPECT_TRUE(made.has_value());
    return std::move(*made);
  }
  [[nodiscard]] static FrameProgress message_of(const Producer& producer, std::uint64_t seq,
                                                State state, std::uint64_t bytes) {
    return {.stream_id = producer.stream_id(),
            .epoch = producer.epoch(),
            .seq = seq,
            .payload_bytes_filled = bytes,
            .state = state};
  }
  static void publish_rows(Producer& producer) {
    Claim open = claim(producer);
    fill_rows(open, 0, kRows);
    ASSERT_EQ(open.commit(row_info()), CommitStatus::kCommitted);
  }
};

TEST_F(Progress, of_a_claim_is_information_until_the_commit_and_a_prefix_from_then_on) {
  TP_REQ("W343", "W344", "W363", "W364", "W366", "W368", "W160");
  Client client = connect();
  Producer producer = produce(client, row_stream());
  Consumer sut = consume(client, watching());
  ASSERT_TRUE(told(producer, {&sut}));
  const ConsumerCounters before = sut.counters();
  const std::uint64_t last_seq = sut.last_seq();

  Claim open = claim(producer);
  const std::uint64_t seq = open.seq();
  EXPECT_EQ(wait_reports(sut, 1),
            (std::vector<Told>{{.seq = seq, .state = ProgressState::kStarted}}));
  ASSERT_TRUE(open.begin_filling(row_info()));
  fill_rows(open, 0, 4);
  open.filled_units(4);
  EXPECT_EQ(wait_reports(sut, 1),
            (std::vector<Told>{
                {.seq = seq, .state = ProgressState::kProgress, .filled_bytes = 4 * kRowBytes}}));
  open.filled(100);  // never back
  fill_rows(open, 4, kRows);
  EXPECT_EQ(changes(before, sut.counters()), (Changes{{"progress_reports", 2}}));
  EXPECT_EQ(sut.last_seq(), last_seq);

  ASSERT_EQ(open.commit(row_info()), CommitStatus::kCommitted);
  EXPECT_EQ(wait_reports(sut, 1), (std::vector<Told>{{.seq = seq,
                                                      .state = ProgressState::kComplete,
                                                      .filled_bytes = kFrameBytes,
                                                      .units = kRows,
                                                      .readable = true}}));
  EXPECT_EQ(changes(before, sut.counters()), (Changes{{"progress_reports", 3}}));
  EXPECT_EQ(sut.last_seq(), last_seq);
  const auto frame = wait_next(sut);
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->seq(), seq);
}

TEST_F(Progress, with_early_headers_rows_are_read_before_the_commit) {
  TP_REQ("W369", "W367");
  Client client = connect();
  Producer producer = produce(client, row_stream(true));
  Consumer sut = consume(client, watching(true));
  ASSERT_TRUE(told(producer, {&sut}));
  std::size_t early = 0;
  for (int frame = 0; frame < 3; ++frame) {  // the first ones in slots that nobody has written
    Claim open = claim(producer);
    open.filled(kRowBytes);  // not before it is known what it is going to be
    TensorInfo wrong = row_info();
    wrong.progress_stride_bytes = 7;
    EXPECT_FALSE(open.begin_filling(wrong));
    EXPECT_FALSE(open.begin_filling(row_info(), kFrameBytes + 1, {}));
    ASSERT_TRUE(open.begin_filling(row_info()));
    EXPECT_EQ(wait_reports(sut, 1), (std::vector<Told>{{.seq = open.seq()}}));
    for (std::size_t rows = 1; rows <= kRows; ++rows) {
      fill_rows(open, rows - 1, rows);
      open.filled(rows * kRowBytes + (rows < kRows ? 1 : 0));
      const std::vector<Told> reports = wait_reports(sut, 1);
      ASSERT_EQ(reports.size(), 1U);
      EXPECT_TRUE(reports[0].readable && reports[0].right);
      EXPECT_EQ(reports[0].units, rows);
      ++early;
    }
    EXPECT_EQ(open.commit(TensorInfo::packed(Dtype::kUint8, {kFrameBytes})),
              CommitStatus::kInvalidParams);
    ASSERT_EQ(open.commit(row_info()), CommitStatus::kCommitted);
    ASSERT_EQ(wait_reports(sut, 1).size(), 1U);
    ASSERT_TRUE(wait_next(sut).has_value());
  }
  EXPECT_EQ(early, 3 * kRows);
  EXPECT_EQ(sut.counters().progress_rejected, 0U);
  EXPECT_EQ(sut.counters().prefixes_changed, 0U);
}

TEST_F(Progress, one_end_with_early_headers_alone_hands_out_nothing_before_the_commit) {
  TP_REQ("W363", "W369");
  Client client = connect();
  Producer producer = produce(client, row_stream(true));
  Consumer sut = consume(client, watching(false));
  ASSERT_TRUE(told(producer, {&sut}));
  Claim open = claim(producer);
  ASSERT_TRUE(open.begin_filling(row_info()));
  fill_rows(open, 0, 4);
  open.filled_units(4);
  for (const Told& report : wait_reports(sut, 2)) {
    EXPECT_FALSE(report.readable);
    EXPECT_EQ(report.units, 0U);
  }
}

TEST_F(Progress, a_prefix_that_is_overwritten_in_use_is_told_and_is_no_loss_of_a_frame) {
  TP_REQ("W366", "W368", "W172");
  Client client = connect();
  StreamOptions narrow = row_stream(true);
  narrow.nslots = 8;
  Producer producer = produce(client, narrow);
  Consumer sut = consume(client, watching(true));
  ASSERT_TRUE(told(producer, {&sut}));
  Claim open = claim(producer);
  const std::uint64_t seq = open.seq();
  ASSERT_TRUE(open.begin_filling(row_info()));
  fill_rows(open, 0, 1);
  open.filled_units(1);
  const ConsumerCounters before = sut.counters();
  std::vector<std::uint64_t> changed;
  int reports = 0;
  ProgressResult result;
  ASSERT_TRUE(eventually([&] {
    const ProgressResult some = sut.poll_progress(
        [&](const PrefixView& view) {
          if (view.state() != ProgressState::kProgress) {
            return;
          }
          EXPECT_TRUE(view.still_valid());
          open.abort();
          for (int lap = 0; lap < 8; ++lap) {
            publish_rows(producer);
          }
          EXPECT_FALSE(view.still_valid());
          ++reports;
        },
        [&](std::uint64_t which) { changed.push_back(which); }, 1);
    result.changed_after_use += some.changed_after_use;
    return reports == 1;
  }));
  EXPECT_EQ(result.changed_after_use, 1);
  EXPECT_EQ(changed, (std::vector{seq}));
  Changes moved = changes(before, sut.counters());
  EXPECT_EQ(moved["prefixes_changed"], 1U);
  EXPECT_EQ(moved["drops_changed"] + moved["drops_late"] + moved["drops_gap"], 0U);
}

TEST_F(Progress, is_told_while_somebody_wants_it_and_to_nobody_else) {
  TP_REQ("W343", "W356", "W322", "W354");
  Client client = connect();
  Producer producer = produce(client, row_stream());
  Consumer deaf = consume(client, asking(0));
  ASSERT_TRUE(joined(producer, deaf));
  ASSERT_TRUE(eventually([&] {  // it is registered
    drop_frames(deaf);
    publish_rows(producer);
    return deaf.counters().frames_ok > 0;
  }));
  EXPECT_EQ(producer.counters().progress_sent, 0U);
  {
    Consumer curious = consume(client, watching());
    ASSERT_TRUE(told(producer, {&curious}));
    EXPECT_TRUE(take_reports(deaf).empty());
  }
  ASSERT_TRUE(eventually([&] {  // nobody hears its hellos any more
    const std::uint64_t before = producer.counters().progress_sent;
    for (int frame = 0; frame < 10; ++frame) {
      publish_rows(producer);
    }
    return producer.counters().progress_sent == before;
  }));
  EXPECT_EQ(deaf.counters().progress_reports, 0U);
}

TEST_F(Progress, follows_the_keenest_of_all_consumers) {
  TP_REQ("W349", "W351");
  Client client = connect();
  StreamOptions usual = row_stream();
  usual.progress.interval = std::chrono::hours(1);
  Producer producer = produce(client, usual);
  Consumer patient = consume(client, watching());
  ASSERT_TRUE(told(producer, {&patient}));
  const auto growth_is_told = [&] {
    Claim open = claim(producer);
    EXPECT_TRUE(open.begin_filling(row_info()));
    for (std::size_t rows = 1; rows <= kRows; ++rows) {
      open.filled_units(rows);
    }
    EXPECT_EQ(open.commit(row_info()), CommitStatus::kCommitted);
    const std::uint64_t seq = producer.next_seq() - 1;
    std::size_t reports = 0;
    EXPECT_TRUE(eventually([&] {
      bool complete = false;
      for (const Told& one : take_reports(patient)) {
        reports += one.seq == seq && one.state == ProgressState::kProgress ? 1 : 0;
        complete |= one.seq == seq && one.state == ProgressState::kComplete;
      }
      drop_frames(patient);
      return complete;
    }));
    return reports != 0;
  };
  EXPECT_FALSE(growth_is_told());
  ConsumerOptions keen = watching();
  keen.progress.hints = {.interval_us = 0};
  Consumer other = consume(client, keen);
  EXPECT_TRUE(eventually([&] { return growth_is_told(); }));
}

TEST_F(Progress, what_was_told_is_not_taken_back_by_a_shorter_commit) {
  TP_REQ("W345", "W185");
  Client client = connect();
  Producer producer = produce(client, row_stream());
  Consumer sut = consume(client, watching());
  ASSERT_TRUE(told(producer, {&sut}));
  Claim open = claim(producer);
  open.filled(2000);
  const TensorInfo shorter = TensorInfo::packed(Dtype::kUint8, {1999});
  EXPECT_FALSE(open.begin_filling(shorter, 1999, {})) << "says no later than commit does";
  EXPECT_EQ(open.commit(shorter, 1999, {}), CommitStatus::kInvalidParams);
  const TensorInfo longer = TensorInfo::packed(Dtype::kUint8, {2001});
  EXPECT_EQ(open.commit(longer, 2001, {}), CommitStatus::kCommitted);
  EXPECT_EQ(wait_reports(sut, 3).back(), (Told{.seq = producer.next_seq() - 1,
                                               .state = ProgressState::kComplete,
                                               .filled_bytes = 2001,
                                               .readable = true}));
}

TEST_F(Progress, of_a_claim_that_is_given_up_nothing_more_is_told) {
  TP_REQ("W344");
  Client client = connect();
  Producer producer = produce(client, row_stream());
  Consumer sut = consume(client, watching());
  ASSERT_TRUE(told(producer, {&sut}));
  Claim open = claim(producer);
  const std::uint64_t given_up = open.seq();
  open.filled(1000);
  open.abort();
  open.filled(2000);
  { const Claim dropped = claim(producer); }
  publish_rows(producer);
  std::map<std::uint64_t, ProgressState> last;
  ASSERT_TRUE(eventually([&] {
    for (const Told& one : take_reports(sut)) {
      last[one.seq] = one.state;
    }
    return last[given_up + 2] == ProgressState::kComplete;
  }));
  EXPECT_EQ(last[given_up], ProgressState::kProgress);
  EXPECT_EQ(last[given_up + 1], ProgressState::kStarted);
}

TEST_F(Progress, goes_to_streams_of_single_consumers_and_to_the_shared_one) {
  TP_REQ("W354", "W355", "W318", "W288", "W328");
  Client client = connect();
  Producer producer = produce(client, row_stream());
  RawListener own(client.aeron_dir(), kOwnControl);
  Consumer alone = consume(client, watching_alone());
  ASSERT_TRUE(told(producer, {&alone}));
  const auto on_own_control = [&] {
    static_cast<void>(take_reports(alone));
    return alone.has_own_control();
  };
  ASSERT_TRUE(eventually(on_own_control));
  const auto messages_of_a_frame = [&] {
    const std::uint64_t before = producer.counters().progress_sent;
    publish_rows(producer);
    return producer.counters().progress_sent - before;
  };
  ASSERT_TRUE(eventually([&] { return messages_of_a_frame() == 2; }));
  static_cast<void>(take_reports(alone));
  EXPECT_EQ(messages_of_a_frame(), 2U);  // its start and its end, on the one stream
  EXPECT_EQ(wait_reports(alone, 2).size(), 2U);

  Consumer sharing = consume(client, watching());
  ASSERT_TRUE(told(producer, {&sharing, &alone}));
  EXPECT_EQ(messages_of_a_frame(), 4U);
  EXPECT_EQ(wait_reports(alone, 2).size(), 2U);
  EXPECT_EQ(wait_reports(sharing, 2).size(), 2U);
  EXPECT_FALSE(sharing.has_own_control());
  EXPECT_TRUE(alone.has_own_control());
  std::size_t on_own = 0;
  ASSERT_TRUE(eventually([&] {
    publish_rows(producer);
    own.hear_any([&](const codec::Message900& message) {
      EXPECT_TRUE(std::holds_alternative<FrameProgress>(message));
      ++on_own;
    });
    return on_own >= 20;
  }));
}

TEST_F(Progress, is_taken_from_the_assigned_stream_and_from_the_shared_one_again) {
  TP_REQ("W328", "W329", "W330", "W333");
  Client client = connect();
  StreamOptions silent = row_stream();
  silent.answer_hellos = false;  // this test does
  Producer producer = produce(client, silent);
  Consumer sut = consume(client, watching_alone());
  ASSERT_TRUE(joined(producer, sut));
  RawSender peer(client.aeron_dir());
  RawListener control(client.aeron_dir());
  std::uint32_t id = 0;
  ASSERT_TRUE(eventually([&] {
    control.hear<ConsumerHello>([&](const ConsumerHello& hello) {
      id = hello.consumer_id;
      EXPECT_TRUE(hello.supports_progress);
    });
    return id != 0;
  }));
  Claim open = claim(producer);
  static_cast<void>(take_reports(sut));  // that it was claimed, if the hello came there first
  const std::uint64_t seq = open.seq();
  const auto tell = [&](std::int32_t stream_id, std::uint64_t bytes) {
    peer.send_message(stream_id, message_of(producer, seq, State::kProgress, bytes));
  };
  const auto assign = [&](bool wanted) {
    ConsumerConfig config;
    config.stream_id = producer.stream_id();
    config.consumer_id = id;
    config.use_shm = true;
    config.control_stream_id = wanted ? kOwnControl : 0;
    config.control_channel = wanted ? kOwnChannel : "";
    peer.send_message(kControlStream, config);
  };
  const auto hears = [&](std::uint64_t bytes) {  // and nothing else
    for (const Told& one : take_reports(sut)) {
      EXPECT_EQ(one.filled_bytes, bytes);
      return one.filled_bytes == bytes;
    }
    return false;
  };
  tell(kControlStream, 100);
  ASSERT_TRUE(eventually([&] { return hears(100); }));
  assign(true);
  ASSERT_TRUE(eventually([&] {
    static_cast<void>(take_reports(sut));
    return sut.has_own_control();
  }));
  tell(kControlStream, 200);
  tell(kOwnControl, 300);
  ASSERT_TRUE(eventually([&] { return hears(300); }));
  assign(false);  // on the shared stream, like everything else
  ASSERT_TRUE(eventually([&] {
    static_cast<void>(take_reports(sut));
    return !sut.has_own_control();
  }));
  ASSERT_TRUE(eventually([&] {
    tell(kControlStream, 400);
    return hears(400);
  }));
}

TEST_F(Progress, that_is_wrong_late_or_goes_back_is_refused_and_counted) {
  TP_REQ("W357", "W358", "W359", "W360", "W362", "W364", "W365", "W278");
  Client client = connect();
  StreamOptions narrow = row_stream();
  narrow.nslots = 8;
  narrow.pools = {{.stride_bytes = 2 * kFrameBytes}};
  Producer producer = produce(client, narrow);
  Consumer sut = consume(client, watching());
  ASSERT_TRUE(told(producer, {&sut}));
  for (int lap = 0; lap < 20; ++lap) {
    publish_rows(producer);
  }
  const std::uint64_t newest = producer.next_seq() - 1;
  ASSERT_TRUE(eventually([&] {
    drop_frames(sut);
    for (const Told& one : take_reports(sut)) {
      if (one.seq == newest && one.state == ProgressState::kComplete) {
        return true;
      }
    }
    return false;
  }));
  RawSender peer(client.aeron_dir());
  ConsumerCounters before = sut.counters();
  const auto effect = [&](const FrameProgress& message, const char* counter) {
    peer.send_message(kControlStream, message);
    peer.send_message(kControlStream, message_of(producer, newest, State::kComplete, kFrameBytes));
    EXPECT_EQ(wait_reports(sut, 1).size(), 1U);  // the second one
    Changes expected{{"progress_reports", 1}};
    if (counter != nullptr) {
      expected[counter] = 1;
    }
    EXPECT_EQ(changes(before, sut.counters()), expected);
    before = sut.counters();
  };
  const char* const rejected = "progress_rejected";
  effect(message_of(producer, newest, State::kProgress, kFrameBytes), rejected);      // state
  effect(message_of(producer, newest, State::kComplete, kFrameBytes - 1), rejected);  // bytes
  effect(message_of(producer, newest - 8, State::kComplete, 10), rejected);           // late
  effect(message_of(producer, newest + 1, State::kComplete, 10), rejected);           // not begun
  effect(message_of(producer, newest, State::kComplete, kFrameBytes + 1),
         rejected);  // of the frame
  effect(message_of(producer, newest + 2, State::kStarted, 2 * kFrameBytes + 1), rejected);  // any
  effect(message_of(producer, newest, State::kUnknown, 10), "malformed_messages");
  effect(message_of(producer, 1ULL << 63U, State::kProgress, 10), "malformed_messages");
  FrameProgress foreign = message_of(producer, newest + 1, State::kStarted, 0);
  foreign.epoch += 1;
  effect(foreign, nullptr);
  foreign = message_of(producer, newest + 1, State::kStarted, 0);
  foreign.stream_id += 1;
  effect(foreign, nullptr);
  EXPECT_EQ(sut.state(), MappingState::kMapped);
  EXPECT_EQ(sut.epoch(), producer.epoch());
}

TEST_F(Progress, replaces_no_descriptor) {
  TP_REQ("W273", "W368");
  Client client = connect();
  Producer producer = produce(client, row_stream());
  ConsumerOptions elsewhere = watching();
  elsewhere.descriptor_stream_id = 1999;
  elsewhere.recover_gaps = false;
  Consumer sut = consume(client, elsewhere);
  ASSERT_TRUE(eventually([&] {
    drop_frames(sut);
    return sut.epoch() == producer.epoch();
  }));
  std::size_t complete = 0;
  int frames = 0;
  ASSERT_TRUE(eventually([&] {
    publish_rows(producer);
    for (const Told& one : take_reports(sut)) {
      complete += one.readable && one.state == ProgressState::kComplete ? 1 : 0;
    }
    frames += sut.poll([](const FrameView&) {}).frames;
    return complete >= 20;
  }));
  EXPECT_EQ(frames, 0);
  EXPECT_EQ(sut.counters().frames_ok + sut.counters().drops_gap + sut.last_seq(), 0U);
}

TEST_F(Progress, is_complete_behind_commit_and_descriptor) {
  TP_REQ("W160", "W346");
  Client client = connect();
  Producer producer = produce(client, row_stream());
  ConsumerOptions plain = watching();
  plain.recover_gaps = false;
  Consumer sut = consume(client, plain);
  ASSERT_TRUE(told(producer, {&sut}));
  constexpr std::uint64_t kFrames = 300;
  std::atomic<std::uint64_t> seen{producer.next_seq()};
  std::atomic<bool> done{false};
  std::thread writing([&] {
    for (std::uint64_t k = 0; k < kFrames && !done; ++k) {
      while (seen.load() != producer.next_seq() && !done) {
        std::this_thread::yield();
      }
      publish_rows(producer);
    }
  });
  std::uint64_t completed = 0;
  std::uint64_t missing = 0;
  std::uint64_t unreadable = 0;
  EXPECT_TRUE(eventually([&] {
    for (const Told& one : take_reports(sut)) {
      if (one.state == ProgressState::kComplete) {
        sut.poll([](const FrameView&) {});
        missing += sut.last_seq() < one.seq ? 1 : 0;
        unreadable += one.readable && one.right ? 0 : 1;
        ++completed;
        seen = one.seq + 1;
      }
    }
    return completed == kFrames;
  }));
  done = true;
  writing.join();
  EXPECT_EQ(unreadable, 0U);
  EXPECT_EQ(missing, producer.counters().descriptor_backpressured);  // as a rule none
}

TEST_F(Progress, wakes_who_sleeps) {
  Client client = connect();
  Producer producer = produce(client, row_stream());
  ConsumerOptions sleeping = watching();
  sleeping.wait = {.kind = WaitKind::kPark};
  Consumer sut = consume(client, sleeping);
  ASSERT_TRUE(told(producer, {&sut}));
  std::atomic<bool> woken{false};
  std::atomic<bool> stop{false};
  std::thread reading([&] {
    const std::uint64_t before = sut.counters().wakes;
    while (!stop && !woken) {
      static_cast<void>(sut.wait(std::chrono::milliseconds(100)));
      drop_frames(sut);
      woken = !take_reports(sut).empty() && sut.counters().wakes > before;
    }
  });
  EXPECT_TRUE(eventually([&] {
    Claim open = claim(producer);
    for (std::size_t bytes = 1; bytes < 100 && !woken; ++bytes) {
      open.filled(bytes);
      std::this_thread::yield();
    }
    open.abort();
    return woken.load();
  }));
  stop = true;
  reading.join();
}

TEST_F(Progress, settings_that_cannot_be_kept_are_refused) {
  TP_REQ("W440");
  Client client = connect();
  StreamOptions wanted = row_stream();
  wanted.progress.max_rate_hz = 0;
  const Result<Producer> refused = client.create_producer(wanted);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
}

TEST_F(Progress, of_another_process_is_read_before_the_commit) {
  TP_REQ("W369");
  Client client = connect();
  ChildProcess peer(TP_CLIENT_PEER, {"fill", client.aeron_dir(), scratch_.path(), "64"});
  Consumer sut = consume(client, watching(true));
  std::uint64_t early_rows = 0;
  std::uint64_t wrong = 0;
  int frames = 0;
  ASSERT_TRUE(eventually([&] {
    sut.poll_progress([&](const PrefixView& view) {
      early_rows += view.state() == ProgressState::kProgress ? view.units() : 0;
      wrong += is_right(view) ? 0 : 1;
    });
    frames += sut.poll([](const FrameView&) {}).frames;
    return early_rows > 10 * kRows && frames > 10;
  }));
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(peer.finish(), 0);
}

}  // namespace
}  // namespace tensorpool::test
