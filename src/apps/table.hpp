// A table for people: columns as wide as their longest cell, numbers to the right. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tensorpool::inline v0::apps {

class Table {
 public:
  enum class Align : std::uint8_t { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// As many cells as there are columns.
  void add(std::vector<std::string> cells);
  /// Without a newline at the end; nothing but the titles where there is no row.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace tensorpool::inline v0::apps
