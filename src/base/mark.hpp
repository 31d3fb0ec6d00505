// Marks of rare paths and places where the simulator may behave unusually. Nothing at all in the
// library that ships.
//
//   TP_MARK("a lapped reader");          counts; the simulator fails when a mark was never hit
//   if (TP_BUGGIFY("stop early")) ...    true now and then in a simulated run, by its seed; guards
//                                        behaviour that is legal at any time, only unusual
//
// Both take a string literal. Only targets of sim/ define TP_SIMULATION, for every source of the
// core that they contain, so no program mixes the two meanings.
//
// Thread contract: a simulated run has one thread.
#pragma once

#if defined(TP_SIMULATION)

#include <cstdint>

#include "base/site_name.hpp"

namespace tensorpool::inline v0::base::simulation {

/// One mark. All marks of a program are listed before main() runs, hit or not.
struct Mark {
  const char* name;
  std::uint64_t hits = 0;
  Mark* next;

  explicit Mark(const char* mark_name) noexcept : name(mark_name), next(first()) { first() = this; }
  [[nodiscard]] static Mark*& first() noexcept {
    static Mark* head = nullptr;
    return head;
  }
};

template <SiteName kName>
inline Mark mark{kName.text};

/// Decides for one site whether it fires now; set by the simulator.
using Buggify = bool (*)(const char* site) noexcept;
inline constinit Buggify buggify = nullptr;

}  // namespace tensorpool::inline v0::base::simulation

#define TP_MARK(name) static_cast<void>(++::tensorpool::base::simulation::mark<name>.hits)
#define TP_BUGGIFY(site)                                 \
  (::tensorpool::base::simulation::buggify != nullptr && \
   ::tensorpool::base::simulation::buggify(site))

#else

#define TP_MARK(name) static_cast<void>(0)
#define TP_BUGGIFY(site) false

#endif
