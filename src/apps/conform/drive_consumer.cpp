#include "apps/conform/drive_consumer.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "apps/conform/hand_producer.hpp"
#include "apps/conform/strange.hpp"

namespace tensorpool::inline v0::apps::conform {
namespace {

using layout::ConsumerConfig;
using layout::QosConsumer;

constexpr Nanos kFrameEvery = std::chrono::milliseconds(100);
constexpr std::uint32_t kOwnStream = 31'500;
constexpr Nanos kLiveness = std::chrono::seconds(5);  // five announce periods
constexpr Nanos kLongAgo = std::chrono::seconds(10);

/// A file of the producer, as it was made.
struct KnownFile {
  std::string path;
  std::uintmax_t bytes;
};

class Drive {
 public:
  Drive(Workbench& bench, const Trial& trial, Program& program)
      : bench_(bench), trial_(trial), program_(program) {
    record_.stream_id = bench.places().stream_id;
    record_.period = trial.period;
  }

  [[nodiscard]] Status run() {
    if (Status made = next_epoch(); !made) {
      return made;
    }
    trial_.tell("waiting until it has mapped what is announced");
    announced_ = now_;
    settle(Scene::kFirstFrames, trial_.patience);
    if (is_mapped()) {
      trial_.tell("giving it frames, good ones and bad ones");
      give_frames();
      give_wrong_messages();
      trial_.tell("telling it what to use");
      give_configs();
      trial_.tell("ending its mapping, and announcing others");
      Status remapped = remap();
      if (!remapped) {
        return remapped;
      }
      trial_.tell("letting the activity stand still");
      stand_still();
    }
    return {};
  }

  [[nodiscard]] ConsumerRecord finish() {
    record_.alive = program_.is_running();
    record_.window.until = bench_.now();
    record_.files_untouched = std::all_of(files_.begin(), files_.end(), [](const KnownFile& file) {
      std::error_code failed;
      return std::filesystem::file_size(file.path, failed) == file.bytes && !failed;
    });
    program_.stop(kStopPatience, [this] { work(); });
    return std::move(record_);
  }

 private:
  // ---- upkeep

  void work() {
    const Nanos now = bench_.now();
    if (now >= refresh_at_ && !paused_) {
      refresh_at_ = now + trial_.period / 4;
      for (const auto& one : epochs_) {
        one->refresh();
      }
    }
    if (announced_ != nullptr && now >= announce_at_) {
      announce_at_ = now + trial_.period;
      announced_->announce();
    }
    bench_.work([this](Heard&& heard) { hear(std::move(heard)); });
  }
  void hear(Heard&& heard) {
    codec::Scratch scratch;
    const auto message = codec::decode<codec::Message900>(heard.bytes, scratch);
    const auto* const qos = message ? std::get_if<QosConsumer>(&*message) : nullptr;
    if (qos != nullptr && qos->stream_id == record_.stream_id) {
      qos_ = *qos;
    }
    const auto* const hello = message ? std::get_if<layout::ConsumerHello>(&*message) : nullptr;
    if (hello != nullptr && hello->stream_id == record_.stream_id) {
      consumer_id_ = hello->consumer_id;
      record_.window.from = record_.heard.empty() ? heard.at : record_.window.from;
    }
    record_.heard.push_back(std::move(heard));
  }
  template <class IsDone>
  bool work_until(Nanos patience, IsDone&& is_done) {
    const Nanos end = bench_.now() + patience;
    while (!is_done() && bench_.now() < end && !trial_.is_stopped() && program_.is_running()) {
      work();
    }
    return is_done();
  }
  void wait(Nanos span) {
    static_cast<void>(work_until(span, [] { return false; }));
  }

  /// Files of a new epoch, which is published in from now on.
  [[nodiscard]] Status next_epoch() {
    Result<std::unique_ptr<HandProducer>> made = HandProducer::create(bench_);
    if (!made) {
      return fail(made.error());
    }
    epochs_.push_back(std::move(*made));
    now_ = epochs_.back().get();
    for (const std::string& path : now_->paths()) {
      std::error_code ignored;
      files_.push_back({path, std::filesystem::file_size(path, ignored)});
    }
    return {};
  }

  // ---- scenes

