// Lines of tests/golden/: one JSON object each, integers exact.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tensorpool::test {

/// All objects of a golden file; fails the test when there are none.
[[nodiscard]] inline std::vector<nlohmann::json> golden_lines(const std::string& name) {
  std::ifstream file(std::string(TP_GOLDEN_DIR) + "/" + name);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(nlohmann::json::parse(line));
  }
  EXPECT_FALSE(lines.empty()) << name;
  return lines;
}

[[nodiscard]] inline std::vector<std::byte> bytes_of_hex(const std::string& hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

}  // namespace tensorpool::test
