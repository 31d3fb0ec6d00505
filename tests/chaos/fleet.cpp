#include "chaos/fleet.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <utility>

#include "admin/ask.hpp"
#include "core/region/directories.hpp"

namespace tensorpool::chaos {
namespace {

using test::eventually;
using test::TpProcess;
using Json = nlohmann::json;

constexpr const char* kStream = "cam";
constexpr std::uint32_t kControlStream = 1000;
constexpr std::size_t kEpochsLeft = 3;  // the newest, the one before, and a spare one

}  // namespace

std::string_view name_of(Role role) noexcept {
  switch (role) {
    case Role::kMediaDriver:
      return "media driver";
    case Role::kDriver:
      return "driver";
    case Role::kProducer:
      return "producer";
    case Role::kConsumer:
      return "consumer";
  }
  return {};
}

Fleet::Fleet(Pace pace, std::string_view policies) {
  EXPECT_EQ(::mkfifo(path("open").c_str(), 0600), 0);
  open_ = os::UniqueFd(::open(path("open").c_str(), O_RDWR | O_CLOEXEC));
  std::filesystem::create_directory(path("shm"));
  std::ofstream(path("token")) << "please\n";
  std::ofstream config(path("driver.toml"));
  config << "[driver]\n"
            "instance_id = \"chaos\"\n"
            "announce_stream_id = 1001\n"
            "stream_id_range = \"20000-20003\"\n"
            "[shm]\n"
            "base_dir = \""
         << path("shm")
         << "\"\n"
            "[policies]\n"
            "allow_dynamic_streams = true\n"
            "shutdown_timeout_ms = 300\n"
            "shutdown_token = \"please\"\n"
            "epoch_gc_min_age_ns = 1\n"
         << policies << "\n";
  if (pace == Pace::kQuick) {
    config << "announce_period_ms = 200\n"
              "lease_keepalive_interval_ms = 200\n";
  }
  config << "[profiles.small]\n"
            "header_nslots = 64\n"
            "payload_pools = [ { pool_id = 1, stride_bytes = 4096 } ]\n";
}

void Fleet::doom(Role role, std::string point) {
  doom_ = Doom{.role = role, .point = std::move(point)};
}

test::Surroundings Fleet::surroundings() {
  test::Surroundings where{.outputs = path("process" + std::to_string(++started_)),
                           .aeron_dir = path("aeron")};
  if (shifted_) {
    where.environment["LD_PRELOAD"] = TP_SHIFTED_CLOCK;
    where.environment["TP_CLOCK_FILE"] = path("clock");
  }
  return where;
}

void Fleet::shift_wall_clocks() {
  shifted_ = true;
  set_wall_clocks(0);
}

void Fleet::set_wall_clocks(std::int64_t ahead_seconds) {
  const os::UniqueFd file(::open(path("clock").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  EXPECT_EQ(::pwrite(file.get(), &ahead_seconds, sizeof(ahead_seconds), 0),
            ssize_t{sizeof(ahead_seconds)});
}

void Fleet::kill(Role role) {
  send(role, SIGKILL);
  process(role)->wait();
  died_at_ = Clock::now();
  start(role);
}

void Fleet::start() {
  for (const Role role : kRoles) {
    start(role);
  }
  observer_ = std::make_unique<Observer>(kStream, path("aeron"), path("shm"));
}

void Fleet::start(Role role) {
  const std::string shm = path("shm");
  test::Surroundings where = surroundings();
  if (doom_ && doom_->role == role && !died_at_) {
    where.environment["TENSORPOOL_KILLPOINT"] = doom_->point;
  }
  test::Arguments arguments;
  switch (role) {
    case Role::kMediaDriver:
      where.program = TP_MEDIA_DRIVER;
      where.input = path("open");  // it goes on until that is closed
      arguments = {"rendezvous", path("aeron"), "embedded"};
      break;
    case Role::kDriver:
      arguments = {"up", "--config", path("driver.toml"), "--media-driver", "external"};
      break;
    case Role::kProducer:
      if (claims_) {
        where.program = TP_CLAIMING_PRODUCER;
        arguments = {kStream, shm};
        break;
      }
      arguments = {"pub", kStream, "--sim", "ramp",      "--shape", "256",       "--dtype",
                   "u2",  "--hz",  "1000",  "--shm-dir", shm,       "--no-wait", "--driver"};
      break;
    case Role::kConsumer:
      arguments = {"sub", kStream, "--verify", "--keep-on", "--shm-dir", shm, "--driver"};
      break;
  }
  processes_[static_cast<std::size_t>(role)] = std::make_unique<TpProcess>(arguments, where);
}

void Fleet::keep_up() {
  for (const Role role : kRoles) {
    TpProcess& each = *process(role);
    if (!each.has_ended()) {
      continue;
    }
    const int code = each.wait();
    if (doom_ && doom_->role == role && !died_at_ && code == -SIGKILL) {
      died_at_ = Clock::now();
    } else if (code != 0 && code != 1) {  // 1: it could not start without another one
      ADD_FAILURE() << "the " << name_of(role) << " ended with " << code << "\n" << each.err();
    }
    start(role);
  }
}

Json Fleet::answer(const admin::Request& request) const {
  const auto text = admin::ask(admin::socket_path(path("aeron"), kControlStream), request,
                               std::chrono::milliseconds(500));
  return text ? Json::parse(*text, nullptr, false) : Json();
}

Json Fleet::stream() {
  const Json all = answer({.operation = admin::Operation::kStreams});
  if (all.is_object() && all.contains("streams")) {
    for (const Json& each : all["streams"]) {
      if (each["name"] == kStream) {
        return each;
      }
    }
  }
  return {};
}

bool Fleet::looks_whole(Clock::time_point since) {
  const Json now = stream();
  if (!now.is_object() || now["producer"].is_null() || now["consumers"].size() != 2 ||
      observer_->epoch() != now["epoch"] || observer_->last_frame_at() < since) {
    return false;
  }
  const std::uint32_t id = now["stream_id"];
  EXPECT_EQ(stream_id_.value_or(id), id) << "the name has another number now";
  stream_id_ = id;
  return true;
}

bool Fleet::is_whole_again() {
  return eventually(
      [this] {
        keep_up();
        return looks_whole(died_at_.value_or(Clock::time_point{}));
      },
      test::kRest);
}

bool Fleet::flows() {
  const Clock::time_point now = Clock::now();
  return eventually(
      [&] {
        keep_up();
        return looks_whole(now);
      },
      test::kRest);
}

bool Fleet::comes_back(Role role, const std::function<void()>& end) {
  const pid_t before = process(role)->pid();
  end();
  return eventually(
      [&] {
        keep_up();
        return process(role)->pid() != before;
      },
      test::kRest);
}

void Fleet::ask(const admin::Request& request) {
  static_cast<void>(answer(request));  // the driver may have just died
}

void Fleet::tp(const test::Arguments& arguments) {
  TpProcess sut(arguments, surroundings());
  EXPECT_TRUE(eventually(
      [&] {
        keep_up();
        return sut.has_ended();
      },
      test::kRest))
      << arguments.front() << " goes on";
}

void Fleet::revoke_all() {
  const Json now = stream();
  if (!now.is_object()) {
    return;
  }
  for (const Json& consumer : now["consumers"]) {
    ask({.operation = admin::Operation::kRevoke, .lease_id = consumer["lease_id"]});
  }
  if (!now["producer"].is_null()) {
    ask({.operation = admin::Operation::kRevoke, .lease_id = now["producer"]["lease_id"]});
  }
}

void Fleet::finish() {
  for (const Role role : {Role::kConsumer, Role::kProducer, Role::kDriver}) {
    send(role, SIGINT);
    const int code = process(role)->wait();
    const std::string err = process(role)->err();
    const bool had_no_time =
        role == Role::kConsumer && code == 1 && err.find("sub: 0 frames") != std::string::npos;
    EXPECT_TRUE(code == 0 || had_no_time) << name_of(role) << " ended with " << code << "\n" << err;
  }
  send(Role::kMediaDriver, SIGKILL);
  process(Role::kMediaDriver)->wait();
}

std::string Fleet::litter() const {
  namespace fs = std::filesystem;
  std::string found;
  std::size_t epochs = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path("shm"))) {
    const std::string name = entry.path().filename();
    if (entry.is_directory()) {
      epochs += entry.path().parent_path().filename() == std::to_string(stream_id_.value_or(0));
    } else if (!core::region::is_region_file_name(name)) {
      found += entry.path().native() + "\n";
    }
  }
  if (epochs > kEpochsLeft) {
    found += std::to_string(epochs) + " epochs\n";
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(path("aeron-admin"))) {
    if (entry.path().extension() == ".new") {
      found += entry.path().native() + "\n";
    }
  }
  return found;
}

}  // namespace tensorpool::chaos
