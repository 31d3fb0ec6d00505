#include "apps/verb_codec.hpp"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "apps/codec_json.hpp"
#include "apps/verbs.hpp"

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

int run_codec(const CodecOptions& options, std::istream& in, std::ostream& out) {
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

void add_codec(CLI::App& tp, Action& action) {
  struct Arguments {
    CodecOptions codec;
    std::vector<std::string> messages;
  };
  CLI::App& verb = *tp.add_subcommand("codec", "Messages of the protocol as JSON, and back");
  verb.require_subcommand(1);
  verb.footer(R"(Examples:
  tp codec decode 1c00060084030100…          one message, as hex digits
  tp codec decode < messages.hex             one message a line
  tp codec encode '{"message":"QosProducer","fields":{"streamId":10000,…}}'

A malformed message gives {"error": …} in its place, and exit code 1.)");
  const auto add = [&](const char* name, const char* about, const char* what,
                       CodecDirection direction) {
    const auto arguments = std::make_shared<Arguments>();
    arguments->codec.direction = direction;
    CLI::App& sub = *verb.add_subcommand(name, about);
    sub.add_option("MESSAGE", arguments->messages, what);
    sub.add_flag("--json", arguments->codec.json, "Print JSON (decode always does)");
    sub.callback([arguments, &action] {
      action = [arguments] {
        arguments->codec.messages = arguments->messages;
        return run_codec(arguments->codec, std::cin, std::cout) == 0 ? ExitCode::kFine
                                                                     : ExitCode::kFailed;
      };
    });
  };
  add("decode", "Hex to JSON", "Messages as hex digits [lines of standard input]",
      CodecDirection::kDecode);
  add("encode", "JSON to hex", "Messages as JSON [lines of standard input]",
      CodecDirection::kEncode);
}

}  // namespace tensorpool::inline v0::apps
