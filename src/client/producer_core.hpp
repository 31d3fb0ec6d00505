// hot-path: besides the writer's and Aeron's budget a publish costs 12 loads, 2 stores, 9 branches,
// and the barrier of core/wake while nobody sleeps; under a driver one clock read more, which is
// the one that the capture time takes anyway, or, where the caller gives that, one of the coarse
// clock (5 ns). Where consumers have streams of their own: an exchange, a clock read if one of them
// has a rate cap, and per stream 2 loads, and a descriptor if it is due. Where somebody wants
// progress, what client/progress_teller says. No allocation, no system call.
//
// The inside of a Producer. Spec: §1.10; 2-driver.md §2.20 (producer).
//
// Epochs. In standalone mode there is one, made with the producer. Under a driver each lease brings
// one; the control thread (agents/tenant_agent) offers and withdraws them, this takes them at the
// next call. An epoch that is left with open claims stays mapped until the last of these goes.
//
// Life: held by its Producer and by each open Claim, all on the producer's thread, so a plain count
// does. Announces, activity and the lease end with the Producer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "agents/tenant_agent.hpp"
#include "agents/written_epoch.hpp"
#include "client/client_core.hpp"
#include "client/progress_teller.hpp"
#include "core/wake/wake_budget.hpp"
#include "core/wake/wake_protocol.hpp"
#include "os/clock.hpp"
#include "tensorpool/producer.hpp"

namespace tensorpool::inline v0::detail {

class ProducerCore {
 public:
  /// Standalone: creates the files and begins to announce them. Under a driver: begins to ask for a
  /// lease. The caller is the first holder.
  [[nodiscard]] static Result<ProducerCore*> create(std::shared_ptr<ClientCore> client,
                                                    const StreamOptions& options);
  ProducerCore(const ProducerCore&) = delete;
  ProducerCore& operator=(const ProducerCore&) = delete;

  [[nodiscard]] PublishStatus publish(const TensorInfo& info, std::span<const std::byte> payload,
                                      std::optional<std::uint64_t> capture_time_ns) noexcept;
  [[nodiscard]] PublishStatus claim(std::size_t bytes, FillWith fill, OpenClaim& out) noexcept;
  [[nodiscard]] CommitStatus commit(const OpenClaim& claim, const TensorInfo& info,
                                    std::size_t payload_bytes,
                                    std::optional<std::uint64_t> capture_time_ns) noexcept;
  /// True when a claim cannot be committed any more, as far as is known here.
  [[nodiscard]] bool is_stale(const OpenClaim& claim, Nanos now) const noexcept {
    return epoch_of(claim, now) == nullptr;
  }
  void abort(const OpenClaim& claim) noexcept;
  void drop(const OpenClaim& claim) noexcept;

  // Progress (producer_progress.cpp).
  [[nodiscard]] bool begin_filling(const OpenClaim& claim, const TensorInfo& info,
                                   std::size_t payload_bytes,
                                   std::optional<std::uint64_t> capture_time_ns) noexcept;
  void filled(const OpenClaim& claim, std::size_t bytes, std::uint32_t unit_bytes) noexcept;

  [[nodiscard]] Status set_metadata(std::vector<Attribute> attributes);
  [[nodiscard]] Status send_blob(std::uint32_t type, std::vector<std::byte> bytes);
  [[nodiscard]] std::size_t blobs_pending();

  /// The Producer ends: no announce, no activity and no lease from here on.
  void close() noexcept;
  void retain() noexcept { ++holders_; }
  void release() noexcept;

  [[nodiscard]] Status wait_attached(Nanos patience);
  [[nodiscard]] AttachState attach_state() const noexcept;
  [[nodiscard]] std::uint32_t stream_id() const noexcept {
    return shared_.stream_id.load(std::memory_order_relaxed);
  }
  /// What can be written now; null without a lease.
  [[nodiscard]] const WrittenEpoch::Writer* writer() noexcept;
  /// Keeps the memory of what can be written now mapped, as long as this core is held, too.
  /// Precondition: writer() is not null.
  [[nodiscard]] WrittenRef hold_memory() const noexcept {
    present_->retain();
    return WrittenRef(present_);
  }
  [[nodiscard]] const os::SystemClock& clock() const noexcept { return client_->clock(); }
  [[nodiscard]] bool is_forked() const noexcept { return client_->is_forked(); }
  [[nodiscard]] bool is_closed() const noexcept { return closed_; }
  [[nodiscard]] bool has_subscribers() noexcept;
  [[nodiscard]] ProducerCounters counters() const noexcept;
  [[nodiscard]] AttachCounters attach_counters() const noexcept { return shared_.attach.read(); }

