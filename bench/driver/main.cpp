// How a driver bears many leases: `make bench-driver`. Prints a line of JSON for each measurement.
//
// Media driver, driver and clients are processes of their own, so that what each of them costs can
// be told apart. Nothing here has a limit: figures are of the machine that they were taken on.
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "admin/ask.hpp"
#include "agents/idle.hpp"
#include "bus/media_driver.hpp"
#include "driver/host.hpp"
#include "fleet.hpp"
#include "os/clock.hpp"
#include "os/process.hpp"
#include "role.hpp"

namespace tensorpool::bench {
namespace {

constexpr std::uint32_t kFirstStream = 10000;
constexpr std::uint64_t kGib = 1ULL << 30U;

struct Options {
  std::uint32_t streams = 1000;
  std::uint32_t leases = 10;  ///< of each stream
  std::uint32_t clients = 4;  ///< processes
  double seconds = 10;
  std::uint32_t cycles = 10000;
  std::uint64_t provision_mib = 4096;
};

/// In shared memory, and gone with the object.
class Directory {
 public:
  Directory() {
    if (::mkdtemp(path_.data()) == nullptr) {
      std::perror("driver_bench: mkdtemp");
      std::exit(1);
    }
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_ = "/dev/shm/tensorpool-bench-XXXXXX";
};

/// A directory, a media driver and a driver in it.
class Site {
 public:
  explicit Site(core::driver::Settings settings) : settings_(std::move(settings)) {
    settings_.aeron_dir = aeron_dir();
    settings_.announce.stream_id = 1001;
    settings_.shm.base_dir = base_dir();
    settings_.telemetry = {.enabled = true, .interval = std::chrono::milliseconds(1000)};
    media_ = std::make_unique<Role>("media driver", [this](Orders& orders) { host_media(orders); });
    media_->ask("ready?");
    driver_ = std::make_unique<Role>("driver", [this](Orders& orders) { drive(orders); });
    driver_->ask("ready?");
  }

  [[nodiscard]] std::string aeron_dir() const { return scratch_.path() + "/aeron"; }
  [[nodiscard]] std::string base_dir() const { return scratch_.path() + "/shm"; }
  [[nodiscard]] Role& driver() noexcept { return *driver_; }
  [[nodiscard]] Role& media() noexcept { return *media_; }

  [[nodiscard]] Json stat() const {
    const Result<std::string> answer =
        admin::ask(admin::socket_path(aeron_dir(), 1000),
                   {.operation = admin::Operation::kCounters}, std::chrono::seconds(60));
    return answer ? Json::parse(*answer) : Json::object();
  }
  [[nodiscard]] std::unique_ptr<Role> fleet(std::vector<FleetOptions::Lease> leases,
                                            bool map = true) const {
    return std::make_unique<Role>("client", [=, this](Orders& orders) {
      run_fleet({.aeron_dir = aeron_dir(), .base_dir = base_dir(), .leases = leases, .map = map},
                orders);
    });
  }

 private:
  void host_media(Orders& orders) const {
    const auto media = bus::MediaDriver::start({.aeron_dir = aeron_dir()});
    serve(
        orders, [] { return 0; }, media.has_value());
  }
  void drive(Orders& orders) const {
    const auto host = driver::Host::start({.settings = settings_,
                                           .media_driver = bus::DriverPolicy::kExternal,
                                           .threading = driver::Host::Threading::kInvoked});
    if (!host) {
      orders.answer({{"error", describe(host.error())}});
      return;
    }
    serve(
        orders, [&] { return (*host)->do_work(); }, true);
  }
  /// As `tp driver` does it, until somebody says what is not a question.
  static void serve(Orders& orders, const std::function<int()>& do_work, bool fine) {
    agents::Idle idle{{}};
    const os::SystemClock clock;
    Nanos look_at{};
    for (;;) {
      idle.idle(do_work());
      if (const Nanos now = clock.mono(); now >= look_at) {
        look_at = now + std::chrono::milliseconds(1);
        const std::optional<std::string> order = orders.next();
        if (order && *order != "ready?") {
          return;
        }
        if (order) {
          orders.answer(fine ? Json{{"ready", true}} : Json{{"error", "cannot start"}});
        }
      }
    }
  }

