// The cases of consumers, on records made by hand: each passes on a good one and fails on a bad
// one.
#include "apps/conform/consumer_cases.hpp"

#include <gtest/gtest.h>

#include "support.hpp"

namespace tensorpool::apps::conform::testing {
namespace {

using layout::ConsumerHello;
using layout::QosConsumer;

constexpr std::uint32_t kConsumer = 5;
constexpr Scene kUnmapped[] = {Scene::kNoShm,    Scene::kRegression, Scene::kLaterEpochFrame,
                               Scene::kMismatch, Scene::kShortFile,  Scene::kWritableByAll,
                               Scene::kPaused};

[[nodiscard]] QosConsumer qos_at(std::uint64_t epoch, std::uint64_t seq) {
  return {.stream_id = kStream, .consumer_id = kConsumer, .epoch = epoch, .last_seq_seen = seq};
}

/// As each scene goes where everything is right.
[[nodiscard]] SceneLook look_of(Scene scene, std::uint64_t number) {
  SceneLook look{.scene = scene,
                 .before = qos_at(7, 10 * number),
                 .after = qos_at(7, 10 * number + 9),
                 .epoch = 7,
                 .mark = 10 * number + 9,
                 .alive = true};
  const bool ends =
      std::find(std::begin(kUnmapped), std::end(kUnmapped), scene) != std::end(kUnmapped);
  look.after->epoch = ends ? 0 : look.epoch;
  look.after->drops_late =
      scene == Scene::kInProgress || scene == Scene::kOverwritten || scene == Scene::kForged ? 1
      : scene == Scene::kBadHeaders  ? kBadHeadersCount
      : scene == Scene::kBadPayloads ? kBadPayloadsCount
                                     : 0;
  look.after->drops_gap = scene == Scene::kAborted ? kAbortedCount : 0;
  look.forged = scene == Scene::kForged ? 1'000'000 : 0;
  look.joined = scene == Scene::kOwnStream;
  look.after->mode = scene == Scene::kMode ? layout::Mode::kRateLimited : layout::Mode::kStream;
  return look;
}

[[nodiscard]] ConsumerHello good_hello() {
  ConsumerHello hello;
  hello.stream_id = kStream;
  hello.consumer_id = kConsumer;
  hello.supports_shm = true;
  hello.expected_layout_version = 1;
  return hello;
}

[[nodiscard]] ConsumerRecord good_record() {
  ConsumerRecord record{.stream_id = kStream};
  record.window = {.from = kStart, .until = kStart + seconds(10)};
  for (int k = 0; k <= 9; ++k) {
    record.heard.push_back(heard(kStart + seconds(k), Wire::kControl, good_hello()));
    record.heard.push_back(heard(kStart + seconds(k), Wire::kQos, qos_at(7, 1)));
  }
  for (int k = 0; k <= static_cast<int>(Scene::kResumed); ++k) {
    record.scenes.push_back(look_of(static_cast<Scene>(k), static_cast<std::uint64_t>(k)));
  }
  record.files_untouched = true;
  record.alive = true;
  return record;
}

[[nodiscard]] SceneLook& look_at(ConsumerRecord& record, Scene scene) {
  return record.scenes[static_cast<std::size_t>(scene)];
}

void add_hello(ConsumerRecord& record, const std::function<void(ConsumerHello&)>& change) {
  ConsumerHello hello = good_hello();
  change(hello);
  record.heard.push_back(heard(kStart + seconds(9), Wire::kControl, hello));
}

/// Wrong in what each of them is for: lost frames that should not be lost, a mapping that is there.
[[nodiscard]] Faults<ConsumerRecord> faults_of_scenes() {
  const std::pair<const char*, Scene> following[] = {{"frames", Scene::kFrames},
                                                     {"in-progress", Scene::kInProgress},
                                                     {"overwritten", Scene::kOverwritten},
                                                     {"bad-headers", Scene::kBadHeaders},
                                                     {"bad-payloads", Scene::kBadPayloads},
                                                     {"aborted", Scene::kAborted},
                                                     {"duplicate", Scene::kDuplicate},
                                                     {"forged", Scene::kForged},
                                                     {"lower-epoch-frame", Scene::kLowerEpochFrame},
                                                     {"strange-messages", Scene::kStrange},
                                                     {"long-block", Scene::kLongBlock},
                                                     {"wrong-announces", Scene::kWrongAnnounces},
                                                     {"foreign-config", Scene::kForeignConfig},
                                                     {"old-epoch", Scene::kOldEpoch}};
  const std::pair<const char*, Scene> mapping[] = {{"maps", Scene::kFirstFrames},
                                                   {"with-shm-again", Scene::kShmAgain},
                                                   {"after-regression", Scene::kAfterRegression},
                                                   {"new-epoch", Scene::kNewEpoch},
                                                   {"after-refusals", Scene::kAfterRefusals},
                                                   {"resumed-activity", Scene::kResumed},
                                                   {"own-stream", Scene::kOwnStream},
                                                   {"back-to-shared", Scene::kBackToShared}};
  const std::pair<const char*, Scene> ending[] = {{"without-shm", Scene::kNoShm},
                                                  {"regression", Scene::kRegression},
                                                  {"later-epoch-frame", Scene::kLaterEpochFrame},
                                                  {"refuses-mismatch", Scene::kMismatch},
                                                  {"refuses-short-file", Scene::kShortFile},
                                                  {"refuses-writable", Scene::kWritableByAll},
                                                  {"stale-activity", Scene::kPaused}};
  Faults<ConsumerRecord> faults;
  for (const auto& entry : following) {
    const Scene scene = entry.second;
    faults.emplace(entry.first, [scene](auto& r) { ++look_at(r, scene).after->drops_late; });
    faults.emplace(entry.first, [scene](auto& r) { look_at(r, scene).after->epoch = 0; });
    faults.emplace(entry.first, [scene](auto& r) { look_at(r, scene).alive = false; });
  }
  for (const auto& entry : mapping) {
    const Scene scene = entry.second;
    faults.emplace(entry.first, [scene](auto& r) { look_at(r, scene).after->epoch = 6; });
    faults.emplace(entry.first, [scene](auto& r) { --look_at(r, scene).after->last_seq_seen; });
  }
  for (const auto& entry : ending) {
    const Scene scene = entry.second;
    faults.emplace(entry.first, [scene](auto& r) { look_at(r, scene).after->epoch = 7; });
  }
  return faults;
}

TEST(ConsumerCases, pass_on_a_good_record_and_each_can_fail) {
  Faults<ConsumerRecord> faults = faults_of_scenes();
  faults.emplace("framing", [](auto& r) { r.heard[0].bytes[6] = std::byte{2}; });
  faults.emplace("hello", [](auto& r) { r.heard.resize(4); });
  faults.emplace("qos", [](auto& r) { r.heard.resize(4); });
  faults.emplace("hello-content", [](auto& r) {
    add_hello(r, [](ConsumerHello& hello) { hello.consumer_id = 0; });
  });
  faults.emplace("hello-content", [](auto& r) {
    add_hello(r, [](ConsumerHello& hello) { hello.descriptor_channel = "aeron:ipc"; });
  });
  faults.emplace("hello-content", [](auto& r) {
    add_hello(r, [](ConsumerHello& hello) { hello.control_stream_id = 5; });
  });
  faults.emplace("hello-content", [](auto& r) {
    add_hello(r, [](ConsumerHello& hello) { hello.progress_bytes_delta = 5; });
  });
  faults.emplace("hello-content", [](auto& r) {
    add_hello(r, [](ConsumerHello& hello) { hello.expected_layout_version = 2; });
  });
  faults.emplace(
      "one-id", [](auto& r) { add_hello(r, [](ConsumerHello& hello) { hello.consumer_id = 6; }); });
  faults.emplace("forged",
                 [](auto& r) { look_at(r, Scene::kForged).after->last_seq_seen = 1'000'000; });
  faults.emplace("new-epoch", [](auto& r) { look_at(r, Scene::kNewEpoch).before->drops_gap = 1; });
  faults.emplace("own-stream", [](auto& r) { look_at(r, Scene::kOwnStream).joined = false; });
  faults.emplace("back-to-shared", [](auto& r) { look_at(r, Scene::kBackToShared).joined = true; });
  faults.emplace("mode",
                 [](auto& r) { look_at(r, Scene::kMode).after->mode = layout::Mode::kStream; });
  faults.emplace("leaves-files", [](auto& r) { r.files_untouched = false; });
  faults.emplace("survives", [](auto& r) { r.alive = false; });
  expect_honest<ConsumerRecord>(consumer_cases(), good_record, faults);
}

TEST(ConsumerCases, say_nothing_where_nothing_was_heard) {
  ConsumerRecord record = good_record();
  for (SceneLook& look : record.scenes) {
    look.after.reset();
  }
  EXPECT_EQ(finding_of(consumer_cases(), "frames", record).outcome, Outcome::kNotObservable);
  EXPECT_EQ(finding_of(consumer_cases(), "regression", record).outcome, Outcome::kNotObservable);
}

}  // namespace
}  // namespace tensorpool::apps::conform::testing
