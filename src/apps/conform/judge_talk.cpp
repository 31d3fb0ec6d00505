// Judges of producers: QoS, answers to consumers, progress, metadata.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "apps/conform/producer_judges.hpp"
#include "apps/text.hpp"
#include "core/registration/own_stream.hpp"

namespace tensorpool::inline v0::apps::conform::judges {
namespace {

using layout::ConsumerConfig;
using layout::FrameDescriptor;
using layout::FrameProgress;
using layout::QosProducer;

/// Between two streams of Aeron nothing is ordered: a descriptor that was heard no longer ago than
/// this may have been sent after the QoS.
constexpr Nanos kCrossing = std::chrono::milliseconds(20);

/// An answer, with texts of its own.
struct Answer {
  core::registration::OwnStream own;
  bool use_shm = false;
  layout::Mode mode = layout::Mode::kStream;
  Nanos at{};
};

[[nodiscard]] const AskLook* find_ask(const ProducerLife& life, Ask ask) {
  const auto found = std::find_if(life.asks.begin(), life.asks.end(),
                                  [ask](const AskLook& one) { return one.ask == ask; });
  return found == life.asks.end() ? nullptr : &*found;
}

[[nodiscard]] std::optional<Answer> answer_to(const ProducerLife& life, const AskLook& ask) {
  std::optional<Answer> answer;
  each<ConsumerConfig>(
      life.heard,
      [&](const ConsumerConfig& config, const Heard& heard) {
        if (!answer && config.stream_id == ask.stream_id && config.consumer_id == ask.consumer_id) {
          answer = Answer{.own = core::registration::OwnStream::of(config.descriptor_channel,
                                                                   config.descriptor_stream_id),
                          .use_shm = config.use_shm,
                          .mode = config.mode,
                          .at = heard.at};
        }
      },
      ask.window);
  return answer;
}

[[nodiscard]] std::vector<Nanos> own_descriptors(const ProducerRecord& record,
                                                 const ProducerLife& life, Window window,
                                                 Wire on = Wire::kOwnDescriptor) {
  std::vector<Nanos> times;
  each<FrameDescriptor>(
      life.heard,
      [&](const FrameDescriptor& one, const Heard& heard) {
        if (heard.on == on && one.stream_id == record.stream_id) {
          times.push_back(heard.at);
        }
      },
      window);
  return times;
}

/// The first life, and the answer to one ask of it; or why there is none.
template <class Judge>
[[nodiscard]] Finding judge_answer(const ProducerRecord& record, Ask ask, Judge&& judge) {
  if (record.lives.empty() || find_ask(record.lives.front(), ask) == nullptr) {
    return not_observable("it was not asked");
  }
  const ProducerLife& life = record.lives.front();
  const AskLook& asked = *find_ask(life, ask);
  const std::optional<Answer> answer = answer_to(life, asked);
  return answer ? judge(life, asked, *answer) : failed("no ConsumerConfig in answer");
}

[[nodiscard]] std::string text_of(const core::registration::OwnStream& own) {
  return own.is_absent() ? "none" : fmt::format("{} stream {}", own.channel, own.stream_id);
}

[[nodiscard]] Finding judge_decline(const ProducerRecord& record, Ask ask) {
  return judge_answer(record, ask, [](const ProducerLife&, const AskLook&, const Answer& answer) {
    return answer.own.is_absent() ? passed("declined") : failed("assigned " + text_of(answer.own));
  });
}

[[nodiscard]] Finding judge_service(const ProducerRecord& record, const ProducerLife& life,
                                    const AskLook& asked, const Answer& answer) {
  const AskLook* const repeated = find_ask(life, Ask::kOwnAgain);
  if (repeated != nullptr) {
    const std::optional<Answer> again = answer_to(life, *repeated);
    if (!again || again->own != answer.own || again->mode != answer.mode) {
      return failed(again ? "the same request was answered with " + text_of(again->own)
                          : "the same request was not answered again");
    }
  }
  if (answer.own.is_absent()) {
    return not_observable("a request in order was declined");
  }
  const Window service = {
      .from = answer.at,
      .until = repeated != nullptr ? repeated->window.until : asked.window.until};
  const std::size_t own = own_descriptors(record, life, service).size();
  const std::size_t shared = own_descriptors(record, life, service, Wire::kDescriptor).size();
  if (own == 0) {
    return shared == 0 ? not_observable("no frame was published meanwhile")
                       : failed("no descriptor on " + text_of(answer.own));
  }
  return passed(fmt::format("{} on {}", counted(own, "descriptor"), text_of(answer.own)));
}

/// Of one frame, as far as its progress was heard.
struct Advance {
  layout::FrameProgressState state = layout::FrameProgressState::kUnknown;
  std::uint64_t bytes = 0;
};

[[nodiscard]] std::string progress_fault(const FrameProgress& one, Advance& before) {
  using State = layout::FrameProgressState;
  const bool repeats = one.state == before.state && one.state != State::kProgress;
  if (one.state < before.state || repeats) {
    return fmt::format("frame {}: state {} after {}", one.seq, static_cast<int>(one.state),
                       static_cast<int>(before.state));
  }
  if (one.payload_bytes_filled < before.bytes) {
    return fmt::format("frame {}: {} after {} bytes", one.seq, one.payload_bytes_filled,
                       before.bytes);
  }
  before = {.state = one.state, .bytes = one.payload_bytes_filled};
  return {};
}

}  // namespace

Finding qos(const ProducerRecord& record) {
  if (record.lives.empty()) {
    return not_observable("the program was not started");
  }
  const ProducerLife& life = record.lives.front();
  const std::vector<Nanos> times = times_of<QosProducer>(
      life.heard, [&](const auto& one) { return one.stream_id == record.stream_id; });
  return judge_period(times, record.period, life.window.until, "QosProducer");
}

Finding qos_content(const ProducerRecord& record) {
  std::size_t judged = 0;
  for (const ProducerLife& life : record.lives) {
    std::string fault;
    each<QosProducer>(life.heard, [&](const QosProducer& told, const Heard& heard) {
      if (told.stream_id != record.stream_id || !fault.empty()) {
        return;
      }
      each<FrameDescriptor>(life.heard,
                            [&](const FrameDescriptor& one, const Heard&) {
                              if (one.stream_id != record.stream_id || one.epoch != told.epoch) {
                                return;
                              }
                              ++judged;
                              if (told.current_seq <= one.seq) {
                                fault =
                                    fmt::format("currentSeq {} after the descriptor of frame {}",
                                                told.current_seq, one.seq);
                              }
                            },
                            {.until = heard.at - kCrossing});
    });
    if (!fault.empty()) {
      return failed(std::move(fault));
    }
  }
  return judged == 0 ? not_observable("no QosProducer came after a descriptor")
                     : passed("above all frames that were described before");
}

Finding own_stream(const ProducerRecord& record) {
  return judge_answer(record, Ask::kOwnStream,
                      [&](const ProducerLife& life, const AskLook& asked, const Answer& answer) {
                        if (answer.own.is_half()) {
                          return failed("half an assignment: " + text_of(answer.own));
                        }
                        if (!answer.use_shm || answer.mode != layout::Mode::kStream) {
                          return failed("useShm FALSE, or another mode than that of the hello");
                        }
                        return judge_service(record, life, asked, answer);
                      });
}

Finding own_stream_given_up(const ProducerRecord& record) {
  const bool assigned =
      judge_answer(record, Ask::kOwnStream, [](const auto&, const auto&, const Answer& answer) {
        return answer.own.is_complete() ? passed("") : failed("");
      }).outcome == Outcome::kPassed;
  if (!assigned) {
    return not_observable("no stream was assigned");
  }
  return judge_answer(
      record, Ask::kGiveUp,
      [&](const ProducerLife& life, const AskLook& asked, const Answer& answer) {
        if (!answer.own.is_absent()) {
          return failed("still assigned: " + text_of(answer.own));
        }
        const Window after = {.from = answer.at + 10 * kCrossing, .until = asked.window.until};
        const std::size_t late = own_descriptors(record, life, after).size();
        return late == 0 ? passed("taken back")
                         : failed(counted(late, "descriptor") + " after it was given up");
      });
}

Finding half_request(const ProducerRecord& record) {
  Finding finding = judge_decline(record, Ask::kChannelOnly);
  return finding.outcome == Outcome::kPassed ? judge_decline(record, Ask::kIdOnly) : finding;
}

Finding foreign_channel(const ProducerRecord& record) {
  return judge_decline(record, Ask::kUdp);
}

Finding without_shm(const ProducerRecord& record) {
  return judge_answer(record, Ask::kNoShm,
                      [](const ProducerLife&, const AskLook&, const Answer& answer) {
                        return answer.use_shm ? failed("useShm TRUE") : passed("useShm FALSE");
                      });
}

Finding long_block(const ProducerRecord& record) {
  return judge_answer(record, Ask::kLongBlock,
                      [](const ProducerLife&, const AskLook&, const Answer& answer) {
                        return passed("answered: " + text_of(answer.own));
                      });
}

Finding foreign_hello(const ProducerRecord& record) {
  if (record.lives.empty()) {
    return not_observable("it was not asked");
  }
  const ProducerLife& life = record.lives.front();
  bool answers_others = false;
  bool was_asked = false;
  for (const AskLook& ask : life.asks) {
    const bool foreign = ask.ask == Ask::kOtherStream || ask.ask == Ask::kConsumerZero;
    const bool answered = answer_to(life, ask).has_value();
    if (foreign && answered) {
      return failed(ask.consumer_id == 0 ? "consumer 0 was answered"
                                         : "a hello of another stream was answered");
    }
    was_asked = was_asked || foreign;
    answers_others = answers_others || (!foreign && answered);
  }
  return was_asked && answers_others ? passed("not answered, while others are")
                                     : not_observable("no hello was answered at all");
}

Finding rate_limited(const ProducerRecord& record) {
  return judge_answer(
      record, Ask::kRateLimited,
      [&](const ProducerLife& life, const AskLook& asked, const Answer& answer) {
        const Window service = {.from = answer.at, .until = asked.window.until};
        const auto own = own_descriptors(record, life, service);
        const auto shared = own_descriptors(record, life, service, Wire::kDescriptor);
        const double seconds = std::chrono::duration<double>(service.until - service.from).count();
        const auto most = static_cast<std::size_t>(seconds * kSlowHz) + 2;
        if (answer.own.is_absent() || shared.size() <= most) {
          return not_observable(answer.own.is_absent() ? "no stream was assigned"
                                                       : "the stream is no faster than that");
        }
        std::string seen = fmt::format("{} of {} in {:.1f} s at {} Hz", own.size(), shared.size(),
                                       seconds, kSlowHz);
        return own.empty() || own.size() > most ? failed(std::move(seen)) : passed(std::move(seen));
      });
}

Finding progress(const ProducerRecord& record) {
  std::size_t count = 0;
  for (const ProducerLife& life : record.lives) {
    std::map<std::tuple<std::uint64_t, std::uint64_t>, Advance> frames;
    std::string fault;
    each<FrameProgress>(life.heard, [&](const FrameProgress& one, const Heard& heard) {
      if (one.stream_id != record.stream_id || !fault.empty()) {
        return;
      }
      ++count;
      fault = heard.at < life.progress_wanted_at
                  ? "sent before a consumer wanted any"
                  : progress_fault(one, frames[{one.epoch, one.seq}]);
    });
    if (!fault.empty()) {
      return failed(std::move(fault));
    }
  }
  return count == 0 ? not_observable("none was sent, which is allowed")
                    : passed(counted(count, "progress message"));
}

Finding metadata(const ProducerRecord& record) {
  if (record.lives.empty()) {
    return not_observable("the program was not started");
  }
  const ProducerLife& life = record.lives.front();
  std::vector<Nanos> sets;
  std::uint32_t last = 0;
  std::string fault;
  each<layout::DataSourceMeta>(life.heard, [&](const auto& set, const Heard& heard) {
    if (set.stream_id == record.stream_id) {
      sets.push_back(heard.at);
      if (set.meta_version == 0 || set.meta_version < last) {
        fault = fmt::format("version {} after {}", set.meta_version, last);
      }
      last = set.meta_version;
    }
  });
  if (sets.empty()) {
    return not_observable("it has none");
  }
  if (!fault.empty()) {
    return failed(std::move(fault));
  }
  const std::vector<Nanos> announces = times_of<layout::DataSourceAnnounce>(
      life.heard, [&](const auto& one) { return one.stream_id == record.stream_id; });
  Finding finding = judge_period(announces, record.period, life.window.until, "DataSourceAnnounce");
  return finding.outcome == Outcome::kPassed
             ? judge_period(sets, record.period, life.window.until, "DataSourceMeta")
             : finding;
}

Finding strange_messages(const ProducerRecord& record) {
  if (record.lives.empty() || record.lives.front().disturbed.from == Nanos::min()) {
    return not_observable("none was sent");
  }
  const ProducerLife& life = record.lives.front();
  const auto is_ours = [&](const auto& one) { return one.stream_id == record.stream_id; };
  const bool announced =
      !times_of<layout::ShmPoolAnnounce>(life.heard, is_ours, life.disturbed).empty();
  const bool described_before =
      !times_of<FrameDescriptor>(life.heard, is_ours, {.until = life.disturbed.from}).empty();
  const bool described = !times_of<FrameDescriptor>(life.heard, is_ours, life.disturbed).empty();
  if (!life.alive) {
    return failed("the program has ended");
  }
  if (!announced || (described_before && !described)) {
    return failed(announced ? "no descriptor came any more" : "no announce came any more");
  }
  return passed("announces and descriptors went on");
}

}  // namespace tensorpool::inline v0::apps::conform::judges
