#include "apps/conform/watch_producer.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "apps/conform/strange.hpp"
#include "base/atomics.hpp"
#include "core/region/plan.hpp"
#include "core/region/uri.hpp"
#include "core/ring/commit_word.hpp"
#include "core/ring/slot_protocol.hpp"
#include "os/open_region.hpp"
#include "os/region_policy.hpp"
#include "os/syscalls.hpp"

namespace tensorpool::inline v0::apps::conform {
namespace {

using Atom = base::DefaultAtom;
using layout::ShmPoolAnnounce;

constexpr Nanos kAnswerPatience = std::chrono::milliseconds(1500);
constexpr Nanos kServiceTime = std::chrono::seconds(2);
constexpr std::uint32_t kConsumer = 77'001;  ///< the first consumer id of the harness
constexpr const char* kIpc = "aeron:ipc?term-length=256k";

/// The regions of one epoch, mapped read-only, and what is watched of them.
class WatchedEpoch {
 public:
  WatchedEpoch(const core::region::MappingPlan& plan, const os::RegionPolicy& policy,
               ProducerLife& life)
      : epoch_(plan.epoch()), life_(life) {
    open(plan.header_ring, policy);
    for (const core::region::PlannedRegion& pool : plan.pools) {
      open(pool, policy);
    }
    if (!watched_.empty() && watched_.front().region &&
        watched_.front().region->expected().type == layout::RegionType::kHeaderRing) {
      const os::MappedRegion& ring = *watched_.front().region;
      words_ = reinterpret_cast<const Atom::Word*>(ring.bytes().data() + layout::kSuperblockBytes);
      nslots_ = ring.expected().nslots;
      seen_.resize(nslots_);
      look_at_ring();
    }
  }

  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }

  /// When `descriptor` was heard: its slot, and those of the numbers before it that had none.
  void look_at(std::uint64_t seq, Nanos now) {
    if (words_ == nullptr) {
      return;
    }
    const std::uint64_t missed = described_ && seq > *described_ ? seq - *described_ - 1 : 0;
    for (std::uint64_t k = 1; k <= missed && k < nslots_; ++k) {
      note_word(static_cast<std::uint32_t>((seq - k) & (nslots_ - 1)));
    }
    described_ = seq;
    SlotLook look{.at = now, .epoch = epoch_, .seq = seq};
    look.index = static_cast<std::uint32_t>(seq & (nslots_ - 1));
    const Atom::Word* const slot = words_ + std::size_t{look.index} * layout::kSlotWords;
    look.word_before = Atom::load_acquire<base::Edge::kFirstLoad>(slot[0]);
    for (std::size_t k = 1; k < layout::kSlotWords; ++k) {
      const std::uint64_t word = core::ring::load_header_word<Atom>(slot[k]);
      std::memcpy(look.bytes.data() + k * 8, &word, 8);
    }
    Atom::fence_acquire<base::Edge::kSecondFence>();
    look.word_after = Atom::load_relaxed<base::Edge::kSecondLoad>(slot[0]);
    note_word(look.index);
    life_.slots.push_back(look);
    if (was_empty_) {
      look_at_ring();  // how it begins to fill
    }
  }

  /// Between messages: one commit word, and the activity of every region.
  void look_around(Nanos now) {
    if (words_ != nullptr) {
      note_word(next_++ & (nslots_ - 1));
    }
    for (Watched& one : watched_) {
      if (!one.region) {
        continue;
      }
      const std::uint64_t activity = one.region->activity_ns();
      if (activity != std::exchange(one.activity, activity)) {
        life_.regions[one.at].refreshed.push_back(now);
      }
      life_.regions[one.at].last = one.region->superblock();
    }
  }

 private:
  struct Watched {
    std::size_t at;  ///< in ProducerLife::regions
    std::optional<os::MappedRegion> region;
    std::uint64_t activity = 0;
  };

