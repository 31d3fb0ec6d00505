#include "apps/verbs/pub/publishing.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

#include "apps/driver_link.hpp"
#include "apps/geometry.hpp"
#include "apps/metadata_text.hpp"
#include "apps/pacer.hpp"
#include "apps/text.hpp"
#include "apps/verbs/pub/summary.hpp"
#include "bus/driver_probe.hpp"
#include "core/naming/stream_names.hpp"

namespace tensorpool::inline v0::apps::pub {
namespace {

constexpr double kFileHz = 100;
constexpr double kSimulationHz = 1000;
constexpr Nanos kReportPeriod = std::chrono::milliseconds(200);
constexpr Nanos kLookAgain = std::chrono::milliseconds(2);
/// The lease of a publisher that was killed is over by then, and its driver has let the next one
/// in.
constexpr Nanos kAttachPatience = std::chrono::seconds(10);
/// At a camera, at a time; the ring has four slots for each.
constexpr std::uint32_t kCameraBuffers = 4;
constexpr Nanos kAnnouncePeriod = std::chrono::milliseconds(250);
/// From the first sign of a subscriber until it has mapped the stream: it needs one announce.
constexpr Nanos kMappingTime = kAnnouncePeriod + std::chrono::milliseconds(100);

[[nodiscard]] Status pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  if (::sched_setaffinity(0, sizeof(set), &set) != 0) {
    return fail(make_os_error(Errc::kInvalidArgument, fmt::format("--pin {}", cpu), errno));
  }
  return {};
}

[[nodiscard]] bool is_unattached(PublishStatus status) noexcept {
  return status == PublishStatus::kLeaseLost || status == PublishStatus::kNotAttached;
}

}  // namespace

