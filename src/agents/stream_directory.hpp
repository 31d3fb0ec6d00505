// Which streams were announced lately, under which names; and which of them bear a clock that
// cannot be ours. For people and for looking names up;
// mapping decisions are made by MappingMachine alone. Spec: §1.5.5, §1.5.12, §1.22.
//
// Thread contract: on_* and remove_silent on the control thread; find and list on any thread (one
// lock, never taken by the data path).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "agents/control_bus.hpp"
#include "core/consumer/foreign_clock.hpp"
#include "core/timing.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::inline v0::agents {

class StreamDirectory final : public ControlListener {
 public:
  /// Called on the control thread when a stream is found to bear another clock, once.
  using OnRefused = std::function<void(const Error& why)>;

  explicit StreamDirectory(const core::Timing& timing, OnRefused on_refused = {})
      : timing_(timing), on_refused_(std::move(on_refused)) {}

  void on_announce(const layout::ShmPoolAnnounce& announce, Nanos joined_at,
                   const base::Now& now) override;
  void on_data_source(const layout::DataSourceAnnounce& source, const base::Now& now) override;

  /// Forgets streams that nothing was heard of for the liveness timeout.
  void remove_silent(Nanos now);

  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view name) const;
  [[nodiscard]] std::vector<StreamInfo> list() const;
  /// Why streams that are announced are not in the list.
  [[nodiscard]] std::vector<Error> refused() const;

 private:
  /// A foreign sender could name any number of streams; more than this are not remembered (W443).
  static constexpr std::size_t kStreamsMax = 4096;
  static constexpr std::size_t kRefusedMax = 64;

  struct Entry {
    StreamInfo info;
    Nanos heard_at{};
  };
  struct Refused {
    core::consumer::ForeignClock clock;
    std::optional<Error> why = {};  ///< once it is certain
    Nanos heard_at{};
  };
  [[nodiscard]] Entry* entry(std::uint32_t stream_id);
  void refuse(const layout::ShmPoolAnnounce& announce, bool realtime, const base::Now& now);

  core::Timing timing_;
  OnRefused on_refused_;
  mutable std::mutex mutex_;
  std::map<std::uint32_t, Entry> streams_;
  std::map<std::uint32_t, Refused> refused_;
};

}  // namespace tensorpool::inline v0::agents