  void open(const core::region::PlannedRegion& planned, const os::RegionPolicy& policy) {
    RegionLook look{.uri = planned.uri, .expected = planned.expected};
    Result<os::MappedRegion> opened =
        os::open_region(os::system_calls(), policy, planned, os::Access::kReadOnly);
    Watched watched{.at = life_.regions.size(), .region = std::nullopt};
    struct stat file {};
    if (const auto uri = core::region::parse_region_uri(planned.uri);
        uri && ::stat(std::string(uri->path).c_str(), &file) == 0) {
      look.file_bytes = static_cast<std::uint64_t>(file.st_size);
      look.file_mode = file.st_mode;
    }
    if (opened) {
      look.first = look.last = opened->superblock();
      watched.region.emplace(std::move(*opened));
    } else {
      look.refused = opened.error();
    }
    life_.regions.push_back(std::move(look));
    watched_.push_back(std::move(watched));
  }

  void look_at_ring() {
    RingLook look{.epoch = epoch_, .words = {}};
    for (std::uint32_t k = 0; k < nslots_; ++k) {
      note_word(k);
      look.words.push_back(seen_[k]);
    }
    was_empty_ =
        std::all_of(seen_.begin(), seen_.end(), [](std::uint64_t word) { return word == 0; });
    life_.rings.push_back(std::move(look));
  }

  void note_word(std::uint32_t index) {
    const std::uint64_t word =
        Atom::load_acquire<base::Edge::kFirstLoad>(words_[std::size_t{index} * layout::kSlotWords]);
    if (word != std::exchange(seen_[index], word)) {
      life_.words.push_back({.epoch = epoch_, .index = index, .word = word});
    }
  }

  std::uint64_t epoch_;
  ProducerLife& life_;
  std::vector<Watched> watched_;
  const Atom::Word* words_ = nullptr;
  std::uint32_t nslots_ = 0;
  std::uint32_t next_ = 0;
  std::vector<std::uint64_t> seen_;
  bool was_empty_ = false;  // when the whole ring was looked at
  std::optional<std::uint64_t> described_;
};

[[nodiscard]] layout::ConsumerHello hello_of(std::uint32_t stream_id, std::uint32_t consumer_id) {
  layout::ConsumerHello hello;
  hello.stream_id = stream_id;
  hello.consumer_id = consumer_id;
  hello.supports_shm = true;
  hello.expected_layout_version = layout::kLayoutVersion;
  return hello;
}

/// One life of the program.
class Watch {
 public:
  Watch(Workbench& bench, const Trial& trial, const os::RegionPolicy& policy, Program& program)
      : bench_(bench), trial_(trial), policy_(policy), program_(program) {
    life_.window.from = bench.now();
  }

  /// Until it has announced, or patience has run out.
  [[nodiscard]] bool await_announce() {
    return work_until(trial_.patience, [&] { return epoch_.has_value(); });
  }
  void look_on(Nanos span) {
    static_cast<void>(work_until(span, [] { return false; }));
  }

  void ask_everything() {
    const std::uint32_t stream = bench_.places().stream_id;
    ask({Ask::kNothing, stream, kConsumer}, hello_of(stream, kConsumer));
    ask_half_and_foreign(stream);
    ask_for_own_stream(stream);
    await_answers();
    serve_own(kConsumer + 1, Ask::kOwnAgain);
    ask({Ask::kGiveUp, stream, kConsumer + 1}, hello_of(stream, kConsumer + 1));
    await_answers();
    look_on(trial_.period);
    end_asks();
    bench_.hear_own(0);
    ask_for_slow_stream(stream);
  }

  void disturb() {
    life_.disturbed.from = bench_.now();
    for (const std::vector<std::byte>& message : strange_messages()) {
      for (const Wire on : {Wire::kControl, Wire::kQos, Wire::kMetadata, Wire::kAnnounce}) {
        bench_.send(on, message);
      }
      work();
    }
    look_on(2 * trial_.period);
  }

  [[nodiscard]] ProducerLife finish() {
    life_.alive = program_.is_running();
    life_.window.until = life_.disturbed.until = bench_.now();
    epoch_.reset();  // those that it would unmap may go now
    program_.stop(kStopPatience, [this] { bench_.work([](const Heard&) {}); });
    return std::move(life_);
  }

