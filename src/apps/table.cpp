#include "apps/table.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "base/printable.hpp"

namespace tensorpool::inline v0::apps {

void Table::add(std::vector<std::string> cells) {
  TP_ASSERT(cells.size() == columns_.size());
  for (std::string& cell : cells) {
    cell = base::printable_ascii(cell);  // W94; a byte is a column
  }
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::string> titles;
  std::vector<std::size_t> widths;
  for (std::size_t k = 0; k < columns_.size(); ++k) {
    titles.push_back(columns_[k].title);
    widths.push_back(titles[k].size());
    for (const std::vector<std::string>& row : rows_) {
      widths[k] = std::max(widths[k], row[k].size());
    }
  }
  std::string text;
  const auto put = [&](const std::vector<std::string>& row) {
    text += text.empty() ? "" : "\n";
    std::string line;
    for (std::size_t k = 0; k < row.size(); ++k) {
      const std::string pad(widths[k] - row[k].size(), ' ');
      line +=
          (k == 0 ? "" : "  ") + (columns_[k].align == Align::kLeft ? row[k] + pad : pad + row[k]);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1);
  };
  put(titles);
  std::for_each(rows_.begin(), rows_.end(), put);
  return text;
}

}  // namespace tensorpool::inline v0::apps
