#include <cstring>

#include "apps/bench/harness.hpp"
#include "apps/bench/source.hpp"
#include "apps/bench/transports.hpp"
#include "core/copy.hpp"

namespace tensorpool::inline v0::apps::bench {

Outcome run_copy(const Case& wanted, bool streaming) {
  // Fresh, page-aligned, touched once: what a ring in shared memory is.
  const std::size_t footprint = wanted.payload * wanted.nslots;
  Outcome outcome;
  outcome.nslots = wanted.nslots;
  auto* const ring =
      static_cast<std::byte*>(::mmap(nullptr, footprint, PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
  if (ring == MAP_FAILED) {
    return outcome;
  }
  pin_thread(wanted.producer_cpu);
  Source source(wanted.payload);
  const auto run_ns = static_cast<std::uint64_t>(wanted.seconds * 1e9);
  const std::uint64_t start = now_ns();
  std::uint64_t frames = 0;
  std::uint64_t from_ns = start;
  for (std::uint64_t now = start, sequence = 0; now < start + kWarmUpNs + run_ns; ++sequence) {
    const auto bytes = source.stamped({.sent_ns = now, .sequence = sequence});
    std::byte* const to = ring + sequence % wanted.nslots * wanted.payload;
    if (streaming) {
      core::copy_in(to, bytes.data(), bytes.size(), core::CopyKind::kStreaming);
    } else {
      std::memcpy(to, bytes.data(), bytes.size());
    }
    const std::uint64_t after = now_ns();
    if (now >= start + kWarmUpNs) {
      frames += 1;
      outcome.ns.push_back(static_cast<double>(after - now));
    } else {
      from_ns = after;
    }
    now = after;
  }
  outcome.sent_per_s = static_cast<double>(frames) * 1e9 / static_cast<double>(now_ns() - from_ns);
  outcome.frames_per_s = outcome.sent_per_s;
  std::sort(outcome.ns.begin(), outcome.ns.end());
  ::munmap(ring, footprint);
  return outcome;
}

}  // namespace tensorpool::inline v0::apps::bench