 private:
  void work() {
    bench_.work([this](Heard&& heard) { hear(std::move(heard)); });
    open_announced();
    if (epoch_) {
      epoch_->look_around(bench_.now());
    }
  }
  template <class IsDone>
  bool work_until(Nanos patience, IsDone&& is_done) {
    const Nanos end = bench_.now() + patience;
    while (!is_done() && bench_.now() < end && !trial_.is_stopped()) {
      work();
    }
    return is_done();
  }

  void hear(Heard&& heard) {
    codec::Scratch scratch;
    if (const auto message = codec::decode<codec::Message900>(heard.bytes, scratch)) {
      if (const auto* const announce = std::get_if<ShmPoolAnnounce>(&*message)) {
        consider(*announce);
      } else if (const auto* const one = std::get_if<layout::FrameDescriptor>(&*message)) {
        if (epoch_ && one->epoch == epoch_->epoch() && heard.on == Wire::kDescriptor &&
            one->stream_id == bench_.places().stream_id) {
          epoch_->look_at(one->seq, heard.at);
        }
      } else if (const auto* const config = std::get_if<layout::ConsumerConfig>(&*message)) {
        assigned_[config->consumer_id] = static_cast<std::int32_t>(
            layout::assigned_stream_id(config->descriptor_stream_id).value_or(0));
        ++answers_;
      }
    }
    life_.heard.push_back(std::move(heard));
  }

  /// Regions are opened when the message has been dealt with.
  void consider(const ShmPoolAnnounce& announce) {
    const bool is_new = announce.stream_id == bench_.places().stream_id &&
                        (!epoch_ || announce.epoch > epoch_->epoch());
    if (is_new) {
      Result<core::region::MappingPlan> plan =
          core::region::make_mapping_plan(core::region::geometry_of(announce));
      if (plan) {
        announced_.emplace(std::move(*plan));
      }
    }
  }
  void open_announced() {
    if (announced_) {
      epoch_.emplace(*announced_, policy_, life_);
      announced_.reset();
    }
  }

  void ask(AskLook look, const layout::ConsumerHello& hello) { ask(look, hello, {}); }
  /// `bytes` in the place of the encoded hello, where there are any.
  void ask(AskLook look, const layout::ConsumerHello& hello, const std::vector<std::byte>& bytes) {
    look.window.from = bench_.now();
    look.own_stream_id = hello.descriptor_stream_id;
    life_.asks.push_back(look);
    if (bytes.empty()) {
      bench_.send(Wire::kControl, hello);
    } else {
      bench_.send(Wire::kControl, bytes);
    }
  }

  void ask_half_and_foreign(std::uint32_t stream) {
    layout::ConsumerHello hello = hello_of(stream, kConsumer + 2);
    hello.descriptor_channel = kIpc;
    ask({Ask::kChannelOnly, stream, hello.consumer_id}, hello);
    hello = hello_of(stream, kConsumer + 3);
    hello.descriptor_stream_id = 31'003;
    ask({Ask::kIdOnly, stream, hello.consumer_id}, hello);
    hello = hello_of(stream, kConsumer + 4);
    hello.descriptor_channel = "aeron:udp?endpoint=127.0.0.1:40404";
    hello.descriptor_stream_id = 31'004;
    ask({Ask::kUdp, stream, hello.consumer_id}, hello);
    hello = hello_of(stream, kConsumer + 5);
    hello.supports_shm = false;
    ask({Ask::kNoShm, stream, hello.consumer_id}, hello);
    hello = hello_of(stream + 1, kConsumer + 6);
    hello.descriptor_channel = kIpc;
    hello.descriptor_stream_id = 31'006;
    ask({Ask::kOtherStream, stream + 1, hello.consumer_id}, hello);
    hello = hello_of(stream, 0);
    hello.descriptor_channel = kIpc;
    hello.descriptor_stream_id = 31'007;
    ask({Ask::kConsumerZero, stream, 0}, hello);
    hello = hello_of(stream, kConsumer + 8);
    hello.descriptor_channel = kIpc;
    hello.descriptor_stream_id = 31'008;
    ask({Ask::kLongBlock, stream, hello.consumer_id}, hello, with_long_block(hello));
  }

