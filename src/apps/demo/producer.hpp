// The half of `tp demo` that publishes, and what both halves say to each other.
#pragma once

#include <sys/types.h>

#include <string>

#include "apps/verbs.hpp"

namespace tensorpool::inline v0::apps::demo {

/// Of the hidden verb that the demo runs in a process of its own.
struct ProducerOptions {
  std::string workspace;
  pid_t parent = 0;
};
inline constexpr const char* kProducerVerb = "demo-producer";
/// The first line of its output: the stream is there.
inline constexpr const char* kReady = "ready";
/// The lines on its standard input.
inline constexpr const char* kBegin = "begin";
inline constexpr const char* kDismiss = "dismiss";

[[nodiscard]] ExitCode run_producer(const ProducerOptions& options);

}  // namespace tensorpool::inline v0::apps::demo
