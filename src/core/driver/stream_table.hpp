// The streams of a driver: those of its configuration, which always exist, and the dynamic ones,
// which are created under ids of `driver.stream_id_range`, and whose ids are given to others when
// none is left.
//
// For the driver's machine, which keeps a stream's present epoch and the work on it here.
//
// Memory: one entry per configured stream, and one per dynamic stream, of which there are at most
// as many as the ranges have ids. A dynamic stream that came to nothing is removed again.
//
// Thread contract: one thread at a time. Spec: §2.15 (D240..D246), §2.11, D-D34, D-D35.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/driver/announced_epochs.hpp"
#include "core/driver/crash_loop.hpp"
#include "core/driver/settings.hpp"
#include "core/region/plan.hpp"
#include "layout/messages_901.hpp"

namespace tensorpool::inline v0::core::driver {

/// A provisioned epoch, and its pools as messages carry them. The views point into `plan`, so it
/// stays where it is.
struct ProvisionedEpoch {
  explicit ProvisionedEpoch(region::MappingPlan provisioned)
      : plan(std::move(provisioned)), pools(region::announced_pools(plan)) {}
  ProvisionedEpoch(const ProvisionedEpoch&) = delete;
  ProvisionedEpoch& operator=(const ProvisionedEpoch&) = delete;

  const region::MappingPlan plan;
  const std::vector<layout::PayloadPool> pools;
};

/// Why an epoch is being provisioned.
enum class BumpCause : std::uint8_t {
  kAttach,    ///< an attach needs it
  kLeaseEnd,  ///< a producer lease has ended (D151)
  kRepair,    ///< files of the present one are gone
  kRetry,     ///< D189
};

/// A provisioning under way.
struct BumpJob {
  struct Detach {
    layout::ShmDetachRequest request;
    Nanos received_at{};
  };
  BumpCause cause = BumpCause::kAttach;
  bool cancelled = false;
  std::optional<Detach> detach;  ///< to be answered when the job has ended (D159)
};

struct Stream {
  std::uint32_t id = 0;
  bool dynamic = false;
  std::string name;                  ///< of a configured stream
  std::optional<Profile> profile;    ///< nothing: the configuration has none of that name
  bool closed_to_producers = false;  ///< without a pass
  bool closed_to_consumers = false;

  std::uint64_t known_epoch = 0;              ///< L of D178 as far as it is known here
  std::unique_ptr<ProvisionedEpoch> current;  ///< handed out and announced; or nothing
  std::unique_ptr<ProvisionedEpoch> spare;    ///< provisioned for an attach that did not wait
  AnnouncedEpochs announced;
  std::optional<Nanos> announced_at;  ///< the last announce that was published
  bool claimed = false;  ///< somebody knows this stream: it was announced, or asked for by name

  std::optional<BumpJob> job;
  bool verifying = false;  ///< the files of `current` are being looked at (D69)
  bool ticking = false;    ///< it has a timer for announces
  bool lost = false;       ///< the epoch after a producer lease could not be provisioned (D187)
  CrashLoop crash_loop;
};

class StreamTable {
 public:
  /// Keeps what it needs of `settings`.
  explicit StreamTable(const Settings& settings);

  [[nodiscard]] Stream* find(std::uint32_t id) noexcept;
  [[nodiscard]] const Stream* find(std::uint32_t id) const noexcept;
  /// Whether `id` lies in `driver.stream_id_range`.
  [[nodiscard]] bool in_range(std::uint32_t id) const noexcept;
  [[nodiscard]] bool range_configured() const noexcept { return !ranges_.empty(); }
  /// Whether allocate() has an id to give (D57).
  [[nodiscard]] bool id_left() const noexcept;
  /// Of dynamic streams (D243); nothing when it is missing.
  [[nodiscard]] const std::optional<Profile>& default_profile() const noexcept {
    return default_profile_;
  }

  /// A dynamic stream under an id of the range. Precondition: there is none.
  Stream& create(std::uint32_t id);

  struct Allocation {
    Stream& stream;
    bool reclaimed = false;  ///< it was somebody else's: it needs a new epoch (D246)
  };
  /// The stream for a request without id: one that nobody ever got, else a new one under the next
  /// unused id (D242), else the one that has been without leases longest (D245).
  /// Precondition: id_left().
  Allocation allocate();

  /// Whether a lease or a waiting attach refers to a stream.
  void set_used(Stream& stream, bool used);

  /// Forgets a dynamic stream that nobody ever got. `now` decides whether its epoch has to be
  /// remembered: one that lies in the past is not, D178 goes above it anyway.
  void remove(Stream& stream, Nanos now);

  [[nodiscard]] const std::map<std::uint32_t, Stream>& all() const noexcept { return streams_; }
  [[nodiscard]] std::map<std::uint32_t, Stream>& all() noexcept { return streams_; }
  [[nodiscard]] std::size_t dynamic_count() const noexcept { return dynamic_count_; }

 private:
  [[nodiscard]] std::optional<std::uint32_t> next_unused();

  std::vector<IdRange> ranges_;
  std::uint64_t range_ids_ = 0;  ///< ids that dynamic streams can have
  std::optional<Profile> default_profile_;
  std::map<std::uint32_t, Stream> streams_;  // ordered: clients choose some of the ids
  std::size_t dynamic_count_ = 0;

  // The next id to try (D242).
  std::size_t range_at_ = 0;
  std::uint64_t id_at_ = 0;

  // Dynamic streams without lease and without waiting attach.
  std::set<std::uint32_t> unclaimed_;                  ///< that nobody ever got
  std::map<std::uint64_t, std::uint32_t> idle_;        ///< the others, longest idle first
  std::map<std::uint32_t, std::uint64_t> idle_since_;  ///< the way back
  std::uint64_t idle_clock_ = 0;

  std::map<std::uint32_t, std::uint64_t> remembered_epochs_;  ///< of removed streams
};

}  // namespace tensorpool::inline v0::core::driver