ExitCode Publishing::run() {
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

double Publishing::hz() const noexcept {
  if (camera_ != nullptr) {
    return camera_->hz();
  }
  const double usual = !options_.simulation.empty() ? kSimulationHz
                       : options_.from_stdin()      ? 0
                                                    : kFileHz;
  return options_.hz.value_or(usual);
}

Status Publishing::open_stream() {
  const Result<StreamRef> parsed = parse_stream_ref(options_.stream);
  if (!parsed) {
    return fail(parsed.error());
  }
  stream_ = *parsed;
  if (options_.number != 0) {
    stream_.number = options_.number;
  }
  Result<Geometry> geometry =
      choose_geometry({.frame_bytes = frame_bytes(),
                       .rate_hz = hz(),
                       .slack = from_seconds(options_.slack_s),
                       .slots = options_.slots,
                       .slots_min = camera_ != nullptr ? 4 * kCameraBuffers : 0,
                       .shm_dir = options_.shm_dir,
                       .frames = options_.ends() ? source_->frame_count() : std::nullopt});
  if (!geometry) {
    return fail(geometry.error());
  }
  if (Status status = connect(); !status) {
    return status;
  }
  StreamOptions& stream = geometry->options;
  stream.stream_id = stream_.number;
  stream.name = stream_.name;
  stream.summary = tensor_text(info());
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
  open_desk();
  console_.note(fmt::format("publishing {} (number {}): {} at {}", stream_.text(), stream_.number,
                            tensor_text(info()),
                            hz() > 0 ? rate_text(hz()) : "the speed of its source"));
  console_.note(geometry->why);
  return {};
}

Status Publishing::connect() {
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

Status Publishing::tell_metadata() {
  for (const std::string& text : options_.meta) {
    Result<Attribute> one = parse_attribute(text);
    if (!one) {
      return fail(one.error());
    }
    attributes_.push_back(std::move(*one));
  }
  const auto is_format = [](const Attribute& one) {
    return one.key == sources::kPixelFormatAttribute;
  };
  if (camera_ != nullptr && std::none_of(attributes_.begin(), attributes_.end(), is_format)) {
    attributes_.push_back(
        Attribute::text(std::string(sources::kPixelFormatAttribute), camera_->format().name));
  }
  return attributes_.empty() ? Status() : producer_->set_metadata(attributes_);
}

void Publishing::open_desk() {
  auto desk = MetadataDesk::open(client_->aeron_dir(), stream_.number, attributes_);
  if (desk) {
    desk_ = std::move(*desk);
  } else {
    console_.warn("`tp meta set` does not reach this publisher: " + describe(desk.error()));
  }
}

Status Publishing::await_lease() {
  const Nanos end = clock_.mono() + kAttachPatience;
  for (;;) {
    Status attached = producer_->wait_attached(kLookAgain);
    if (attached || clock_.mono() >= end || producer_->attach_state() == AttachState::kUnattached) {
      return attached;
    }
    if (is_stopped()) {
      return fail(Errc::kClosed, stream_.text());
    }
  }
}

void Publishing::tell(const ProducerEvent& event) {
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

bool Publishing::wait_for_subscriber() {
  if (!options_.waits()) {
    return !is_stopped();
  }
  if (!producer_->has_subscribers()) {
    console_.note(
        fmt::format("waiting for a first subscriber: `tp sub {}`. To start at once use --no-wait",
                    stream_.text()));
  }
  while (!is_stopped() && !producer_->has_subscribers()) {
    tend_desk();
    sleep_for(kLookAgain);
  }
  const Nanos mapped_at = clock_.mono() + kMappingTime;
  while (!is_stopped() && clock_.mono() < mapped_at) {
    sleep_for(kLookAgain);
  }
  return !is_stopped();
}

Status Publishing::publish_all() {
  const Ticker ticker(kReportPeriod, [this] { show_progress(); });
  if (options_.cpu >= 0) {
    if (Status status = pin_to(options_.cpu); !status) {
      return status;
    }
  }
  started_ = clock_.mono();
  if (camera_ != nullptr) {
    Status status = publish_camera();
    finished_ = clock_.mono();
    return status;
  }
  Pacer pacer(hz());
  Status status;
  while (status && !done_ && pacer.wait(stop_, [this] { tend_desk(); })) {
    tend_desk();
    status = publish_next();
  }
  finished_ = clock_.mono();
  slipped_ = pacer.slipped();
  return status;
}

Status Publishing::publish_camera() {
  Result<BufferQueue> queue = BufferQueue::create(
      *producer_, {.info = camera_->info(),
                   .frame_bytes = camera_->buffer_bytes(),
                   .buffers = std::min(kCameraBuffers, std::max(1U, producer_->nslots() / 4)),
                   .reorder = Nanos{0}});
  if (!queue) {
    return fail(queue.error());
  }
  Status status;
  while (status && !done_ && !is_stopped()) {
    tend_desk();
    const Result<sources::Fed> fed = camera_->feed(*queue, kReportPeriod / 4);
    status = fed ? take_turn(*fed) : fail(fed.error());
  }
  camera_->stop(*queue);
  buffers_ = queue->counters();
  return status;
}

Status Publishing::take_turn(const sources::Fed& fed) {
  if (fed.starved) {  // without a lease there are no slots; what the camera sees is lost
    if (!waits_for_lease(*fed.starved)) {
      return fail(why_not(*fed.starved));
    }
    sleep_for(kLookAgain);
  }
  if (fed.frames > 0) {
    note_reached();
    frames_ += static_cast<std::uint64_t>(fed.frames);
    done_ = options_.count != 0 && frames_ >= options_.count;
  }
  offer_progress(clock_.mono());
  return {};
}

Status Publishing::publish_next() {
  Result<std::optional<files::FrameBytes>> frame = source_->next();
  if (frame && !*frame && options_.loop && frames_ > 0) {
    if (Status status = source_->rewind(); !status) {
      return status;
    }
    frame = source_->next();
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
  offer_progress(now);
  return {};
}

void Publishing::offer_progress(Nanos now) {
  if (now - offered_ >= kReportPeriod / 2) {
    offered_ = now;
    progress_.offer({.frames = frames_,
                     .bytes = payload_bytes(),
                     .at = now,
                     .subscribed = producer_->has_subscribers(),
                     .counters = producer_->counters()});
  }
}

PublishStatus Publishing::publish_frame(files::FrameBytes frame, Nanos now) {
  return producer_->publish(info(), frame, static_cast<std::uint64_t>(now.count()));
}
Error Publishing::why_not(PublishStatus published) {
  const bool unattached = is_unattached(published);
  if (published == PublishStatus::kClosed || (is_stopped() && unattached)) {
    return make_error(Errc::kClosed, to_string(published));
  }
  const Status lease = unattached ? producer_->wait_attached(Nanos{0}) : Status{};
  return lease ? make_error(Errc::kInvalidParams, to_string(published)) : lease.error();
}
bool Publishing::waits_for_lease(PublishStatus status) const {
  return is_unattached(status) && !is_stopped() &&
         producer_->attach_state() != AttachState::kUnattached;
}

/// The first frames of a stream that waits for nobody have no descriptor until the media driver
/// has answered. That is no trouble.
void Publishing::note_reached() {
  if (!reached_) {
    const std::uint64_t closed = producer_->counters().descriptor_closed;
    reached_ = closed == closed_at_start_;
    closed_at_start_ = closed;
  }
}

void Publishing::show_progress() {
  const Progress now = progress_.load();
  if (!console_.is_terminal() || now.frames <= shown_.frames) {
    return;
  }
  const Nanos span = now.at - shown_.at;
  const double rate = per_second(static_cast<double>(now.frames - shown_.frames), span);
  const double bytes_rate = per_second(static_cast<double>(now.bytes - shown_.bytes), span);
  shown_ = now;
  std::string line =
      fmt::format("{}  {}  {}  {}  {}", console_.styled(Style::kBold, stream_.text()),
                  counted(now.frames, "frame"), rate_text(rate), megabytes_text(bytes_rate),
                  now.subscribed ? console_.styled(Style::kGreen, "subscribed")
                                 : console_.styled(Style::kDim, "nobody subscribes"));
  if (now.counters.descriptor_backpressured > 0) {
    line += "  " + console_.styled(Style::kYellow, grouped(now.counters.descriptor_backpressured) +
                                                       " descriptors held up by a slow reader");
  }
  console_.live({line});
}

void Publishing::linger() {
  if (!done_ || frames_ == 0) {
    return;
  }
  const Nanos end = clock_.mono() + from_seconds(options_.linger_s);
  while (!is_stopped() && producer_->has_subscribers() && clock_.mono() < end) {
    sleep_for(kLookAgain);
  }
}

void Publishing::summarise() {
  ProducerCounters troubling = producer_->counters();
  troubling.descriptor_closed -= reached_ ? closed_at_start_ : 0;
  print({.stream = stream_,
         .epoch = producer_->epoch(),
         .frames = frames_,
         .frame_bytes = frame_bytes(),
         .payload_bytes = payload_bytes(),
         .ticks_slipped = slipped_,
         .span = finished_ - started_,
         .counters = producer_->counters(),
         .troubling = troubling,
         .leases = producer_->attach_counters(),
         .camera = camera_,
         .buffers = buffers_},
        options_.json, console_);
}

}  // namespace tensorpool::inline v0::apps::pub
