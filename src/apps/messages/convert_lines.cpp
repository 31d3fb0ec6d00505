#include "apps/messages/convert_lines.hpp"

#include <iostream>
#include <string>
#include <string_view>

#include "apps/messages/codec_json.hpp"

namespace tensorpool::inline v0::apps {
namespace {

std::string_view trimmed(std::string_view line) noexcept {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = line.find_first_not_of(kBlank);
  return first == std::string_view::npos
             ? std::string_view{}
             : line.substr(first, line.find_last_not_of(kBlank) - first + 1);
}

bool convert(const CodecOptions& options, std::string_view message, std::ostream& out) {
  const bool decode = options.direction == CodecDirection::kDecode;
  const auto result = decode ? message_hex_to_json(message) : message_json_to_hex(message);
  if (!result) {
    out << error_to_json(result.error()) << '\n';
  } else if (!decode && options.json) {
    out << R"({"v":1,"hex":")" << *result << "\"}\n";
  } else {
    out << *result << '\n';
  }
  return result.has_value();
}

}  // namespace

int convert_lines(const CodecOptions& options, std::istream& in, std::ostream& out) {
  bool all_fine = true;
  for (const std::string& message : options.messages) {
    all_fine = convert(options, trimmed(message), out) && all_fine;
  }
  std::string line;
  while (options.messages.empty() && out && std::getline(in, line)) {
    if (const std::string_view message = trimmed(line); !message.empty()) {
      all_fine = convert(options, message, out) && all_fine;
    }
  }
  return all_fine ? 0 : 1;
}

}  // namespace tensorpool::inline v0::apps
