#include "apps/driver_link.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <optional>
#include <system_error>

#include "admin/ask.hpp"
#include "apps/json_text.hpp"
#include "apps/options.hpp"
#include "bus/driver_probe.hpp"

namespace tensorpool::inline v0::apps {
namespace {

constexpr std::uint32_t kUsualControlStream = 1000;
constexpr Nanos kAnswerPatience = std::chrono::seconds(1);

}  // namespace

void add_driver_address(CLI::App& verb, DriverAddress& address) {
  add_aeron_dir(verb, address.aeron_dir);
  verb.add_option("--control-stream", address.control_stream_id,
                  "Control stream of the driver, where there are several")
      ->type_name("ID")
      ->capture_default_str();
}

std::string answer_text(const nlohmann::ordered_json& answer, const std::string& line) {
  const auto message = answer.is_object() ? answer.find("message") : answer.end();
  return message != answer.end() && message->is_string() ? message->get<std::string>() : line;
}

std::optional<nlohmann::ordered_json> ask_driver(const DriverAddress& address,
                                                 const admin::Request& request, Console& console) {
  const std::string path =
      admin::socket_path(bus::choose_aeron_dir(address.aeron_dir), address.control_stream_id);
  const Result<std::string> line = admin::ask(path, request);
  if (!line) {
    if (line.error().code == Errc::kNotFound) {
      console.error("no driver listens at " + path + ": start one with `tp up`");
    } else {
      console.error(line.error());
    }
    return std::nullopt;
  }
  nlohmann::ordered_json answer = parse_json(*line);
  if (!answer.is_object() || !answer.contains("ok")) {
    console.error("the driver has answered what is no answer: " + *line);
    return std::nullopt;
  }
  if (answer["ok"] != true) {
    console.error(answer_text(answer, *line));
    return std::nullopt;
  }
  answer.erase("ok");
  answer.erase("v");
  return answer;
}

void set_stream(admin::Request& request, const std::string& stream) {
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(stream.data(), stream.data() + stream.size(), id);
  if (error == std::errc{} && end == stream.data() + stream.size()) {
    request.stream_id = id;
  } else {
    request.name = stream;
  }
}

void add_deployment(CLI::App& verb, Deployment& deployment) {
  const auto add = [&](const char* flag, Deployment meaning, const char* about) {
    return verb.add_flag_callback(
        flag, [&deployment, meaning] { deployment = meaning; }, about);
  };
  CLI::Option* const driver =
      add("--driver", Deployment::kDriver,
          "Wait for the driver where none answers: for services that start side by side");
  add("--standalone", Deployment::kStandalone,
      "Without the driver, also where one runs: publisher and subscribers all of them")
      ->excludes(driver);
}

ClientOptions choose_client(const std::string& aeron_dir, Deployment deployment) {
  ClientOptions options;
  options.aeron_dir = bus::choose_aeron_dir(aeron_dir);
  const auto answers = [&] {
    return admin::ask(admin::socket_path(options.aeron_dir, kUsualControlStream), {},
                      kAnswerPatience)
        .has_value();
  };
  if (deployment == Deployment::kDriver || (deployment == Deployment::kWhatIsThere && answers())) {
    options.mode = DeploymentMode::kDriver;
  }
  return options;
}

StreamRef resolve_at_driver(const std::string& aeron_dir, StreamRef stream) {
  if (stream.number != 0) {
    return stream;
  }
  const Result<std::string> line = admin::ask(
      admin::socket_path(aeron_dir, kUsualControlStream),
      {.operation = admin::Operation::kResolveStream, .name = stream.name}, kAnswerPatience);
  const nlohmann::ordered_json answer = parse_json(line.value_or(""));
  const auto number = answer.is_object() ? answer.find("stream_id") : answer.end();
  if (number != answer.end() && number->is_number_unsigned()) {
    stream.number = number->get<std::uint32_t>();
  }
  return stream;
}

}  // namespace tensorpool::inline v0::apps
