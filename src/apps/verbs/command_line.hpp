// Everything that the command line of tp understands, for tp itself and for what describes it.
#pragma once

#include "apps/verbs.hpp"

namespace tensorpool::inline v0::apps {

/// Puts name, examples, flags and all verbs on an empty `tp`.
void add_everything(CLI::App& tp, Action& action);

}  // namespace tensorpool::inline v0::apps