  [[nodiscard]] bool is_mapped() const { return qos_ && qos_->epoch == now_->epoch(); }
  [[nodiscard]] SceneLook begin(Scene scene) const {
    return {.scene = scene, .before = qos_, .epoch = now_->epoch()};
  }
  void end(SceneLook look) {
    look.after = qos_;
    look.alive = program_.is_running();
    record_.scenes.push_back(std::move(look));
  }
  /// Until QosConsumer has reached the mark.
  void await_mark(SceneLook look) {
    static_cast<void>(work_until(3 * trial_.period, [&] {
      return qos_ && qos_->epoch == look.epoch && qos_->last_seq_seen >= look.mark;
    }));
    end(std::move(look));
  }

  /// `act` between two frames in order.
  template <class Action>
  void play(Scene scene, Action&& act) {
    SceneLook look = begin(scene);
    act(look);
    look.mark = now_->publish();
    await_mark(std::move(look));
  }
  /// The same while the right announces are held back, so that they cannot put right what the wrong
  /// ones have done.
  template <class Action>
  void play_unannounced(Scene scene, Action&& act) {
    HandProducer* const announced = std::exchange(announced_, nullptr);
    play(scene, act);
    announced_ = announced;
  }
  /// Publishes until it follows, then sets the mark.
  void settle(Scene scene, Nanos patience) {
    SceneLook look = begin(scene);
    static_cast<void>(work_until(patience, [&] {
      if (bench_.now() >= frame_at_) {
        frame_at_ = bench_.now() + kFrameEvery;
        now_->publish();
      }
      return is_mapped() && qos_->last_seq_seen > 0;
    }));
    look.mark = now_->publish();
    await_mark(std::move(look));
  }
  /// Until it says that it has nothing mapped.
  void await_unmapped(SceneLook look, Nanos patience) {
    static_cast<void>(work_until(patience, [&] { return qos_ && qos_->epoch == 0; }));
    end(std::move(look));
  }

  void give_frames() {
    play(Scene::kFrames, [&](SceneLook&) {
      for (std::uint64_t k = 1; k < kFramesInOrder; ++k) {
        now_->publish();
      }
    });
    play(Scene::kInProgress, [&](SceneLook&) { now_->describe(now_->take()); });
    play(Scene::kOverwritten, [&](SceneLook&) {
      const std::uint64_t first = now_->next_seq();
      for (std::uint64_t k = 0; k <= HandProducer::kSlots; ++k) {
        now_->put();
      }
      const std::uint64_t newest = now_->next_seq() - 1;
      for (std::uint64_t seq = first; seq <= newest; ++seq) {
        now_->describe(seq);
      }
      // The mark would lap another slot.
      static_cast<void>(
          work_until(3 * trial_.period, [&] { return qos_ && qos_->last_seq_seen >= newest; }));
    });
    play(Scene::kBadHeaders, [&](SceneLook&) {
      const HandProducer::Change changes[kBadHeadersCount] = {
          [](layout::Slot& slot) { slot.version = std::uint16_t{2}; },
          [](layout::Slot& slot) { slot.dtype = std::int16_t{12}; },
          [](layout::Slot& slot) { slot.ndims = std::uint8_t{9}; },
          [](layout::Slot& slot) { slot.payload_slot = slot.payload_slot + 1U; },
          [](layout::Slot& slot) { slot.payload_offset = 64U; }};
      for (const HandProducer::Change& change : changes) {
        now_->describe(now_->put(change));
      }
    });
    play(Scene::kBadPayloads, [&](SceneLook&) {
      now_->describe(now_->put([](layout::Slot& slot) { slot.pool_id = std::uint16_t{99}; }));
      now_->describe(
          now_->put([](layout::Slot& slot) { slot.values_len_bytes = HandProducer::kStride + 1; }));
    });
    play(Scene::kAborted, [&](SceneLook&) {
      for (std::uint64_t k = 0; k < kAbortedCount; ++k) {
        now_->take();
      }
    });
  }

