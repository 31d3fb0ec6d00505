#include "tensorpool/buffer_queue.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "client/completion_board.hpp"
#include "client/producer_core.hpp"
#include "core/copy.hpp"
#include "core/producer/commit_order.hpp"

namespace tensorpool::inline v0 {
namespace detail {
namespace {

using core::producer::CommitOrder;

constexpr std::size_t kPageBytes = 4096;
constexpr std::uint32_t kBuffersMax = 4096;

/// How a buffer came back, as it lies on the board.
struct Returned {
  FilledBuffer filled;
  bool empty = false;
};

struct Free {
  void operator()(std::byte* memory) const noexcept { std::free(memory); }
};
using Substitute = std::unique_ptr<std::byte[], Free>;

/// One buffer, from take() until it is ended and the device does not have it any more.
struct Place {
  OpenClaim claim = {};
  std::optional<WrittenRef> mapping = {};  ///< engaged: in use
  std::uint64_t id = 0;                    ///< of its lending
  std::uint64_t number = 0;                ///< of its turn
  bool at_device = false;
  bool late = false;       ///< its turn is over; only the device still has it
  bool slot_lent = false;  ///< the device writes into the slot itself
  FilledBuffer filled = {};
};

}  // namespace

class BufferQueueCore {
 public:
  BufferQueueCore(ProducerCore& core, const BufferQueueOptions& options, CommitOrder order)
      : core_(core),
        options_(options),
        order_(std::move(order)),
        board_(places_for(options)),
        places_(places_for(options)),
        by_turn_(places_for(options)) {
    core_.retain();
    for (std::uint32_t index = places_for(options); index > 0; --index) {
      free_.push_back(index - 1);
    }
  }
  BufferQueueCore(const BufferQueueCore&) = delete;
  BufferQueueCore& operator=(const BufferQueueCore&) = delete;
  ~BufferQueueCore() {
    places_.clear();
    core_.release();
  }

  /// A frame that is held back keeps its slot, but not the device from having as many as it may.
  [[nodiscard]] static std::uint32_t places_for(const BufferQueueOptions& options) noexcept {
    return 2 * options.buffers;
  }
  [[nodiscard]] static std::uint32_t buffers_allowed(std::uint32_t nslots) noexcept {
    return nslots / 4;
  }

  /// Ends everything. False when the device still has memory: then nothing may be freed.
  [[nodiscard]] bool close() noexcept {
    if (core_.is_forked()) {
      return false;
    }
    poll();
    for (Place& place : places_) {
      if (place.mapping && !place.late) {
        core_.abort(place.claim);
      }
    }
    return at_device_ == 0;
  }

  [[nodiscard]] tl::expected<DeviceBuffer, PublishStatus> take() noexcept {
    if (core_.is_closed()) {
      return tl::unexpected(PublishStatus::kClosed);
    }
    const auto* const writer = core_.writer();
    const std::uint32_t at_device_max =
        writer == nullptr ? options_.buffers
                          : std::min(options_.buffers, buffers_allowed(writer->memory().nslots));
    if (at_device_ >= at_device_max || free_.empty()) {
      return tl::unexpected(PublishStatus::kTooManyClaims);
    }
    OpenClaim claim;
    for (;;) {
      const PublishStatus status = core_.claim(options_.frame_bytes, FillWith::kAnything, claim);
      if (status != PublishStatus::kPublished) {
        return tl::unexpected(status);
      }
      if (!is_lent(claim.payload.data())) {
        break;
      }
      core_.abort(claim);  // of a slot that the device may still write
      ++counters_.slots_skipped;
    }
    const std::uint32_t index = free_.back();
    free_.pop_back();
    Place& place = places_[index];
    place = {.claim = claim,
             .mapping = core_.hold_memory(),
             .id = board_.lend(index),
             .number = order_.on_handed_out(),
             .at_device = true,
             .slot_lent = substitutes_.empty()};
    by_turn_[place.number % by_turn_.size()] = index;
    ++at_device_;
    ++counters_.taken;
    return buffer_at(index);
  }

