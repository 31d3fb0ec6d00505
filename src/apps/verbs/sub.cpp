// tp sub: receives a stream, writes it to files, checks it, and says what was lost.
//
// Frames are copied out of shared memory with a check afterwards, so what is written is bit for
// bit what was published. Files are completed at the end, at Ctrl-C and after an error.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/console.hpp"
#include "apps/counters.hpp"
#include "apps/files/open.hpp"
#include "apps/follow.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/ramp_check.hpp"
#include "apps/stop.hpp"
#include "apps/text.hpp"
#include "apps/ticker.hpp"
#include "apps/verbs.hpp"
#include "os/clock.hpp"

namespace tensorpool::inline v0::apps {
namespace {

constexpr Nanos kReportPeriod = std::chrono::milliseconds(200);

struct SubOptions {
  FollowOptions follow;
  std::string to;
  std::uint64_t count = 0;  // 0: all
  bool latest = false;
  bool verify = false;
  bool require_lossless = false;
  bool keep_on = false;
  bool json = false;
};

/// What the live line shows.
struct Progress {
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  std::uint64_t newest = 0;
  std::uint64_t lost = 0;
  Nanos at{};
};

/// Why it ended.
enum class End : std::uint8_t { kCount, kStopped, kStreamEnded, kTimeout, kReaderGone, kError };

class Subscription {
 public:
  Subscription(const SubOptions& options, Follower& follower, files::FrameSink* sink,
               const std::atomic<bool>& stop, Console& console)
      : options_(options), follower_(follower), sink_(sink), stop_(stop), console_(console) {}

  [[nodiscard]] ExitCode run() {
    {
      const Ticker ticker(kReportPeriod, [this] { show_progress(); });
      receive_all();
    }
    console_.end_live();
    if (sink_ != nullptr) {
      note_failure(sink_->finish());
    }
    const ConsumerCounters counters = follower_.counters();
    if (end_ != End::kReaderGone) {
      summarise(counters);
    }
    return exit_code(counters);
  }

 private:
  void receive_all() {
    heard_ = clock_.mono();
    while (!end_) {
      if (stop_.load(std::memory_order_relaxed)) {
        end_ = End::kStopped;
        break;
      }
      const std::optional<FrameView> frame = follower_.next(options_.latest);
      const Nanos now = clock_.mono();
      if (frame) {
        receive(*frame, now);
      } else {
        look_around(now);
      }
      if (now - offered_ >= kReportPeriod / 2) {
        offered_ = now;
        progress_.offer({.frames = frames_,
                         .bytes = bytes_,
                         .newest = newest_,
                         .lost = frames_lost(follower_.counters()),
                         .at = now});
      }
      if (!frame) {
        static_cast<void>(follower_.wait(kReportPeriod / 4));
      }
    }
  }

  void receive(const FrameView& frame, Nanos now) {
    started_ = started_ == Nanos{0} ? now : started_;
    heard_ = now;
    if (!take(frame)) {
      return;  // overwritten meanwhile; the library counts it
    }
    ++frames_;
    bytes_ += frame.bytes().size();
    newest_ = frame.seq();
    finished_ = now;
    if (options_.verify) {
      verify(frame);
    }
    if (sink_ != nullptr) {
      note_failure(sink_->write(frame.info(), copy_, frame.seq()));
    }
    if (!end_ && frames_ == options_.count) {
      end_ = End::kCount;
    }
  }

  /// Copies the frame where its bytes are wanted. The lease ends with the copy: from then on the
  /// slot may be overwritten, and no loss is counted for it.
  [[nodiscard]] bool take(const FrameView& frame) {
    const FrameLease lease = frame.keep();
    if (sink_ == nullptr && !options_.verify) {
      return true;
    }
    copy_.resize(frame.bytes().size());
    return lease.view().copy_to(copy_) == CopyStatus::kCopied;
  }

  void verify(const FrameView& frame) {
    const RampCheck::Verdict verdict = ramp_.check(frame.info(), copy_, frame.epoch(), frame.seq());
    if (verdict == RampCheck::Verdict::kTorn && ramp_.torn() == 1) {
      console_.error(
          fmt::format("frame {} is no ramp: it is torn, or the stream is not one of "
                      "`tp pub --sim ramp`",
                      frame.seq()));
    } else if (verdict == RampCheck::Verdict::kMisnumbered && ramp_.misnumbered() == 1) {
      console_.error(fmt::format("frame {} shows the content of another one", frame.seq()));
    }
  }

