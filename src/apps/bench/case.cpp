#include "apps/bench/case.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace tensorpool::inline v0::apps::bench {
namespace {

constexpr std::array<const char*, 5> kTestNames = {"latency", "throughput", "publish_cost", "copy",
                                                   "poll_cost"};

}  // namespace

double Outcome::quantile(double q) const noexcept {
  if (ns.empty()) {
    return 0;
  }
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(ns.size())));
  return ns[std::min(ns.size() - 1, rank == 0 ? 0 : rank - 1)];
}

const char* to_string(Test test) noexcept {
  return kTestNames[static_cast<std::size_t>(test)];
}

std::optional<Test> test_from_string(const std::string& name) noexcept {
  for (std::size_t k = 0; k < kTestNames.size(); ++k) {
    if (name == kTestNames[k]) {
      return static_cast<Test>(k);
    }
  }
  return std::nullopt;
}

std::uint32_t default_nslots(std::size_t payload) noexcept {
  if (payload <= 4096) {
    return payload <= 256 ? 8192 : 1024;
  }
  return payload <= 1U << 16U ? 64 : payload <= 1U << 20U ? 16 : 4;
}

}  // namespace tensorpool::inline v0::apps::bench