  [[nodiscard]] Result<DeviceBuffer> substitute(std::uint64_t id) {
    const auto found = std::find_if(places_.begin(), places_.end(), [id](const Place& place) {
      return place.mapping && place.at_device && place.id == id;
    });
    if (found == places_.end()) {
      return fail(Errc::kNotFound, "buffer to substitute", id);
    }
    if (!options_.may_copy || !found->slot_lent) {
      return fail(Errc::kMisaligned,
                  options_.may_copy ? "address of a substitute" : "address of a slot, no may_copy",
                  reinterpret_cast<std::uintptr_t>(found->claim.payload.data()) % kPageBytes,
                  kPageBytes);
    }
    if (Status made = make_substitutes(); !made) {
      return fail(made.error());
    }
    ++counters_.addresses_refused;
    found->slot_lent = false;
    return buffer_at(static_cast<std::uint32_t>(found - places_.begin()));
  }

  [[nodiscard]] Status make_substitutes() {
    if (!substitutes_.empty()) {
      return {};
    }
    const std::size_t alignment = std::max(options_.alignment, kPageBytes);
    substitute_bytes_ = (options_.frame_bytes + alignment - 1) / alignment * alignment;
    std::vector<Substitute> made;
    for (std::size_t k = 0; k < places_.size(); ++k) {
      auto* const memory =
          static_cast<std::byte*>(std::aligned_alloc(alignment, substitute_bytes_));
      if (memory == nullptr) {
        return fail(Errc::kNoSpace, "substitute buffers", substitute_bytes_ * places_.size());
      }
      made.emplace_back(memory);
    }
    substitutes_ = std::move(made);
    return {};
  }

  [[nodiscard]] std::vector<std::span<std::byte>> targets() {
    std::vector<std::span<std::byte>> all;
    for (const Substitute& memory : substitutes_) {
      all.emplace_back(memory.get(), substitute_bytes_);
    }
    const auto* const writer = core_.writer();
    const core::ring::PoolMemory* const pool =
        all.empty() && writer != nullptr ? writer->find_pool(options_.frame_bytes) : nullptr;
    for (std::uint32_t index = 0; pool != nullptr && index < writer->memory().nslots; ++index) {
      all.emplace_back(WrittenEpoch::Memory::payload(*pool, index), pool->stride_bytes);
    }
    return all;
  }

  [[nodiscard]] std::uint64_t epoch() noexcept {
    const auto* const writer = core_.writer();
    return writer == nullptr ? 0 : writer->epoch();
  }

  /// On any thread.
  bool put(std::uint64_t id, Returned returned) noexcept {
    if (!returned.empty && !returned.filled.capture_time_ns) {
      returned.filled.capture_time_ns = static_cast<std::uint64_t>(core_.clock().mono().count());
    }
    return board_.put(id, returned);
  }

  int poll() noexcept {
    if (core_.is_forked()) {
      return 0;
    }
    const Nanos now = core_.clock().mono();
    take_returned(now);
    const std::uint64_t before = counters_.committed;
    for (auto step = order_.step(now); step.verdict != CommitOrder::Verdict::kNothing;
         step = order_.step(now)) {
      end(places_[by_turn_[step.number % by_turn_.size()]], step.verdict);
    }
    return static_cast<int>(counters_.committed - before);
  }

  void wait(Nanos timeout) noexcept {
    const Nanos deadline = order_.next_deadline();
    const Nanos now = core_.clock().mono();
    if (deadline > now) {
      board_.wait(seen_, deadline == Nanos::max() ? timeout : std::min(timeout, deadline - now));
    }
  }

  [[nodiscard]] std::uint32_t at_device() const noexcept { return at_device_; }
  [[nodiscard]] bool in_place() const noexcept { return substitutes_.empty(); }
  [[nodiscard]] const BufferQueueCounters& counters() const noexcept { return counters_; }

 private:
  /// Goes through the board until nothing came meanwhile: else one that came back in time might be
  /// passed over, and one behind it be found.
  void take_returned(Nanos now) noexcept {
    do {
      seen_ = board_.put_count();
      for (Place& place : places_) {
        const auto returned = place.at_device ? board_.take(place.id) : std::nullopt;
        if (returned) {
          on_returned(place, *returned, now);
        }
      }
    } while (board_.put_count() != seen_);
  }

  /// A mapping that the device writes into stays, so an address is that of one slot.
  [[nodiscard]] bool is_lent(const std::byte* slot) const noexcept {
    return std::any_of(places_.begin(), places_.end(), [slot](const Place& place) {
      return place.at_device && place.slot_lent && place.claim.payload.data() == slot;
    });
  }