  /// Nothing came.
  void look_around(Nanos now) {
    if (now - looked_ < kReportPeriod / 2) {
      return;
    }
    looked_ = now;
    follower_.look_around(now);
    const double silence_s = to_seconds(now - heard_);
    if (options_.follow.timeout_s > 0 && silence_s >= options_.follow.timeout_s) {
      end_ = End::kTimeout;
    } else if (!options_.keep_on && follower_.has_ended(now)) {
      end_ = End::kStreamEnded;
    }
  }

  void note_failure(const Status& status) {
    if (status || end_ == End::kReaderGone || end_ == End::kError) {
      return;
    }
    end_ = status.error().code == Errc::kClosed ? End::kReaderGone : End::kError;
    if (end_ == End::kError) {
      console_.end_live();
      console_.error(status.error());
    }
  }

  /// On the ticker's thread.
  void show_progress() {
    const Progress now = progress_.load();
    if (!console_.is_terminal() || now.at == shown_.at) {
      return;
    }
    const Nanos span = now.at - shown_.at;
    const std::string lost = now.lost == 0
                                 ? console_.styled(Style::kGreen, "nothing lost")
                                 : console_.styled(Style::kRed, grouped(now.lost) + " lost");
    if (now.frames > 0 && shown_.at > Nanos{0}) {
      console_.live({fmt::format(
          "{}  {}  {}  {}  newest {}  {}", console_.styled(Style::kBold, options_.follow.stream),
          counted(now.frames, "frame"),
          rate_text(per_second(static_cast<double>(now.frames - shown_.frames), span)),
          megabytes_text(per_second(static_cast<double>(now.bytes - shown_.bytes), span)),
          now.newest, lost)});
    }
    shown_ = now;
  }

  void summarise(const ConsumerCounters& counters) {
    const Nanos span = finished_ - started_;
    const double intervals = frames_ > 1 ? static_cast<double>(frames_ - 1) : 0;
    const double rate = per_second(intervals, span);
    const double bytes_per_frame =
        frames_ > 0 ? static_cast<double>(bytes_) / static_cast<double>(frames_) : 0;
    console_.note(fmt::format("{} received in {:.2f} s: {}, {}; {} lost{}",
                              counted(frames_, "frame"), to_seconds(span), rate_text(rate),
                              megabytes_text(rate * bytes_per_frame),
                              grouped(frames_lost(counters)), end_text()));
    for (const std::string& line : troubles(counters)) {
      console_.print(line);
    }
    if (counters.discontinuities > 0) {
      console_.print(fmt::format(
          "{:>12}  {}: what was lost around them cannot be counted", counters.discontinuities,
          counters.discontinuities == 1 ? "discontinuity" : "discontinuities"));
    }
    if (counters.recovered > 0) {
      console_.print(fmt::format("{:>12}  read from the ring without a descriptor (recovered)",
                                 grouped(counters.recovered)));
    }
    if (options_.verify) {
      console_.note(fmt::format("{} verified: {} torn, {} misnumbered",
                                counted(ramp_.checked(), "frame"), ramp_.torn(),
                                ramp_.misnumbered()));
    }
    if (options_.json) {
      put_summary(counters, span, rate, rate * bytes_per_frame);
    }
  }

  void put_summary(const ConsumerCounters& counters, Nanos span, double rate,
                   double bytes_per_second) const {
    nlohmann::ordered_json json = {{"v", 1},
                                   {"stream", follower_.stream().name},
                                   {"stream_id", follower_.stream().stream_id},
                                   {"frames", frames_},
                                   {"payload_bytes", bytes_},
                                   {"frames_lost", frames_lost(counters)},
                                   {"lossless", lossless(counters)}};
    if (options_.verify) {
      json["verified"] = ramp_.checked();
      json["torn"] = ramp_.torn();
      json["misnumbered"] = ramp_.misnumbered();
    }
    if (const std::optional<Fallback> fallback = follower_.fallback()) {
      json["fallback"] = {{"cause", to_string(fallback->cause)},
                          {"kind", to_string(fallback->kind)},
                          {"uri", fallback->uri}};
    }
    json["counters"] = counters_json(counters);
    json["leases"] = counters_json(follower_.attach_counters());
    json["duration_s"] = to_seconds(span);
    json["rate_hz"] = rate;
    json["throughput_mb_per_s"] = bytes_per_second / 1e6;
    static_cast<void>(put_json(json));  // a reader that has gone is no failure
  }

