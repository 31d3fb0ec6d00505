#include "bus/counters_file.hpp"

#include <aeronc.h>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

#include "bus/aeron_error.hpp"
#include "bus/driver_probe.hpp"

namespace tensorpool::inline v0::bus {
namespace {

constexpr std::size_t kKeyBytesMax = 112;
constexpr std::size_t kLabelBytesMax = 380;

struct Collector {
  aeron_counters_reader_t* reader;
  std::int32_t first;
  std::int32_t last;
  std::vector<std::pair<std::int64_t, CounterReading>> found = {};  ///< by age
};

// Lengths come out of a file that every client can write to.
void collect(std::int64_t value, std::int32_t id, std::int32_t type_id, const std::uint8_t* key,
             std::size_t key_bytes, const char* label, std::size_t label_bytes, void* collector) {
  auto& into = *static_cast<Collector*>(collector);
  if (type_id < into.first || type_id > into.last) {
    return;
  }
  std::string_view text(reinterpret_cast<const char*>(key), std::min(key_bytes, kKeyBytesMax));
  text = text.substr(0, text.find_last_not_of('\0') + 1);
  std::int64_t registration_id = 0;
  aeron_counters_reader_counter_registration_id(into.reader, id, &registration_id);
  into.found.push_back({registration_id,
                        {.type_id = type_id,
                         .key = std::string(text),
                         .label = std::string(label, std::min(label_bytes, kLabelBytesMax)),
                         .value = value}});
}

}  // namespace

Result<std::vector<CounterReading>> read_counters(const std::string& aeron_dir, std::int32_t first,
                                                  std::int32_t last) {
  if (const DriverProbe probe = probe_driver(aeron_dir); probe.state != DriverState::kAlive) {
    return fail(to_error(probe, aeron_dir));
  }
  aeron_cnc_t* cnc = nullptr;
  if (aeron_cnc_init(&cnc, aeron_dir.c_str(), 0) < 0) {
    return fail(last_aeron_error(Errc::kMediaDriverUnavailable));
  }
  Collector collector{.reader = aeron_cnc_counters_reader(cnc), .first = first, .last = last};
  aeron_counters_reader_foreach_counter(collector.reader, &collect, &collector);
  aeron_cnc_close(cnc);
  std::stable_sort(collector.found.begin(), collector.found.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<CounterReading> readings;
  for (auto& [age, reading] : collector.found) {
    readings.push_back(std::move(reading));
  }
  return readings;
}

}  // namespace tensorpool::inline v0::bus
