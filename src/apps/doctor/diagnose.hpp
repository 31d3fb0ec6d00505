// What is wrong with a host, or could be better, and the command that changes it.
//
// Pure: judges facts, asks nobody. Thread contract: free function.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "apps/doctor/host_facts.hpp"

namespace tensorpool::inline v0::apps::doctor {

enum class Severity : std::uint8_t {
  kFine,
  kHint,     ///< works; latency or comfort can be had
  kWarning,  ///< works now, may fail under load
  kError,    ///< streams cannot work like this
};

struct Finding {
  std::string_view topic;  ///< stable, for programs: `shm_space`, `memlock`, …
  Severity severity = Severity::kFine;
  std::string text;  ///< one sentence with the figures
  std::string fix;   ///< a command to type, or ""
};

/// `fine`, `hint`, `warning`, `error`.
[[nodiscard]] std::string_view to_string(Severity severity) noexcept;

/// One finding for each topic, the fine ones included, in a fixed order.
[[nodiscard]] std::vector<Finding> diagnose(const HostFacts& facts);

}  // namespace tensorpool::inline v0::apps::doctor
