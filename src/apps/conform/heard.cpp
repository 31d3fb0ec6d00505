#include "apps/conform/heard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "apps/text.hpp"
#include "layout/message.hpp"

namespace tensorpool::inline v0::apps::conform {
namespace {

[[nodiscard]] std::optional<layout::MessageType> type_of(const codec::MessageHeader& header) {
  std::optional<layout::MessageType> found;
  codec::visit_all_types([&]<class M>(std::type_identity<M>) {
    if (M::kType.schema_id == header.schema_id && M::kType.template_id == header.template_id) {
      found = M::kType;
    }
    return found.has_value();
  });
  return found;
}

[[nodiscard]] Status decodes(std::span<const std::byte> bytes, std::uint16_t schema_id) {
  codec::Scratch scratch;
  if (schema_id == layout::kDriverSchemaId) {
    const auto message = codec::decode<codec::Message901>(bytes, scratch);
    return message ? Status{} : fail(message.error());
  }
  const auto message = codec::decode<codec::Message900>(bytes, scratch);
  return message ? Status{} : fail(message.error());
}

/// Empty where nothing is wrong with it.
[[nodiscard]] std::string fault_of(std::span<const std::byte> bytes,
                                   const codec::MessageHeader& header,
                                   const layout::MessageType& type) {
  if (header.version != 1) {
    return fmt::format("{} with version {}", type.name, header.version);
  }
  if (header.block_length != type.block_length) {
    return fmt::format("{} with block length {}, not {}", type.name, header.block_length,
                       type.block_length);
  }
  if (const Status whole = decodes(bytes, header.schema_id); !whole) {
    return fmt::format("{}: {}", type.name, describe(whole.error()));
  }
  return {};
}

}  // namespace

Nanos longest_gap(std::span<const Nanos> times) noexcept {
  Nanos longest{0};
  for (std::size_t k = 1; k < times.size(); ++k) {
    longest = std::max(longest, times[k] - times[k - 1]);
  }
  return longest;
}

Finding judge_period(std::span<const Nanos> times, Nanos period, Nanos end,
                     const std::string& what) {
  if (times.size() < 2) {
    return failed(
        fmt::format("{} {}, expected one every {}", times.size(), what, duration_text(period)));
  }
  const Nanos gap = std::max(longest_gap(times), end - times.back());
  std::string seen = fmt::format("{} {}, at most {} apart", times.size(), what, duration_text(gap));
  return gap > 2 * period ? failed(std::move(seen)) : passed(std::move(seen));
}

Finding judge_framing(std::span<const Heard> heard, std::uint16_t schema_id,
                      std::span<const std::uint16_t> templates) {
  std::size_t judged = 0;
  for (const Heard& one : heard) {
    const auto header = codec::peek_header(one.bytes);
    if (!header) {
      return failed(fmt::format("a message of {} bytes", one.bytes.size()));
    }
    if (header->schema_id != schema_id ||
        (!templates.empty() &&
         std::find(templates.begin(), templates.end(), header->template_id) == templates.end())) {
      continue;
    }
    const auto type = type_of(*header);
    if (!type) {
      continue;  // a later template is nobody's fault (W75)
    }
    if (std::string fault = fault_of(one.bytes, *header, *type); !fault.empty()) {
      return failed(std::move(fault));
    }
    ++judged;
  }
  return judged == 0 ? not_observable("no message was heard")
                     : passed(fmt::format("{} as listed", counted(judged, "message")));
}

}  // namespace tensorpool::inline v0::apps::conform