  [[nodiscard]] DeviceBuffer buffer_at(std::uint32_t index) noexcept {
    const Place& place = places_[index];
    if (!place.slot_lent) {
      return {.id = place.id,
              .memory = {substitutes_[index].get(), substitute_bytes_},
              .target = index};
    }
    return {.id = place.id,
            .memory = place.claim.payload,
            .target = (*place.mapping)->memory.index_of(place.claim.seq)};
  }

  void on_returned(Place& place, const Returned& returned, Nanos now) noexcept {
    place.at_device = false;
    --at_device_;
    if (place.late) {
      ++counters_.late_returns;
      let_go(place);
      return;
    }
    place.filled = returned.filled;
    order_.on_returned(
        place.number,
        returned.empty ? CommitOrder::Content::kNothing : CommitOrder::Content::kFrame, now);
  }

  void end(Place& place, CommitOrder::Verdict verdict) noexcept {
    if (verdict == CommitOrder::Verdict::kCommit) {
      switch (commit(place)) {
        case CommitStatus::kCommitted:
          ++counters_.committed;
          let_go(place);
          return;
        case CommitStatus::kStaleClaim:
          ++counters_.stale;
          break;
        case CommitStatus::kInvalidParams:
        case CommitStatus::kCommitOutOfOrder:
        case CommitStatus::kForked:
          ++counters_.refused;
          break;
      }
    }
    core_.abort(place.claim);
    if (verdict == CommitOrder::Verdict::kTooLate) {
      ++counters_.late;
      place.late = true;  // the mapping stays until the device gives the buffer back
      return;
    }
    counters_.given_back += verdict == CommitOrder::Verdict::kGiveUp ? 1 : 0;
    let_go(place);
  }

  [[nodiscard]] CommitStatus commit(Place& place) noexcept {
    if (core_.is_stale(place.claim, core_.clock().mono())) {
      return CommitStatus::kStaleClaim;  // and nothing is touched (W183)
    }
    const FilledBuffer& filled = place.filled;
    const bool elsewhere = filled.elsewhere.data() != nullptr;
    const std::size_t bytes = filled.bytes != 0 ? filled.bytes
                              : elsewhere       ? filled.elsewhere.size()
                                                : options_.frame_bytes;
    const std::span<std::byte> slot = place.claim.payload;
    if (bytes > slot.size() || (elsewhere && bytes > filled.elsewhere.size()) ||
        (!elsewhere && !place.slot_lent && bytes > substitute_bytes_)) {
      return CommitStatus::kInvalidParams;
    }
    const std::span<std::byte> written = buffer_at(index_of(place)).memory;
    if (options_.flush.flush != nullptr && !elsewhere) {
      options_.flush.flush(options_.flush.context, written);  // W155
    }
    const bool copies = elsewhere || !place.slot_lent;
    if (copies) {
      core::copy_in(slot.data(), elsewhere ? filled.elsewhere.data() : written.data(), bytes,
                    core::CopyKind::kStreaming);
    }
    const CommitStatus status = core_.commit(place.claim, filled.info.value_or(options_.info),
                                             bytes, filled.capture_time_ns);
    counters_.copied += copies && status == CommitStatus::kCommitted ? 1 : 0;
    return status;
  }

  [[nodiscard]] std::uint32_t index_of(const Place& place) const noexcept {
    return static_cast<std::uint32_t>(&place - places_.data());
  }

  void let_go(Place& place) noexcept {
    place = {};
    free_.push_back(index_of(place));
  }

