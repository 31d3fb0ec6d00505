#include "apps/top/screen.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "apps/options.hpp"
#include "apps/text.hpp"
#include "apps/top/columns.hpp"

namespace tensorpool::inline v0::apps::top {
namespace {

using Look = Span::Look;

constexpr std::size_t kLinesAbove = 3;  ///< totals, slow consumers, titles
constexpr std::size_t kLinesBelow = 3;  ///< two of the selected row, keys
constexpr Nanos kDelayMin = std::chrono::milliseconds(100);
constexpr Nanos kDelayMax = std::chrono::seconds(60);

constexpr std::string_view kKeys =
    "q quit  p pause  / filter  s S sort  r reverse  t tree  + - delay  h help";

constexpr auto kHelp = std::to_array<std::string_view>({
    "HZ, MB/S      frames and payload a second, over the last 3 s",
    "P50 P99 MAX   intervals between the capture times of consecutive frames, last 10 s",
    "AGE           of the newest frame; of the frame that a consumer has read last",
    "MARGIN        part of the ring between a consumer and being overwritten (the least one)",
    "LOST          frames, since the consumer began; by cause in the two lines below",
    "WAKE          how a consumer waits: poll spin yield backoff park hybrid pause event",
    "CPU           of the process, all its threads; 100% is one processor",
    "-             cannot be known: no capture times, or a consumer that shows no counters",
    "",
    "s S           sort by the next column, the one before    r  the other way round",
    "/             filter by name, program or number; Enter keeps it, Esc drops it",
    "t             tree, streams alone, consumers alone",
    "p, space      pause: keys go on working on what is there",
    "up down j k   select; PgUp PgDn g G",
    "q             quit",
});

struct RowRef {
  const StreamRow* stream = nullptr;
  const ConsumerRow* consumer = nullptr;  ///< null: the stream itself
};

[[nodiscard]] std::vector<RowRef> rows_of(const View& view, Shape shape) {
  std::vector<RowRef> rows;
  for (const StreamRow& stream : view.streams) {
    if (shape != Shape::kConsumers) {
      rows.push_back({.stream = &stream});
    }
    if (shape != Shape::kStreams) {
      for (const ConsumerRow& consumer : stream.consumers) {
        rows.push_back({.stream = &stream, .consumer = &consumer});
      }
    }
  }
  return rows;
}

[[nodiscard]] Look look_of(const RowRef& row) {
  if (row.consumer == nullptr) {
    return row.stream->hz.value_or(0) > 0 ? Look::kBold : Look::kDim;
  }
  if (row.consumer->trouble.empty()) {
    return row.consumer->reading ? Look::kPlain : Look::kDim;
  }
  const bool loses = row.consumer->lost_per_second.value_or(0) > 0;
  return loses || row.consumer->margin.value_or(1) <= 0 ? Look::kBad : Look::kWarning;
}

[[nodiscard]] std::string first_cell(const RowRef& row, Shape shape) {
  if (row.consumer == nullptr) {
    return name_of(*row.stream);
  }
  return shape == Shape::kTree ? "  " + name_of(*row.consumer)
                               : row.stream->title() + " > " + name_of(*row.consumer);
}

[[nodiscard]] std::string row_text(const RowRef& row, const Columns& columns, Shape shape) {
  std::string text = fitted(first_cell(row, shape), columns.name_columns, false);
  for (const Column* column : columns.shown) {
    const std::string cell = row.consumer != nullptr ? column->of_consumer(*row.consumer)
                                                     : column->of_stream(*row.stream);
    text += ' ' + fitted(cell, column->width, true);
  }
  return text;
}

[[nodiscard]] Line titles(const Columns& columns, const Query& query) {
  const auto look = [&query](std::optional<SortKey> key) {
    return key == query.sort ? Look::kSelected : Look::kTitle;
  };
  Line line = {{fitted("STREAM", columns.name_columns, false), look(SortKey::kName)}};
  for (const Column* column : columns.shown) {
    line.push_back({" ", Look::kTitle});
    line.push_back({fitted(column->title, column->width, true), look(column->key)});
  }
  return line;
}

[[nodiscard]] Line totals(const View& view, const Choice& choice) {
  std::string text = fmt::format("{}, {}  {}  {}", counted(view.streams.size(), "stream"),
                                 counted(view.consumers, "consumer"), rate_text(view.hz),
                                 megabytes_text(view.bytes_per_second));
  if (view.lost_per_second > 0) {
    text += fmt::format("  losing {}/s", short_number(view.lost_per_second));
  }
  Line line = {{"tp top  ", Look::kDim}, {text, Look::kBold}};
  line.push_back({fmt::format("  by {}{}", to_string(choice.query.sort),
                              choice.query.reverse ? ", reversed" : ""),
                  Look::kDim});
  if (choice.is_filtering || !choice.query.filter.empty()) {
    line.push_back({fmt::format("  /{}{}", choice.query.filter, choice.is_filtering ? "_" : ""),
                    Look::kWarning});
  }
  if (choice.is_paused) {
    line.push_back({"  PAUSED", Look::kWarning});
  }
  return line;
}

[[nodiscard]] Line slow_line(const View& view) {
  Line line = {{"slow    ", Look::kDim}};
  if (view.slow.empty()) {
    line.push_back({"none", Look::kDim});
  } else {
    line.push_back({view.slow.front(), Look::kBad});
    if (view.slow.size() > 1) {
      line.push_back({fmt::format("; and {} more", view.slow.size() - 1), Look::kWarning});
    }
  }
  for (const std::string& note : view.notes) {
    line.push_back({"  " + note, Look::kWarning});
  }
  return line;
}

// -- The selected row ----------------------------------------------------------------------------

/// Pieces with two spaces between them; empty ones are left out.
[[nodiscard]] std::string joined(const std::vector<std::string>& pieces) {
  std::string text;
  for (const std::string& piece : pieces) {
    text += piece.empty() ? "" : (text.empty() ? "" : "  ") + piece;
  }
  return text;
}

[[nodiscard]] std::string process_text(const ProcessShown& process) {
  return fmt::format("{} ({})", process.name.empty() ? "process not seen" : process.name,
                     process.pid);
}

[[nodiscard]] std::string lease_text(const std::optional<LeaseShown>& lease) {
  return lease ? fmt::format("lease {}, {} left", lease->lease_id, duration_text(lease->expires_in))
               : "lease -";
}

[[nodiscard]] std::string counter_text(std::uint64_t count, std::string_view what) {
  return count == 0 ? "" : fmt::format("{} {}", what, grouped(count));
}

[[nodiscard]] std::string own_text(std::uint64_t stream_id, std::string_view what) {
  return stream_id == 0 ? "" : fmt::format("{} {}", what, stream_id);
}

[[nodiscard]] std::vector<std::string> about(const StreamRow& row) {
  const std::string producer =
      !row.producer_id ? "no producer"
      : row.process.pid == 0
          ? fmt::format("producer {}", *row.producer_id)
          : fmt::format("producer {}, {}", *row.producer_id, process_text(row.process));
  const std::string depth = row.depth ? ", " + duration_text(*row.depth) + " of frames" : "";
  std::vector<std::string> lines = {
      joined({fmt::format("{} is stream {}", row.title(), row.stream_id),
              row.epoch ? fmt::format("epoch {}", *row.epoch) : "", producer,
              lease_text(row.lease)}),
      joined(
          {fmt::format("intervals p50 {} p99 {} max {}", short_time(row.p50), short_time(row.p99),
                       short_time(row.max)),
           row.nslots == 0 ? "the ring cannot be read"
                           : fmt::format("{} slots{}", grouped(row.nslots), depth),
           row.newest_seq ? fmt::format("newest {}", grouped(*row.newest_seq)) : "no frame yet"})};
  if (row.reading) {
    lines[1] = joined({lines[1], counter_text(row.reading->descriptor_backpressured, "held up"),
                       counter_text(row.reading->wakes, "wakes")});
  }
  return lines;
}

[[nodiscard]] std::vector<std::string> about(const ConsumerRow& row, const StreamRow& stream) {
  const std::string who = fmt::format("consumer {} of {}", row.client_id, stream.title());
  if (!row.reading) {
    return {joined({who, "shows no counters", lease_text(row.lease)}), ""};
  }
  const core::telemetry::ConsumerReading& reading = *row.reading;
  const std::string causes = causes_text(reading);
  return {
      joined({who, process_text(row.process),
              fmt::format("{}, {}", mode_text(row),
                          row.ways ? core::telemetry::to_string(row.ways->waits) : "-"),
              row.last_seen ? "polled " + duration_text(*row.last_seen) + " ago" : "never polled",
              lease_text(row.lease)}),
      joined({fmt::format("lost {}{}", grouped(row.lost.value_or(0)),
                          causes.empty() ? "" : " (" + causes + ")"),
              row.behind
                  ? fmt::format("behind {} of {}", grouped(*row.behind), grouped(stream.nslots))
                  : "",
              reading.epoch == 0 ? "no epoch mapped" : fmt::format("epoch {}", reading.epoch),
              counter_text(reading.recovered, "recovered"),
              counter_text(reading.skipped_by_reader, "skipped"),
              counter_text(reading.rate_skips + reading.drops_rate_limited, "not wanted"),
              own_text(reading.own_descriptor_stream, "own descriptors on"),
              own_text(reading.own_control_stream, "own control on")})};
}

// -- Lines ---------------------------------------------------------------------------------------

[[nodiscard]] Line cut(Line line, std::size_t columns) {
  std::size_t left = columns;
  for (Span& span : line) {
    span.text.resize(std::min(span.text.size(), left));
    left -= span.text.size();
  }
  return line;
}

/// With one style over the whole width.
[[nodiscard]] Line filled(std::string text, std::size_t columns, Look look) {
  return {{fitted(text, columns, false), look}};
}

void keep_selected_on_screen(Choice& choice, std::size_t rows, std::size_t room) {
  choice.selected = std::min(choice.selected, rows == 0 ? 0 : rows - 1);
  choice.first = std::min(choice.first, choice.selected);
  if (room > 0 && choice.selected >= choice.first + room) {
    choice.first = choice.selected - room + 1;
  }
  choice.first = std::min(choice.first, rows > room ? rows - room : 0);
}

[[nodiscard]] std::string nothing_text(const View& view, const Choice& choice) {
  if (!choice.query.filter.empty()) {
    return "nothing is called " + choice.query.filter;
  }
  return view.notes.empty() ? "no streams" : view.notes.front();
}

void add_table(const View& view, Choice& choice, Size size, std::vector<Line>& lines) {
  const Columns columns = choose_columns(size.columns);
  const std::vector<RowRef> rows = rows_of(view, choice.shape);
  const std::size_t room = table_rows(size);
  keep_selected_on_screen(choice, rows.size(), room);
  for (std::size_t k = 0; k < room; ++k) {
    const std::size_t at = choice.first + k;
    if (at >= rows.size()) {
      lines.push_back(
          {{k == 0 && rows.empty() ? "  " + nothing_text(view, choice) : "", Look::kDim}});
    } else if (at == choice.selected) {
      lines.push_back(
          filled(row_text(rows[at], columns, choice.shape), size.columns, Look::kSelected));
    } else {
      lines.push_back({{row_text(rows[at], columns, choice.shape), look_of(rows[at])}});
    }
  }
  std::vector<std::string> said(2);
  if (!rows.empty()) {
    const RowRef& row = rows[choice.selected];
    said = row.consumer != nullptr ? about(*row.consumer, *row.stream) : about(*row.stream);
  }
  for (std::string& text : said) {
    lines.push_back({{std::move(text), Look::kPlain}});
  }
}

[[nodiscard]] std::string_view code_of(Look look) noexcept {
  switch (look) {
    case Look::kPlain:
      return "";
    case Look::kDim:
      return "\x1b[2m";
    case Look::kBold:
      return "\x1b[1m";
    case Look::kTitle:
      return "\x1b[4m";
    case Look::kSelected:
      return "\x1b[7m";
    case Look::kWarning:
      return "\x1b[33m";
    case Look::kBad:
      return "\x1b[31m";
  }
  return "";
}

[[nodiscard]] bool is_colour(Look look) noexcept {
  return look == Look::kWarning || look == Look::kBad;
}

}  // namespace

std::string plain_text(const Line& line) {
  std::string text;
  for (const Span& span : line) {
    text += span.text;
  }
  return text;
}

std::string styled_text(const Line& line, bool colour) {
  std::string text;
  for (const Span& span : line) {
    const std::string_view code =
        is_colour(span.look) && !colour ? code_of(Look::kBold) : code_of(span.look);
    text.append(code).append(span.text).append(code.empty() ? "" : "\x1b[0m");
  }
  return text;
}

std::size_t table_rows(Size size) noexcept {
  return size.rows > kLinesAbove + kLinesBelow ? size.rows - kLinesAbove - kLinesBelow : 0;
}

std::vector<Line> full_screen(const View& view, Choice& choice, Size size) {
  std::vector<Line> lines = {totals(view, choice), slow_line(view),
                             titles(choose_columns(size.columns), choice.query)};
  if (choice.shows_help) {
    for (std::size_t k = 0; k < table_rows(size) + 2; ++k) {
      lines.push_back({{k < kHelp.size() ? std::string(kHelp[k]) : "", Look::kPlain}});
    }
  } else {
    add_table(view, choice, size, lines);
  }
  lines.push_back({{std::string(kKeys), Look::kDim}});
  lines.resize(std::min(lines.size(), size.rows));
  for (Line& line : lines) {
    line = cut(std::move(line), size.columns);
  }
  return lines;
}

std::vector<Line> once(const View& view, const Choice& choice, std::size_t columns) {
  const Columns chosen = choose_columns(columns);
  std::vector<Line> lines = {totals(view, choice), slow_line(view), titles(chosen, choice.query)};
  const std::vector<RowRef> rows = rows_of(view, choice.shape);
  for (const RowRef& row : rows) {
    lines.push_back({{row_text(row, chosen, choice.shape), look_of(row)}});
  }
  if (rows.empty()) {
    lines.push_back({{"  " + nothing_text(view, choice), Look::kDim}});
  }
  for (Line& line : lines) {
    line = cut(std::move(line), columns);
  }
  return lines;
}

// -- Keys ----------------------------------------------------------------------------------------

namespace {

void on_filter_key(Choice& choice, Key key) {
  std::string& filter = choice.query.filter;
  switch (key.kind) {
    case Key::Kind::kCharacter:
      filter += key.character;
      break;
    case Key::Kind::kBackspace:
      if (!filter.empty()) {
        filter.pop_back();
      }
      break;
    case Key::Kind::kEscape:
      filter.clear();
      choice.is_filtering = false;
      break;
    case Key::Kind::kEnter:
      choice.is_filtering = false;
      break;
    default:
      break;
  }
}

void next_sort(Choice& choice, std::size_t step) {
  choice.query.sort =
      static_cast<SortKey>((static_cast<std::size_t>(choice.query.sort) + step) % kSortKeys);
}

void on_letter(Choice& choice, char letter) {
  switch (letter) {
    case 'q':
      choice.wants_end = true;
      break;
    case 'p':
    case ' ':
      choice.is_paused = !choice.is_paused;
      break;
    case '/':
      choice.is_filtering = true;
      break;
    case 's':
      next_sort(choice, 1);
      break;
    case 'S':
      next_sort(choice, kSortKeys - 1);
      break;
    case 'r':
      choice.query.reverse = !choice.query.reverse;
      break;
    case 't':
      choice.shape = static_cast<Shape>((static_cast<int>(choice.shape) + 1) % 3);
      break;
    case 'h':
    case '?':
      choice.shows_help = !choice.shows_help;
      break;
    case '+':
      choice.delay = std::min(choice.delay * 2, kDelayMax);
      break;
    case '-':
      choice.delay = std::max(choice.delay / 2, kDelayMin);
      break;
    default:
      break;
  }
}

}  // namespace

void Choice::on_key(Key key, std::size_t page_rows) {
  if (is_filtering) {
    on_filter_key(*this, key);
    return;
  }
  const auto up = [this](std::size_t rows) { selected -= std::min(selected, rows); };
  constexpr std::size_t kFarDown = 1'000'000;  // as far as there are rows
  switch (key.kind) {
    case Key::Kind::kCharacter:
      switch (key.character) {
        case 'j':
          return on_key({.kind = Key::Kind::kDown}, page_rows);
        case 'k':
          return on_key({.kind = Key::Kind::kUp}, page_rows);
        case 'g':
          return on_key({.kind = Key::Kind::kHome}, page_rows);
        case 'G':
          return on_key({.kind = Key::Kind::kEnd}, page_rows);
        default:
          return on_letter(*this, key.character);
      }
    case Key::Kind::kUp:
      return up(1);
    case Key::Kind::kDown:
      selected += 1;
      return;
    case Key::Kind::kPageUp:
      return up(page_rows);
    case Key::Kind::kPageDown:
      selected += page_rows;
      return;
    case Key::Kind::kHome:
      selected = 0;
      return;
    case Key::Kind::kEnd:
      selected = kFarDown;
      return;
    case Key::Kind::kEscape:
      query.filter.clear();
      shows_help = false;
      return;
    case Key::Kind::kLeft:
    case Key::Kind::kRight:
    case Key::Kind::kEnter:
    case Key::Kind::kBackspace:
    case Key::Kind::kRedraw:
      return;
  }
}

}  // namespace tensorpool::inline v0::apps::top
