#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "apps/messages/convert_lines.hpp"
#include "apps/verbs.hpp"

namespace tensorpool::inline v0::apps {

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
        return convert_lines(arguments->codec, std::cin, std::cout) == 0 ? ExitCode::kFine
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
