// The seed of a randomised test: another one in every run, printed, and given back to repeat it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace tensorpool::test {

/// From TENSORPOOL_TEST_SEED, else from the system; printed in the form that repeats the run.
[[nodiscard]] inline std::uint64_t announced_seed() {
  const char* const given = std::getenv("TENSORPOOL_TEST_SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device()();
  std::printf("TENSORPOOL_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace tensorpool::test
