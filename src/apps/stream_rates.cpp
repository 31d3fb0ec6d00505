#include "apps/stream_rates.hpp"

#include <chrono>
#include <thread>

#include "apps/inspect.hpp"
#include "apps/options.hpp"
#include "core/region/uri.hpp"
#include "os/clock.hpp"

namespace tensorpool::inline v0::apps {
namespace {

struct Look {
  std::optional<NewestFrame> newest;
  Nanos at{};
};

[[nodiscard]] std::vector<Look> look_at(const std::vector<std::string>& ring_uris) {
  const os::SystemClock clock;
  std::vector<Look> looks;
  for (const std::string& text : ring_uris) {
    Look& look = looks.emplace_back();
    const auto uri = core::region::parse_region_uri(text);
    if (!uri) {
      continue;
    }
    const Result<RegionReport> report = inspect_region(std::string(uri->path));
    look.at = clock.mono();
    if (report && report->verdict) {
      look.newest = report->newest;
    }
  }
  return looks;
}

[[nodiscard]] std::optional<StreamRate> rate_between(const Look& first, const Look& second) {
  if (!second.newest) {
    return std::nullopt;
  }
  StreamRate rate{.newest_seq = second.newest->seq, .age = second.newest->age};
  const std::uint64_t first_seq = first.newest ? first.newest->seq : 0;
  if (second.newest->seq > first_seq && second.at > first.at) {
    rate.hz =
        static_cast<double>(second.newest->seq - first_seq) / to_seconds(second.at - first.at);
    rate.bytes_per_second = rate.hz * second.newest->payload_bytes;
  }
  return rate;
}

}  // namespace

std::vector<std::optional<StreamRate>> measure_rates(const std::vector<std::string>& ring_uris,
                                                     Nanos span) {
  const std::vector<Look> first = look_at(ring_uris);
  std::this_thread::sleep_for(span);
  const std::vector<Look> second = look_at(ring_uris);
  std::vector<std::optional<StreamRate>> rates;
  for (std::size_t k = 0; k < first.size(); ++k) {
    rates.push_back(rate_between(first[k], second[k]));
  }
  return rates;
}

}  // namespace tensorpool::inline v0::apps
