#include "apps/conform/finding.hpp"

#include <utility>

namespace tensorpool::inline v0::apps::conform {

std::string_view to_string(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::kPassed:
      return "passed";
    case Outcome::kFailed:
      return "failed";
    case Outcome::kNotObservable:
      break;
  }
  return "not observable";
}

Finding passed(std::string seen) {
  return {.outcome = Outcome::kPassed, .seen = std::move(seen)};
}

Finding failed(std::string seen) {
  return {.outcome = Outcome::kFailed, .seen = std::move(seen)};
}

Finding not_observable(std::string why) {
  return {.outcome = Outcome::kNotObservable, .seen = std::move(why)};
}

}  // namespace tensorpool::inline v0::apps::conform
