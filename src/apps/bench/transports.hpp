// What is measured: tensorpool in its modes, and the floors it is held against in the same run.
//
//   descriptors  tensorpool, frames announced on Aeron (term-length=64m on both sides)
//   direct       tensorpool, consumers follow the header ring
//   raw-aeron    an exclusive publication alone: claims of 48 bytes, whatever the payload
//   seqlock      a plain ring of seqlocks in shared memory: no protocol, no files, no checks
//   memcpy, stream  one thread copies into a ring of the same footprint (test `copy`)
#pragma once

#include <string>

#include "apps/bench/case.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::apps::bench {

/// Runs one case in a scratch directory of its own. kInvalidArgument for an unknown variant.
[[nodiscard]] Result<Outcome> run(const Case& wanted);

// One file each.
[[nodiscard]] Result<Outcome> run_tensorpool(const Case& wanted, const std::string& scratch,
                                             bool direct);
[[nodiscard]] Result<Outcome> run_raw_aeron(const Case& wanted, const std::string& scratch);
[[nodiscard]] Result<Outcome> run_seqlock(const Case& wanted);
[[nodiscard]] Outcome run_copy(const Case& wanted, bool streaming);

}  // namespace tensorpool::inline v0::apps::bench
