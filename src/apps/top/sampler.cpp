#include "apps/top/sampler.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "admin/ask.hpp"
#include "apps/inspect.hpp"
#include "apps/json_text.hpp"
#include "apps/top/exported.hpp"
#include "bus/counters_file.hpp"
#include "core/region/uri.hpp"
#include "os/clock.hpp"

namespace tensorpool::inline v0::apps::top {
namespace {

using Json = nlohmann::json;

[[nodiscard]] std::string path_of(const std::string& uri) {
  const auto parsed = core::region::parse_region_uri(uri);
  return parsed ? std::string(parsed->path) : std::string();
}

void add_lease(const Json& lease, bool is_producer, Nanos now, std::vector<LeaseSeen>& leases) {
  if (lease.is_object()) {
    leases.push_back({.lease_id = lease.value("lease_id", std::uint64_t{0}),
                      .stream_id = lease.value("stream_id", std::uint32_t{0}),
                      .client_id = lease.value("client_id", std::uint32_t{0}),
                      .is_producer = is_producer,
                      .expires_at = now + std::chrono::milliseconds(
                                              lease.value("expires_in_ms", std::int64_t{0}))});
  }
}

void add_stream(const Json& stream, Nanos now, std::vector<DriverStream>& streams,
                std::vector<LeaseSeen>& leases) {
  streams.push_back({.stream_id = stream.value("stream_id", std::uint32_t{0}),
                     .name = stream.value("name", ""),
                     .epoch = stream.value("epoch", std::uint64_t{0}),
                     .ring = path_of(stream.value("header_region_uri", ""))});
  add_lease(stream.value("producer", Json()), true, now, leases);
  for (const Json& lease : stream.value("consumers", Json::array())) {
    add_lease(lease, false, now, leases);
  }
}

}  // namespace

void add_driver_streams(const std::string& answer, Nanos now, std::vector<DriverStream>& streams,
                        std::vector<LeaseSeen>& leases) {
  const Json json = parse_json(answer);
  if (!json.is_object()) {
    return;
  }
  try {
    for (const Json& stream : json.value("streams", Json::array())) {
      if (stream.is_object()) {
        add_stream(stream, now, streams, leases);
      }
    }
  } catch (const Json::exception&) {  // a value of another type: not one of our drivers
    return;
  }
}

std::vector<std::string> newest_epochs(std::vector<std::string> rings) {
  std::map<std::string, std::pair<std::uint64_t, std::string>> newest;  // by stream's directory
  for (std::string& ring : rings) {
    const std::size_t file = ring.rfind('/');
    const std::size_t epoch =
        file == std::string::npos || file == 0 ? file : ring.rfind('/', file - 1);
    if (epoch == std::string::npos || epoch == file) {
      continue;
    }
    std::uint64_t number = 0;
    std::from_chars(ring.data() + epoch + 1, ring.data() + file, number);
    auto& known = newest[ring.substr(0, epoch)];
    if (known.second.empty() || number > known.first) {
      known = {number, std::move(ring)};
    }
  }
  std::vector<std::string> kept;
  for (auto& [directory, ring] : newest) {
    kept.push_back(std::move(ring.second));
  }
  return kept;
}

Sample Sampler::take() {
  Sample sample;
  read_counters(sample);
  sample.at = os::SystemClock().mono();
  ask_driver(sample);
  look_at_rings(sample);
  look_at_processes(sample);
  return sample;
}

void Sampler::read_counters(Sample& sample) const {
  const auto readings = bus::read_counters(options_.aeron_dir, kFirstTypeId, kLastTypeId);
  if (readings) {
    add_exported(*readings, sample);
  } else {
    sample.notes.push_back(describe(readings.error()));
  }
}

void Sampler::ask_driver(Sample& sample) {
  if (sample.at >= ask_at_) {
    streams_.clear();
    leases_.clear();
    driver_note_.clear();
    const Result<std::string> answer =
        admin::ask(admin::socket_path(options_.aeron_dir, options_.control_stream_id),
                   {.operation = admin::Operation::kStreams}, kDriverPatience);
    const Nanos now = os::SystemClock().mono();
    const bool silent = !answer && answer.error().code == Errc::kTimeout;
    ask_at_ = now + (silent ? kDriverPause : kDriverPeriod);
    if (answer) {
      add_driver_streams(*answer, now, streams_, leases_);
    } else if (silent) {
      driver_note_ = "the driver does not answer: leases are not known";
    } else if (answer.error().code != Errc::kNotFound) {  // there need not be one
      driver_note_ = "leases are not known: " + describe(answer.error());
    }
  }
  if (!driver_note_.empty()) {
    sample.notes.push_back(driver_note_);
  }
  sample.streams = streams_;
  sample.leases = leases_;
}

void Sampler::look_at_rings(Sample& sample) {
  if (!options_.shm_dirs.empty() && sample.at >= search_at_) {
    search_at_ = sample.at + kSearchPeriod;
    found_.clear();
    for (const std::string& directory : options_.shm_dirs) {
      for (std::string& file : find_regions(directory).value_or(std::vector<std::string>())) {
        if (file.ends_with("/header.ring")) {
          found_.push_back(std::move(file));
        }
      }
    }
    found_ = newest_epochs(std::move(found_));
  }
  std::set<std::string> wanted(found_.begin(), found_.end());
  for (const ProducerSeen& producer : sample.producers) {
    wanted.insert(producer.ring);
  }
  for (const DriverStream& stream : sample.streams) {
    wanted.insert(stream.ring);
  }
  wanted.erase("");
  std::erase_if(readers_, [&](const auto& reader) { return !wanted.contains(reader.first); });
  for (const std::string& path : wanted) {
    auto reader = readers_.find(path);
    if (reader == readers_.end()) {
      Result<RingReader> opened = RingReader::open(path);
      if (!opened) {
        continue;  // gone meanwhile, or not for us: shown as not known
      }
      reader = readers_.emplace(path, std::move(*opened)).first;
    }
    Result<RingSeen> seen = reader->second.look(os::SystemClock().mono());
    if (seen) {
      sample.rings.push_back(std::move(*seen));
    } else {
      readers_.erase(reader);
    }
  }
}

void Sampler::look_at_processes(Sample& sample) const {
  const auto look = [&sample](const core::telemetry::Identity& who) {
    if (sample.processes.contains(who.pid)) {
      return;
    }
    const std::optional<os::ProcessStat> stat = os::read_process_stat(who.pid);
    if (stat) {
      sample.processes.emplace(who.pid, *stat);
    }
  };
  for (const ProducerSeen& producer : sample.producers) {
    look(producer.who);
  }
  for (const ConsumerSeen& consumer : sample.consumers) {
    look(consumer.who);
  }
}

}  // namespace tensorpool::inline v0::apps::top
