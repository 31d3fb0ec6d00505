#include "os/collect_epochs.hpp"

#include <unistd.h>

#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/kill_point.hpp"
#include "core/driver/collect_rules.hpp"
#include "core/region/directories.hpp"
#include "layout/superblock.hpp"
#include "os/old_epoch.hpp"
#include "os/process.hpp"

namespace tensorpool::inline v0::os {
namespace {

using core::driver::CollectOutcome;
using core::driver::CollectRequest;
using core::driver::EpochFacts;
using core::driver::KeepReason;
using core::driver::PolicySettings;
using Kept = CollectOutcome::Kept;

/// The own process does not protect what it has written (D225).
[[nodiscard]] bool writer_alive(Syscalls& calls, std::uint64_t pid) noexcept {
  return pid != static_cast<std::uint64_t>(::getpid()) && process_exists(calls, pid);
}

[[nodiscard]] Result<EpochFacts> facts_of(Syscalls& calls, const OldEpoch& old) {
  const auto block = old.superblock();
  if (!block) {
    return fail(block.error());
  }
  EpochFacts facts{.directory_changed_ns = old.directory_changed_ns()};
  if (*block && (*block)->magic == layout::kSuperblockMagic) {  // else D227
    facts.activity_ns = (*block)->activity_timestamp_ns;
    facts.writer_alive = writer_alive(calls, (*block)->pid);
  }
  return facts;
}

/// What keeps an epoch in spite of the rules: what is in it, or the system. Empty when it is gone.
[[nodiscard]] std::optional<Kept> remove(const OldEpoch& old, std::uint64_t epoch) {
  const OldEpoch::Removal removal = old.remove();
  if (removal.complete) {
    return std::nullopt;
  }
  if (removal.refused.empty()) {
    return Kept{
        .epoch = epoch, .reason = KeepReason::kForeignFile, .detail = old.foreign().front()};
  }
  const auto& [name, os_errno] = removal.refused.front();
  return Kept{
      .epoch = epoch,
      .reason = KeepReason::kFailed,
      .detail = name + (name.empty() ? "" : ": ") + std::generic_category().message(os_errno)};
}

/// One run over one stream.
class Collection {
 public:
  Collection(const ManagedStream& stream, const PolicySettings& policies,
             const CollectRequest& request, base::Now now)
      : stream_(stream), policies_(policies), request_(request), now_(now) {}

  [[nodiscard]] Result<CollectOutcome> run() {
    const auto existing =
        list_numbered(stream_.store().calls(), stream_.directory(), core::region::kDriverEpochMax);
    if (!existing) {
      return fail(existing.error());
    }
    TP_KILLPOINT("driver.collect.begin");
    CollectOutcome outcome{.stream_id = stream_.stream_id(),
                           .known_epoch = existing->empty() ? 0 : existing->back()};
    for (const std::uint64_t epoch : *existing) {
      if (auto kept = collect(epoch, *existing)) {
        outcome.kept.push_back(*std::move(kept));
      } else {
        outcome.removed.push_back(epoch);
      }
    }
    return outcome;
  }

 private:
  /// Why `epoch` stays; nothing when it is gone, or would be.
  [[nodiscard]] std::optional<Kept> collect(std::uint64_t epoch,
                                            const std::vector<std::uint64_t>& existing) const {
    const auto kept = [&](KeepReason reason, std::string detail = {}) {
      return Kept{.epoch = epoch, .reason = reason, .detail = std::move(detail)};
    };
    if (!policies_.epoch_gc_enabled && !request_.earlier_processes) {
      return kept(KeepReason::kDisabled);
    }
    if (const auto reason =
            protected_by_number(epoch, existing, request_, policies_.epoch_gc_keep)) {
      return kept(*reason);
    }
    const std::string name = std::to_string(epoch);
    if (Status contained = stream_.store().check_contained(stream_.directory() / name);
        !contained) {
      return kept(KeepReason::kUnmanaged, describe(contained.error()));
    }
    Syscalls& calls = stream_.store().calls();
    const auto old = OldEpoch::open(calls, stream_.directory(), name);
    if (!old) {
      return kept(
          old.error().code == Errc::kPathRejected ? KeepReason::kUnmanaged : KeepReason::kFailed,
          describe(old.error()));
    }
    const auto facts = facts_of(calls, *old);
    if (!facts) {
      return kept(KeepReason::kFailed, describe(facts.error()));
    }
    if (const auto reason = protected_by_facts(*facts, request_, policies_.gc_min_age(), now_)) {
      return kept(*reason);
    }
    if (!request_.dry_run) {
      return remove(*old, epoch);
    }
    return old->foreign().empty()
               ? std::nullopt
               : std::optional(kept(KeepReason::kForeignFile, old->foreign().front()));
  }

  const ManagedStream& stream_;
  const PolicySettings& policies_;
  const CollectRequest& request_;
  base::Now now_;
};

/// What became of one epoch of this process. Nothing when it is gone.
[[nodiscard]] std::optional<Kept> remove_own(const ManagedStream& stream, std::uint64_t epoch) {
  const auto old =
      OldEpoch::open(stream.store().calls(), stream.directory(), std::to_string(epoch));
  if (old) {
    return remove(*old, epoch);
  }
  if (old.error().code == Errc::kNotFound) {
    return std::nullopt;
  }
  return Kept{.epoch = epoch, .reason = KeepReason::kFailed, .detail = describe(old.error())};
}

}  // namespace

Result<CollectOutcome> collect_epochs(ManagedStream& stream, const PolicySettings& policies,
                                      const CollectRequest& request, base::Now now) {
  const bool held = stream.is_open();
  Result<CollectOutcome> outcome = fail(Errc::kNotFound);
  if (Status opened = stream.open(ManagedStream::Absent::kRefuse); opened) {
    outcome = Collection(stream, policies, request, now).run();
  } else if (opened.error().code == Errc::kNotFound) {
    outcome = CollectOutcome{.stream_id = stream.stream_id()};
  } else {
    outcome = fail(opened.error());
  }
  TP_KILLPOINT("driver.collect.done");
  if (outcome && !request.dry_run) {
    for (const std::uint64_t epoch : outcome->removed) {
      stream.forget(epoch);
    }
  }
  if (!held) {
    stream.close();
  }
  return outcome;
}

std::optional<CollectOutcome> remove_provisioned(ManagedStream& stream) {
  if (stream.provisioned().empty()) {
    return std::nullopt;
  }
  CollectOutcome outcome{.stream_id = stream.stream_id()};
  const Status opened = stream.open(ManagedStream::Absent::kRefuse);
  const bool absent = !opened && opened.error().code == Errc::kNotFound;
  for (const std::uint64_t epoch : std::vector(stream.provisioned())) {
    std::optional<Kept> kept;
    if (opened) {
      kept = remove_own(stream, epoch);
    } else if (!absent) {
      kept =
          Kept{.epoch = epoch, .reason = KeepReason::kFailed, .detail = describe(opened.error())};
    }
    if (kept) {
      outcome.kept.push_back(*std::move(kept));
    } else {
      outcome.removed.push_back(epoch);
      stream.forget(epoch);
    }
  }
  return outcome;
}

}  // namespace tensorpool::inline v0::os