  // In this order they are made; in the reverse one they end.
  const Directory scratch_;
  core::driver::Settings settings_;
  std::unique_ptr<Role> media_;
  std::unique_ptr<Role> driver_;
};

[[nodiscard]] core::driver::Settings settings_for(std::uint32_t streams) {
  core::driver::Settings settings;
  settings.policies.prefault_shm = false;
  settings.profiles = {
      {.name = "small", .header_nslots = 8, .pools = {{.pool_id = 1, .stride_bytes = 4096}}}};
  for (std::uint32_t k = 0; k < streams; ++k) {
    settings.streams.push_back(
        {.name = "stream" + std::to_string(k), .stream_id = kFirstStream + k, .profile = "small"});
  }
  return settings;
}

void put(Json line) {
  Json whole = {{"v", 1}, {"bench", "driver"}};
  whole.update(line);
  std::printf("%s\n", whole.dump().c_str());
  std::fflush(stdout);
}

[[nodiscard]] Json quantiles(std::vector<std::int64_t> times) {
  std::sort(times.begin(), times.end());
  const auto at = [&](double q) {
    return times.empty()
               ? 0
               : times[static_cast<std::size_t>(q * static_cast<double>(times.size() - 1))];
  };
  return {{"count", times.size()}, {"p50_ns", at(0.5)}, {"p99_ns", at(0.99)}, {"max_ns", at(1)}};
}

using Fleets = std::vector<std::unique_ptr<Role>>;

/// The order to all of them at once; what they answer, joined by key.
[[nodiscard]] std::map<std::string, std::vector<std::int64_t>> all(Fleets& fleets,
                                                                   std::string_view order) {
  for (const auto& fleet : fleets) {
    fleet->order(order);
  }
  std::map<std::string, std::vector<std::int64_t>> joined;
  for (const auto& fleet : fleets) {
    const Json answer = fleet->answer();
    for (const auto& [key, value] : answer.items()) {
      const auto numbers = value.is_array() ? value.get<std::vector<std::int64_t>>()
                                            : std::vector{value.get<std::int64_t>()};
      joined[key].insert(joined[key].end(), numbers.begin(), numbers.end());
    }
  }
  return joined;
}

[[nodiscard]] std::int64_t sum(const std::vector<std::int64_t>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0});
}
[[nodiscard]] std::int64_t most(const std::vector<std::int64_t>& numbers) {
  return numbers.empty() ? 0 : *std::max_element(numbers.begin(), numbers.end());
}

void rest(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

[[nodiscard]] std::vector<Usage> usage_of(const Fleets& fleets) {
  std::vector<Usage> all;
  for (const auto& fleet : fleets) {
    all.push_back(fleet->usage());
  }
  return all;
}
[[nodiscard]] double load_between(const std::vector<Usage>& before,
                                  const std::vector<Usage>& after) {
  double load = 0;
  for (std::size_t k = 0; k < before.size(); ++k) {
    load += load_between(before[k], after[k]);
  }
  return load;
}

/// The load of driver, media driver and clients while nothing happens but what leases need.
[[nodiscard]] Json steady(Site& site, const Fleets& fleets, double seconds) {
  const Usage driver = site.driver().usage();
  const Usage media = site.media().usage();
  const std::vector<Usage> clients = usage_of(fleets);
  rest(seconds);
  return {{"driver_load", load_between(driver, site.driver().usage())},
          {"media_driver_load", load_between(media, site.media().usage())},
          {"clients_load", load_between(clients, usage_of(fleets))}};
}

// -- Many leases ---------------------------------------------------------------------------------

void measure_many(const Options& options) {
  Site site(settings_for(options.streams));
  // The producer of each stream attaches first and has its regions made; the others join.
  std::vector<std::vector<FleetOptions::Lease>> makers(options.clients);
  std::vector<std::vector<FleetOptions::Lease>> joiners(options.clients);
  for (std::uint32_t k = 0; k < options.streams; ++k) {
    const std::uint32_t stream_id = kFirstStream + k;
    makers[k % options.clients].push_back({stream_id, layout::Role::kProducer});
    for (std::uint32_t n = 1; n < options.leases; ++n) {
      joiners[k % options.clients].push_back({stream_id, layout::Role::kConsumer});
    }
  }
  Fleets first;
  Fleets second;
  for (std::uint32_t k = 0; k < options.clients; ++k) {
    first.push_back(site.fleet(makers[k]));
    second.push_back(site.fleet(joiners[k]));
  }
  const auto both = [&](auto&& with) {
    with(first);
    with(second);
  };
  both([](Fleets& fleets) { static_cast<void>(all(fleets, "report")); });
  const Json idle_first = steady(site, first, 2);
  const Usage empty = site.driver().usage();
  const std::vector<Usage> clients_empty = usage_of(second);

  const auto attach = [&](Fleets& fleets, const char* what) {
    auto times = all(fleets, "attach 1");
    put({{"test", "attach"},
         {"what", what},
         {"at_once", options.clients},
         {"answer", quantiles(times["answers_ns"])},
         {"attached", quantiles(times["times_ns"])}});
  };
  attach(first, "makes the regions");
  attach(second, "joins");
  const Usage full = site.driver().usage();
  const std::vector<Usage> clients_full = usage_of(second);
  const std::int64_t leases = static_cast<std::int64_t>(options.streams) * options.leases;
  std::uint64_t client_bytes = 0;
  for (std::size_t k = 0; k < clients_full.size(); ++k) {
    client_bytes += clients_full[k].anonymous_bytes - clients_empty[k].anonymous_bytes;
  }
  put({{"test", "memory"},
       {"leases", leases},
       {"driver_anonymous_bytes_per_lease",
        (full.anonymous_bytes - empty.anonymous_bytes) / static_cast<std::uint64_t>(leases)},
       {"driver_shared_bytes_per_stream",
        (full.shared_bytes - empty.shared_bytes) / options.streams},
       {"client_anonymous_bytes_per_lease",
        client_bytes / std::max<std::uint64_t>(1, options.streams * (options.leases - 1))},
       {"driver_descriptors", full.descriptors}});

  both([](Fleets& fleets) { static_cast<void>(all(fleets, "report")); });
  Fleets everybody;
  both([&](Fleets& fleets) {
    for (auto& fleet : fleets) {
      everybody.push_back(std::move(fleet));
    }
  });
  const Json before = site.stat();
  Json line = {{"test", "steady"}, {"leases", leases}, {"idle", idle_first}};
  line.update(steady(site, everybody, options.seconds));
  const Json after = site.stat();
  auto reports = all(everybody, "report");
  line["keepalives_per_s"] = (after["counters"]["Keepalives"].get<double>() -
                              before["counters"]["Keepalives"].get<double>()) /
                             options.seconds;
  line["leases_lost"] = sum(reports["lost"]);
  line["announces"] = sum(reports["announces"]);
  line["announce_delta_p99_ns"] = most(reports["announce_delta_p99_ns"]);
  line["announce_delta_max_ns"] = most(reports["announce_delta_max_ns"]);
  line["histograms"] = after["histograms"];
  put(line);
  auto times = all(everybody, "detach 1");
  put({{"test", "detach"},
       {"at_once", everybody.size()},
       {"detached", quantiles(times["times_ns"])}});
}

// -- Coming and going ----------------------------------------------------------------------------

void measure_cycles(const Options& options) {
  for (const layout::Role role : {layout::Role::kConsumer, layout::Role::kProducer}) {
    core::driver::Settings settings = settings_for(1);
    settings.policies.epoch_gc_min_age = Nanos{1};
    Site site(std::move(settings));
    const auto fleet = site.fleet({{kFirstStream, role}});
    const bool makes = role == layout::Role::kProducer;
    const std::uint32_t warm_up = options.cycles / 10;
    fleet->ask("cycle " + std::to_string(warm_up));
    const Usage before = site.driver().usage();
    const Usage client_before = fleet->usage();
    fleet->ask("cycle " + std::to_string(options.cycles));
    const Usage after = site.driver().usage();
    const Usage client_after = fleet->usage();
    const auto growth = [](std::uint64_t from, std::uint64_t to) {
      return static_cast<std::int64_t>(to) - static_cast<std::int64_t>(from);
    };
    put({{"test", "cycles"},
         {"role", makes ? "producer" : "consumer"},
         {"warm_up", warm_up},
         {"cycles", options.cycles},
         {"cycle_ns", (after.at - before.at).count() / std::max(1U, options.cycles)},
         {"driver_growth_anonymous_bytes", growth(before.anonymous_bytes, after.anonymous_bytes)},
         {"driver_growth_shared_bytes", growth(before.shared_bytes, after.shared_bytes)},
         {"driver_growth_descriptors", growth(before.descriptors, after.descriptors)},
         {"driver_growth_mappings", growth(before.mappings, after.mappings)},
         {"client_growth_anonymous_bytes",
          growth(client_before.anonymous_bytes, client_after.anonymous_bytes)},
         {"client_growth_descriptors", growth(client_before.descriptors, client_after.descriptors)},
         {"counters", site.stat()["counters"]}});
  }
}

// -- A large provisioning ------------------------------------------------------------------------

/// What small leases notice of it. One of them is left alone, so that it expires meanwhile.
void measure_provisioning(const Options& options) {
  core::driver::Settings settings = settings_for(16);
  settings.policies.prefault_shm = true;
  settings.policies.announce_period = std::chrono::milliseconds(100);
  settings.policies.lease_keepalive_interval = std::chrono::milliseconds(100);
  constexpr std::uint32_t kLarge = kFirstStream + 1000;
  constexpr std::uint32_t kStride = 1U << 20U;
  settings.profiles.push_back({.name = "large",
                               .header_nslots = static_cast<std::uint32_t>(options.provision_mib),
                               .pools = {{.pool_id = 1, .stride_bytes = kStride}}});
  settings.streams.push_back({.name = "large", .stream_id = kLarge, .profile = "large"});
  Site site(std::move(settings));
  std::vector<FleetOptions::Lease> small;
  for (std::uint32_t k = 0; k < 16; ++k) {
    small.push_back({kFirstStream + k, layout::Role::kConsumer});
  }
  Fleets fleets;
  fleets.push_back(site.fleet(small));
  static_cast<void>(all(fleets, "attach 1"));
  auto dies = site.fleet({small.front()});
  dies->ask("attach 1");
  const auto large = site.fleet({{kLarge, layout::Role::kConsumer}}, false);
  static_cast<void>(all(fleets, "report"));
  const Nanos begun = os::SystemClock().mono();
  large->order("attach 1");
  dies.reset();  // without a word
  const Json attached = large->answer();
  auto report = all(fleets, "report");
  const Nanos took = os::SystemClock().mono() - begun;
  rest(2.1);  // two intervals of telemetry
  put({{"test", "provisioning"},
       {"bytes", options.provision_mib * (kGib / 1024)},
       {"took_ns", took.count()},
       {"announce_period_ns", 100'000'000},
       {"keepalive_interval_ns", 100'000'000},
       {"leases_lost", sum(report["lost"])},
       {"announce_delta_p99_ns", most(report["announce_delta_p99_ns"])},
       {"announce_delta_max_ns", most(report["announce_delta_max_ns"])},
       {"histograms", site.stat()["histograms"]},
       {"counters", site.stat()["counters"]}});
}

int run(int argc, char** argv) {
  CLI::App program("How a driver bears many leases: a line of JSON for each measurement.");
  Options options;
  std::vector<std::string> tests = {"many", "cycles", "provisioning"};
  program.add_option("TEST", tests, "many, cycles, provisioning; without it all of them");
  program.add_option("--streams", options.streams, "Of many")->capture_default_str();
  program.add_option("--leases", options.leases, "Of each stream")->capture_default_str();
  program.add_option("--clients", options.clients, "Pairs of processes")->capture_default_str();
  program.add_option("--seconds", options.seconds, "Of keeping leases alive")
      ->capture_default_str();
  program.add_option("--cycles", options.cycles, "Attach, detach")->capture_default_str();
  program.add_option("--provision-mib", options.provision_mib, "A power of two")
      ->capture_default_str();
  CLI11_PARSE(program, argc, argv);
  os::allow_many_open_files();  // the processes of a test inherit that
  for (const std::string& test : tests) {
    if (test == "many") {
      measure_many(options);
    } else if (test == "cycles") {
      measure_cycles(options);
    } else if (test == "provisioning") {
      measure_provisioning(options);
    } else {
      std::fprintf(stderr, "driver_bench: no test is called %s\n", test.c_str());
      return 2;
    }
  }
  return 0;
}

}  // namespace
}  // namespace tensorpool::bench

int main(int argc, char** argv) {
  return tensorpool::bench::run(argc, argv);
}
