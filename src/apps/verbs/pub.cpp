// tp pub: publishes the frames of a file, of standard input or of a simulation.
//
// A stream that ends (a file without --loop, standard input) begins when its first subscriber is
// there, and stays for a moment after its last frame: so two commands that are typed one after the
// other lose nothing. A simulated camera runs whether anybody looks or not, as a real one does.
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/console.hpp"
#include "apps/counters.hpp"
#include "apps/driver_link.hpp"
#include "apps/files/open.hpp"
#include "apps/geometry.hpp"
#include "apps/metadata_text.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/pacer.hpp"
#include "apps/sources/simulated.hpp"
#include "apps/stop.hpp"
#include "apps/stream_lookup.hpp"
#include "apps/text.hpp"
#include "apps/ticker.hpp"
#include "apps/verbs.hpp"
#include "bus/driver_probe.hpp"
#include "core/naming/stream_names.hpp"
#include "os/clock.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::inline v0::apps {
namespace {

constexpr double kFileHz = 100;
constexpr double kSimulationHz = 1000;
constexpr Nanos kReportPeriod = std::chrono::milliseconds(200);
constexpr Nanos kLookAgain = std::chrono::milliseconds(2);
/// The lease of a publisher that was killed is over by then, and its driver has let the next one
/// in.
constexpr Nanos kAttachPatience = std::chrono::seconds(10);
constexpr Nanos kAnnouncePeriod = std::chrono::milliseconds(250);
/// From the first sign of a subscriber until it has mapped the stream: it needs one announce.
constexpr Nanos kMappingTime = kAnnouncePeriod + std::chrono::milliseconds(100);

struct PubOptions {
  std::string stream;
  std::string from;
  std::string simulation;
  std::string shape;
  std::string dtype;
  std::string arrangement = "auto";
  std::optional<double> hz;
  bool loop = false;
  std::uint64_t count = 0;  // 0: all
  std::uint32_t slots = 0;
  double slack_s = 0.1;
  int cpu = -1;
  std::uint32_t number = 0;
  std::vector<std::string> meta;
  bool wait = false;
  bool no_wait = false;
  double linger_s = 0.25;
  std::string shm_dir = "/dev/shm";
  std::string aeron_dir;
  Deployment deployment = Deployment::kWhatIsThere;
  bool json = false;

  [[nodiscard]] bool from_stdin() const { return from == "-"; }
  [[nodiscard]] bool ends() const { return !from.empty() && !loop; }
  [[nodiscard]] bool waits() const { return wait || (ends() && !no_wait); }
};

/// What the live line shows.
struct Progress {
  std::uint64_t frames = 0;
  Nanos at{};
  bool subscribed = false;
  ProducerCounters counters;
};

[[nodiscard]] Result<std::unique_ptr<files::FrameSource>> open_frames(
    const PubOptions& options, const std::atomic<bool>& stop) {
  std::vector<std::uint64_t> shape;
  if (!options.shape.empty()) {
    Result<std::vector<std::uint64_t>> parsed = files::parse_shape(options.shape);
    if (!parsed) {
      return fail(parsed.error());
    }
    shape = std::move(*parsed);
  }
  Dtype dtype = Dtype::kUnknown;
  if (!options.dtype.empty()) {
    const Result<Dtype> parsed = files::parse_dtype(options.dtype);
    if (!parsed) {
      return fail(parsed.error());
    }
    dtype = *parsed;
  }
  if (!options.simulation.empty()) {
    const Result<sources::Simulation> simulation = sources::parse_simulation(options.simulation);
    if (!simulation) {
      return fail(simulation.error());
    }
    sources::SimulationOptions simulated{.simulation = *simulation};
    simulated.shape = shape.empty() ? simulated.shape : shape;
    simulated.dtype = dtype == Dtype::kUnknown ? simulated.dtype : dtype;
    return sources::make_simulation(simulated);
  }
  const Result<files::Arrangement> arrangement = files::parse_arrangement(options.arrangement);
  if (!arrangement) {
    return fail(arrangement.error());
  }
  return files::open_source({.from = options.from,
                             .shape = shape,
                             .dtype = dtype,
                             .arrangement = *arrangement,
                             .stop = &stop});
}

[[nodiscard]] Status pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  if (::sched_setaffinity(0, sizeof(set), &set) != 0) {
    return fail(make_os_error(Errc::kInvalidArgument, fmt::format("--pin {}", cpu), errno));
  }
  return {};
}

