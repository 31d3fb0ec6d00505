// Who announces which stream: two that announce the same number make consumers jump between them.
//
// `Announcers` is pure; `listen` connects to a media driver that runs, as any client does.
// Thread contract: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "apps/doctor/host_facts.hpp"
#include "layout/messages_900.hpp"

namespace tensorpool::inline v0::apps::doctor {

/// Tells a clash from a successor: one that goes on after another one has begun is no predecessor.
class Announcers {
 public:
  /// `session`: of the publication that the announce came from.
  void on_announce(const layout::ShmPoolAnnounce& announce, std::int32_t session);
  [[nodiscard]] std::vector<StreamClash> clashes() const;

 private:
  struct Source {
    std::uint64_t last_at = 0;  ///< number of its last announce
    std::uint64_t first_at = 0;
    std::string uri;
  };
  std::uint64_t heard_ = 0;
  std::map<std::uint32_t, std::map<std::int32_t, Source>> streams_;
};

/// Listens to the usual control and announce streams for `span`. Nothing where no media driver
/// answers.
[[nodiscard]] std::vector<StreamClash> listen_for_clashes(const std::string& aeron_dir, Nanos span);

}  // namespace tensorpool::inline v0::apps::doctor
