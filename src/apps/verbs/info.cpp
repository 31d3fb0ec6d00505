// tp info: what a stream, a region URI or region files say about themselves.
//
// A URI and a path need no media driver; only a name or a number has to be announced. Read-only.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/console.hpp"
#include "apps/follow.hpp"
#include "apps/inspect.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/stop.hpp"
#include "apps/stream_lookup.hpp"
#include "apps/text.hpp"
#include "apps/verbs.hpp"
#include "core/naming/stream_names.hpp"
#include "core/region/uri.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::inline v0::apps {
namespace {

struct InfoOptions {
  std::string target;
  double timeout_s = 3;
  std::string aeron_dir;
  bool json = false;
};

bool is_header_ring(const layout::Superblock& block) noexcept {
  return static_cast<std::int16_t>(block.region_type) ==
         static_cast<std::int16_t>(layout::RegionType::kHeaderRing);
}

std::string frame_text(const NewestFrame& frame) {
  return fmt::format("frame {}: {}, {} in pool {}{}", frame.seq, tensor_text(frame.info),
                     bytes_text(frame.payload_bytes), frame.pool_id,
                     frame.age ? ", captured " + duration_text(*frame.age) + " ago" : "");
}

std::string region_text(const RegionReport& report) {
  const layout::Superblock& block = report.superblock;
  std::string text = report.path + "\n";
  if (!report.verdict) {
    return text + "  refused   " + describe(report.verdict.error());
  }
  const bool ring = is_header_ring(block);
  text += fmt::format("  region    {}, stream {}, epoch {}\n",
                      ring ? std::string("header ring")
                           : fmt::format("payload pool {}", std::uint16_t{block.pool_id}),
                      std::uint32_t{block.stream_id}, std::uint64_t{block.epoch});
  text += fmt::format(
      "  geometry  {} slots of {}, {}\n", std::uint32_t{block.nslots},
      bytes_text(ring ? std::uint64_t{block.slot_bytes} : std::uint64_t{block.stride_bytes}),
      bytes_text(report.region_bytes));
  text +=
      fmt::format("  owner     process {}, {}, last sign of life {} ago", std::uint64_t{block.pid},
                  report.owner_alive ? "running" : "gone", duration_text(report.silence));
  if (report.numa_node) {
    text += fmt::format("\n  memory    on NUMA node {}", *report.numa_node);
  }
  if (ring) {
    text += "\n  newest    " + (report.newest ? frame_text(*report.newest) : "no frame yet");
  }
  return text;
}

nlohmann::ordered_json frame_json(const NewestFrame& frame) {
  nlohmann::ordered_json json = {{"seq", frame.seq},
                                 {"dtype", to_string(frame.info.dtype)},
                                 {"order", to_string(frame.info.order)},
                                 {"shape", frame.info.shape()},
                                 {"pool_id", frame.pool_id},
                                 {"payload_bytes", frame.payload_bytes}};
  json["age_ns"] = frame.age ? nlohmann::ordered_json(frame.age->count()) : nullptr;
  return json;
}

nlohmann::ordered_json region_json(const RegionReport& report) {
  const layout::Superblock& block = report.superblock;
  nlohmann::ordered_json json = {{"v", 1}, {"path", report.path}};
  if (!report.verdict) {
    json["error"] = to_string(report.verdict.error().code);
    json["message"] = describe(report.verdict.error());
    return json;
  }
  json["region"] = is_header_ring(block) ? "header_ring" : "payload_pool";
  json["stream_id"] = std::uint32_t{block.stream_id};
  json["epoch"] = std::uint64_t{block.epoch};
  json["pool_id"] = std::uint16_t{block.pool_id};
  json["nslots"] = std::uint32_t{block.nslots};
  json["slot_bytes"] = std::uint32_t{block.slot_bytes};
  json["stride_bytes"] = std::uint32_t{block.stride_bytes};
  json["region_bytes"] = report.region_bytes;
  json["pid"] = std::uint64_t{block.pid};
  json["owner_alive"] = report.owner_alive;
  json["silence_ns"] = report.silence.count();
  json["numa_node"] =
      report.numa_node ? nlohmann::ordered_json(*report.numa_node) : nlohmann::ordered_json();
  if (is_header_ring(block)) {
    json["newest"] = report.newest ? frame_json(*report.newest) : nullptr;
  }
  return json;
}

nlohmann::ordered_json stream_json(const StreamInfo& stream) {
  nlohmann::ordered_json pools = nlohmann::ordered_json::array();
  for (const PoolOptions& pool : stream.pools) {
    pools.push_back({{"pool_id", pool.pool_id}, {"stride_bytes", pool.stride_bytes}});
  }
  return {{"v", 1},
          {"stream", stream.name},
          {"stream_id", stream.stream_id},
          {"epoch", stream.epoch},
          {"producer_id", stream.producer_id},
          {"summary", stream.summary},
          {"nslots", stream.nslots},
          {"pools", pools},
          {"header_region_uri", stream.header_region_uri}};
}

std::string stream_text(const StreamInfo& stream) {
  return fmt::format("{} (number {}){}\n  epoch     {}, producer {}\n  {}",
                     stream.name.empty() ? "stream without a name" : stream.name, stream.stream_id,
                     stream.summary.empty() ? "" : ": " + stream.summary, stream.epoch,
                     stream.producer_id, stream.header_region_uri);
}

/// Prints what the files at or below `path` say. False when one is refused.
[[nodiscard]] Result<bool> print_regions(const std::string& path, bool json) {
  const Result<std::vector<std::string>> paths = find_regions(path);
  if (!paths) {
    return fail(paths.error());
  }
  bool all_fine = true;
  for (const std::string& file : *paths) {
    const Result<RegionReport> report = inspect_region(file);
    if (!report) {
      return fail(report.error());
    }
    all_fine = all_fine && report->verdict.has_value();
    if (!(json ? put_json(region_json(*report)) : put_line(region_text(*report)))) {
      break;  // nobody reads on
    }
  }
  return all_fine;
}

[[nodiscard]] Result<bool> print_uri(const std::string& text, bool json) {
  const auto uri = core::region::parse_region_uri(text);
  if (!uri) {
    return fail(uri.error());
  }
  return print_regions(std::string(uri->path), json);
}

[[nodiscard]] Result<bool> print_stream(const InfoOptions& options, Console& console) {
  const Result<StreamRef> wanted = parse_stream_ref(options.target);
  if (!wanted) {
    return fail(wanted.error());
  }
  const std::atomic<bool>& stop = catch_stop_signals();
  FollowOptions where;
  where.timeout_s = options.timeout_s;
  where.aeron_dir = options.aeron_dir;
  const Result<Follower::Found> found = Follower::find(*wanted, where, stop, console);
  if (!found) {
    return fail(found.error());
  }
  const StreamInfo* const stream = &found->stream;
  if (!(options.json ? put_json(stream_json(*stream)) : put_line(stream_text(*stream)))) {
    return true;
  }
  // The other regions of the epoch lie beside the header ring.
  const auto uri = core::region::parse_region_uri(stream->header_region_uri);
  if (!uri) {
    return fail(uri.error());
  }
  return print_regions(std::filesystem::path(uri->path).parent_path().native(), options.json);
}

ExitCode run_info(const InfoOptions& options) {
  Console console("info");
  std::error_code ignored;
  const bool is_path = options.target.find('/') != std::string::npos ||
                       std::filesystem::exists(options.target, ignored);
  const Result<bool> printed = options.target.starts_with("shm:")
                                   ? print_uri(options.target, options.json)
                               : is_path ? print_regions(options.target, options.json)
                                         : print_stream(options, console);
  if (!printed) {
    console.error(printed.error());
  }
  return printed && *printed ? ExitCode::kFine : ExitCode::kFailed;
}

}  // namespace

void add_info(CLI::App& tp, Action& action) {
  CLI::App& verb =
      *tp.add_subcommand("info", "Geometry, owner and newest frame of a stream or of its files");
  const auto options = std::make_shared<InfoOptions>();
  verb.add_option("NAME|URI|PATH", options->target,
                  "Name or number of an announced stream, shm:file?path=…, a region file, or a "
                  "directory of such files")
      ->required();
  verb.add_option("--timeout", options->timeout_s, "Seconds to wait for the announce")
      ->check(seconds_range())
      ->capture_default_str();
  verb.add_flag("--json", options->json, "Print a line of JSON for the stream and for each region");
  add_aeron_dir(verb, options->aeron_dir);
  verb.footer(R"(Examples:
  tp info cam1
  tp info /dev/shm/tensorpool-alice          every stream of a user, without a media driver
  tp info 'shm:file?path=/dev/shm/tensorpool-alice/default/10000/7/header.ring' --json

Reads only.)");
  verb.callback([options, &action] { action = [options] { return run_info(*options); }; });
}

}  // namespace tensorpool::inline v0::apps