/// One run of the verb, from the open source to the summary.
class Publishing {
 public:
  Publishing(const PubOptions& options, files::FrameSource& source, const std::atomic<bool>& stop,
             Console& console)
      : options_(options), source_(source), stop_(stop), console_(console) {}

  [[nodiscard]] ExitCode run() {
    Status status = open_stream();
    if (status && wait_for_subscriber()) {
      status = publish_all();
      linger();
    }
    console_.end_live();
    const bool stopped = is_stopped() && (status || status.error().code == Errc::kClosed);
    if (!status && !stopped) {
      console_.error(status.error());
      if (status.error().code == Errc::kNoSpace) {
        console_.note("--slots or --slack make the ring shorter; --shm-dir puts it elsewhere");
      }
    }
    if (producer_) {
      summarise();
    }
    return stopped ? (frames_ > 0 ? ExitCode::kFine : ExitCode::kFailed)
                   : (status ? ExitCode::kFine : ExitCode::kFailed);
  }

 private:
  [[nodiscard]] bool is_stopped() const noexcept { return stop_.load(std::memory_order_relaxed); }
  [[nodiscard]] double hz() const noexcept {
    const double usual = !options_.simulation.empty() ? kSimulationHz
                         : options_.from_stdin()      ? 0
                                                      : kFileHz;
    return options_.hz.value_or(usual);
  }

  [[nodiscard]] Status open_stream() {
    const Result<StreamRef> parsed = parse_stream_ref(options_.stream);
    if (!parsed) {
      return fail(parsed.error());
    }
    stream_ = *parsed;
    if (options_.number != 0) {
      stream_.number = options_.number;
    }
    Result<Geometry> geometry =
        choose_geometry({.frame_bytes = source_.frame_bytes(),
                         .rate_hz = hz(),
                         .slack = from_seconds(options_.slack_s),
                         .slots = options_.slots,
                         .shm_dir = options_.shm_dir,
                         .frames = options_.ends() ? source_.frame_count() : std::nullopt});
    if (!geometry) {
      return fail(geometry.error());
    }
    if (Status status = connect(); !status) {
      return status;
    }
    StreamOptions& stream = geometry->options;
    stream.stream_id = stream_.number;
    stream.name = stream_.name;
    stream.summary = tensor_text(source_.info());
    stream.descriptor_stream_id = 0;  // by the number
    if (has_driver_) {
      stream.on_event = [this](const ProducerEvent& event) { tell(event); };
    } else {
      stream.announce_period = kAnnouncePeriod;
    }
    Result<Producer> producer = client_->create_producer(stream);
    if (!producer) {
      return fail(producer.error());
    }
    producer_.emplace(std::move(*producer));
    if (Status told = tell_metadata(); !told) {
      return told;
    }
    if (Status attached = await_lease(); !attached) {
      producer_.reset();  // it has published nothing: no summary
      return attached;
    }
    stream_.number = producer_->stream_id();
    console_.note(fmt::format("publishing {} (number {}): {} at {}", stream_.text(), stream_.number,
                              tensor_text(source_.info()),
                              hz() > 0 ? rate_text(hz()) : "the speed of its source"));
    console_.note(geometry->why);
    return {};
  }

  [[nodiscard]] Status connect() {
    const bool was_alive = bus::driver_alive(bus::choose_aeron_dir(options_.aeron_dir));
    ClientOptions wanted = choose_client(options_.aeron_dir, options_.deployment);
    has_driver_ = wanted.mode == DeploymentMode::kDriver;
    wanted.media_driver = has_driver_ ? MediaDriverPolicy::kExternal : MediaDriverPolicy::kAuto;
    wanted.allowed_base_dirs = {options_.shm_dir};
    wanted.log = console_.log_sink();
    Result<Client> client = Client::create(std::move(wanted));
    if (!client) {
      return fail(client.error());
    }
    client_.emplace(std::move(*client));
    const WaitOptions wait{.stop = &stop_};
    if (Status status = await_connection(*client_, wait); !status) {
      return status;
    }
    if (has_driver_) {
      return {};  // who may publish is the driver's business
    }
    if (stream_.number == 0) {
      stream_.number = core::naming::stream_number(stream_.name);
    }
    // With a media driver that was just started here, nobody else has announced anything yet.
    const bool alone = !was_alive && bus::probe_driver(client_->aeron_dir()).pid ==
                                         static_cast<std::int64_t>(::getpid());
    return alone ? Status{} : check_free(*client_, stream_, wait);
  }

