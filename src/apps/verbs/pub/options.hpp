// What `tp pub` is asked to do.
//
// Thread contract: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/driver_link.hpp"

namespace tensorpool::inline v0::apps::pub {

inline constexpr std::string_view kCameraPrefix = "v4l2:";

struct Options {
  std::string stream;
  std::string from;
  std::string simulation;
  std::string shape;
  std::string dtype;
  std::string format;
  std::string arrangement = "auto";
  std::optional<double> hz;
  bool loop = false;
  std::uint64_t count = 0;  // 0: all
  std::uint32_t slots = 0;
  double slack_s = 0.1;
  int cpu = -1;
  std::uint32_t number = 0;
  std::vector<std::string> meta;
  bool wait = false;
  bool no_wait = false;
  double linger_s = 0.25;
  std::string shm_dir = "/dev/shm";
  std::string aeron_dir;
  Deployment deployment = Deployment::kWhatIsThere;
  bool json = false;

  [[nodiscard]] bool from_stdin() const { return from == "-"; }
  [[nodiscard]] bool from_camera() const { return from.starts_with(kCameraPrefix); }
  [[nodiscard]] bool ends() const { return !from.empty() && !from_camera() && !loop; }
  [[nodiscard]] bool waits() const { return wait || (ends() && !no_wait); }
};

}  // namespace tensorpool::inline v0::apps::pub
