// The half of `tp demo` that publishes: a process of its own, with driver and media driver in it.
//
// Says kReady once it holds its lease, and begins with a line on its standard input: the other half
// has mapped the stream. Ends by SIGTERM, which also comes when its parent dies. Then it prints
// what it has published, and keeps the stream until it is dismissed, so that the other half can
// read to the last frame. Standard input that ends without a dismissal is the parent's death: then
// the workspace is removed here.
#include "apps/demo/producer.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "apps/console.hpp"
#include "apps/counters.hpp"
#include "apps/demo/frames.hpp"
#include "apps/demo/workspace.hpp"
#include "apps/output.hpp"
#include "apps/pacer.hpp"
#include "apps/sources/simulated.hpp"
#include "apps/stop.hpp"
#include "os/clock.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::inline v0::apps::demo {
namespace {

constexpr Nanos kLookAgain = std::chrono::milliseconds(2);
constexpr Nanos kSlack = std::chrono::milliseconds(100);
constexpr Nanos kSlackMin = std::chrono::milliseconds(1);
constexpr Nanos kAttachPatience = std::chrono::seconds(15);  // huge rings take their time

/// Of the demo's driver: one stream, and everything below the workspace.
[[nodiscard]] std::string configuration(const std::string& workspace,
                                        const StreamOptions& geometry) {
  return fmt::format(R"([driver]
instance_id = "demo"
announce_stream_id = 1001
[shm]
base_dir = "{}"
permissions_mode = "600"
[policies]
announce_period_ms = 200
[profiles.camera]
header_nslots = {}
payload_pools = [ {{ pool_id = 1, stride_bytes = {} }} ]
[streams.demo]
stream_id = {}
profile = "camera"
)",
                     workspace, geometry.nslots, geometry.pools.at(0).stride_bytes, kStreamNumber);
}

/// The other half, as standard input shows it.
class Owner {
 public:
  /// False when it has ended, or a signal came first.
  [[nodiscard]] bool await_begin() { return read_line() && line_ == kBegin; }

  /// Returns when it has dismissed this process (true) or has died (false).
  [[nodiscard]] bool await_dismissal() {
    while (line_ != kDismiss && (read_line() || errno == EINTR)) {
    }
    return line_ == kDismiss;
  }

 private:
  /// A byte at a time, so that nothing of the next line is lost. False at the end, with errno 0.
  [[nodiscard]] bool read_line() {
    line_.clear();
    for (char next = 0;; line_ += next) {
      errno = 0;
      if (::read(STDIN_FILENO, &next, 1) != 1) {
        return false;
      }
      if (next == '\n') {
        return true;
      }
    }
  }

  std::string line_;
};

[[nodiscard]] Status publish_frame(Producer& producer, files::FrameSource& camera,
                                   Nanos captured_at) {
  const Result<std::optional<files::FrameBytes>> frame = camera.next();
  if (!frame || !*frame) {
    return frame ? Status(fail(Errc::kClosed, "camera")) : fail(frame.error());
  }
  tl::expected<Claim, PublishStatus> claim = producer.claim(kFrameBytes);
  if (!claim) {
    return fail(Errc::kInvalidParams, to_string(claim.error()));
  }
  const std::span<std::byte> payload = claim->payload().first(kFrameBytes);
  std::memcpy(payload.data(), (*frame)->data(), kFrameBytes);
  stamp_rows(payload, claim->seq());
  const CommitStatus committed =
      claim->commit(frame_info(), static_cast<std::uint64_t>(captured_at.count()));
  return committed == CommitStatus::kCommitted
             ? Status{}
             : Status(fail(Errc::kInvalidParams, to_string(committed)));
}

/// As much slack as the free memory allows: containers often have 64 MiB of /dev/shm.
[[nodiscard]] Result<StreamOptions> geometry() {
  for (Nanos slack = kSlack;; slack /= 2) {
    Result<StreamOptions> stream = StreamOptions::for_frames(kFrameBytes, kRateHz, slack);
    if (stream || stream.error().code != Errc::kNoSpace || slack < kSlackMin) {
      return stream;
    }
  }
}

[[nodiscard]] Status publish(const std::string& workspace, Owner& owner,
                             const std::atomic<bool>& stop, Console& console) {
  const Result<std::unique_ptr<files::FrameSource>> camera =
      sources::make_simulation({.simulation = sources::Simulation::kCamera,
                                .shape = {kRows, kColumns},
                                .dtype = Dtype::kUint16});
  const Result<StreamOptions> room = geometry();
  if (!camera || !room) {
    return fail(camera ? room.error() : camera.error());
  }
  Result<Client> client = Client::create({.mode = DeploymentMode::kEmbedded,
                                          .aeron_dir = DemoWorkspace::aeron_dir(workspace),
                                          .allowed_base_dirs = {workspace},
                                          .log = console.log_sink(),
                                          .driver = {.config = configuration(workspace, *room),
                                                     .media_driver = MediaDriverPolicy::kEmbedded,
                                                     .admin_socket = false,
                                                     .log = [](LogLevel, std::string_view) {}}});
  if (!client) {
    return fail(client.error());
  }
  Result<Producer> producer = client->create_producer({.stream_id = kStreamNumber, .name = "demo"});
  if (!producer) {
    return fail(producer.error());
  }
  if (Status attached = producer->wait_attached(kAttachPatience); !attached) {
    return attached;
  }
  if (!put_line(kReady) || !owner.await_begin()) {
    return fail(Errc::kClosed, "demo");
  }
  while (!stop.load(std::memory_order_relaxed) && !producer->has_subscribers()) {
    sleep_for(kLookAgain);
  }
  const os::SystemClock clock;
  Pacer pacer(kRateHz);
  Status status;
  while (status && pacer.wait(stop)) {
    status = publish_frame(*producer, **camera, clock.mono());
  }
  nlohmann::ordered_json report = counters_json(producer->counters());
  report["ticks_slipped"] = pacer.slipped();
  if (put_json(report)) {
    static_cast<void>(owner.await_dismissal());
  }
  return status;
}

}  // namespace

ExitCode run_producer(const ProducerOptions& options) {
  Console console("demo");
  const std::atomic<bool>& stop = catch_stop_signals();
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  Owner owner;
  Status status;
  if (::getppid() == options.parent) {  // else it died before it could send the signal
    status = publish(options.workspace, owner, stop, console);
  }
  if (!status && status.error().code != Errc::kClosed) {
    console.error(status.error());
  } else if (!owner.await_dismissal()) {
    DemoWorkspace::remove(options.workspace);
  }
  return status ? ExitCode::kFine : ExitCode::kFailed;
}

}  // namespace tensorpool::inline v0::apps::demo