  /// Waits for the driver, and for the end of a lease that a killed publisher has left.
  /// Nothing where nothing was given: frames then bear no version.
  [[nodiscard]] Status tell_metadata() {
    std::vector<Attribute> attributes;
    for (const std::string& text : options_.meta) {
      Result<Attribute> one = parse_attribute(text);
      if (!one) {
        return fail(one.error());
      }
      attributes.push_back(std::move(*one));
    }
    return attributes.empty() ? Status() : producer_->set_metadata(std::move(attributes));
  }

  [[nodiscard]] Status await_lease() {
    const Nanos end = clock_.mono() + kAttachPatience;
    for (;;) {
      Status attached = producer_->wait_attached(kLookAgain);
      if (attached || clock_.mono() >= end ||
          producer_->attach_state() == AttachState::kUnattached) {
        return attached;
      }
      if (is_stopped()) {
        return fail(Errc::kClosed, stream_.text());
      }
    }
  }

  /// On the client's thread.
  void tell(const ProducerEvent& event) {
    using Kind = ProducerEvent::Kind;
    if (event.kind == Kind::kLeaseLost) {
      console_.warn(fmt::format("lease lost, {}{}{}{}", to_string(event.loss),
                                event.text.empty() ? "" : ": ", event.text,
                                event.tries_again ? "; attaching again" : ""));
    } else if (event.kind == Kind::kAttachFailed && event.tries_again &&
               told_ != event.error.subject_view()) {
      told_ = event.error.subject_view();
      console_.note(fmt::format("waiting for the driver: {}", told_));
    } else if (event.kind == Kind::kAttached) {
      told_.clear();
      console_.note(fmt::format("attached, epoch {}", event.epoch));
    }
  }

  /// False when it was stopped.
  [[nodiscard]] bool wait_for_subscriber() {
    if (!options_.waits()) {
      return !is_stopped();
    }
    if (!producer_->has_subscribers()) {
      console_.note(
          fmt::format("waiting for a first subscriber: `tp sub {}`. To start at once use --no-wait",
                      stream_.text()));
    }
    while (!is_stopped() && !producer_->has_subscribers()) {
      sleep_for(kLookAgain);
    }
    const Nanos mapped_at = clock_.mono() + kMappingTime;
    while (!is_stopped() && clock_.mono() < mapped_at) {
      sleep_for(kLookAgain);
    }
    return !is_stopped();
  }

  [[nodiscard]] Status publish_all() {
    const Ticker ticker(kReportPeriod, [this] { show_progress(); });
    if (options_.cpu >= 0) {
      if (Status status = pin_to(options_.cpu); !status) {
        return status;
      }
    }
    Pacer pacer(hz());
    started_ = clock_.mono();
    Status status;
    while (status && !done_ && pacer.wait(stop_)) {
      status = publish_next();
    }
    finished_ = clock_.mono();
    slipped_ = pacer.slipped();
    return status;
  }

  [[nodiscard]] Status publish_next() {
    Result<std::optional<files::FrameBytes>> frame = source_.next();
    if (frame && !*frame && options_.loop && frames_ > 0) {
      if (Status status = source_.rewind(); !status) {
        return status;
      }
      frame = source_.next();
    }
    if (!frame) {
      return fail(frame.error());
    }
    if (!*frame) {
      done_ = true;
      return {};
    }
    Nanos now = clock_.mono();
    PublishStatus published = publish_frame(**frame, now);
    while (waits_for_lease(published)) {
      sleep_for(kLookAgain);
      now = clock_.mono();
      published = publish_frame(**frame, now);
    }
    if (published != PublishStatus::kPublished) {
      return fail(why_not(published));
    }
    note_reached();
    ++frames_;
    done_ = frames_ == options_.count;
    if (now - offered_ >= kReportPeriod / 2) {
      offered_ = now;
      progress_.offer({.frames = frames_,
                       .at = now,
                       .subscribed = producer_->has_subscribers(),
                       .counters = producer_->counters()});
    }
    return {};
  }

  [[nodiscard]] PublishStatus publish_frame(files::FrameBytes frame, Nanos now) {
    return producer_->publish(source_.info(), frame, static_cast<std::uint64_t>(now.count()));
  }
  [[nodiscard]] static bool is_unattached(PublishStatus status) noexcept {
    return status == PublishStatus::kLeaseLost || status == PublishStatus::kNotAttached;
  }
  [[nodiscard]] Error why_not(PublishStatus published) {
    const bool unattached = is_unattached(published);
    if (published == PublishStatus::kClosed || (is_stopped() && unattached)) {
      return make_error(Errc::kClosed, to_string(published));
    }
    const Status lease = unattached ? producer_->wait_attached(Nanos{0}) : Status{};
    return lease ? make_error(Errc::kInvalidParams, to_string(published)) : lease.error();
  }
  /// The frame is kept for the next lease, unless there will be none.
  [[nodiscard]] bool waits_for_lease(PublishStatus status) const {
    return is_unattached(status) && !is_stopped() &&
           producer_->attach_state() != AttachState::kUnattached;
  }

