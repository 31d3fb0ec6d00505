// The cases of producers, on records made by hand: each passes on a good one and fails on a bad
// one.
#include "apps/conform/producer_cases.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "core/ring/commit_word.hpp"
#include "core/ring/slot_header.hpp"
#include "support.hpp"
#include "tensorpool/types/tensor_info.hpp"

namespace tensorpool::apps::conform::testing {
namespace {

using core::ring::committed;
using core::ring::in_progress;
using layout::FrameDescriptor;
using layout::FrameProgress;

constexpr std::uint64_t kEpoch = 7;
constexpr std::uint32_t kSlots = 16;
constexpr std::uint32_t kStride = 4096;
constexpr std::uint64_t kFrames = 60;
constexpr Nanos kFrameEvery = milliseconds(100);
constexpr Nanos kEnd = kStart + seconds(6);
constexpr std::uint32_t kConsumer = 5;
constexpr std::uint32_t kOwnStream = 31'001;

[[nodiscard]] std::string uri_of(std::uint64_t epoch, const char* file) {
  return "shm:file?path=/dev/shm/tensorpool-me/default/10000/" + std::to_string(epoch) + "/" + file;
}

/// Encoded with the texts that it points to.
[[nodiscard]] Heard announce_at(
    Nanos at, std::uint64_t epoch,
    const std::function<void(layout::ShmPoolAnnounce&, layout::PayloadPool&)>& change = {}) {
  const std::string ring = uri_of(epoch, "header.ring");
  const std::string pool_uri = uri_of(epoch, "1.pool");
  layout::PayloadPool pool{
      .pool_id = 1, .pool_nslots = kSlots, .stride_bytes = kStride, .region_uri = pool_uri};
  layout::ShmPoolAnnounce announce;
  announce.stream_id = kStream;
  announce.producer_id = 1;
  announce.epoch = epoch;
  announce.announce_timestamp_ns = static_cast<std::uint64_t>(at.count()) - 1000;
  announce.header_nslots = kSlots;
  announce.header_region_uri = ring;
  if (change) {
    change(announce, pool);
  }
  announce.payload_pools = layout::ListView<layout::PayloadPool>(&pool, 1);
  return heard(at, Wire::kControl, announce);
}

[[nodiscard]] RegionLook region_of(std::uint64_t epoch, bool ring) {
  RegionLook look{.uri = uri_of(epoch, ring ? "header.ring" : "1.pool"),
                  .expected = {.stream_id = kStream,
                               .epoch = epoch,
                               .type = ring ? layout::RegionType::kHeaderRing
                                            : layout::RegionType::kPayloadPool,
                               .pool_id = static_cast<std::uint16_t>(ring ? 0 : 1),
                               .nslots = kSlots,
                               .stride_bytes = ring ? 0 : kStride}};
  look.file_mode = 0100660;
  look.first = core::region::make_superblock(look.expected, {.pid = 99, .now_ns = 5});
  look.last = look.first;
  look.last.activity_timestamp_ns = std::uint64_t{77};
  for (Nanos at = kStart; at < kEnd; at += seconds(1)) {
    look.refreshed.push_back(at);
  }
  return look;
}

[[nodiscard]] SlotLook slot_of(std::uint64_t seq, Nanos at,
                               const std::function<void(layout::Slot&)>& change = {}) {
  SlotLook look{.at = at,
                .epoch = kEpoch,
                .seq = seq,
                .index = static_cast<std::uint32_t>(seq % kSlots),
                .word_before = committed(seq),
                .word_after = committed(seq)};
  const auto tensor = core::tensor::resolve(TensorInfo::packed(Dtype::kUint16, {4, 8}));
  core::ring::SlotWords words = core::ring::encode_tensor_words(*tensor);
  core::ring::encode_frame_words(
      {.values_len_bytes = 64, .payload_slot = look.index, .pool_id = 1, .timestamp_ns = 5}, words);
  layout::Slot slot = core::ring::as_slot(words);
  if (change) {
    change(slot);
  }
  std::memcpy(look.bytes.data(), &slot, sizeof(slot));
  return look;
}

[[nodiscard]] FrameDescriptor descriptor_of(std::uint64_t seq) {
  return {.stream_id = kStream, .epoch = kEpoch, .seq = seq};
}

[[nodiscard]] layout::ConsumerConfig config_of(std::uint32_t consumer, std::uint32_t own) {
  layout::ConsumerConfig config;
  config.stream_id = kStream;
  config.consumer_id = consumer;
  config.descriptor_stream_id = own;
  config.descriptor_channel = own == 0 ? "" : "aeron:ipc";
  return config;
}

/// Asks of one consumer each but those that belong together, a quarter of a second long.
struct Asked {
  Ask ask;
  std::uint32_t consumer;
  std::uint32_t own;  ///< that it is assigned
  Nanos from;
  Nanos until;
  bool answered;
};
[[nodiscard]] std::vector<Asked> asks() {
  const Nanos at = kStart + seconds(1);
  return {{Ask::kChannelOnly, 6, 0, at, at + seconds(1), true},
          {Ask::kIdOnly, 7, 0, at, at + seconds(1), true},
          {Ask::kUdp, 8, 0, at, at + seconds(1), true},
          {Ask::kNoShm, 9, 0, at, at + seconds(1), true},
          {Ask::kOtherStream, 10, 0, at, at + seconds(1), false},
          {Ask::kConsumerZero, 0, 0, at, at + seconds(1), false},
          {Ask::kLongBlock, 11, 0, at, at + seconds(1), true},
          {Ask::kOwnStream, kConsumer, kOwnStream, at, at + milliseconds(500), true},
          {Ask::kOwnAgain, kConsumer, kOwnStream, at + milliseconds(500), at + seconds(1), true},
          {Ask::kGiveUp, kConsumer, 0, at + seconds(1), at + seconds(2), true},
          {Ask::kRateLimited, 12, 31'009, at + seconds(2), at + seconds(4), true}};
}

void add_talk(ProducerLife& life) {
  for (const Asked& one : asks()) {
    life.asks.push_back({.ask = one.ask,
                         .stream_id = one.ask == Ask::kOtherStream ? kStream + 1 : kStream,
                         .consumer_id = one.consumer,
                         .own_stream_id = one.own,
                         .window = {.from = one.from, .until = one.until}});
    if (one.answered) {
      layout::ConsumerConfig config = config_of(one.consumer, one.own);
      config.use_shm = one.ask != Ask::kNoShm;
      life.heard.push_back(heard(one.from + milliseconds(1), Wire::kControl, config));
    }
    if (one.own != 0) {
      const bool slow = one.ask == Ask::kRateLimited;
      for (Nanos at = one.from + milliseconds(5); at < one.until;
           at += slow ? milliseconds(1000 / kSlowHz) : kFrameEvery) {
        life.heard.push_back(heard(at, Wire::kOwnDescriptor, descriptor_of(1)));
      }
    }
  }
  life.progress_wanted_at = kStart + seconds(1);
  using State = layout::FrameProgressState;
  const std::pair<State, std::uint64_t> progress[] = {
      {State::kStarted, 0}, {State::kProgress, 32}, {State::kComplete, 64}};
  for (const auto& [state, bytes] : progress) {
    life.heard.push_back(heard(kStart + seconds(2), Wire::kControl,
                               FrameProgress{.stream_id = kStream,
                                             .epoch = kEpoch,
                                             .seq = 20,
                                             .payload_bytes_filled = bytes,
                                             .state = state}));
  }
  life.disturbed = {.from = kStart + seconds(5), .until = kEnd};
}

[[nodiscard]] ProducerRecord good_record() {
  ProducerRecord record{.stream_id = kStream};
  ProducerLife life;
  life.window = {.from = kStart, .until = kEnd};
  life.alive = true;
  for (Nanos at = kStart; at < kEnd; at += seconds(1)) {
    const std::uint64_t next = static_cast<std::uint64_t>((at - kStart) / kFrameEvery) + 1;
    life.heard.push_back(announce_at(at, kEpoch));
    life.heard.push_back(
        heard(at + milliseconds(1), Wire::kQos,
              layout::QosProducer{
                  .stream_id = kStream, .producer_id = 1, .epoch = kEpoch, .current_seq = next}));
    life.heard.push_back(
        heard(at, Wire::kMetadata,
              layout::DataSourceAnnounce{
                  .stream_id = kStream, .producer_id = 1, .epoch = kEpoch, .meta_version = 1}));
    life.heard.push_back(heard(at, Wire::kMetadata,
                               layout::DataSourceMeta{.stream_id = kStream, .meta_version = 1}));
  }
  life.rings.push_back({.epoch = kEpoch, .words = std::vector<std::uint64_t>(kSlots)});
  life.rings[0].words[0] = committed(0);
  life.rings[0].words[1] = in_progress(1);
  for (std::uint64_t seq = 0; seq < kFrames; ++seq) {
    const Nanos at = kStart + static_cast<Nanos::rep>(seq) * kFrameEvery;
    const auto index = static_cast<std::uint32_t>(seq % kSlots);
    life.words.push_back({.epoch = kEpoch, .index = index, .word = in_progress(seq)});
    life.words.push_back({.epoch = kEpoch, .index = index, .word = committed(seq)});
    life.slots.push_back(slot_of(seq, at));
    life.heard.push_back(heard(at, Wire::kDescriptor, descriptor_of(seq)));
  }
  life.regions = {region_of(kEpoch, true), region_of(kEpoch, false)};
  add_talk(life);
  sort(life.heard);
  record.lives.push_back(std::move(life));
  ProducerLife again;
  again.window = {.from = kEnd, .until = kEnd + seconds(2)};
  again.heard.push_back(announce_at(kEnd, kEpoch + 3));
  again.regions = {region_of(kEpoch + 3, true)};
  again.regions[0].refreshed = {kEnd, kEnd + seconds(1)};
  record.lives.push_back(std::move(again));
  return record;
}

using Spoil = std::function<void(ProducerRecord&)>;

/// Something more that is heard.
template <class M>
[[nodiscard]] Spoil hear(Nanos after, Wire on, const M& message) {
  return [=](ProducerRecord& record) {
    record.lives[0].heard.push_back(heard(kStart + after, on, message));
    sort(record.lives[0].heard);
  };
}
[[nodiscard]] Spoil announced(
    const std::function<void(layout::ShmPoolAnnounce&, layout::PayloadPool&)>& change) {
  return [=](ProducerRecord& record) {
    record.lives[0].heard.push_back(announce_at(kEnd - milliseconds(1), kEpoch, change));
  };
}
[[nodiscard]] Spoil slot(const std::function<void(layout::Slot&)>& change) {
  return [=](ProducerRecord& record) { record.lives[0].slots[20] = slot_of(20, kStart, change); };
}
/// What is heard of kind M is not heard, from `after` on.
template <class M>
[[nodiscard]] Spoil silence(Nanos after = {}) {
  return [after](ProducerRecord& record) {
    codec::Scratch scratch;
    std::erase_if(record.lives[0].heard, [&](const Heard& one) {
      return one.at >= kStart + after && codec::decode<M>(one.bytes, scratch).has_value();
    });
  };
}

void add_faults_of_regions(Faults<ProducerRecord>& faults) {
  faults.emplace("framing", [](auto& r) {
    r.lives[0].heard.push_back(announce_at(kEnd, kEpoch));
    r.lives[0].heard.back().bytes[6] = std::byte{2};
  });
  faults.emplace("announce-period", silence<layout::ShmPoolAnnounce>());
  faults.emplace("announce-period", silence<layout::ShmPoolAnnounce>(seconds(2)));
  faults.emplace("announce-content", announced([](auto& a, auto&) { a.epoch = 0; }));
  faults.emplace("announce-content", announced([](auto& a, auto&) { a.header_nslots = 12; }));
  faults.emplace("announce-content", announced([](auto&, auto& p) { p.stride_bytes = 100; }));
  faults.emplace("announce-content", announced([](auto&, auto& p) { p.pool_nslots = 8; }));
  faults.emplace("announce-time", announced([](auto& a, auto&) { a.announce_timestamp_ns = 9; }));
  faults.emplace("announce-time",
                 announced([](auto& a, auto&) { a.announce_timestamp_ns += 1'000'000'000; }));
  faults.emplace("region-uris", announced([](auto& a, auto&) {
                   a.header_region_uri = "shm:file?require_hugepages=true|path=/dev/shm/x";
                 }));
  faults.emplace("region-uris",
                 announced([](auto&, auto& p) { p.region_uri = "shm:file?path=relative"; }));
  faults.emplace("region-layout", [](auto& r) {
    r.lives[0].regions[1].uri = "shm:file?path=/dev/shm/tensorpool-me/10000/7/1.pool";
  });
  faults.emplace("region-open", [](auto& r) {
    r.lives[0].regions[0].refused = make_error(Errc::kRegionTooSmall, "header.ring");
  });
  faults.emplace("region-mode", [](auto& r) { r.lives[0].regions[0].file_mode = 0100664; });
  faults.emplace("superblock", [](auto& r) { r.lives[0].regions[1].first.slot_bytes = 0U; });
  faults.emplace("superblock", [](auto& r) { r.lives[0].regions[0].first.stride_bytes = 64U; });
  faults.emplace("superblock", [](auto& r) { r.lives[0].regions[0].first.pid = std::uint64_t{0}; });
  faults.emplace("superblock-constant",
                 [](auto& r) { r.lives[0].regions[0].last.pid = std::uint64_t{100}; });
  faults.emplace("activity", [](auto& r) { r.lives[0].regions[1].refreshed.resize(2); });
  faults.emplace("restart", [](auto& r) { r.lives[1].heard[0] = announce_at(kEnd, kEpoch); });
  faults.emplace("restart", [](auto& r) { r.lives[1].heard.clear(); });
  faults.emplace("restart", [](auto& r) { r.lives[1].regions[0].uri = r.lives[0].regions[0].uri; });
}

void add_faults_of_frames(Faults<ProducerRecord>& faults) {
  faults.emplace("slot-header", slot([](auto& s) { s.version = std::uint16_t{2}; }));
  faults.emplace("slot-header", slot([](auto& s) { s.dtype = std::int16_t{12}; }));
  faults.emplace("slot-header", slot([](auto& s) { s.payload_slot = 3U; }));
  faults.emplace("slot-header", slot([](auto& s) { s.pool_id = std::uint16_t{2}; }));
  faults.emplace("slot-header", slot([](auto& s) { s.values_len_bytes = kStride + 1; }));
  faults.emplace("slot-padding", slot([](auto& s) { s.pad[3] = std::byte{1}; }));
  faults.emplace("slot-padding", slot([](auto& s) { s.tail_pad[100] = std::byte{1}; }));
  faults.emplace("slot-padding", slot([](auto& s) { s.dims[5] = 1; }));
  faults.emplace("slot-padding", slot([](auto& s) { s.progress_stride_bytes = 8U; }));
  faults.emplace("commit-word", [](auto& r) {
    r.lives[0].words.push_back({.epoch = kEpoch, .index = 0, .word = committed(0)});
  });
  faults.emplace("commit-word", [](auto& r) {
    r.lives[0].words.push_back({.epoch = kEpoch, .index = 0, .word = committed(1001)});
  });
  faults.emplace("commit-before-descriptor",
                 [](auto& r) { r.lives[0].slots[20].word_before = in_progress(20); });
  faults.emplace("commit-before-descriptor",
                 [](auto& r) { r.lives[0].slots[20].word_before = committed(4); });
  faults.emplace("descriptor-order", hear(seconds(5), Wire::kDescriptor, descriptor_of(3)));
  FrameDescriptor unknown = descriptor_of(100);
  unknown.epoch = kEpoch + 1;
  faults.emplace("descriptor-order", hear(seconds(5), Wire::kDescriptor, unknown));
  faults.emplace("descriptor-complete", [](auto& r) {
    codec::Scratch scratch;
    std::erase_if(r.lives[0].heard, [&](const Heard& one) {
      const auto descriptor = codec::decode<FrameDescriptor>(one.bytes, scratch);
      return one.on == Wire::kDescriptor && descriptor && descriptor->seq == 20;
    });
  });
  faults.emplace("descriptor-fields", slot([](auto& s) { s.meta_version = 3U; }));
  faults.emplace("first-frame", [](auto& r) {
    r.lives[0].rings[0].words = {0, 0, 0, committed(3), 0};
  });
  faults.emplace("first-frame", [](auto& r) { r.lives[0].rings[0].words[0] = committed(16); });
}

void add_faults_of_talk(Faults<ProducerRecord>& faults) {
  faults.emplace("qos", silence<layout::QosProducer>());
  faults.emplace(
      "qos-content",
      hear(seconds(5), Wire::kQos,
           layout::QosProducer{.stream_id = kStream, .epoch = kEpoch, .current_seq = 20}));
  for (const char* name : {"own-stream", "half-request", "foreign-channel", "without-shm",
                           "long-block", "rate-limited"}) {
    faults.emplace(name, silence<layout::ConsumerConfig>());
  }
  const auto answer = [](std::uint32_t consumer, std::uint32_t own, bool use_shm = true) {
    layout::ConsumerConfig config = config_of(consumer, own);
    config.use_shm = use_shm;
    return hear(seconds(1), Wire::kControl, config);
  };
  faults.emplace("own-stream", answer(kConsumer, kOwnStream + 1));  // and then another one
  faults.emplace("own-stream", answer(kConsumer, kOwnStream, false));
  faults.emplace("own-stream", [](auto& r) {
    std::erase_if(r.lives[0].heard,
                  [](const Heard& one) { return one.on == Wire::kOwnDescriptor; });
  });
  faults.emplace("half-request", answer(7, 31'007));
  faults.emplace("foreign-channel", answer(8, 31'008));
  faults.emplace("without-shm", answer(9, 0));
  faults.emplace("foreign-hello", answer(0, 0));
  faults.emplace("own-stream-given-up",
                 hear(milliseconds(2900), Wire::kOwnDescriptor, descriptor_of(1)));
  faults.emplace("rate-limited", [](auto& r) {
    for (int k = 0; k < 20; ++k) {
      r.lives[0].heard.push_back(
          heard(kStart + seconds(4), Wire::kOwnDescriptor, descriptor_of(1)));
    }
  });
  const auto progress = [](std::uint64_t bytes, layout::FrameProgressState state) {
    return FrameProgress{.stream_id = kStream,
                         .epoch = kEpoch,
                         .seq = 20,
                         .payload_bytes_filled = bytes,
                         .state = state};
  };
  using State = layout::FrameProgressState;
  faults.emplace("progress", hear(Nanos{0}, Wire::kControl, progress(0, State::kStarted)));
  faults.emplace("progress", hear(seconds(3), Wire::kControl, progress(70, State::kProgress)));
  faults.emplace("progress", hear(seconds(3), Wire::kControl, progress(32, State::kComplete)));
  faults.emplace("metadata", silence<layout::DataSourceMeta>(seconds(2)));
  faults.emplace("metadata",
                 hear(seconds(5), Wire::kMetadata, layout::DataSourceMeta{.stream_id = kStream}));
  faults.emplace("strange-messages", [](auto& r) { r.lives[0].alive = false; });
  faults.emplace("strange-messages", silence<layout::ShmPoolAnnounce>(seconds(5)));
  faults.emplace("strange-messages", silence<FrameDescriptor>(seconds(5)));
}

TEST(ProducerCases, pass_on_a_good_record_and_each_can_fail) {
  Faults<ProducerRecord> faults;
  add_faults_of_regions(faults);
  add_faults_of_frames(faults);
  add_faults_of_talk(faults);
  expect_honest<ProducerRecord>(producer_cases(), good_record, faults);
}

TEST(ProducerCases, say_nothing_of_frames_that_were_overwritten_meanwhile) {
  ProducerRecord record = good_record();
  for (SlotLook& look : record.lives[0].slots) {
    look.word_after = in_progress(look.seq + kSlots);
  }
  EXPECT_EQ(finding_of(producer_cases(), "slot-header", record).outcome, Outcome::kNotObservable);
}

TEST(ProducerCases, take_a_declined_request_for_what_it_may_be) {
  ProducerRecord record = good_record();
  silence<layout::ConsumerConfig>()(record);
  for (const AskLook& one : record.lives[0].asks) {
    if (one.consumer_id == kConsumer) {
      record.lives[0].heard.push_back(
          heard(one.window.from, Wire::kControl, config_of(kConsumer, 0)));
    }
  }
  sort(record.lives[0].heard);
  for (const char* name : {"own-stream", "own-stream-given-up"}) {
    EXPECT_EQ(finding_of(producer_cases(), name, record).outcome, Outcome::kNotObservable);
  }
}

}  // namespace
}  // namespace tensorpool::apps::conform::testing
