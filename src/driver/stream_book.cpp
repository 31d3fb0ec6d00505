#include "driver/stream_book.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "admin/request.hpp"
#include "base/kill_point.hpp"
#include "layout/limits.hpp"
#include "os/text_file.hpp"

namespace tensorpool::inline v0::driver {
namespace {

constexpr std::size_t kBytesMax = 4U << 20U;
constexpr mode_t kMode = 0600;

}  // namespace

std::map<std::string, std::uint32_t, std::less<>> parse_stream_book(std::string_view text) {
  std::map<std::string, std::uint32_t, std::less<>> ids;
  std::set<std::uint32_t> taken;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos) {
      continue;
    }
    const std::string_view name = line.substr(0, blank);
    const std::string_view digits = line.substr(blank + 1);
    std::uint32_t id = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
    if (error == std::errc{} && stop == digits.data() + digits.size() &&
        layout::valid_stream_id(id) && admin::is_stream_name(name) && !ids.contains(name) &&
        taken.insert(id).second) {
      ids.emplace(name, id);
    }
  }
  return ids;
}

Result<StreamBook> StreamBook::open(std::string path) {
  const Result<std::string> text = os::read_text_file(path, kBytesMax);
  if (!text && text.error().code != Errc::kNotFound) {
    return fail(text.error());
  }
  StreamBook book(std::move(path));
  book.ids_ = parse_stream_book(text.value_or(std::string()));
  return book;
}

std::optional<std::uint32_t> StreamBook::find(std::string_view name) const {
  const auto found = ids_.find(name);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::string_view StreamBook::name_of(std::uint32_t stream_id) const noexcept {
  const auto found = std::find_if(ids_.begin(), ids_.end(),
                                  [&](const auto& entry) { return entry.second == stream_id; });
  return found == ids_.end() ? std::string_view() : found->first;
}

Status StreamBook::put(std::string_view name, std::uint32_t stream_id) {
  std::erase_if(ids_, [&](const auto& entry) { return entry.second == stream_id; });
  ids_.insert_or_assign(std::string(name), stream_id);
  return write();
}

Status StreamBook::write() const {
  std::string text;
  for (const auto& [name, id] : ids_) {
    text += name + " " + std::to_string(id) + "\n";
  }
  const Status replaced = os::replace_text_file(path_, text, kMode);
  TP_KILLPOINT("driver.names.replaced");
  return replaced;
}

}  // namespace tensorpool::inline v0::driver
