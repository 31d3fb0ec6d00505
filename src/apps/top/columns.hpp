// The columns of the table of `tp top`: what each says of a stream and of a consumer, and which of
// them a screen has room for. Pure.
//
// Thread contract: free functions.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apps/top/model.hpp"

namespace tensorpool::inline v0::apps::top {

struct Column {
  std::string_view title;
  std::size_t width;
  /// Which screens have it: 0 all, greater numbers only wider ones.
  int luxury;
  std::string (*of_stream)(const StreamRow&);
  std::string (*of_consumer)(const ConsumerRow&);
  std::optional<SortKey> key = {};
};

/// The name first; then those that have room, in their order. `name_columns` is what is left for
/// the name.
struct Columns {
  std::vector<const Column*> shown;
  std::size_t name_columns = 0;
};
[[nodiscard]] Columns choose_columns(std::size_t columns);

[[nodiscard]] std::string name_of(const StreamRow& row);
/// `program pid`, or what is known of it.
[[nodiscard]] std::string name_of(const ConsumerRow& row);

/// `text` cut to `width`, with a `+` at its end, or filled up, on the left where `to_right`.
[[nodiscard]] std::string fitted(std::string_view text, std::size_t width, bool to_right);

// Numbers in few characters, `-` where there is none.
[[nodiscard]] std::string short_number(std::optional<double> value);
[[nodiscard]] std::string short_count(std::optional<std::uint64_t> value);
[[nodiscard]] std::string short_time(std::optional<Nanos> value);
[[nodiscard]] std::string short_percent(std::optional<double> part);

// Losses by cause.
[[nodiscard]] std::uint64_t lost_late(const ConsumerCounters& counters) noexcept;
[[nodiscard]] std::uint64_t lost_bad(const ConsumerCounters& counters) noexcept;
/// `gap 12, late 3`, or "" where nothing was lost.
[[nodiscard]] std::string causes_text(const ConsumerCounters& counters);
/// How a consumer is served: `all`, `direct`, `30 Hz`.
[[nodiscard]] std::string mode_text(const ConsumerRow& row);

}  // namespace tensorpool::inline v0::apps::top
