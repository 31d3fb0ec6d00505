// hot-path: besides the writer's and Aeron's budget a publish costs 10 loads, 1 store, 8 branches,
// and the barrier of core/wake while nobody sleeps; under a driver one clock read more, which is
// the one that the capture time takes anyway, or, where the caller gives that, one of the coarse
// clock (5 ns). Where consumers have streams of their own: an exchange, a clock read if one of them
// has a rate cap, and per stream 2 loads, and a descriptor if it is due. No allocation, no system
// call.
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
#include "core/wake/wake_budget.hpp"
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
  void abort(const OpenClaim& claim) noexcept;
  void drop(const OpenClaim& claim) noexcept;

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
  [[nodiscard]] bool has_subscribers() noexcept;
  [[nodiscard]] ProducerCounters counters() const noexcept;
  [[nodiscard]] AttachCounters attach_counters() const noexcept { return shared_.attach.read(); }

 private:
  ProducerCore(std::shared_ptr<ClientCore> client, const StreamOptions& options);
  ~ProducerCore();
  [[nodiscard]] Status begin_standalone(const StreamOptions& options);
  [[nodiscard]] Status begin_lease(const StreamOptions& options);

  [[nodiscard]] agents::MetadataSource& metadata() noexcept;
  void take_offered() noexcept;
  void switch_epoch(WrittenEpoch* offered) noexcept;
  [[nodiscard]] PublishStatus refuse() noexcept;
  [[nodiscard]] Nanos read_clock(std::optional<std::uint64_t> capture_time_ns,
                                 std::uint64_t& timestamp_ns) const noexcept;
  void end_claim(const OpenClaim& claim, std::uint64_t ProducerCounters::*count) noexcept;
  void tell_consumers(WrittenEpoch& epoch) noexcept;
  bool send_descriptor(WrittenEpoch& epoch, bus::ExclusivePublication* out) noexcept;
  void send_to_single_consumers(WrittenEpoch& epoch) noexcept;
  void wake_sleepers(layout::WakeWords& words, ProducerCounters& counters) noexcept;
  [[nodiscard]] agents::Standing::Now drive_until_settled(Nanos patience);

  std::shared_ptr<ClientCore> client_;
  std::optional<os::OwnedStream> stream_;  ///< standalone; epochs lie in its memory
  agents::TenantShared shared_;
  CommitHook commit_hook_;
  bool stamp_descriptors_;
  bool leased_;  ///< under a driver
  bool closed_ = false;
  std::uint32_t holders_ = 1;

  WrittenEpoch* present_ = nullptr;   ///< taken; we are a holder
  WrittenEpoch* writable_ = nullptr;  ///< `present_`, unless a loss has not been told yet
  WrittenEpoch* left_ = nullptr;      ///< list of those with open claims; we are a holder of each
  bool lapse_told_ = false;           ///< of the present epoch
  bool loss_untold_ = false;          ///< of the epoch before it
  ProducerCounters kept_ = {};        ///< while there is no epoch

  std::unique_ptr<agents::WakeKeeper> wake_;  // null where not wanted, and once closed
  core::wake::WakeBudget wake_budget_{{}};
  std::unique_ptr<agents::OwnerAgent> owner_;    // standalone; null once closed
  std::unique_ptr<agents::TenantAgent> tenant_;  // under a driver; null once closed
};

}  // namespace tensorpool::inline v0::detail