  ProducerCore& core_;
  const BufferQueueOptions options_;
  CommitOrder order_;
  CompletionBoard<Returned> board_;
  std::vector<Place> places_;
  std::vector<std::uint32_t> by_turn_;  // place of each buffer whose turn is to come
  std::vector<std::uint32_t> free_;
  std::vector<Substitute> substitutes_;  // one for each place; empty: slots are filled in place
  std::size_t substitute_bytes_ = 0;
  std::uint32_t at_device_ = 0;
  std::uint64_t seen_ = 0;  // puts before the last poll
  BufferQueueCounters counters_;
};

namespace {

[[nodiscard]] Status check(const BufferQueueOptions& options, std::uint32_t nslots,
                           std::size_t payload_bytes_max) {
  const std::uint32_t allowed = std::min(kBuffersMax, BufferQueueCore::buffers_allowed(nslots));
  if (options.buffers == 0 || options.buffers > allowed) {
    return fail(Errc::kInvalidArgument, "buffers: 1 to a quarter of nslots; raise nslots",
                options.buffers, allowed);
  }
  if (options.frame_bytes == 0 || options.frame_bytes > payload_bytes_max) {
    return fail(options.frame_bytes == 0 ? Errc::kInvalidArgument : Errc::kNoPoolFits,
                "frame_bytes", options.frame_bytes, payload_bytes_max);
  }
  if (!std::has_single_bit(options.alignment)) {
    return fail(Errc::kInvalidArgument, "alignment: a power of two", options.alignment);
  }
  return {};
}

/// A device may write at any time into what it was given: whoever goes without it leaves it behind.
void keep_for_good(std::unique_ptr<BufferQueueCore> core) {
  static std::mutex mutex;
  static auto* const kept = new std::vector<std::unique_ptr<BufferQueueCore>>;
  const std::lock_guard lock(mutex);
  kept->push_back(std::move(core));
}

}  // namespace
}  // namespace detail

Result<BufferQueue> BufferQueue::create(Producer& producer, const BufferQueueOptions& options) {
  // One look: the next may find that the lease has ended.
  const auto* const writer = producer.core_ == nullptr ? nullptr : producer.core_->writer();
  if (writer == nullptr) {
    return fail(Errc::kClosed, "producer: no epoch; wait_attached comes first");
  }
  if (Status sane = detail::check(options, writer->memory().nslots, writer->payload_bytes_max());
      !sane) {
    return fail(sane.error());
  }
  const auto address = reinterpret_cast<std::uintptr_t>(
      detail::WrittenEpoch::Memory::payload(*writer->find_pool(options.frame_bytes), 0));
  Result<core::producer::CommitOrder> order = core::producer::CommitOrder::create(
      {.buffers_max = detail::BufferQueueCore::places_for(options), .reorder = options.reorder});
  if (!order) {
    return fail(order.error());
  }
  auto core =
      std::make_unique<detail::BufferQueueCore>(*producer.core_, options, std::move(*order));
  if (address % options.alignment != 0) {
    if (!options.may_copy) {
      return fail(Errc::kMisaligned, "address of a slot, no may_copy", address % options.alignment,
                  options.alignment);
    }
    if (Status made = core->make_substitutes(); !made) {
      return fail(made.error());
    }
  }
  return BufferQueue(std::move(core));
}

BufferQueue::BufferQueue(std::unique_ptr<detail::BufferQueueCore> core) noexcept
    : core_(std::move(core)) {}
BufferQueue::BufferQueue(BufferQueue&&) noexcept = default;
BufferQueue& BufferQueue::operator=(BufferQueue&& other) noexcept {
  std::swap(core_, other.core_);
  return *this;
}
BufferQueue::~BufferQueue() {
  if (core_ != nullptr && !core_->close()) {
    detail::keep_for_good(std::move(core_));
  }
}

tl::expected<DeviceBuffer, PublishStatus> BufferQueue::take() noexcept {
  return core_->take();
}
Result<DeviceBuffer> BufferQueue::substitute(std::uint64_t id) {
  return core_->substitute(id);
}
std::vector<std::span<std::byte>> BufferQueue::targets() const {
  return core_->targets();
}
std::uint64_t BufferQueue::epoch() const noexcept {
  return core_->epoch();
}
bool BufferQueue::complete(std::uint64_t id, const FilledBuffer& filled) noexcept {
  return core_->put(id, {.filled = filled});
}
bool BufferQueue::give_back(std::uint64_t id) noexcept {
  return core_->put(id, {.filled = {}, .empty = true});
}
int BufferQueue::poll() noexcept {
  return core_->poll();
}
void BufferQueue::wait(Nanos timeout) noexcept {
  core_->wait(timeout);
}
std::uint32_t BufferQueue::at_device() const noexcept {
  return core_->at_device();
}
bool BufferQueue::in_place() const noexcept {
  return core_->in_place();
}
const BufferQueueCounters& BufferQueue::counters() const noexcept {
  return core_->counters();
}

}  // namespace tensorpool::inline v0