  [[nodiscard]] layout::ConsumerHello own_hello(std::uint32_t stream) const {
    layout::ConsumerHello hello = hello_of(stream, kConsumer + 1);
    hello.supports_progress = true;
    hello.descriptor_channel = kIpc;
    hello.descriptor_stream_id = 31'001;
    return hello;
  }
  void ask_for_own_stream(std::uint32_t stream) {
    life_.progress_wanted_at = bench_.now();
    ask({Ask::kOwnStream, stream, kConsumer + 1}, own_hello(stream));
  }
  void ask_for_slow_stream(std::uint32_t stream) {
    layout::ConsumerHello hello = hello_of(stream, kConsumer + 9);
    hello.mode = layout::Mode::kRateLimited;
    hello.max_rate_hz = kSlowHz;
    hello.descriptor_channel = kIpc;
    hello.descriptor_stream_id = 31'009;
    ask({Ask::kRateLimited, stream, hello.consumer_id}, hello);
    await_answers();
    bench_.hear_own(assigned_[hello.consumer_id]);
    look_on(kServiceTime);
    end_asks();
    bench_.hear_own(0);
    ask({Ask::kNothing, stream, hello.consumer_id}, hello_of(stream, hello.consumer_id));
    end_asks();
  }

  /// Listens where the consumer was told to, and asks once more.
  void serve_own(std::uint32_t consumer_id, Ask again) {
    const std::uint32_t stream = bench_.places().stream_id;
    end_asks();
    bench_.hear_own(assigned_[consumer_id]);
    ask({again, stream, consumer_id}, own_hello(stream));
    look_on(kServiceTime);
    end_asks();
  }

  /// Until all that are owed an answer have one.
  void await_answers() {
    std::size_t owed = 0;
    for (const AskLook& one : life_.asks) {
      const bool is_owed =
          one.ask != Ask::kNothing && one.ask != Ask::kOtherStream && one.ask != Ask::kConsumerZero;
      owed += is_owed && one.window.until == Nanos::max() ? 1 : 0;
    }
    const std::size_t before = answers_;
    static_cast<void>(work_until(kAnswerPatience, [&] { return answers_ - before >= owed; }));
  }
  void end_asks() {
    for (AskLook& one : life_.asks) {
      if (one.window.until == Nanos::max()) {
        one.window.until = bench_.now();
      }
    }
  }

  Workbench& bench_;
  const Trial& trial_;
  const os::RegionPolicy& policy_;
  Program& program_;
  ProducerLife life_;
  std::optional<core::region::MappingPlan> announced_;
  std::optional<WatchedEpoch> epoch_;
  std::map<std::uint32_t, std::int32_t> assigned_;  // by consumer
  std::size_t answers_ = 0;
};

}  // namespace

Result<ProducerRecord> watch_producer(Workbench& bench, const Trial& trial) {
  Result<os::RegionPolicy> policy =
      os::RegionPolicy::create(os::system_calls(), {.allowed_base_dirs = {bench.places().shm_dir}});
  if (!policy) {
    return fail(policy.error());
  }
  ProducerRecord record{.stream_id = bench.places().stream_id, .period = trial.period};
  for (int start = 0; start < 2 && !trial.is_stopped(); ++start) {
    Result<Program> program = trial.start();
    if (!program) {
      return fail(program.error());
    }
    Watch watch(bench, trial, *policy, *program);
    trial.tell(start == 0 ? "waiting for its first announce" : "started again");
    if (watch.await_announce()) {
      watch.look_on(start == 0 ? trial.watch : trial.period);
      if (start == 0) {
        trial.tell("saying hello in many ways");
        watch.ask_everything();
        trial.tell("sending what makes no sense");
        watch.disturb();
      }
    }
    record.lives.push_back(watch.finish());
  }
  return record;
}

}  // namespace tensorpool::inline v0::apps::conform
