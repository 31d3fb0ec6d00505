#include "driver/host.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "admin/ask.hpp"
#include "base/kill_point.hpp"
#include "base/reason.hpp"
#include "core/driver/lease_table.hpp"
#include "core/driver/settings_text.hpp"
#include "os/directory.hpp"
#include "os/entropy.hpp"
#include "os/numa.hpp"
#include "os/syscalls.hpp"

namespace tensorpool::inline v0::driver {
namespace {

constexpr Nanos kRest = std::chrono::milliseconds(1);

/// Instance ids of the drivers of this process (D282).
class Instances {
 public:
  [[nodiscard]] bool add(const std::string& id) {
    const std::lock_guard lock(mutex_);
    return ids_.insert(id).second;
  }
  void remove(const std::string& id) {
    const std::lock_guard lock(mutex_);
    ids_.erase(id);
  }

 private:
  std::mutex mutex_;
  std::set<std::string> ids_;
};

/// Whether this machine has the nodes that profiles name.
[[nodiscard]] Status check_nodes(const core::driver::Settings& settings) {
  const std::vector<std::uint32_t> nodes = os::memory_nodes();
  for (const core::driver::Profile& profile : settings.profiles) {
    if (profile.numa_node &&
        std::find(nodes.begin(), nodes.end(), *profile.numa_node) == nodes.end()) {
      return fail(base::make_reason(Errc::kInvalidArgument,
                                    core::driver::profile_key(profile.name, "numa_node"),
                                    "no such node with memory: see /sys/devices/system/node",
                                    *profile.numa_node, nodes.back()));
    }
  }
  return {};
}

[[nodiscard]] Instances& instances() {
  static Instances all;
  return all;
}

}  // namespace

Result<std::unique_ptr<Host>> Host::start(Options options) {
  Result<Access> access = Access::resolve(options.settings);
  if (!access) {
    return fail(access.error());
  }
  if (const Status nodes = check_nodes(options.settings); !nodes) {
    return fail(nodes.error());
  }
  const std::string aeron_dir = bus::choose_aeron_dir(options.settings.aeron_dir);
  bus::RendezvousOptions rendezvous;
  rendezvous.driver.aeron_dir = aeron_dir;
  rendezvous.driver.group = access->files.group;
  rendezvous.policy = options.media_driver;
  rendezvous.patience = options.patience;
  Result<bus::MediaDriverHandle> media = bus::join_or_embed(rendezvous);
  if (!media) {
    return fail(media.error());
  }
  Result<bus::Client> client = bus::Client::create({.aeron_dir = aeron_dir, .name = "driver"});
  if (!client) {
    return fail(client.error());
  }
  TP_KILLPOINT("driver.start.media_driver");
  std::unique_ptr<Host> host(new Host(std::move(options), std::move(*media), std::move(*client)));
  if (const Status begun = host->begin(*std::move(access)); !begun) {
    return fail(begun.error());
  }
  return host;
}

Host::Host(Options options, bus::MediaDriverHandle media, bus::Client client)
    : options_(std::move(options)), media_(std::move(media)), client_(std::move(client)) {}

Status Host::begin(Access access) {
  if (!instances().add(options_.settings.instance_id)) {
    return fail(Errc::kAlreadyExists, "driver.instance_id: " + options_.settings.instance_id);
  }
  registered_ = true;
  Result<std::optional<AdminDesk::Options>> admin = admin_options(access);
  if (!admin) {
    return fail(admin.error());
  }
  TP_KILLPOINT("driver.start.admin");
  const std::uint64_t first_lease_id =
      os::entropy() % core::driver::LeaseTable::kFirstIdMax + 1;  // D130
  Result<std::unique_ptr<DriverAgent>> agent =
      DriverAgent::create(os::system_calls(), client_, clock_,
                          {.settings = options_.settings,
                           .jobs = options_.jobs,
                           .first_lease_id = first_lease_id,
                           .access = std::move(access),
                           .admin = std::move(*admin),
                           .log = options_.log});
  if (!agent) {
    return fail(agent.error());
  }
  agent_ = std::move(*agent);
  TP_KILLPOINT("driver.start.agent");
  for (const Nanos end = clock_.mono() + options_.patience; !agent_->is_ready();) {
    if (cycle(clock_.mono()) == 0) {
      std::this_thread::sleep_for(kRest);  // the media driver's turn
    }
    if (clock_.mono() > end) {
      return fail(Errc::kTimeout, client_.aeron_dir() + ": control endpoint of the driver");
    }
  }
  TP_KILLPOINT("driver.start.ready");
  if (options_.threading == Threading::kInvoked) {
    return {};
  }
  agents::ThreadRunner<Duty>::Options runner;
  runner.thread.name = "tp-driver";
  runner.on_failure = [this](std::string_view, std::string_view what) {
    if (options_.log) {
      options_.log(LogLevel::kError, "driver stopped: " + std::string(what));
    }
  };
  auto started = agents::ThreadRunner<Duty>::start(duty_, clock_, std::move(runner));
  if (!started) {
    return fail(started.error());
  }
  thread_ = std::move(*started);
  return {};
}

Result<std::optional<AdminDesk::Options>> Host::admin_options(const Access& access) const {
  if (!options_.admin_socket) {
    return std::optional<AdminDesk::Options>();
  }
  std::string socket = admin::socket_path(client_.aeron_dir(), options_.settings.control.stream_id);
  if (const Status made = os::ensure_private_directory(
          std::filesystem::path(socket).parent_path().native(), access.files.group);
      !made) {
    return fail(made.error());
  }
  std::string book = socket + ".names";
  return std::optional(AdminDesk::Options{.socket = std::move(socket),
                                          .book = std::move(book),
                                          .aeron_dir = client_.aeron_dir(),
                                          .toml = options_.toml,
                                          .access = access,
                                          .log = options_.log});
}

Host::~Host() {
  thread_.reset();
  if (agent_ != nullptr) {
    // Told, as far as that needs no waiting: the notice goes out with the second stop.
    agent_->stop(clock_.mono());
    agent_->stop(clock_.mono());
    cycle(clock_.mono());
  }
  if (registered_) {
    instances().remove(options_.settings.instance_id);
  }
}

int Host::do_work() {
  return cycle(clock_.mono());
}

int Host::cycle(Nanos now) {
  const std::lock_guard lock(mutex_);
  return agent_->do_work(now);
}

void Host::stop() {
  const std::lock_guard lock(mutex_);
  agent_->stop(clock_.mono());
}

bool Host::has_ended() {
  const std::lock_guard lock(mutex_);
  return agent_->has_ended();
}

core::driver::Snapshot Host::snapshot() {
  const std::lock_guard lock(mutex_);
  return agent_->snapshot();
}

core::driver::Counters Host::counters() {
  const std::lock_guard lock(mutex_);
  return agent_->counters();
}

Status Host::revoke(std::uint64_t lease_id, std::string_view text) {
  const std::lock_guard lock(mutex_);
  return agent_->revoke(lease_id, text, clock_.mono());
}

}  // namespace tensorpool::inline v0::driver