  [[nodiscard]] const char* end_text() const noexcept {
    switch (end_.value_or(End::kError)) {
      case End::kStreamEnded:
        return "; the stream has ended";
      case End::kTimeout:
        return "; nothing more came";
      case End::kStopped:
        return "; stopped";
      case End::kCount:
      case End::kReaderGone:
      case End::kError:
        break;
    }
    return "";
  }

  [[nodiscard]] static bool lossless(const ConsumerCounters& counters) noexcept {
    return frames_lost(counters) == 0 && counters.discontinuities == 0;
  }

  [[nodiscard]] ExitCode exit_code(const ConsumerCounters& counters) const noexcept {
    if (end_ == End::kReaderGone) {
      return ExitCode::kFine;
    }
    const bool incomplete = options_.count > 0 && frames_ < options_.count &&
                            (end_ == End::kStreamEnded || end_ == End::kTimeout);
    if (end_ == End::kError || frames_ == 0 || incomplete || ramp_.torn() > 0 ||
        ramp_.misnumbered() > 0) {
      return ExitCode::kFailed;
    }
    return options_.require_lossless && !lossless(counters) ? ExitCode::kDataLost : ExitCode::kFine;
  }

  const SubOptions& options_;
  Follower& follower_;
  files::FrameSink* sink_;
  const std::atomic<bool>& stop_;
  Console& console_;
  const os::SystemClock clock_;
  std::vector<std::byte> copy_;
  RampCheck ramp_;
  std::uint64_t frames_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t newest_ = 0;
  std::optional<End> end_;
  Nanos started_{};
  Nanos finished_{};
  Nanos heard_{};
  Nanos looked_{};
  Nanos offered_{};
  Snapshot<Progress> progress_;
  Progress shown_;
};

ExitCode run_sub(const SubOptions& options) {
  Console console("sub");
  const std::atomic<bool>& stop = catch_stop_signals();
  std::unique_ptr<files::FrameSink> sink;
  if (!options.to.empty()) {
    Result<std::unique_ptr<files::FrameSink>> opened =
        files::open_sink({.to = options.to, .stop = &stop});
    if (!opened) {
      console.error(opened.error());
      return ExitCode::kFailed;
    }
    sink = std::move(*opened);
  }
  Result<Follower> follower = Follower::create(options.follow, stop, console);
  if (!follower) {
    if (follower.error().code != Errc::kClosed) {  // stopped: nothing to say
      console.error(follower.error());
    }
    return ExitCode::kFailed;
  }
  return Subscription(options, *follower, sink.get(), stop, console).run();
}

}  // namespace

void add_sub(CLI::App& tp, Action& action) {
  CLI::App& verb = *tp.add_subcommand("sub", "Receive a stream; write it to files or check it");
  const auto options = std::make_shared<SubOptions>();
  add_follow_options(verb, options->follow);
  CLI::Option* to = verb.add_option(
      "--to", options->to,
      "FILE.npy or FILE.fits for a stack of all frames, a directory for one .npy each, - for raw "
      "bytes on standard output");
  to->type_name("FILE|DIR|-");
  verb.add_option("--count", options->count, "End after so many frames")
      ->check(CLI::PositiveNumber);
  CLI::Option* latest =
      verb.add_flag("--latest", options->latest, "Take the newest frame each time, skip others");
  verb.add_flag("--verify", options->verify,
                "Check each frame against the pattern of `tp pub --sim ramp`");
  verb.add_flag("--require-lossless", options->require_lossless,
                "Exit with 3 when a frame was lost")
      ->excludes(latest);
  verb.add_flag("--keep-on", options->keep_on,
                "Wait for the stream to come back when its publisher has closed it");
  verb.add_flag("--json", options->json, "Print the summary as JSON");
  add_follow_places(verb, options->follow);
  verb.footer(R"(Examples:
  tp sub cam1                                count frames and losses
  tp sub cam1 --to out.npy --count 100       the next 100 frames as a NumPy array
  tp sub cam1 --to - | ffplay -f rawvideo -pixel_format gray16le -video_size 640x512 -
  tp sub cam1 --verify --require-lossless    prove that nothing is torn and nothing is lost

Ends when the publisher closes the stream, after --count frames, or with Ctrl-C: files are always
complete. A publisher that was killed is waited for.)");
  verb.callback([options, &action] {
    if (options->json && options->to == "-") {
      throw CLI::ValidationError("--json and --to -", "both want standard output");
    }
    action = [options] { return run_sub(*options); };
  });
}

}  // namespace tensorpool::inline v0::apps
