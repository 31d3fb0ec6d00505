// A producer whose every store and message is made by hand: right, wrong, or left out. Its regions
// are those of any owner.
//
// Thread contract: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/conform/workbench.hpp"
#include "core/ring/slot_header.hpp"
#include "layout/messages_900.hpp"
#include "layout/slot.hpp"
#include "os/create_region.hpp"

namespace tensorpool::inline v0::apps::conform {

class HandProducer {
 public:
  static constexpr std::uint32_t kSlots = 64;  ///< more than any scene writes before it waits
  static constexpr std::uint32_t kStride = 4096;
  using Change = std::function<void(layout::Slot&)>;

  /// A new epoch of the stream of the bench, above all before. `bench` outlives it.
  [[nodiscard]] static Result<std::unique_ptr<HandProducer>> create(Workbench& bench);

  [[nodiscard]] std::uint64_t epoch() const noexcept { return stream_.epoch(); }
  [[nodiscard]] std::uint64_t next_seq() const noexcept { return next_seq_; }
  [[nodiscard]] const os::OwnedStream& stream() const noexcept { return stream_; }
  /// Of the header ring, then of the pool.
  [[nodiscard]] std::vector<std::string> paths() const;

  /// Takes the next number: IN_PROGRESS, and no more.
  std::uint64_t take() noexcept;
  /// Takes the next number and commits a frame whose header is as `change` leaves it.
  std::uint64_t put(const Change& change = {});

  [[nodiscard]] layout::FrameDescriptor descriptor(std::uint64_t seq) const noexcept;
  /// Sends the descriptor of `seq`.
  void describe(std::uint64_t seq, Wire on = Wire::kDescriptor);
  /// put() and describe().
  std::uint64_t publish(Wire on = Wire::kDescriptor);

  /// Refreshes the activity of all regions.
  void refresh() const noexcept;
  [[nodiscard]] layout::ShmPoolAnnounce announcement() const noexcept;
  /// Sends an announce that `change` may have made wrong, on control and where announces are apart.
  void announce(const std::function<void(layout::ShmPoolAnnounce&)>& change = {});
  /// What an announce and an attach response say of the pools; views into this object.
  [[nodiscard]] layout::ListView<layout::PayloadPool> pools() const noexcept {
    return {pools_.data(), pools_.size()};
  }

 private:
  HandProducer(Workbench& bench, os::OwnedStream stream);
  [[nodiscard]] base::DefaultAtom::Word* slot(std::uint64_t seq) const noexcept;

  Workbench& bench_;
  os::OwnedStream stream_;
  std::vector<layout::PayloadPool> pools_;
  core::ring::SlotWords tensor_{};
  std::uint64_t next_seq_ = 0;
};

}  // namespace tensorpool::inline v0::apps::conform
