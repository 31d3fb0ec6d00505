#include "apps/top/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <set>
#include <utility>

#include "apps/counters.hpp"
#include "apps/options.hpp"
#include "apps/text.hpp"
#include "apps/top/columns.hpp"
#include "base/printable.hpp"
#include "core/timing.hpp"

namespace tensorpool::inline v0::apps::top {

namespace telemetry = core::telemetry;

namespace {

constexpr std::array<std::string_view, kSortKeys> kKeyNames = {"name", "hz",     "mb",   "p99",
                                                               "age",  "margin", "lost", "cpu"};
constexpr double kThinMargin = 0.5;
constexpr Nanos kStandsStill = std::chrono::seconds(1);
constexpr Nanos kForget = std::chrono::seconds(30);  ///< histories of what is seen no more

[[nodiscard]] std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

[[nodiscard]] bool matches(const std::string& filter, const ProcessShown& process,
                           std::uint32_t id) {
  return lower(process.name).find(filter) != std::string::npos ||
         std::to_string(process.pid) == filter || std::to_string(id) == filter;
}

/// Leaves what the filter names: streams with all their consumers, or single consumers.
void apply_filter(const std::string& text, std::vector<StreamRow>& rows) {
  const std::string filter = lower(text);
  std::erase_if(rows, [&](StreamRow& row) {
    if (lower(row.name).find(filter) != std::string::npos ||
        matches(filter, row.process, row.stream_id)) {
      return false;
    }
    std::erase_if(row.consumers, [&](const ConsumerRow& consumer) {
      return !matches(filter, consumer.process, consumer.client_id);
    });
    return row.consumers.empty();
  });
}

/// What rows are sorted by, the worst or greatest first where it is a number: the more, the
/// earlier. What is not known comes last.
template <class Row>
[[nodiscard]] double weight(const Row& row, SortKey key) {
  constexpr double kUnknown = -std::numeric_limits<double>::infinity();
  const auto of = [](const auto& value) { return value ? static_cast<double>(*value) : kUnknown; };
  const auto of_time = [](const std::optional<Nanos>& value) {
    return value ? static_cast<double>(value->count()) : kUnknown;
  };
  switch (key) {
    case SortKey::kName:
      break;
    case SortKey::kHz:
      return of(row.hz);
    case SortKey::kBytes:
      return of(row.bytes_per_second);
    case SortKey::kP99:
      if constexpr (std::is_same_v<Row, StreamRow>) {
        return of_time(row.p99);
      }
      break;
    case SortKey::kAge:
      return of_time(row.age);
    case SortKey::kMargin:
      if constexpr (std::is_same_v<Row, StreamRow>) {
        return row.margin() ? -*row.margin() : kUnknown;
      } else {
        return row.margin ? -*row.margin : kUnknown;
      }
    case SortKey::kLost:
      if constexpr (std::is_same_v<Row, StreamRow>) {
        return static_cast<double>(row.lost());
      } else {
        return of(row.lost);
      }
    case SortKey::kCpu:
      return of(row.process.cpu);
  }
  return 0;
}

/// What sorts numbers in names as numbers: cam2 before cam10.
[[nodiscard]] std::string in_order(std::string_view name) {
  constexpr std::size_t kDigits = 20;
  std::string key;
  while (!name.empty()) {
    const std::size_t text = std::min(name.find_first_of("0123456789"), name.size());
    key += name.substr(0, text);
    name.remove_prefix(text);
    const std::size_t digits = std::min(name.find_first_not_of("0123456789"), name.size());
    key += std::string(digits > 0 && digits < kDigits ? kDigits - digits : 0, '0');
    key += name.substr(0, digits);
    name.remove_prefix(digits);
  }
  return key;
}

void sort(const Query& query, std::vector<StreamRow>& rows) {
  const auto by_weight = [&query](const auto& a, const auto& b) {
    const double first = weight(a, query.sort);
    const double second = weight(b, query.sort);
    return query.reverse ? first < second : first > second;
  };
  // Names and numbers first: what weighs the same keeps that order.
  std::stable_sort(rows.begin(), rows.end(), [&query](const StreamRow& a, const StreamRow& b) {
    const bool reverse = query.reverse && query.sort == SortKey::kName;
    const auto key = [](const StreamRow& row) {
      return std::pair(in_order(row.title()), row.stream_id);
    };
    return reverse ? key(b) < key(a) : key(a) < key(b);
  });
  if (query.sort == SortKey::kName) {
    return;
  }
  std::stable_sort(rows.begin(), rows.end(), by_weight);
  for (StreamRow& row : rows) {
    std::stable_sort(row.consumers.begin(), row.consumers.end(), by_weight);
  }
}

/// Why a consumer is slow, or "".
[[nodiscard]] std::string trouble_of(const ConsumerRow& row) {
  if (!row.reading) {
    return {};
  }
  std::vector<std::string> said;
  if (row.last_seen && *row.last_seen >= kStandsStill && row.behind.value_or(0) > 1) {
    said.push_back("has not polled for " + duration_text(*row.last_seen));
  }
  if (row.margin && *row.margin <= 0) {
    said.emplace_back("lapped");
  } else if (row.margin && *row.margin < kThinMargin) {
    said.push_back(fmt::format("{:.0f}% of the ring left", *row.margin * 100));
  }
  if (row.lost_per_second && *row.lost_per_second > 0) {
    said.push_back(fmt::format("loses {:.0f}/s ({})", std::max(1.0, *row.lost_per_second),
                               causes_text(*row.reading)));
  }
  std::string text;
  for (const std::string& one : said) {
    text += (text.empty() ? "" : ", ") + one;
  }
  return text;
}

/// How bad it is: those that lose first, then the least margin.
[[nodiscard]] std::pair<double, double> badness(const ConsumerRow& row) {
  return {row.lost_per_second.value_or(0), -row.margin.value_or(1)};
}

void tell_slow(View& view) {
  std::vector<std::pair<const StreamRow*, const ConsumerRow*>> slow;
  for (const StreamRow& row : view.streams) {
    for (const ConsumerRow& consumer : row.consumers) {
      if (!consumer.trouble.empty()) {
        slow.emplace_back(&row, &consumer);
      }
    }
  }
  std::stable_sort(slow.begin(), slow.end(), [](const auto& a, const auto& b) {
    return badness(*a.second) > badness(*b.second);
  });
  for (const auto& [stream, consumer] : slow) {
    const std::string& program = consumer->process.name;
    view.slow.push_back(fmt::format("{} > {} ({}): {}", stream->title(),
                                    program.empty() ? "-" : program, consumer->process.pid,
                                    consumer->trouble));
  }
}

template <class Histories>
void forget_silent(Histories& histories, Nanos now) {
  std::erase_if(histories,
                [now](const auto& entry) { return now - entry.second.heard_at > kForget; });
}

/// The k-th smallest of those below `percent`. Precondition: there is one.
[[nodiscard]] Nanos percentile(std::vector<Nanos>& values, double percent) {
  const auto k = static_cast<std::size_t>(percent / 100 * static_cast<double>(values.size() - 1));
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(k);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

std::string_view to_string(SortKey key) noexcept {
  return kKeyNames[static_cast<std::size_t>(key)];
}

std::optional<SortKey> parse_sort_key(std::string_view text) noexcept {
  const auto* const found = std::find(kKeyNames.begin(), kKeyNames.end(), text);
  return found == kKeyNames.end() ? std::nullopt
                                  : std::optional(static_cast<SortKey>(found - kKeyNames.begin()));
}

std::optional<double> StreamRow::margin() const noexcept {
  std::optional<double> least;
  for (const ConsumerRow& consumer : consumers) {
    if (consumer.margin && (!least || *consumer.margin < *least)) {
      least = consumer.margin;
    }
  }
  return least;
}

std::uint64_t StreamRow::lost() const noexcept {
  std::uint64_t sum = 0;
  for (const ConsumerRow& consumer : consumers) {
    sum += consumer.lost.value_or(0);
  }
  return sum;
}

double StreamRow::lost_per_second() const noexcept {
  double sum = 0;
  for (const ConsumerRow& consumer : consumers) {
    sum += consumer.lost_per_second.value_or(0);
  }
  return sum;
}

std::string StreamRow::title() const {
  return name.empty() ? std::to_string(stream_id) : name;
}

// -- Rates ---------------------------------------------------------------------------------------

/// A point that says nothing new about the time is left out; numbers that go back begin anew.
void Model::Course::add(Nanos at, std::uint64_t value) {
  if (!points_.empty() && value < points_.back().second) {
    points_.clear();
  }
  if (!points_.empty() && at <= points_.back().first) {
    return;
  }
  points_.emplace_back(at, value);
  while (points_.size() > 2 && at - points_[1].first >= kRateSpan) {
    points_.pop_front();
  }
}

std::optional<double> Model::Course::per_second() const noexcept {
  if (points_.size() < 2) {
    return std::nullopt;
  }
  const auto& [first_at, first] = points_.front();
  const auto& [last_at, last] = points_.back();
  return apps::per_second(static_cast<double>(last - first), last_at - first_at);
}

// -- Taking samples ------------------------------------------------------------------------------

void Model::add(Sample sample) {
  now_ = std::move(sample);
  // Of several rings of one number that count which the producer or the driver names, else the one
  // that was alive last.
  std::set<std::string> named;
  for (const ProducerSeen& producer : now_.producers) {
    named.insert(producer.ring);
  }
  for (const DriverStream& stream : now_.streams) {
    named.insert(stream.ring);
  }
  rings_.clear();
  for (const RingSeen& ring : now_.rings) {
    const auto known = rings_.find(ring.stream_id);
    const auto rank = [&named](const RingSeen& one) {
      return std::pair(named.contains(one.path), -one.silence);
    };
    if (known == rings_.end() || rank(ring) > rank(known->second)) {
      rings_.insert_or_assign(ring.stream_id, ring);
    }
  }
  for (const auto& [stream_id, ring] : rings_) {
    add_ring(ring);
  }
  for (const ConsumerSeen& consumer : now_.consumers) {
    ConsumerHistory& history = consumer_histories_[consumer.who];
    history.heard_at = now_.at;
    const Nanos polled_at{static_cast<Nanos::rep>(consumer.reading.polled_at_ns)};
    history.frames.add(polled_at, consumer.reading.frames_ok);
    history.lost.add(polled_at, frames_lost(consumer.reading));
  }
  for (const auto& [pid, stat] : now_.processes) {
    ProcessHistory& history = process_histories_[pid];
    if (history.start_ticks != stat.start_ticks) {
      history = {.start_ticks = stat.start_ticks, .cpu = {}};
    }
    history.heard_at = now_.at;
    history.cpu.add(now_.at, static_cast<std::uint64_t>(stat.cpu.count()));
  }
  forget_silent(stream_histories_, now_.at);
  forget_silent(consumer_histories_, now_.at);
  forget_silent(process_histories_, now_.at);
}

void Model::add_ring(const RingSeen& ring) {
  StreamHistory& history = stream_histories_[ring.stream_id];
  if (history.epoch != ring.epoch) {
    history = {.epoch = ring.epoch, .frames = {}, .seen = {}};
  }
  history.heard_at = now_.at;
  history.frames.add(ring.at, ring.newest_seq ? *ring.newest_seq + 1 : 0);
  for (const FrameSeen& frame : ring.frames) {
    if (history.seen.empty() || frame.seq > history.seen.back().seq) {
      history.seen.push_back(frame);
    }
  }
  const auto is_old = [&](const FrameSeen& frame) {
    return frame.captured_at && ring.at - *frame.captured_at > kIntervalSpan;
  };
  // The newest stays: an age, and the size of frames, can be known of it alone.
  while (history.seen.size() > kFramesKept ||
         (history.seen.size() > 1 && is_old(history.seen.front()))) {
    history.seen.pop_front();
  }
}

// -- Making rows ---------------------------------------------------------------------------------

View Model::view(const Query& query) const {
  View view{.notes = now_.notes};
  std::map<std::uint32_t, StreamRow> rows = streams();
  std::set<std::pair<std::uint32_t, std::uint32_t>> shown;  // streams and consumer ids
  for (const ConsumerSeen& consumer : now_.consumers) {
    StreamRow& stream = rows[consumer.who.stream_id];
    stream.stream_id = consumer.who.stream_id;
    stream.name = stream.name.empty() ? consumer.who.name : stream.name;
    stream.consumers.push_back(consumer_row(consumer, stream));
    shown.insert({consumer.who.stream_id, consumer.who.client_id});
  }
  for (const LeaseSeen& one : now_.leases) {
    if (!one.is_producer && !shown.contains({one.stream_id, one.client_id})) {
      StreamRow& stream = rows[one.stream_id];
      stream.stream_id = one.stream_id;
      stream.consumers.push_back({.stream_id = one.stream_id,
                                  .client_id = one.client_id,
                                  .lease = lease(one.stream_id, one.client_id, false)});
    }
  }
  for (auto& [stream_id, row] : rows) {
    if (query.stream_id && *query.stream_id != stream_id) {
      continue;
    }
    view.consumers += row.consumers.size();
    view.hz += row.hz.value_or(0);
    view.bytes_per_second += row.bytes_per_second.value_or(0);
    view.lost_per_second += row.lost_per_second();
    view.streams.push_back(std::move(row));
  }
  tell_slow(view);
  if (!query.filter.empty()) {
    apply_filter(query.filter, view.streams);
  }
  sort(query, view.streams);
  return view;
}

std::map<std::uint32_t, StreamRow> Model::streams() const {
  std::map<std::uint32_t, StreamRow> rows;
  const auto row_of = [&rows](std::uint32_t stream_id) -> StreamRow& {
    StreamRow& row = rows[stream_id];
    row.stream_id = stream_id;
    return row;
  };
  for (const auto& [stream_id, ring] : rings_) {
    row_of(stream_id);
  }
  for (const DriverStream& stream : now_.streams) {
    StreamRow& row = row_of(stream.stream_id);
    row.name = base::printable_ascii(stream.name);
    if (stream.epoch != 0) {
      row.epoch = stream.epoch;
    }
  }
  for (const ProducerSeen& producer : now_.producers) {
    StreamRow& row = row_of(producer.who.stream_id);
    row.name = row.name.empty() ? producer.who.name : row.name;
    const ProcessShown shown = process(producer.who);
    if (row.producer_id && (shown.name.empty() || !row.process.name.empty())) {
      continue;  // two of one number: the first that is seen
    }
    row.producer_id = producer.who.client_id;
    row.process = shown;
    row.reading = producer.reading;
    row.lease = lease(producer.who.stream_id, producer.who.client_id, true);
  }
  for (const LeaseSeen& one : now_.leases) {
    StreamRow& row = row_of(one.stream_id);
    if (one.is_producer && !row.producer_id) {
      row.producer_id = one.client_id;
      row.lease = lease(one.stream_id, one.client_id, true);
    }
  }
  for (auto& [stream_id, row] : rows) {
    fill_ring(row);
  }
  return rows;
}

void Model::fill_ring(StreamRow& row) const {
  const auto ring = rings_.find(row.stream_id);
  const auto history = stream_histories_.find(row.stream_id);
  if (ring == rings_.end() || history == stream_histories_.end()) {
    return;
  }
  const std::deque<FrameSeen>& seen = history->second.seen;
  row.epoch = ring->second.epoch;
  row.ring = ring->second.path;
  row.nslots = ring->second.nslots;
  row.newest_seq = ring->second.newest_seq;
  row.hz = history->second.frames.per_second();
  if (row.hz && *row.hz > 0) {
    row.depth = from_seconds(row.nslots / *row.hz);
  }
  if (seen.empty()) {
    return;
  }
  if (seen.back().captured_at) {
    row.age =
        core::age_of(static_cast<std::uint64_t>(seen.back().captured_at->count()), ring->second.at);
  }
  double bytes = 0;
  std::vector<Nanos> intervals;
  for (std::size_t k = 0; k < seen.size(); ++k) {
    bytes += seen[k].bytes;
    if (k > 0 && seen[k].seq == seen[k - 1].seq + 1 && seen[k].captured_at &&
        seen[k - 1].captured_at) {
      intervals.push_back(*seen[k].captured_at - *seen[k - 1].captured_at);
    }
  }
  if (row.hz) {
    row.bytes_per_second = *row.hz * bytes / static_cast<double>(seen.size());
  }
  if (!intervals.empty()) {
    row.p50 = percentile(intervals, 50);
    row.p99 = percentile(intervals, 99);
    row.max = *std::max_element(intervals.begin(), intervals.end());
  }
}

ConsumerRow Model::consumer_row(const ConsumerSeen& seen, const StreamRow& stream) const {
  const telemetry::ConsumerReading& reading = seen.reading;
  ConsumerRow row{.stream_id = seen.who.stream_id,
                  .client_id = seen.who.client_id,
                  .instance = seen.who.instance,
                  .process = process(seen.who),
                  .reading = reading,
                  .ways = telemetry::ConsumerWays::unpack(reading.ways),
                  .lost = frames_lost(reading)};
  row.lease = lease(row.stream_id, row.client_id, false);
  if (reading.polled_at_ns != 0) {
    row.last_seen = core::age_of(reading.polled_at_ns, now_.at);
  }
  if (reading.frame_age_ns != 0) {
    // It has read that frame before it polled last, and may be unable to tell anything since.
    row.age = std::max(Nanos(static_cast<Nanos::rep>(reading.frame_age_ns)),
                       row.last_seen.value_or(Nanos{}) >= kStandsStill ? *row.last_seen : Nanos{});
  }
  const bool is_here = reading.epoch != 0 && reading.epoch == stream.epoch;
  // One that has read no frame yet has no place in the ring.
  if (is_here && stream.nslots != 0 && (reading.last_seq != 0 || reading.frames_ok != 0)) {
    row.behind = reading.behind;
    // One whose process has been stopped tells nothing any more, and has not moved either.
    if (row.last_seen && *row.last_seen >= kStandsStill &&
        stream.newest_seq.value_or(0) > reading.last_seq) {
      row.behind = std::max(*row.behind, *stream.newest_seq - reading.last_seq);
    }
    row.margin = std::max(0.0, 1 - static_cast<double>(*row.behind) / stream.nslots);
  }
  const auto history = consumer_histories_.find(seen.who);
  if (history != consumer_histories_.end()) {
    row.hz = history->second.frames.per_second();
    row.lost_per_second = history->second.lost.per_second();
  }
  if (row.last_seen && *row.last_seen >= kStandsStill) {
    row.hz = 0;  // whatever it had when it last polled
    row.lost_per_second = 0;
  }
  if (row.hz && stream.hz && *stream.hz > 0 && stream.bytes_per_second) {
    row.bytes_per_second = *row.hz * *stream.bytes_per_second / *stream.hz;
  }
  row.trouble = trouble_of(row);
  return row;
}

ProcessShown Model::process(const telemetry::Identity& who) const {
  ProcessShown shown{.pid = who.pid};
  const auto stat = now_.processes.find(who.pid);
  const bool is_same = stat != now_.processes.end() &&
                       (who.process_start == 0 || who.process_start == stat->second.start_ticks);
  if (!is_same) {
    return shown;
  }
  shown.name = base::printable_ascii(stat->second.name);  // as the process likes
  const auto history = process_histories_.find(who.pid);
  const auto cpu =
      history == process_histories_.end() ? std::nullopt : history->second.cpu.per_second();
  if (cpu) {
    shown.cpu = *cpu / 1e9;
  }
  return shown;
}

std::optional<LeaseShown> Model::lease(std::uint32_t stream_id, std::uint32_t client_id,
                                       bool is_producer) const {
  for (const LeaseSeen& one : now_.leases) {
    if (one.stream_id == stream_id && one.client_id == client_id &&
        one.is_producer == is_producer) {
      return LeaseShown{.lease_id = one.lease_id,
                        .expires_in = std::max(Nanos{}, one.expires_at - now_.at)};
    }
  }
  return std::nullopt;
}

}  // namespace tensorpool::inline v0::apps::top
