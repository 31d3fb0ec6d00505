#include "apps/top/columns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "apps/text.hpp"

namespace tensorpool::inline v0::apps::top {
namespace {

constexpr std::size_t kNameMin = 16;
constexpr std::size_t kNameMax = 40;
constexpr const char* kUnknown = "-";

/// How long it lasts if nobody keeps it alive.
[[nodiscard]] std::string lease_text(const std::optional<LeaseShown>& lease) {
  return lease ? short_time(lease->expires_in) : kUnknown;
}

[[nodiscard]] std::string id_text(std::uint64_t id) {
  return id == 0 ? kUnknown : std::to_string(id);
}

/// A counter of a consumer that shows any.
template <class Of>
[[nodiscard]] std::string counter_text(const ConsumerRow& row, Of&& of) {
  return row.reading ? short_count(of(*row.reading)) : kUnknown;
}

[[nodiscard]] std::string nothing(const StreamRow&) {
  return {};
}
[[nodiscard]] std::string unknown(const ConsumerRow&) {
  return kUnknown;
}

using S = const StreamRow&;
using C = const ConsumerRow&;

constexpr auto kColumns = std::to_array<Column>({
    {"HZ", 7, 0, [](S r) { return short_number(r.hz); }, [](C r) { return short_number(r.hz); },
     SortKey::kHz},
    {"MB/S", 7, 0,
     [](S r) {
       return short_number(r.bytes_per_second ? std::optional(*r.bytes_per_second / 1e6)
                                              : std::nullopt);
     },
     [](C r) {
       return short_number(r.bytes_per_second ? std::optional(*r.bytes_per_second / 1e6)
                                              : std::nullopt);
     },
     SortKey::kBytes},
    {"P50", 6, 1, [](S r) { return short_time(r.p50); }, unknown},
    {"P99", 6, 0, [](S r) { return short_time(r.p99); }, unknown, SortKey::kP99},
    {"MAX", 6, 1, [](S r) { return short_time(r.max); }, unknown},
    {"AGE", 6, 0, [](S r) { return short_time(r.age); }, [](C r) { return short_time(r.age); },
     SortKey::kAge},
    {"DEPTH", 6, 3, [](S r) { return short_time(r.depth); }, [](C) { return std::string(); }},
    {"MARGIN", 6, 0, [](S r) { return short_percent(r.margin()); },
     [](C r) { return short_percent(r.margin); }, SortKey::kMargin},
    {"LOST", 7, 0, [](S r) { return r.consumers.empty() ? kUnknown : short_count(r.lost()); },
     [](C r) { return short_count(r.lost); }, SortKey::kLost},
    {"LOST/S", 6, 2,
     [](S r) { return r.consumers.empty() ? kUnknown : short_number(r.lost_per_second()); },
     [](C r) { return short_number(r.lost_per_second); }},
    {"GAP", 7, 4, nothing,
     [](C r) { return counter_text(r, [](auto& c) { return c.drops_gap; }); }},
    {"LATE", 6, 4, nothing, [](C r) { return counter_text(r, lost_late); }},
    {"TORN", 6, 4, nothing,
     [](C r) { return counter_text(r, [](auto& c) { return c.drops_changed; }); }},
    {"BAD", 5, 4, nothing, [](C r) { return counter_text(r, lost_bad); }},
    {"WAKE", 7, 0, nothing,
     [](C r) {
       return r.ways ? std::string(core::telemetry::to_string(r.ways->waits)) : kUnknown;
     }},
    {"SEEN", 6, 3, nothing, [](C r) { return short_time(r.last_seen); }},
    {"CPU", 5, 0, [](S r) { return short_percent(r.process.cpu); },
     [](C r) { return short_percent(r.process.cpu); }, SortKey::kCpu},
    {"PID", 7, 2, [](S r) { return id_text(r.process.pid); },
     [](C r) { return id_text(r.process.pid); }},
    {"MODE", 8, 3, nothing, mode_text},
    {"EPOCH", 20, 3, [](S r) { return id_text(r.epoch.value_or(0)); },
     [](C r) { return id_text(r.reading ? r.reading->epoch : 0); }},
    {"LEASE", 6, 3, [](S r) { return lease_text(r.lease); },
     [](C r) { return lease_text(r.lease); }},
    {"ID", 10, 3, [](S r) { return id_text(r.producer_id.value_or(0)); },
     [](C r) { return id_text(r.client_id); }},
});

}  // namespace

Columns choose_columns(std::size_t columns) {
  constexpr int kLuxuryMax = 4;
  const auto room_for = [](int luxury) {
    std::size_t room = 0;
    for (const Column& column : kColumns) {
      room += column.luxury <= luxury ? column.width + 1 : 0;
    }
    return room;
  };
  int luxury = 0;
  while (luxury < kLuxuryMax && room_for(luxury + 1) + kNameMin <= columns) {
    ++luxury;
  }
  Columns chosen;
  std::size_t used = 0;
  for (const Column& column : kColumns) {
    if (column.luxury <= luxury && used + column.width + 1 + kNameMin <= columns) {
      chosen.shown.push_back(&column);
      used += column.width + 1;
    }
  }
  chosen.name_columns = std::min(kNameMax, columns - std::min(columns, used));
  return chosen;
}

std::string name_of(const StreamRow& row) {
  return row.title();
}

std::string name_of(const ConsumerRow& row) {
  if (row.process.pid == 0) {
    return fmt::format("consumer {}", row.client_id);
  }
  return fmt::format("{} {}", row.process.name.empty() ? "process" : row.process.name,
                     row.process.pid);
}

std::string fitted(std::string_view text, std::size_t width, bool to_right) {
  if (text.size() > width) {
    return width == 0 ? std::string() : std::string(text.substr(0, width - 1)) + '+';
  }
  const std::string pad(width - text.size(), ' ');
  return to_right ? pad + std::string(text) : std::string(text) + pad;
}

std::string short_number(std::optional<double> value) {
  if (!value) {
    return kUnknown;
  }
  if (*value == 0) {
    return "0";
  }
  return *value < 99.995    ? fmt::format("{:.2f}", *value)
         : *value < 9999.5  ? fmt::format("{:.1f}", *value)
         : *value < 999.5e3 ? fmt::format("{:.1f}k", *value / 1e3)
         : *value < 999.5e6 ? fmt::format("{:.1f}M", *value / 1e6)
                            : fmt::format("{:.1f}G", *value / 1e9);
}

std::string short_count(std::optional<std::uint64_t> value) {
  constexpr std::uint64_t kWhole = 100'000;
  return !value ? kUnknown : *value < kWhole ? grouped(*value) : short_number(double(*value));
}

std::string short_time(std::optional<Nanos> value) {
  if (!value) {
    return kUnknown;
  }
  using std::chrono::duration_cast;
  const auto seconds = duration_cast<std::chrono::seconds>(*value).count();
  if (seconds >= 2 * 24 * 3600) {
    return fmt::format("{}d", seconds / (24 * 3600));
  }
  if (seconds >= 2 * 3600) {
    return fmt::format("{}h", seconds / 3600);
  }
  if (seconds >= 1000) {
    return fmt::format("{}m", seconds / 60);
  }
  std::string text = duration_text(*value);
  std::erase(text, ' ');
  return text;
}

std::string short_percent(std::optional<double> part) {
  return part ? fmt::format("{:.0f}%", *part * 100) : kUnknown;
}

std::uint64_t lost_late(const ConsumerCounters& counters) noexcept {
  return counters.drops_in_progress + counters.drops_seq_mismatch;
}

std::uint64_t lost_bad(const ConsumerCounters& counters) noexcept {
  return counters.drops_header_invalid + counters.drops_payload_invalid;
}

std::string causes_text(const ConsumerCounters& counters) {
  std::string text;
  for (const auto& [count, cause] :
       {std::pair{counters.drops_gap, "gap"}, std::pair{lost_late(counters), "late"},
        std::pair{counters.drops_changed, "torn"}, std::pair{lost_bad(counters), "bad"}}) {
    if (count != 0) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", cause, grouped(count));
    }
  }
  return text;
}

std::string mode_text(const ConsumerRow& row) {
  if (!row.ways) {
    return kUnknown;
  }
  if (row.ways->state != MappingState::kMapped) {
    return std::string(to_string(row.ways->state));
  }
  if (row.ways->mode == layout::Mode::kRateLimited && row.ways->max_rate_hz != 0) {
    return fmt::format("{} Hz", row.ways->max_rate_hz);
  }
  return row.ways->direct ? "direct" : "all";
}

}  // namespace tensorpool::inline v0::apps::top
