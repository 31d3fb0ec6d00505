// Judges of producers: announces, files and superblocks.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "apps/conform/producer_judges.hpp"
#include "apps/text.hpp"
#include "core/region/plan.hpp"
#include "core/region/uri.hpp"

namespace tensorpool::inline v0::apps::conform::judges {
namespace {

using layout::ShmPoolAnnounce;

/// What a producer may be told apart by; QosConsumer and hellos are not its own.
constexpr std::uint16_t kOfProducer[] = {1, 3, 4, 6, 7, 8, 10, 11, 12, 13};
/// Between reading the clock and hearing the message: beyond it the stamp was not read for it.
constexpr Nanos kStampAge = std::chrono::seconds(1);

/// Calls `see(announce, heard, life)` for each announce of the stream; how many there were.
template <class See>
std::size_t each_announce(const ProducerRecord& record, See&& see) {
  std::size_t count = 0;
  for (const ProducerLife& life : record.lives) {
    each<ShmPoolAnnounce>(life.heard, [&](const ShmPoolAnnounce& announce, const Heard& heard) {
      if (announce.stream_id == record.stream_id) {
        ++count;
        see(announce, heard, life);
      }
    });
  }
  return count;
}

/// Judges each by `fault_of(announce, heard, life)`, which is empty where nothing is wrong.
template <class FaultOf>
[[nodiscard]] Finding judge_announces(const ProducerRecord& record, FaultOf&& fault_of) {
  std::string fault;
  const std::size_t count = each_announce(
      record, [&](const ShmPoolAnnounce& announce, const Heard& heard, const ProducerLife& life) {
        if (fault.empty()) {
          fault = fault_of(announce, heard, life);
        }
      });
  if (count == 0) {
    return not_observable("nothing was announced");
  }
  return fault.empty() ? passed(counted(count, "announce")) : failed(std::move(fault));
}

/// The same for regions; those that could not be opened only where `refused_too`.
template <class FaultOf>
[[nodiscard]] Finding judge_regions(const ProducerRecord& record, FaultOf&& fault_of,
                                    bool refused_too = false) {
  std::size_t judged = 0;
  for (const ProducerLife& life : record.lives) {
    for (const RegionLook& region : life.regions) {
      if (region.refused && !refused_too) {
        continue;
      }
      ++judged;
      if (std::string fault = fault_of(region, life); !fault.empty()) {
        return failed(fmt::format("{}: {}", region.uri, fault));
      }
    }
  }
  return judged == 0 ? not_observable("no region could be opened")
                     : passed(counted(judged, "region"));
}

[[nodiscard]] std::string uri_fault(std::string_view uri) {
  const auto parsed = core::region::parse_region_uri(uri);
  if (!parsed) {
    return fmt::format("{}: {}", uri, describe(parsed.error()));
  }
  return core::region::format_region_uri(*parsed) == uri
             ? std::string()
             : fmt::format("{}, which is not the form in which an owner writes it", uri);
}

[[nodiscard]] std::set<std::uint64_t> epochs_of(const ProducerRecord& record,
                                                const ProducerLife& life) {
  std::set<std::uint64_t> epochs;
  each<ShmPoolAnnounce>(life.heard, [&](const ShmPoolAnnounce& announce, const Heard&) {
    if (announce.stream_id == record.stream_id) {
      epochs.insert(announce.epoch);
    }
  });
  return epochs;
}

}  // namespace

Finding framing(const ProducerRecord& record) {
  Finding finding = not_observable("no message was heard");
  for (const ProducerLife& life : record.lives) {
    finding = judge_framing(life.heard, layout::kWireSchemaId, kOfProducer);
    if (finding.outcome == Outcome::kFailed) {
      break;
    }
  }
  return finding;
}

Finding announce_period(const ProducerRecord& record) {
  if (record.lives.empty()) {
    return not_observable("the program was not started");
  }
  const ProducerLife& life = record.lives.front();
  const std::vector<Nanos> times = times_of<ShmPoolAnnounce>(
      life.heard, [&](const auto& one) { return one.stream_id == record.stream_id; });
  return judge_period(times, record.period, life.window.until, "announces");
}

Finding announce_content(const ProducerRecord& record) {
  return judge_announces(
      record, [](const ShmPoolAnnounce& announce, const Heard&, const ProducerLife&) {
        if (!layout::valid_epoch(announce.epoch)) {
          return fmt::format("epoch {}", announce.epoch);
        }
        const auto plan = core::region::make_mapping_plan(core::region::geometry_of(announce));
        return plan ? std::string() : describe(plan.error());
      });
}

Finding announce_time(const ProducerRecord& record) {
  std::map<Wire, std::uint64_t> last_on;  // one announce may go out on two streams
  return judge_announces(
      record, [&](const ShmPoolAnnounce& announce, const Heard& heard, const ProducerLife&) {
        const std::uint64_t stamp = announce.announce_timestamp_ns;
        std::uint64_t& last = last_on[heard.on];
        const bool monotonic = announce.announce_clock_domain == layout::ClockDomain::kMonotonic;
        const auto now = static_cast<std::uint64_t>(heard.at.count());
        if (stamp <= last) {
          return fmt::format("{} after {}", stamp, last);
        }
        last = stamp;
        if (monotonic && stamp > now) {
          return fmt::format("{} ns ahead of CLOCK_MONOTONIC", stamp - now);
        }
        if (monotonic && now - stamp > static_cast<std::uint64_t>(kStampAge.count())) {
          return fmt::format("{} old when it was heard",
                             duration_text(Nanos{static_cast<Nanos::rep>(now - stamp)}));
        }
        return std::string();
      });
}

Finding region_uris(const ProducerRecord& record) {
  return judge_announces(record,
                         [](const ShmPoolAnnounce& announce, const Heard&, const ProducerLife&) {
                           std::string fault = uri_fault(announce.header_region_uri);
                           for (const layout::PayloadPool& pool : announce.payload_pools) {
                             if (fault.empty()) {
                               fault = uri_fault(pool.region_uri);
                             }
                           }
                           return fault;
                         });
}

Finding region_layout(const ProducerRecord& record) {
  return judge_regions(
      record,
      [&](const RegionLook& region, const ProducerLife&) -> std::string {
        const bool ring = region.expected.type == layout::RegionType::kHeaderRing;
        const std::string end = fmt::format(
            "/{}/{}/{}", record.stream_id, region.expected.epoch,
            ring ? std::string("header.ring") : fmt::format("{}.pool", region.expected.pool_id));
        const auto parsed = core::region::parse_region_uri(region.uri);
        const std::string path(parsed ? parsed->path : std::string_view());
        const std::size_t user = path.rfind("/tensorpool-");
        const std::size_t place = user == std::string::npos ? user : path.find('/', user + 1);
        const bool right = path.ends_with(end) && place != std::string::npos &&
                           path.find('/', place + 1) == path.size() - end.size();
        return right ? "" : "not …/tensorpool-USER/NAMESPACE" + end;
      },
      true);
}

Finding region_open(const ProducerRecord& record) {
  return judge_regions(
      record,
      [](const RegionLook& region, const ProducerLife&) {
        return region.refused ? describe(*region.refused) : std::string();
      },
      true);
}

Finding region_mode(const ProducerRecord& record) {
  return judge_regions(record, [](const RegionLook& region, const ProducerLife&) {
    const std::uint32_t mode = region.file_mode & 07777U;
    return mode == 0660 || mode == 0600 ? std::string() : fmt::format("mode {:04o}", mode);
  });
}

Finding superblock(const ProducerRecord& record) {
  return judge_regions(record, [](const RegionLook& region, const ProducerLife&) -> std::string {
    const layout::Superblock& found = region.first;
    const auto strict = core::region::make_superblock(region.expected, {});
    if (found.slot_bytes != strict.slot_bytes) {
      return fmt::format("slotBytes {}, not {}", std::uint32_t{found.slot_bytes},
                         std::uint32_t{strict.slot_bytes});
    }
    if (found.stride_bytes != strict.stride_bytes) {
      return fmt::format("strideBytes {}, not {}", std::uint32_t{found.stride_bytes},
                         std::uint32_t{strict.stride_bytes});
    }
    if (const Status same = core::region::check_superblock(found, region.expected); !same) {
      return describe(same.error());
    }
    return found.pid == 0U || found.start_timestamp_ns == 0U ? "no pid, or no time of creation"
                                                             : "";
  });
}

Finding superblock_constant(const ProducerRecord& record) {
  return judge_regions(record, [](const RegionLook& region, const ProducerLife&) {
    layout::Superblock last = region.last;
    last.activity_timestamp_ns = std::uint64_t{region.first.activity_timestamp_ns};
    return std::memcmp(&last, &region.first, sizeof(last)) == 0
               ? std::string()
               : std::string("another field than the activity has changed");
  });
}

Finding activity(const ProducerRecord& record) {
  return judge_regions(record, [&](const RegionLook& region, const ProducerLife& life) {
    const std::set<std::uint64_t> epochs = epochs_of(record, life);
    if (epochs.empty() || region.expected.epoch != *epochs.rbegin()) {
      return std::string();  // given up meanwhile (W412)
    }
    const Finding found =
        judge_period(region.refreshed, record.period, life.window.until, "refreshes");
    return found.outcome == Outcome::kPassed ? std::string() : found.seen;
  });
}

Finding restart(const ProducerRecord& record) {
  if (record.lives.size() < 2) {
    return not_observable("the program was not started twice");
  }
  const std::set<std::uint64_t> before = epochs_of(record, record.lives[0]);
  const std::set<std::uint64_t> after = epochs_of(record, record.lives[1]);
  if (before.empty() || after.empty()) {
    return before.empty() ? not_observable("nothing was announced")
                          : failed("nothing was announced after the restart");
  }
  std::string seen = fmt::format("epoch {} after {}", *after.begin(), *before.rbegin());
  if (*after.begin() <= *before.rbegin()) {
    return failed(std::move(seen));
  }
  for (const RegionLook& late : record.lives[1].regions) {
    for (const RegionLook& early : record.lives[0].regions) {
      if (late.uri == early.uri) {
        return failed(late.uri + " is used again");
      }
    }
  }
  return passed(std::move(seen));
}

}  // namespace tensorpool::inline v0::apps::conform::judges
