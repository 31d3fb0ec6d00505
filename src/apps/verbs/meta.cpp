// tp meta get, set, watch: what the producer of a stream tells about it.
//
// Maps nothing and takes no lease. `get` and `watch` listen; `set` asks the publisher over its
// socket (docs/adr/0037), since only a stream's producer may tell its metadata (W370).
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cerrno>
#include <deque>
#include <fstream>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>

#include "admin/ask.hpp"
#include "apps/console.hpp"
#include "apps/driver_link.hpp"
#include "apps/follow.hpp"
#include "apps/json_text.hpp"
#include "apps/metadata_text.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/pacer.hpp"
#include "apps/stop.hpp"
#include "apps/stream_lookup.hpp"
#include "apps/text.hpp"
#include "apps/verbs.hpp"
#include "base/printable.hpp"
#include "os/clock.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::inline v0::apps {
namespace {

using base::printable;

constexpr Nanos kLookAgain = std::chrono::milliseconds(10);

enum class Part : std::uint8_t { kGet, kSet, kWatch };

struct MetaOptions {
  FollowOptions follow;
  std::string key;
  std::string blob_dir;
  std::uint64_t count = 0;  // 0: until it is stopped
  bool json = false;
  Part part = Part::kGet;
  std::vector<std::string> set;
  std::vector<std::string> remove;
};

/// What has been heard and not been printed.
class News {
 public:
  using Item = std::variant<MetadataSet, MetadataBlob>;

  void add(Item item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
  }
  [[nodiscard]] std::optional<Item> next() {
    const std::lock_guard lock(mutex_);
    if (items_.empty()) {
      return std::nullopt;
    }
    Item first = std::move(items_.front());
    items_.pop_front();
    return first;
  }

 private:
  std::mutex mutex_;
  std::deque<Item> items_;
};

[[nodiscard]] nlohmann::ordered_json set_json(const MetadataSet& set, const std::string& name) {
  nlohmann::ordered_json json = {{"v", 1},
                                 {"stream", name},
                                 {"stream_id", set.stream_id},
                                 {"epoch", set.epoch},
                                 {"meta_version", set.version},
                                 {"timestamp_ns", set.timestamp_ns},
                                 {"attributes", nlohmann::ordered_json::object()}};
  for (const Attribute& one : set.attributes) {
    json["attributes"][one.key] = value_json(one);
  }
  return json;
}

[[nodiscard]] std::string set_text(const MetadataSet& set) {
  std::size_t width = 0;
  for (const Attribute& one : set.attributes) {
    width = std::max(width, printable(one.key).size());
  }
  std::string text = fmt::format("version {}, epoch {}", set.version, set.epoch);
  for (const Attribute& one : set.attributes) {
    text += fmt::format("\n  {:<{}}  {}", printable(one.key), width, value_text(one));
  }
  return text;
}

class MetaPrinter {
 public:
  MetaPrinter(const MetaOptions& options, std::string name, Console& console)
      : options_(options), name_(std::move(name)), console_(console) {}

  /// False when the reader has gone.
  [[nodiscard]] bool print(const MetadataSet& set) const {
    if (options_.key.empty()) {
      return options_.json ? put_json(set_json(set, name_)) : put_line(set_text(set));
    }
    const Attribute* const one = set.find(options_.key);
    if (one == nullptr) {
      return true;
    }
    return options_.json ? put_json(with_version(value_json(*one))) : put_line(value_text(*one));
  }
  [[nodiscard]] bool print(const MetadataBlob& blob) {
    std::string file;
    if (!options_.blob_dir.empty()) {
      file =
          fmt::format("{}/{}-{}-{}.blob", options_.blob_dir, blob.stream_id, blob.type, ++blobs_);
      std::ofstream out(file, std::ios::binary);
      out.write(reinterpret_cast<const char*>(blob.bytes.data()),
                static_cast<std::streamsize>(blob.bytes.size()));
      if (!out.flush()) {
        console_.error(make_os_error(Errc::kOsFailure, file, errno));
        lost_a_blob_ = true;
        file.clear();
      }
    }
    if (options_.json) {
      return put_json({{"v", 1},
                       {"stream", name_},
                       {"stream_id", blob.stream_id},
                       {"meta_version", blob.version},
                       {"blob_type", blob.type},
                       {"blob_bytes", blob.bytes.size()},
                       {"file", file}});
    }
    return put_line(fmt::format("blob of type {}, version {}, {}{}", blob.type, blob.version,
                                bytes_text(blob.bytes.size()), file.empty() ? "" : ": " + file));
  }

  /// One could not be written.
  [[nodiscard]] bool lost_a_blob() const noexcept { return lost_a_blob_; }

 private:
  [[nodiscard]] static nlohmann::ordered_json with_version(const nlohmann::ordered_json& json) {
    nlohmann::ordered_json all = {{"v", 1}};
    all.update(json);
    return all;
  }

