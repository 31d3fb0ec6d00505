// Runs a target on every file of the given folders and on mutations of each, for compilers without
// libFuzzer. The mutations depend on nothing but the seed, so a failing run can be repeated.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "harness/fuzz.hpp"

int TP_FUZZ_TARGET(std::span<const std::byte> input);

namespace {

using Input = std::vector<std::byte>;  // exactly as long as the input: a byte too far is seen

constexpr int kMutationsPerFile = 200;
constexpr std::uint64_t kSeed = 0x7e45'09f0'0155'eed5;

Input read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  Input input(text.size());
  std::transform(text.begin(), text.end(), input.begin(),
                 [](char c) { return static_cast<std::byte>(c); });
  return input;
}

/// Overwrites one to eight bytes with extremes or noise, cuts, or repeats a piece.
Input mutated(Input input, tensorpool::base::Random& random) {
  for (std::uint64_t rounds = random.between(1, 4); rounds > 0 && !input.empty(); --rounds) {
    const auto at = static_cast<std::ptrdiff_t>(random.below(input.size()));
    const auto rest = input.size() - static_cast<std::size_t>(at);
    switch (random.below(6)) {
      case 0:
        input.resize(static_cast<std::size_t>(at));
        break;
      case 1: {
        const Input piece(input.begin() + at, input.end());
        input.insert(input.end(), piece.begin(), piece.end());
        break;
      }
      default: {
        const std::uint64_t noise = random.next();
        const std::uint64_t value = random.chance(1, 3) ? ~std::uint64_t{0} : noise;
        std::memcpy(&input[static_cast<std::size_t>(at)], &value,
                    std::min<std::size_t>(rest, std::size_t{1} << random.below(4)));
        break;
      }
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (const char* argument : std::span(argv, static_cast<std::size_t>(argc)).subspan(1)) {
    for (const auto& entry : std::filesystem::directory_iterator(argument)) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) {
    std::fputs("no file in the corpus\n", stderr);
    return 1;
  }
  tensorpool::base::Random random(kSeed);
  for (const auto& path : files) {
    std::fprintf(stderr, "%s\n", path.c_str());  // the last line names what a crash came from
    const Input input = read_file(path);
    TP_FUZZ_TARGET(input);
    for (int i = 0; i < kMutationsPerFile; ++i) {
      TP_FUZZ_TARGET(mutated(input, random));
    }
  }
  return 0;
}
