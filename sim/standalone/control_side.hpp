// The control thread of a consumer: announces, the mapping machine, and the checkers that watch it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "parts/announce_checker.hpp"
#include "parts/mapping_side.hpp"
#include "standalone/environment.hpp"
#include "standalone/mapping_checker.hpp"

namespace tensorpool::inline v0::sim::standalone {

class ControlSide final : private MappingSide::Observer {
 public:
  ControlSide(Environment& environment, std::uint32_t index);

  /// A new process; `use_shm` is its configuration.
  void start(bool use_shm);
  void bury();
  /// One duty cycle.
  void run();
  /// A ConsumerConfig arrives.
  void configure(bool use_shm, const char* fallback_uri);

  /// What the data side is to read from its next poll on, or nothing.
  [[nodiscard]] const std::shared_ptr<SimEpoch>& offered() const noexcept {
    return mapping_.offered();
  }
  [[nodiscard]] MappingState state() const noexcept { return mapping_.machine().state(); }

  bool believes_announces = false;  ///< planted bug: whoever sent them, and whenever

 private:
  void attempts_to_map() override { mappings_checked_->attempts(); }
  void maps(const SimMapping& mapping) override;
  void unmaps(std::uint64_t epoch, UnmapReason reason) override {
    mappings_checked_->unmaps(epoch, reason);
  }
  void gives_lease_back() override { fail("a consumer without a driver gives a lease back"); }

  void hear_announces(const base::Now& now);
  void hear(const Announce& announce, Nanos joined_at, const base::Now& now);
  void fail(const char* what) { world_->verdict.fail(Failure::kSafety, what); }
  void note(const char* what, std::uint64_t a = 0, std::uint64_t b = 0);

  Environment* world_;
  std::uint32_t index_;
  base::Random random_;
  std::optional<AnnounceChecker> announces_checked_;
  std::optional<MappingChecker> mappings_checked_;
  MappingSide mapping_;
  Nanos heard_at_{};  ///< the present announce
};

}  // namespace tensorpool::inline v0::sim::standalone