  /// The first frames of a stream that waits for nobody have no descriptor until the media driver
  /// has answered. That is no trouble.
  void note_reached() {
    if (!reached_) {
      const std::uint64_t closed = producer_->counters().descriptor_closed;
      reached_ = closed == closed_at_start_;
      closed_at_start_ = closed;
    }
  }

  /// On the ticker's thread.
  void show_progress() {
    const Progress now = progress_.load();
    if (!console_.is_terminal() || now.frames <= shown_.frames) {
      return;
    }
    const double rate =
        per_second(static_cast<double>(now.frames - shown_.frames), now.at - shown_.at);
    shown_ = now;
    std::string line =
        fmt::format("{}  {}  {}  {}  {}", console_.styled(Style::kBold, stream_.text()),
                    counted(now.frames, "frame"), rate_text(rate),
                    megabytes_text(rate * static_cast<double>(source_.frame_bytes())),
                    now.subscribed ? console_.styled(Style::kGreen, "subscribed")
                                   : console_.styled(Style::kDim, "nobody subscribes"));
    if (now.counters.descriptor_backpressured > 0) {
      line +=
          "  " + console_.styled(Style::kYellow, grouped(now.counters.descriptor_backpressured) +
                                                     " descriptors held up by a slow reader");
    }
    console_.live({line});
  }

  /// Lets readers come to the end of what was published.
  void linger() {
    if (!done_ || frames_ == 0) {
      return;
    }
    const Nanos end = clock_.mono() + from_seconds(options_.linger_s);
    while (!is_stopped() && producer_->has_subscribers() && clock_.mono() < end) {
      sleep_for(kLookAgain);
    }
  }

  void summarise() {
    const ProducerCounters counters = producer_->counters();
    const Nanos span = finished_ - started_;
    const double rate = per_second(static_cast<double>(frames_), span);
    const double bytes_per_second = rate * static_cast<double>(source_.frame_bytes());
    console_.note(fmt::format("{} published in {:.2f} s: {}, {}", counted(frames_, "frame"),
                              to_seconds(span), rate_text(rate), megabytes_text(bytes_per_second)));
    ProducerCounters afterwards = counters;
    afterwards.descriptor_closed -= reached_ ? closed_at_start_ : 0;
    for (const std::string& line : troubles(afterwards)) {
      console_.print(line);
    }
    if (slipped_ > 0) {
      console_.warn(
          fmt::format("{} came too late and were left out: this machine, or the source, "
                      "does not keep up with --hz",
                      counted(slipped_, "tick")));
    }
    if (!options_.json) {
      return;
    }
    // A reader of the summary that has gone is no failure.
    static_cast<void>(put_json({{"v", 1},
                                {"stream", stream_.name},
                                {"stream_id", stream_.number},
                                {"epoch", producer_->epoch()},
                                {"frames", frames_},
                                {"frame_bytes", source_.frame_bytes()},
                                {"ticks_slipped", slipped_},
                                {"counters", counters_json(counters)},
                                {"leases", counters_json(producer_->attach_counters())},
                                {"duration_s", to_seconds(span)},
                                {"rate_hz", rate},
                                {"throughput_mb_per_s", bytes_per_second / 1e6}}));
  }

  const PubOptions& options_;
  files::FrameSource& source_;
  const std::atomic<bool>& stop_;
  Console& console_;
  const os::SystemClock clock_;
  StreamRef stream_;
  bool has_driver_ = false;
  std::string told_;  // the last refusal that was told; on the client's thread
  std::optional<Client> client_;
  std::optional<Producer> producer_;  // goes before the client
  std::uint64_t frames_ = 0;
  std::uint64_t slipped_ = 0;
  bool done_ = false;
  bool reached_ = false;
  std::uint64_t closed_at_start_ = 0;
  Nanos started_{};
  Nanos finished_{};
  Nanos offered_{};
  Snapshot<Progress> progress_;
  Progress shown_;
};

ExitCode run_pub(const PubOptions& options) {
  Console console("pub");
  const std::atomic<bool>& stop = catch_stop_signals();
  const Result<std::unique_ptr<files::FrameSource>> source = open_frames(options, stop);
  if (!source) {
    console.error(source.error());
    return ExitCode::kFailed;
  }
  return Publishing(options, **source, stop, console).run();
}

}  // namespace

