// The publications that single consumers of a producer have for themselves, and those on which
// progress goes out, as the control thread, which opens and closes them, and the producer's thread,
// which sends on them, share them. Spec: §1.15.2, §1.16, §1.17.1.
//
// Thread contract: Lent says whose thread does what; of a Stream the control thread has `link`
// except `link.current()`, and the producer's thread that and `cap`; `interval_ns` is atomic.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "bus/lent.hpp"
#include "bus/link.hpp"
#include "core/progress/throttle.hpp"
#include "core/registration/rate.hpp"

namespace tensorpool::inline v0::agents {

struct OwnPublication {
  OwnPublication(bus::Client& client, bus::PublicationLink::Options options)
      : link(client, std::move(options)) {}

  bus::PublicationLink link;
  std::atomic<Nanos::rep> interval_ns{0};  ///< 0: no cap; stands alone
  core::registration::RateCap cap;
};

/// Who wants to know how far frames are.
struct ProgressAudience {
  std::uint64_t number = 0;                       ///< another one has another number
  std::vector<OwnPublication*> streams = {};      ///< those of single consumers, the shared one
  std::vector<core::progress::Hints> hints = {};  ///< of each of them
};

struct OwnStreams {
  using List = std::vector<OwnPublication*>;
  bus::Lent<List> descriptors;
  bus::Lent<ProgressAudience> progress;  ///< nothing while nobody asks (W343)
};

}  // namespace tensorpool::inline v0::agents