  void give_wrong_messages() {
    play(Scene::kDuplicate, [&](SceneLook&) { now_->describe(now_->next_seq() - 1); });
    play(Scene::kForged, [&](SceneLook& look) {
      look.forged = now_->next_seq() + std::uint64_t{1000} * HandProducer::kSlots;
      now_->describe(look.forged);
    });
    play(Scene::kLowerEpochFrame, [&](SceneLook&) {
      layout::FrameDescriptor late = now_->descriptor(now_->next_seq());
      --late.epoch;
      bench_.send(Wire::kDescriptor, late);
    });
    play(Scene::kStrange, [&](SceneLook&) { send_strange(); });
    SceneLook look = begin(Scene::kLongBlock);
    look.mark = now_->put();
    bench_.send(Wire::kDescriptor, with_long_block(now_->descriptor(look.mark)));
    await_mark(std::move(look));
    play_unannounced(Scene::kWrongAnnounces, [&](SceneLook&) { send_wrong_announces(); });
  }
  void send_strange() {
    layout::FrameDescriptor wrong = now_->descriptor(layout::kSeqLimit);
    bench_.send(Wire::kDescriptor, wrong);
    wrong.seq = now_->next_seq();
    ++wrong.stream_id;
    bench_.send(Wire::kDescriptor, wrong);
    for (const std::vector<std::byte>& message : strange_messages()) {
      for (const Wire on : {Wire::kControl, Wire::kDescriptor, Wire::kQos, Wire::kMetadata}) {
        bench_.send(on, message);
      }
      work();
    }
  }
  void send_wrong_announces() {
    using Announce = layout::ShmPoolAnnounce;
    const std::uint64_t later = now_->epoch() + 1;
    const auto span = static_cast<std::uint64_t>(kLongAgo.count());
    const std::function<void(Announce&)> changes[] = {
        [](Announce& one) { ++one.stream_id; },
        [](Announce& one) { one.epoch = 0; },
        [](Announce& one) { one.epoch = layout::kEpochMax + 1; },
        [](Announce& one) { one.announce_timestamp_ns = 0; },
        [=](Announce& one) { one.announce_timestamp_ns -= span; },
        [=](Announce& one) { one.announce_timestamp_ns += span; },
        [=](Announce& one) { one.epoch = later - 2; }};
    for (const auto& change : changes) {
      now_->announce([&](Announce& one) {
        one.epoch = later;
        change(one);
      });
    }
    wait(trial_.period / 2);
  }

  // ---- configs

  [[nodiscard]] ConsumerConfig config() const {
    ConsumerConfig one;
    one.stream_id = record_.stream_id;
    one.consumer_id = consumer_id_;
    return one;
  }
  void give_configs() {
    play(Scene::kForeignConfig, [&](SceneLook&) {
      ConsumerConfig one = config();
      ++one.consumer_id;
      one.use_shm = false;
      bench_.send(Wire::kControl, one);
      one = config();
      one.use_shm = false;
      one.descriptor_channel = "aeron:ipc";
      bench_.send(Wire::kControl, one);
      one.descriptor_channel = {};
      one.descriptor_stream_id = kOwnStream;
      bench_.send(Wire::kControl, one);
      wait(trial_.period / 2);
    });
    give_own_stream();
    SceneLook look = begin(Scene::kMode);
    ConsumerConfig one = config();
    one.mode = layout::Mode::kRateLimited;
    bench_.send(Wire::kControl, one);
    static_cast<void>(work_until(3 * trial_.period,
                                 [&] { return qos_ && qos_->mode == layout::Mode::kRateLimited; }));
    end(std::move(look));
    look = begin(Scene::kNoShm);
    one = config();
    one.use_shm = false;
    bench_.send(Wire::kControl, one);
    await_unmapped(std::move(look), 3 * trial_.period);
    bench_.send(Wire::kControl, config());
    settle(Scene::kShmAgain, 4 * trial_.period);
  }
  void give_own_stream() {
    bench_.speak_own(static_cast<std::int32_t>(kOwnStream));
    ConsumerConfig one = config();
    one.descriptor_channel = "aeron:ipc";
    one.descriptor_stream_id = kOwnStream;
    SceneLook look = begin(Scene::kOwnStream);
    bench_.send(Wire::kControl, one);
    look.joined = work_until(3 * trial_.period, [&] { return bench_.is_own_joined(); });
    for (int k = 0; k < 3; ++k) {
      look.mark = now_->publish(Wire::kOwnDescriptor);
    }
    await_mark(std::move(look));
    look = begin(Scene::kBackToShared);
    bench_.send(Wire::kControl, config());
    static_cast<void>(work_until(3 * trial_.period, [&] { return !bench_.is_own_joined(); }));
    look.joined = bench_.is_own_joined();
    look.mark = now_->publish();
    await_mark(std::move(look));
    bench_.speak_own(0);
  }

