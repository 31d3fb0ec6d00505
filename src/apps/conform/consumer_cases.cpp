#include "apps/conform/consumer_cases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "apps/text.hpp"

namespace tensorpool::inline v0::apps::conform {
namespace {

using layout::ConsumerHello;
using layout::QosConsumer;
using Record = ConsumerRecord;

constexpr std::uint16_t kOfConsumer[] = {ConsumerHello::kType.template_id,
                                         QosConsumer::kType.template_id};

/// Judges one scene by `judge(look, before, after)`; without QosConsumer nothing can be said.
template <class Judge>
[[nodiscard]] Finding judge_scene(const Record& record, Scene scene, Judge&& judge) {
  const auto found = std::find_if(record.scenes.begin(), record.scenes.end(),
                                  [scene](const SceneLook& one) { return one.scene == scene; });
  if (found == record.scenes.end()) {
    return not_observable("the run did not come to it");
  }
  if (!found->alive) {
    return failed("the program has ended");
  }
  if (!found->after || (!found->before && scene != Scene::kFirstFrames)) {
    return not_observable("no QosConsumer was heard");
  }
  return judge(*found, found->before.value_or(QosConsumer{}), *found->after);
}

[[nodiscard]] std::string text_of(const QosConsumer& qos) {
  return fmt::format("epoch {}, lastSeqSeen {}, dropsGap {}, dropsLate {}", qos.epoch,
                     qos.last_seq_seen, qos.drops_gap, qos.drops_late);
}

/// Why it is not mapped as it should be, and up to date; empty where it is.
[[nodiscard]] std::string mapping_fault(const SceneLook& look, const QosConsumer& after) {
  return after.epoch == look.epoch && after.last_seq_seen == look.mark
             ? std::string()
             : fmt::format("{}; published: epoch {}, frame {}", text_of(after), look.epoch,
                           look.mark);
}

[[nodiscard]] std::string drops_text(const QosConsumer& before, const QosConsumer& after) {
  return fmt::format("dropsGap +{}, dropsLate +{}", after.drops_gap - before.drops_gap,
                     after.drops_late - before.drops_late);
}

/// It follows, and exactly so many frames were lost by the scene.
template <Scene kScene, std::uint64_t kGap, std::uint64_t kLate>
Finding follows(const Record& record) {
  return judge_scene(
      record, kScene,
      [](const SceneLook& look, const QosConsumer& before, const QosConsumer& after) {
        if (std::string fault = mapping_fault(look, after); !fault.empty()) {
          return failed(std::move(fault));
        }
        std::string seen = drops_text(before, after);
        return after.drops_gap - before.drops_gap == kGap &&
                       after.drops_late - before.drops_late == kLate
                   ? passed(std::move(seen))
                   : failed(fmt::format("{}; expected +{}, +{}", seen, kGap, kLate));
      });
}

/// It has given its regions up.
template <Scene kScene>
Finding unmaps(const Record& record) {
  return judge_scene(record, kScene,
                     [](const SceneLook&, const QosConsumer&, const QosConsumer& after) {
                       return after.epoch == 0 ? passed("epoch 0") : failed(text_of(after));
                     });
}

/// It has mapped what is announced now, and its totals have not become smaller (W247).
template <Scene kScene>
Finding maps(const Record& record) {
  return judge_scene(
      record, kScene,
      [](const SceneLook& look, const QosConsumer& before, const QosConsumer& after) {
        if (std::string fault = mapping_fault(look, after); !fault.empty()) {
          return failed(std::move(fault));
        }
        const bool fell =
            after.drops_gap < before.drops_gap || after.drops_late < before.drops_late;
        return fell ? failed(fmt::format("{} after {}", text_of(after), text_of(before)))
                    : passed(text_of(after));
      });
}

Finding framing(const Record& record) {
  return judge_framing(record.heard, layout::kWireSchemaId, kOfConsumer);
}

template <class M>
Finding period_of(const Record& record) {
  const std::vector<Nanos> times =
      times_of<M>(record.heard, [&](const M& one) { return one.stream_id == record.stream_id; });
  return judge_period(times, record.period, record.window.until, std::string(M::kType.name));
}

[[nodiscard]] std::string hello_fault(const ConsumerHello& hello) {
  const auto is_half = [](layout::Text channel, std::uint32_t id) {
    return channel.empty() == layout::assigned_stream_id(id).has_value();
  };
  if (hello.consumer_id == 0) {
    return "consumerId 0";
  }
  if (is_half(hello.descriptor_channel, hello.descriptor_stream_id) ||
      is_half(hello.control_channel, hello.control_stream_id)) {
    return "a channel without an id, or an id without a channel";
  }
  if (!hello.supports_progress && (hello.progress_interval_us || hello.progress_bytes_delta ||
                                   hello.progress_major_delta_units)) {
    return "progress hints without supportsProgress";
  }
  return hello.expected_layout_version > layout::kLayoutVersion
             ? fmt::format("expectedLayoutVersion {}", hello.expected_layout_version)
             : std::string();
}

Finding hello_content(const Record& record) {
  std::string fault;
  std::size_t count = 0;
  each<ConsumerHello>(record.heard, [&](const ConsumerHello& hello, const Heard&) {
    if (hello.stream_id == record.stream_id) {
      ++count;
      fault = fault.empty() ? hello_fault(hello) : fault;
    }
  });
  if (count == 0) {
    return not_observable("no hello was heard");
  }
  return fault.empty() ? passed(counted(count, "hello")) : failed(std::move(fault));
}

Finding one_id(const Record& record) {
  std::set<std::uint32_t> hellos;
  std::set<std::uint32_t> others;
  each<ConsumerHello>(record.heard,
                      [&](const auto& one, const Heard&) { hellos.insert(one.consumer_id); });
  each<QosConsumer>(record.heard,
                    [&](const auto& one, const Heard&) { others.insert(one.consumer_id); });
  if (hellos.empty() || others.empty()) {
    return not_observable("no hello or no QosConsumer was heard");
  }
  std::string seen = fmt::format("{} in hellos, {} in QosConsumer", counted(hellos.size(), "id"),
                                 counted(others.size(), "id"));
  return hellos == others ? passed(std::move(seen)) : failed(std::move(seen));
}

/// One frame was lost; whether as gap or as late depends on when the reader looked.
Finding overwritten(const Record& record) {
  return judge_scene(
      record, Scene::kOverwritten,
      [](const SceneLook& look, const QosConsumer& before, const QosConsumer& after) {
        if (std::string fault = mapping_fault(look, after); !fault.empty()) {
          return failed(std::move(fault));
        }
        const std::uint64_t lost =
            after.drops_gap - before.drops_gap + after.drops_late - before.drops_late;
        std::string seen = drops_text(before, after);
        return lost == 1 ? passed(std::move(seen)) : failed(std::move(seen));
      });
}

Finding forged(const Record& record) {
  return judge_scene(
      record, Scene::kForged,
      [](const SceneLook& look, const QosConsumer& before, const QosConsumer& after) {
        if (after.last_seq_seen >= look.forged) {
          return failed(
              fmt::format("lastSeqSeen {} after a forged {}", after.last_seq_seen, look.forged));
        }
        return follows<Scene::kForged, 0, 1>({.scenes = {{.scene = look.scene,
                                                          .before = before,
                                                          .after = after,
                                                          .epoch = look.epoch,
                                                          .mark = look.mark,
                                                          .alive = true}}});
      });
}

Finding own_stream(const Record& record) {
  return judge_scene(record, Scene::kOwnStream,
                     [](const SceneLook& look, const QosConsumer&, const QosConsumer& after) {
                       if (!look.joined) {
                         return failed("nobody subscribed to the stream that was assigned");
                       }
                       std::string fault = mapping_fault(look, after);
                       return fault.empty() ? passed("frames described there alone have arrived")
                                            : failed(std::move(fault));
                     });
}

Finding back_to_shared(const Record& record) {
  return judge_scene(record, Scene::kBackToShared,
                     [](const SceneLook& look, const QosConsumer&, const QosConsumer& after) {
                       if (look.joined) {
                         return failed("still subscribed to the stream that was taken back");
                       }
                       std::string fault = mapping_fault(look, after);
                       return fault.empty() ? passed("back on the shared stream")
                                            : failed(std::move(fault));
                     });
}

Finding mode(const Record& record) {
  return judge_scene(
      record, Scene::kMode, [](const SceneLook&, const QosConsumer&, const QosConsumer& after) {
        return after.mode == layout::Mode::kRateLimited ? passed("RATE_LIMITED in QosConsumer")
                                                        : failed("another mode in QosConsumer");
      });
}

Finding leaves_files(const Record& record) {
  if (record.heard.empty()) {
    return not_observable("nothing was heard of it");
  }
  return record.files_untouched ? passed("all there, as they were")
                                : failed("files of the producer have changed or gone");
}

Finding survives(const Record& record) {
  if (record.heard.empty()) {
    return not_observable("nothing was heard of it");
  }
  return record.alive ? passed("it still runs") : failed("the program has ended");
}

constexpr Case<Record> kCases[] = {
    {"framing", "W72 W95 W97 W98",
     "writes each message with the listed header, version 1 and whole", framing},
    {"hello", "W282", "says hello at every hello interval", period_of<ConsumerHello>},
    {"hello-content", "W284 W287 W288 W290",
     "says a possible hello: an id, whole requests, no hints without progress", hello_content},
    {"qos", "W393", "sends QosConsumer every QoS interval in every state", period_of<QosConsumer>},
    {"one-id", "W284 W320", "has one consumer id in hellos and QosConsumer", one_id},
    {"maps", "W242 W258 W397 W398", "maps what is announced, and follows",
     maps<Scene::kFirstFrames>},
    {"frames", "W259 W278", "loses nothing of frames in order", follows<Scene::kFrames, 0, 0>},
    {"in-progress", "W164 W169 W264", "drops a frame whose commit is missing, and goes on",
     follows<Scene::kInProgress, 0, 1>},
    {"overwritten", "W165 W264 W274", "loses one frame where one slot was lapped", overwritten},
    {"bad-headers", "W29 W33 W34 W52 W55 W268 W274", "drops frames with headers that mean nothing",
     follows<Scene::kBadHeaders, 0, kBadHeadersCount>},
    {"bad-payloads", "W47 W48", "drops frames whose payload lies nowhere",
     follows<Scene::kBadPayloads, 0, kBadPayloadsCount>},
    {"aborted", "W182 W260", "counts numbers that were never described as a gap",
     follows<Scene::kAborted, kAbortedCount, 0>},
    {"duplicate", "W261", "takes a second descriptor of a frame for none",
     follows<Scene::kDuplicate, 0, 0>},
    {"forged", "W257", "does not follow a descriptor ahead of its slot", forged},
    {"lower-epoch-frame", "W242 W256", "drops descriptors of an earlier epoch, and stays mapped",
     follows<Scene::kLowerEpochFrame, 0, 0>},
    {"strange-messages", "W74 W75 W76 W78 W79 W254 W255 W443",
     "goes on after messages that make no sense", follows<Scene::kStrange, 0, 0>},
    {"long-block", "W80 W86", "understands a descriptor with a longer block",
     follows<Scene::kLongBlock, 0, 0>},
    {"wrong-announces", "W213 W214 W215 W216 W220",
     "ignores announces of another stream, time or epoch", follows<Scene::kWrongAnnounces, 0, 0>},
    {"foreign-config", "W323 W324", "ignores configs of others, and half assignments",
     follows<Scene::kForeignConfig, 0, 0>},
    {"own-stream", "W325", "goes to the descriptor stream that it is assigned", own_stream},
    {"back-to-shared", "W327", "comes back when it is taken from it", back_to_shared},
    {"mode", "W331", "takes the mode of a config", mode},
    {"without-shm", "W242 W331", "gives up shared memory when it is told", unmaps<Scene::kNoShm>},
    {"with-shm-again", "W242", "takes it up again", maps<Scene::kShmAgain>},
    {"regression", "W262", "unmaps when a number goes back", unmaps<Scene::kRegression>},
    {"after-regression", "W242 W245 W247", "maps the same epoch again when it is announced",
     maps<Scene::kAfterRegression>},
    {"later-epoch-frame", "W242 W256", "unmaps on a descriptor of a later epoch",
     unmaps<Scene::kLaterEpochFrame>},
    {"new-epoch", "W191 W242 W247", "maps a new epoch, and keeps its totals",
     maps<Scene::kNewEpoch>},
    {"old-epoch", "W220", "ignores an announce of an earlier epoch",
     follows<Scene::kOldEpoch, 0, 0>},
    {"refuses-mismatch", "W230 W231", "unmaps, and refuses regions with another superblock",
     unmaps<Scene::kMismatch>},
    {"refuses-short-file", "W129", "refuses a file that is too small", unmaps<Scene::kShortFile>},
    {"refuses-writable", "W127", "refuses a file that everybody may write",
     unmaps<Scene::kWritableByAll>},
    {"after-refusals", "W242", "maps the next good epoch", maps<Scene::kAfterRefusals>},
    {"stale-activity", "W235 W251", "unmaps when the activity is stale", unmaps<Scene::kPaused>},
    {"resumed-activity", "W252", "maps the same epoch when it is fresh again",
     maps<Scene::kResumed>},
    {"leaves-files", "W415", "changes and removes none of the producer's files", leaves_files},
    {"survives", "W443", "still runs at the end", survives},
};

}  // namespace

std::span<const Case<ConsumerRecord>> consumer_cases() noexcept {
  return kCases;
}

}  // namespace tensorpool::inline v0::apps::conform
