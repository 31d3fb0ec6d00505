// Points at which a process of a test build can be made to die at once, as by kill -9. Nothing at
// all in what ships.
//
//   TP_KILLPOINT("driver.provision.file");     <role>.<what it does>.<what is done by now>
//
// Only the preset chaos defines TP_KILLPOINTS. There a process looks at TENSORPOOL_KILLPOINT:
//
//   <name>        dies at its first visit of the point
//   <name>#<n>    at its nth
//   list          names the points of the program on standard error when it ends
//
// Thread contract: any thread.
#pragma once

#if defined(TP_KILLPOINTS)

#include <atomic>
#include <cstdint>

#include "base/site_name.hpp"

namespace tensorpool::inline v0::base::kill_points {

/// One point. All points of a program are listed before main() runs, visited or not.
struct Point {
  const char* name;
  std::atomic<std::uint32_t> visits{0};
  Point* next;

  explicit Point(const char* point_name) noexcept;
};

template <SiteName kName>
inline Point point{kName.text};

/// Kills the process when it was asked to die here.
void visit(Point& point) noexcept;

}  // namespace tensorpool::inline v0::base::kill_points

#define TP_KILLPOINT(name) \
  ::tensorpool::base::kill_points::visit(::tensorpool::base::kill_points::point<name>)

#else

#define TP_KILLPOINT(name) static_cast<void>(0)

#endif