  const MetaOptions& options_;
  std::string name_;
  Console& console_;
  std::uint64_t blobs_ = 0;
  bool lost_a_blob_ = false;
};

/// Waits for the set, and prints it.
[[nodiscard]] ExitCode get(const MetaOptions& options, const MetadataReader& reader,
                           const std::atomic<bool>& stop, MetaPrinter& printer, Console& console) {
  const os::SystemClock clock;
  const Nanos end = clock.mono() + from_seconds(options.follow.timeout_s);
  std::shared_ptr<const MetadataSet> set = reader.latest();
  while (set == nullptr && !stop.load(std::memory_order_relaxed) && clock.mono() < end) {
    sleep_for(kLookAgain);
    set = reader.latest();
  }
  if (set == nullptr || (!options.key.empty() && set->find(options.key) == nullptr)) {
    console.error(make_error(Errc::kNotFound, set == nullptr ? "metadata" : options.key));
    return ExitCode::kFailed;
  }
  static_cast<void>(printer.print(*set));
  return ExitCode::kFine;
}

/// Prints what comes until it is stopped, or has printed as much as was wanted.
[[nodiscard]] ExitCode watch(const MetaOptions& options, News& news, const std::atomic<bool>& stop,
                             MetaPrinter& printer) {
  std::uint64_t printed = 0;
  while (!stop.load(std::memory_order_relaxed) && (options.count == 0 || printed < options.count)) {
    const std::optional<News::Item> item = news.next();
    if (!item) {
      sleep_for(kLookAgain);
      continue;
    }
    ++printed;
    if (!std::visit([&](const auto& heard) { return printer.print(heard); }, *item)) {
      break;
    }
  }
  return printed > 0 && !printer.lost_a_blob() ? ExitCode::kFine : ExitCode::kFailed;
}

/// As value_json has put it.
[[nodiscard]] std::string attributes_text(const nlohmann::ordered_json& attributes) {
  std::string text = "attributes:";
  for (const auto& [key, one] : attributes.items()) {
    const nlohmann::ordered_json value = one.value("value", nlohmann::ordered_json());
    const Attribute shown =
        Attribute::text(key, value.is_string() ? value.get<std::string>() : value.dump());
    const std::string unit = one.value("unit", "");
    text += fmt::format("\n  {}  {}{}{}", printable(key), value_text(shown),
                        unit.empty() ? "" : " ", printable(unit));
  }
  return text;
}

/// The answer of the publisher. A stream may be announced a moment before its publisher listens.
[[nodiscard]] Result<std::string> ask_publisher(const MetaOptions& options,
                                                const Follower::Found& found,
                                                const std::atomic<bool>& stop) {
  const std::string path =
      admin::publisher_socket_path(found.client.aeron_dir(), ::geteuid(), found.stream.stream_id);
  const os::SystemClock clock;
  const Nanos end = clock.mono() + from_seconds(options.follow.timeout_s);
  for (;;) {
    Result<std::string> line = admin::ask(path, {.operation = admin::Operation::kSetMetadata,
                                                 .set = options.set,
                                                 .remove = options.remove});
    if (line || line.error().code != Errc::kNotFound || clock.mono() >= end ||
        stop.load(std::memory_order_relaxed)) {
      return line;
    }
    sleep_for(kLookAgain);
  }
}

/// Has the publisher of the stream change its attributes, and prints what it has then.
[[nodiscard]] ExitCode set(const MetaOptions& options, const Follower::Found& found,
                           const std::atomic<bool>& stop, Console& console) {
  const Result<std::string> line = ask_publisher(options, found, stop);
  if (!line && line.error().code == Errc::kNotFound) {
    console.error("the producer of " + options.follow.stream +
                  " takes no attributes from outside: a `tp pub` of this user does, other "
                  "programs call Producer::set_metadata");
    return ExitCode::kFailed;
  }
  if (!line && line.error().code == Errc::kTimeout) {
    console.error("the publisher waits for a frame; it changes its attributes before the next");
    return ExitCode::kFailed;
  }
  if (!line) {
    console.error(line.error());
    return ExitCode::kFailed;
  }
  const nlohmann::ordered_json answer = parse_json(*line);
  if (!answer.is_object() || answer.value("ok", false) != true) {
    console.error(answer_text(answer, *line));
    return ExitCode::kFailed;
  }
  if (options.json) {
    static_cast<void>(put_json({{"v", 1},
                                {"stream", found.stream.name},
                                {"stream_id", found.stream.stream_id},
                                {"attributes", answer["attributes"]}}));
    return ExitCode::kFine;
  }
  static_cast<void>(put_line(attributes_text(answer["attributes"])));
  return ExitCode::kFine;
}

ExitCode run_meta(const MetaOptions& options) {
  Console console("meta");
  const std::atomic<bool>& stop = catch_stop_signals();
  if (options.part == Part::kSet && options.set.empty() && options.remove.empty()) {
    console.error("nothing to set: KEY=VALUE or --remove KEY");
    return ExitCode::kUsage;
  }
  const Result<StreamRef> wanted = parse_stream_ref(options.follow.stream);
  if (!wanted) {
    console.error(wanted.error());
    return ExitCode::kUsage;
  }
  Result<Follower::Found> found = Follower::find(*wanted, options.follow, stop, console);
  if (!found) {
    console.error(found.error());
    return ExitCode::kFailed;
  }
  if (options.part == Part::kSet) {
    return set(options, *found, stop, console);
  }
  News news;
  MetadataReaderOptions hear;
  hear.stream_id = found->stream.stream_id;
  if (options.part == Part::kWatch) {
    hear.on_metadata = [&news](const MetadataSet& set) { news.add(set); };
    hear.on_blob = [&news](MetadataBlob blob) { news.add(std::move(blob)); };
  }
  const Result<MetadataReader> reader = found->client.create_metadata_reader(std::move(hear));
  if (!reader) {
    console.error(reader.error());
    return ExitCode::kFailed;
  }
  MetaPrinter printer(options, found->stream.name, console);
  return options.part == Part::kWatch ? watch(options, news, stop, printer)
                                      : get(options, *reader, stop, printer, console);
}

/// A part of the verb with what all have in common.
std::shared_ptr<MetaOptions> add_part(CLI::App& part, Part which, double timeout_s,
                                      const char* timeout_help, Action& action) {
  auto options = std::make_shared<MetaOptions>();
  options->part = which;
  options->follow.timeout_s = timeout_s;
  part.add_option("NAME", options->follow.stream, "Name of the stream, or its number")->required();
  part.add_flag("--json", options->json, "Print lines of JSON");
  part.add_option("--timeout", options->follow.timeout_s, timeout_help)
      ->check(seconds_range())
      ->capture_default_str();
  add_aeron_dir(part, options->follow.aeron_dir);
  part.callback([options, &action] { action = [options] { return run_meta(*options); }; });
  return options;
}

void add_get(CLI::App& verb, Action& action) {
  CLI::App& part =
      *verb.add_subcommand("get", "Print the newest set of attributes, or one of them");
  const auto options =
      add_part(part, Part::kGet, 3, "Seconds to wait for the stream, and for its metadata", action);
  part.add_option("KEY", options->key, "One attribute only");
  part.footer(R"(Examples:
  tp meta get cam1
  tp meta get cam1 exposure

`tp pub NAME --meta 'exposure=250 us'` gives a stream metadata, `tp meta set` changes it.)");
}

void add_set(CLI::App& verb, Action& action) {
  CLI::App& part =
      *verb.add_subcommand("set", "Change attributes of a stream that tp pub publishes");
  const auto options =
      add_part(part, Part::kSet, 3, "Seconds to wait for the stream and its publisher", action);
  part.add_option("KEY=VALUE", options->set, "Attributes: camera=left, 'exposure=250 us'")
      ->check([](const std::string& text) {
        return parse_attribute(text) ? std::string() : "KEY=VALUE, or 'KEY=NUMBER UNIT'";
      });
  part.add_option("--remove", options->remove, "Key of an attribute to remove, as often as needed")
      ->type_name("KEY");
  part.footer(R"(Examples:
  tp meta set cam1 'exposure=300 us' filter=H
  tp meta set cam1 --remove filter

Attributes that are not named stay. Frames that are published from then on have the new set. The
publisher is a `tp pub` of the same user.)");
}

void add_watch(CLI::App& verb, Action& action) {
  CLI::App& part = *verb.add_subcommand("watch", "Print each set and each blob as it comes");
  const auto options = add_part(part, Part::kWatch, 0,
                                "Seconds to wait for the stream; 0: as long as it takes", action);
  part.add_option("KEY", options->key, "One attribute only");
  part.add_option("--blobs", options->blob_dir, "Directory that takes each blob as a file")
      ->check(CLI::ExistingDirectory);
  part.add_option("--count", options->count, "End after so many sets and blobs");
  part.footer(R"(Examples:
  tp meta watch cam1 --json
  tp meta watch cam1 exposure
  tp meta watch cam1 --blobs /tmp

Ends with Ctrl-C.)");
}

}  // namespace

void add_meta(CLI::App& tp, Action& action) {
  CLI::App& verb = *tp.add_subcommand("meta", "What the producer of a stream tells about it");
  verb.require_subcommand(1);
  add_get(verb, action);
  add_set(verb, action);
  add_watch(verb, action);
}

}  // namespace tensorpool::inline v0::apps
