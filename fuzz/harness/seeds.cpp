// Makes a seed corpus from golden vectors: fuzz_seeds hex|lines FILE.jsonl FOLDER
//
// hex: one file with the bytes of "hex" of each line; lines: one file with each line as it is.
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>

namespace {

/// The bytes of the last "hex" of the line, which is the one of the whole vector.
std::string bytes_of(std::string_view line) {
  constexpr std::string_view kKey = R"("hex": ")";
  const std::size_t key = line.rfind(kKey);
  if (key == std::string_view::npos) {
    return {};
  }
  const std::string_view rest = line.substr(key + kKey.size());
  const std::string hex(rest.substr(0, rest.find('"')));
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: fuzz_seeds hex|lines FILE.jsonl FOLDER\n", stderr);
    return 2;
  }
  const std::string path = argv[2];
  const std::string stem = path.substr(path.rfind('/') + 1);
  std::ifstream golden(path);
  int written = 0;
  for (std::string line; std::getline(golden, line); ++written) {
    const std::string seed = std::string_view(argv[1]) == "hex" ? bytes_of(line) : line;
    std::ofstream out(std::string(argv[3]) + "/" + stem + "-" + std::to_string(written),
                      std::ios::binary);
    out << seed;
    if (!out) {
      std::perror(argv[3]);
      return 1;
    }
  }
  return written > 0 ? 0 : 1;
}
