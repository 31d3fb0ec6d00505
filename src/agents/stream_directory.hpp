// Which streams were announced lately, under which names. For people and for looking names up;
// mapping decisions are made by MappingMachine alone. Spec: §1.5.5, §1.5.12, §1.22.
//
// Thread contract: on_* and remove_silent on the control thread; find and list on any thread (one
// lock, never taken by the data path).
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "agents/control_bus.hpp"
#include "core/timing.hpp"
#include "tensorpool/client.hpp"

namespace tensorpool::inline v0::agents {

class StreamDirectory final : public ControlListener {
 public:
  explicit StreamDirectory(const core::Timing& timing) : timing_(timing) {}

  void on_announce(const layout::ShmPoolAnnounce& announce, Nanos joined_at,
                   const base::Now& now) override;
  void on_data_source(const layout::DataSourceAnnounce& source, const base::Now& now) override;

  /// Forgets streams that nothing was heard of for the liveness timeout.
  void remove_silent(Nanos now);

  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view name) const;
  [[nodiscard]] std::vector<StreamInfo> list() const;

 private:
  /// A foreign sender could name any number of streams; more than this are not remembered (W443).
  static constexpr std::size_t kStreamsMax = 4096;

  struct Entry {
    StreamInfo info;
    Nanos heard_at{};
  };
  [[nodiscard]] Entry* entry(std::uint32_t stream_id);

  core::Timing timing_;
  mutable std::mutex mutex_;
  std::map<std::uint32_t, Entry> streams_;
};

}  // namespace tensorpool::inline v0::agents