void add_pub(CLI::App& tp, Action& action) {
  CLI::App& verb = *tp.add_subcommand("pub", "Publish a file, standard input or a simulation");
  const auto options = std::make_shared<PubOptions>();
  verb.add_option("NAME", options->stream, "Name of the stream, or its number")->required();
  CLI::Option* from = verb.add_option(
      "--from", options->from,
      "File (.npy, FITS, PNG, PGM, PPM, raw) or directory of files; - is standard input");
  from->type_name("FILE");
  verb.add_option("--sim", options->simulation,
                  "Made-up frames: camera (spots of a Shack-Hartmann sensor), ramp or noise")
      ->check(CLI::IsMember({"camera", "ramp", "noise"}))
      ->excludes(from);
  verb.add_option("--shape", options->shape, "Shape of a raw or simulated frame: 480,640,3");
  verb.add_option("--dtype", options->dtype, "Element type of a raw or simulated frame: u2, f4, …");
  verb.add_option("--as", options->arrangement,
                  "How an array becomes frames: auto (above two dimensions a stack), one or stack")
      ->check(CLI::IsMember({"auto", "one", "stack"}))
      ->capture_default_str();
  verb.add_option("--hz", options->hz,
                  "Frames a second; 0 is as fast as possible [a file 100, a simulation 1000, "
                  "standard input 0]")
      ->check(CLI::Range(0.0, 1e8, "HZ"));
  verb.add_flag("--loop", options->loop, "Start again at the end of the file, without end");
  verb.add_option("--count", options->count, "End after so many frames")
      ->check(CLI::PositiveNumber);
  verb.add_option("--slots", options->slots, "Slots of the ring, a power of two [by --slack]")
      ->check(CLI::Validator(
          [](std::string& text) -> std::string {
            const std::uint64_t slots = std::strtoull(text.c_str(), nullptr, 10);
            return std::has_single_bit(slots) && slots <= 0x8000'0000U
                       ? ""
                       : "has to be a power of two: 8, 16, … (" + text + ")";
          },
          "POWER-OF-2"));
  verb.add_option("--slack", options->slack_s, "Seconds that a reader may fall behind")
      ->check(CLI::Range(1e-4, 3600.0, "SECONDS"))
      ->capture_default_str();
  verb.add_option("--pin", options->cpu, "Processor to publish on")
      ->check(CLI::Range(0, CPU_SETSIZE - 1, "CPU"));
  verb.add_option("--stream", options->number, "Number of the stream [from its name]")
      ->check(CLI::Range(1U, 0xFFFF'FFFEU, "NUMBER"));
  CLI::Option* wait = verb.add_flag("--wait", options->wait,
                                    "Start when the first subscriber is there, as a file and "
                                    "standard input do unless with --loop");
  verb.add_flag("--no-wait", options->no_wait, "Start at once")->excludes(wait);
  verb.add_option("--meta", options->meta,
                  "An attribute of the stream, as often as needed: camera=left, 'exposure=250 us'")
      ->check([](const std::string& text) {
        return parse_attribute(text) ? std::string() : "KEY=VALUE, or 'KEY=NUMBER UNIT'";
      })
      ->type_name("KEY=VALUE");
  verb.add_option("--linger", options->linger_s,
                  "Seconds to stay after the last frame, while there are subscribers")
      ->check(seconds_range())
      ->capture_default_str();
  verb.add_flag("--json", options->json, "Print the summary as JSON");
  add_shm_dir(verb, options->shm_dir);
  add_aeron_dir(verb, options->aeron_dir);
  add_deployment(verb, options->deployment);
  verb.footer(R"(Examples:
  tp pub cam1 --from my.fits                 a FITS cube, frame by frame, at 100 Hz
  tp pub cam1 --from stack.npy --hz 1000 --loop
  tp pub cam1 --sim camera --hz 2000
  ffmpeg -i in.mp4 -f rawvideo -pix_fmt rgb24 - | tp pub cam1 --from - --shape 480,640,3 --dtype u1

Attaches to the driver where one runs (`tp up`), and has it make a stream that takes these frames.
Without one the files are the publisher's own, and a media driver is brought along when none runs.
Received with `tp sub cam1`.)");
  verb.callback([options, &action] {
    if (options->from.empty() && options->simulation.empty()) {
      throw CLI::RequiredError("--from or --sim");
    }
    action = [options] { return run_pub(*options); };
  });
}

}  // namespace tensorpool::inline v0::apps
