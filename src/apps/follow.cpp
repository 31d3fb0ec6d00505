#include "apps/follow.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <limits>

#include "apps/driver_link.hpp"
#include "apps/options.hpp"
#include "apps/text.hpp"
#include "apps/top/ring_reader.hpp"
#include "apps/wait_text.hpp"
#include "core/naming/stream_names.hpp"
#include "core/region/uri.hpp"
#include "os/clock.hpp"

namespace tensorpool::inline v0::apps {
namespace {

/// How long a publisher that starts anew may take from removing its old files to its first
/// announce.
constexpr Nanos kRestartTime = std::chrono::milliseconds(500);
/// A media driver is missed only after this: a publisher that ends takes its own along.
constexpr Nanos kLostFor = std::chrono::seconds(3);

bool file_is_gone(const std::string& region_uri) {
  const auto uri = core::region::parse_region_uri(region_uri);
  return uri && ::access(std::string(uri->path).c_str(), F_OK) != 0 && errno == ENOENT;
}

/// The number of the newest frame that a ring holds; 0 where there is none, or it cannot be read.
std::uint64_t newest_in(const std::string& region_uri) {
  const auto uri = core::region::parse_region_uri(region_uri);
  if (!uri) {
    return 0;
  }
  Result<top::RingReader> ring = top::RingReader::open(std::string(uri->path));
  const auto seen = ring ? ring->look(os::SystemClock().mono()) : fail(ring.error());
  return seen ? seen->newest_seq.value_or(0) : 0;
}

}  // namespace

void add_follow_options(CLI::App& verb, FollowOptions& options) {
  verb.add_option("NAME", options.stream, "Name of the stream, or its number")->required();
  verb.add_flag("--direct", options.direct,
                "Follow the ring in shared memory itself, without descriptors");
  verb.add_option_function<std::string>(
          "--wait",
          [&options](const std::string& text) {
            const Result<WaitStrategy> wait = parse_wait(text);
            if (!wait) {
              throw CLI::ValidationError("--wait", std::string(wait.error().subject_view()));
            }
            options.wait = *wait;
          },
          "How to wait for frames: spin, yield, backoff, park, hybrid or hybrid:US, which spins "
          "for US microseconds before it sleeps [park]")
      ->type_name("MODE");
  verb.add_option("--max-rate", options.max_rate_hz,
                  "At most so many frames a second, thinned by the publisher where it can [all]")
      ->check(CLI::Range(1, 65535, "HZ"));
}

void add_follow_places(CLI::App& verb, FollowOptions& options) {
  verb.add_option("--timeout", options.timeout_s,
                  "Give up after so many seconds without a frame [never]")
      ->check(seconds_range());
  verb.add_option("--descriptor-stream", options.descriptor_stream_id,
                  "Aeron stream of the descriptors [1100 + number mod 1000, as `tp pub` has it]")
      ->check(CLI::Range(1, std::numeric_limits<std::int32_t>::max(), "ID"));
  add_shm_dir(verb, options.shm_dir);
  add_aeron_dir(verb, options.aeron_dir);
  add_deployment(verb, options.deployment);
}

void EventNotes::on_event(const ConsumerEvent& event) {
  switch (event.kind) {
    case ConsumerEvent::Kind::kMapped:
      console_.note(fmt::format("mapped epoch {}", event.epoch));
      break;
    case ConsumerEvent::Kind::kDiscontinuity:
      if (event.reason == UnmapReason::kProducerDetached) {
        detached_at_.store(os::SystemClock().mono());
      } else if (event.reason != UnmapReason::kClosed) {
        console_.warn(fmt::format(
            "discontinuity: epoch {} ended {}: {}", event.epoch,
            event.any_frame ? fmt::format("after frame {}", event.last_seq) : "before any frame",
            to_string(event.reason)));
      }
      break;
    case ConsumerEvent::Kind::kFallback:
      console_.warn(describe(*event.fallback));
      break;
    case ConsumerEvent::Kind::kError:
      console_.error(event.error);
      break;
    case ConsumerEvent::Kind::kBusLost:
      lost_at_.store(os::SystemClock().mono());
      break;
    case ConsumerEvent::Kind::kBusBack:
      lost_at_.store(Nanos{0});
      if (told_lost_.exchange(false)) {
        console_.note("a media driver is back");
      }
      break;
    case ConsumerEvent::Kind::kAttachFailed:
      console_.warn(fmt::format("not attached: {}{}", event.error.subject_view(),
                                event.tries_again ? "; trying again" : ""));
      break;
    case ConsumerEvent::Kind::kLeaseLost:
      console_.warn(fmt::format("lease lost, {}{}{}{}", to_string(event.loss),
                                event.text.empty() ? "" : ": ", event.text,
                                event.tries_again ? "; attaching again" : ""));
      break;
    case ConsumerEvent::Kind::kStreamFound:
    case ConsumerEvent::Kind::kAttached:
    case ConsumerEvent::Kind::kDetached:
      break;
  }
}

void EventNotes::look(Nanos now) {
  const Nanos lost_at = lost_at_.load();
  if (lost_at > Nanos{0} && now - lost_at >= kLostFor && !told_lost_.exchange(true)) {
    console_.note(
        "the media driver is gone; waiting for another one (`tp pub` brings one along). What lies "
        "in shared memory is read meanwhile");
  }
}

Result<Follower::Found> Follower::find(const StreamRef& wanted, const FollowOptions& options,
                                       const std::atomic<bool>& stop, Console& console) {
  for (;;) {
    ClientOptions choice = choose_client(options.aeron_dir, options.deployment);
    choice.allowed_base_dirs = {options.shm_dir};
    const bool has_driver = choice.mode == DeploymentMode::kDriver;
    Result<Client> client = Client::create(std::move(choice));
    if (!client) {
      return fail(client.error());
    }
    const StreamRef lookup = has_driver ? resolve_at_driver(client->aeron_dir(), wanted) : wanted;
    // Started before the driver, or before the driver knew the name: looks again by what it says.
    const auto look_elsewhere = [&] {
      return has_driver
                 ? lookup.number == 0 && resolve_at_driver(client->aeron_dir(), wanted).number != 0
                 : choose_client(options.aeron_dir, options.deployment).mode ==
                       DeploymentMode::kDriver;
    };
    Result<StreamInfo> stream = await_stream(*client, lookup,
                                             {.timeout = from_seconds(options.timeout_s),
                                              .stop = &stop,
                                              .look_elsewhere = look_elsewhere},
                                             console);
    if (stream) {
      stream->name = stream->name.empty() ? wanted.name : stream->name;
      return Found{.client = std::move(*client), .stream = std::move(*stream)};
    }
    if (stream.error().code != Errc::kNotFound) {
      return fail(stream.error());
    }
  }
}

Result<Follower> Follower::create(const FollowOptions& options, const std::atomic<bool>& stop,
                                  Console& console) {
  const Result<StreamRef> wanted = parse_stream_ref(options.stream);
  if (!wanted) {
    return fail(wanted.error());
  }
  Result<Found> found = find(*wanted, options, stop, console);
  if (!found) {
    return fail(found.error());
  }
  Client* const client = &found->client;
  StreamInfo* const stream = &found->stream;
  auto notes = std::make_unique<EventNotes>(console);
  const std::int32_t usual_id = core::naming::descriptor_stream_id(stream->stream_id);
  ConsumerOptions reading = {
      .stream_id = stream->stream_id,
      .name = stream->name,
      .max_outstanding_seq_gap = 0,  // a resync gives up frames that the ring still holds
      .wait = options.wait,
      .descriptor_stream_id = options.descriptor_stream_id.value_or(usual_id)};
  std::optional<Consumer> presence;
  if (options.direct) {
    Result<Consumer> subscribed = client->create_consumer(reading);
    if (!subscribed) {
      return fail(subscribed.error());
    }
    presence.emplace(std::move(*subscribed));
    reading.mode = FollowMode::kDirect;
  }
  if (options.max_rate_hz != 0) {
    reading.delivery = DeliveryMode::kRateLimited;
    reading.max_rate_hz = options.max_rate_hz;
    reading.own_descriptors.wanted = true;
  }
  reading.on_event = [&told = *notes](const ConsumerEvent& event) { told.on_event(event); };
  const std::uint64_t newest = newest_in(stream->header_region_uri);
  Result<Consumer> consumer = client->create_consumer(reading);
  if (!consumer) {
    return fail(consumer.error());
  }
  console.note(fmt::format(
      "{} (number {}){}, {} slots of {}", wanted->text(), stream->stream_id,
      stream->summary.empty() ? "" : ": " + stream->summary, stream->nslots,
      stream->pools.empty() ? "nothing" : bytes_text(stream->pools.front().stride_bytes)));
  return Follower(std::move(notes), std::move(*client), std::move(*consumer), std::move(presence),
                  std::move(*stream), newest);
}

std::optional<FrameView> Follower::next(bool latest) {
  for (;;) {
    std::optional<FrameView> frame = latest ? consumer_.latest() : consumer_.next();
    if (frame && notes_->detached_at() != Nanos{0}) {
      notes_->on_frame();
    }
    if (!frame || any_frame_) {
      return frame;
    }
    before_first_ = consumer_.counters();
    if (frame->epoch() != epoch_at_start_ || frame->seq() >= newest_at_start_) {
      any_frame_ = true;
      presence_.reset();
      return frame;
    }
  }
}

bool Follower::has_ended(Nanos now) {
  if (const Nanos detached_at = notes_->detached_at(); detached_at != Nanos{0}) {
    return now - detached_at >= kRestartTime;
  }
  for (const StreamInfo& heard : client_.streams()) {
    if (heard.stream_id == stream_.stream_id && heard.epoch > stream_.epoch && heard.nslots > 0) {
      stream_ = heard;
    }
  }
  if (!file_is_gone(stream_.header_region_uri)) {
    gone_since_ = Nanos{0};
    return false;
  }
  gone_since_ = gone_since_ == Nanos{0} ? now : gone_since_;
  return now - gone_since_ >= kRestartTime;
}

}  // namespace tensorpool::inline v0::apps