 private:
  ProducerCore(std::shared_ptr<ClientCore> client, const StreamOptions& options,
               core::progress::ProgressSender progress);
  ~ProducerCore();
  [[nodiscard]] Status begin_standalone(const StreamOptions& options);
  [[nodiscard]] Status begin_lease(const StreamOptions& options);

  [[nodiscard]] agents::MetadataSource& metadata() noexcept;
  void take_offered() noexcept;
  void switch_epoch(WrittenEpoch* offered) noexcept;
  [[nodiscard]] PublishStatus refuse() noexcept;
  [[nodiscard]] Nanos read_clock(std::optional<std::uint64_t> capture_time_ns,
                                 std::uint64_t& timestamp_ns) const noexcept;
  [[nodiscard]] WrittenEpoch* epoch_of(const OpenClaim& claim, Nanos now) const noexcept;
  void end_claim(const OpenClaim& claim, std::uint64_t ProducerCounters::*count) noexcept;
  void tell_consumers(WrittenEpoch& epoch, std::size_t payload_bytes) noexcept;
  void tell_started(WrittenEpoch& epoch, std::uint64_t seq) noexcept;
  void tell_complete(WrittenEpoch& epoch, std::size_t payload_bytes) noexcept;
  void wake_whoever_sleeps(WrittenEpoch& epoch) noexcept;
  bool send_descriptor(WrittenEpoch& epoch, bus::ExclusivePublication* out) noexcept;
  template <std::uint64_t ProducerCounters::*kCounter>
  void count(ProducerCounters& counters) noexcept {
    ++(counters.*kCounter);
    shared_.tally.tell<kCounter>(counters);
  }
  void send_to_single_consumers(WrittenEpoch& epoch) noexcept;
  void wake_sleepers(layout::WakeWords& words, ProducerCounters& counters) noexcept;
  [[nodiscard]] agents::Standing::Now drive_until_settled(Nanos patience);

  std::shared_ptr<ClientCore> client_;
  std::optional<os::OwnedStream> stream_;  ///< standalone; epochs lie in its memory
  agents::TenantShared shared_;
  CommitHook commit_hook_;
  bool stamp_descriptors_;
  bool early_header_;
  bool leased_;  ///< under a driver
  bool closed_ = false;
  std::uint32_t holders_ = 1;

  WrittenEpoch* present_ = nullptr;   ///< taken; we are a holder
  WrittenEpoch* writable_ = nullptr;  ///< `present_`, unless a loss has not been told yet
  WrittenEpoch* left_ = nullptr;      ///< list of those with open claims; we are a holder of each
  bool lapse_told_ = false;           ///< of the present epoch
  bool loss_untold_ = false;          ///< of the epoch before it
  ProducerCounters kept_ = {};        ///< while there is no epoch
  ProgressTeller progress_;

  std::unique_ptr<agents::WakeKeeper> wake_;  // null where not wanted, and once closed
  core::wake::WakeBudget wake_budget_{{}};
  std::unique_ptr<agents::OwnerAgent> owner_;    // standalone; null once closed
  std::unique_ptr<agents::TenantAgent> tenant_;  // under a driver; null once closed
};

inline void ProducerCore::take_offered() noexcept {
  const WrittenRef* const offered = shared_.epochs.current();
  WrittenEpoch* const epoch = offered == nullptr ? nullptr : offered->get();
  if (epoch != present_) [[unlikely]] {
    switch_epoch(epoch);
  }
}

/// `timestamp_ns` of the frame, and a time that is late enough to tell whether the lease still
/// holds.
inline Nanos ProducerCore::read_clock(std::optional<std::uint64_t> capture_time_ns,
                                      std::uint64_t& timestamp_ns) const noexcept {
  if (capture_time_ns) {
    timestamp_ns = *capture_time_ns;
    return leased_ ? os::SystemClock::coarse_mono() : Nanos{};
  }
  const Nanos now = client_->clock().mono();
  timestamp_ns = static_cast<std::uint64_t>(now.count());  // W194
  return now;
}

inline void ProducerCore::wake_whoever_sleeps(WrittenEpoch& epoch) noexcept {
  layout::WakeWords* const words = wake_ == nullptr ? nullptr : wake_->words();
  if (words != nullptr && core::wake::somebody_sleeps<base::DefaultAtom>(words->armed))
      [[unlikely]] {
    wake_sleepers(*words, epoch.writer.counters());
  }
}

/// Where an open claim may be written; null once it is stale (W183, D314).
inline WrittenEpoch* ProducerCore::epoch_of(const OpenClaim& claim, Nanos now) const noexcept {
  const bool stale = closed_ || present_ == nullptr || present_->epoch() != claim.epoch ||
                     !present_->may_write(now);
  return stale ? nullptr : present_;
}

}  // namespace tensorpool::inline v0::detail