  // ---- remaps

  [[nodiscard]] Status remap() {
    announced_ = nullptr;
    SceneLook look = begin(Scene::kRegression);
    now_->describe(now_->next_seq() - 4);
    await_unmapped(std::move(look), 3 * trial_.period);
    announce_from_now_on();
    settle(Scene::kAfterRegression, 4 * trial_.period);

    announced_ = nullptr;
    HandProducer* const before = now_;
    look = begin(Scene::kLaterEpochFrame);
    if (Status made = next_epoch(); !made) {
      return made;
    }
    now_->publish();
    await_unmapped(std::move(look), 3 * trial_.period);
    announce_from_now_on();
    settle(Scene::kNewEpoch, 4 * trial_.period);
    play_unannounced(Scene::kOldEpoch, [&](SceneLook&) {
      before->announce();
      wait(trial_.period / 2);
    });
    return refuse();
  }
  void announce_from_now_on() {
    announced_ = now_;
    announce_at_ = Nanos{};
  }

  [[nodiscard]] Status refuse() {
    const auto mismatch = [](const HandProducer& made) {
      // The ring names another stream than the announce.
      std::byte* const block = made.stream().regions().header_ring.writable_bytes().data();
      block[offsetof(layout::Superblock, stream_id)] ^= std::byte{1};
    };
    const auto shorten = [](const HandProducer& made) {
      std::error_code ignored;
      const std::string pool = made.paths().back();
      std::filesystem::resize_file(pool, std::filesystem::file_size(pool) - 1, ignored);
    };
    const auto open_to_all = [](const HandProducer& made) {
      ::chmod(made.paths().front().c_str(), 0662);
    };
    for (Status one : {refuse(Scene::kMismatch, mismatch), refuse(Scene::kShortFile, shorten),
                       refuse(Scene::kWritableByAll, open_to_all)}) {
      if (!one) {
        return one;
      }
    }
    if (Status made = next_epoch(); !made) {
      return made;
    }
    announce_from_now_on();
    settle(Scene::kAfterRefusals, 4 * trial_.period);
    return {};
  }
  /// Announces an epoch that `spoil` has made unfit, for as long as it takes to be mapped.
  template <class Spoil>
  [[nodiscard]] Status refuse(Scene scene, Spoil&& spoil) {
    SceneLook look = begin(scene);
    if (Status made = next_epoch(); !made) {
      return made;
    }
    spoil(*now_);
    for (KnownFile& file : files_) {
      std::error_code ignored;
      file.bytes = std::filesystem::file_size(file.path, ignored);
    }
    announce_from_now_on();
    wait(5 * trial_.period / 2);
    end(std::move(look));
    return {};
  }

  void stand_still() {
    SceneLook look = begin(Scene::kPaused);
    paused_ = true;
    await_unmapped(std::move(look), kLiveness + 3 * trial_.period);
    paused_ = false;
    settle(Scene::kResumed, 4 * trial_.period);
  }

  Workbench& bench_;
  const Trial& trial_;
  Program& program_;
  ConsumerRecord record_;
  std::vector<std::unique_ptr<HandProducer>> epochs_;
  HandProducer* now_ = nullptr;        // that frames are published in
  HandProducer* announced_ = nullptr;  // null: announces are held back
  std::vector<KnownFile> files_;
  std::optional<QosConsumer> qos_;
  std::uint32_t consumer_id_ = 0;
  bool paused_ = false;
  Nanos refresh_at_{};
  Nanos announce_at_{};
  Nanos frame_at_{};
};

}  // namespace

Result<ConsumerRecord> drive_consumer(Workbench& bench, const Trial& trial) {
  Result<Program> program = trial.start();
  if (!program) {
    return fail(program.error());
  }
  Drive drive(bench, trial, *program);
  if (const Status ran = drive.run(); !ran) {
    return fail(ran.error());
  }
  return drive.finish();
}

}  // namespace tensorpool::inline v0::apps::conform
