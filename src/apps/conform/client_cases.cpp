#include "apps/conform/client_cases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "apps/text.hpp"

namespace tensorpool::inline v0::apps::conform {
namespace {

using layout::ShmAttachRequest;
using layout::ShmDetachRequest;
using layout::ShmLeaseKeepalive;
using Record = ClientRecord;

/// The first delay of D308, and what clocks and schedulers may take off it.
constexpr Nanos kBackoff = std::chrono::milliseconds(90);
/// Keepalives come at a third of a lease (D140); a machine that is busy adds to it.
constexpr Nanos kKeepaliveGap = kLease / 3 + std::chrono::milliseconds(300);
/// What was sent before the client could know better.
constexpr Nanos kCrossing = std::chrono::milliseconds(200);

template <class M>
struct At {
  M message;
  Nanos at;
  const Heard* heard;
};

/// None of the three has texts: they may be kept.
template <class M>
[[nodiscard]] std::vector<At<M>> all(const Record& record, Window window = {}) {
  std::vector<At<M>> found;
  each<M>(
      record.heard,
      [&](const M& one, const Heard& heard) {
        found.push_back({one, heard.at, &heard});
      },
      window);
  return found;
}

/// Judges one act by `judge(look)`.
template <class Judge>
[[nodiscard]] Finding judge_act(const Record& record, Act act, Judge&& judge) {
  const auto found = std::find_if(record.acts.begin(), record.acts.end(),
                                  [act](const ActLook& one) { return one.act == act; });
  return found == record.acts.end() ? not_observable("the run did not come to it") : judge(*found);
}

[[nodiscard]] std::size_t keepalives_of(const Record& record, std::uint64_t lease_id,
                                        Window window) {
  const auto found = all<ShmLeaseKeepalive>(record, window);
  return static_cast<std::size_t>(std::count_if(found.begin(), found.end(), [&](const auto& one) {
    return one.message.lease_id == lease_id;
  }));
}

/// Requests after an answer; one that was repeated while the answer was on its way is none.
[[nodiscard]] std::vector<At<ShmAttachRequest>> requests_after(const Record& record,
                                                               const ActLook& look) {
  auto found = all<ShmAttachRequest>(record, look.window);
  std::erase_if(found, [&](const auto& one) {
    return one.message.correlation_id == look.correlation_id &&
           one.at - look.window.from < kCrossing;
  });
  return found;
}

/// The lease has ended, by whatever route: no keepalive any more, and another request after the
/// backoff, with another correlation id.
template <Act kAct>
Finding attaches_again(const Record& record) {
  return judge_act(record, kAct, [&](const ActLook& look) {
    const Window late = {.from = look.window.from + kCrossing, .until = look.window.until};
    if (keepalives_of(record, look.lease_id, late) != 0) {
      return failed("keepalives of a lease that has ended");
    }
    const auto next = requests_after(record, look);
    if (next.empty()) {
      return failed("no other request");
    }
    const Nanos pause = next.front().at - look.window.from;
    std::string seen = fmt::format("another request after {}", duration_text(pause));
    if (next.front().message.correlation_id == look.correlation_id) {
      return failed(seen + ", with the same correlation id");
    }
    return pause < kBackoff ? failed(std::move(seen)) : passed(std::move(seen));
  });
}

Finding framing(const Record& record) {
  return judge_framing(record.heard, layout::kDriverSchemaId, {});
}

Finding request_content(const Record& record) {
  const auto requests = all<ShmAttachRequest>(record);
  if (requests.empty()) {
    return not_observable("no request was heard");
  }
  for (const auto& [request, at, heard] : requests) {
    if (request.client_id == 0) {
      return failed("clientId 0");
    }
    if (request.correlation_id <= 0) {
      return failed(fmt::format("correlationId {}", request.correlation_id));
    }
    if (request.desired_node_id == 0U) {
      return failed("desiredNodeId 0, where null means no preference");
    }
    if (request.stream_id != record.stream_id && request.stream_id != 0) {
      return failed(fmt::format("stream {}", request.stream_id));
    }
  }
  return passed(counted(requests.size(), "request"));
}

Finding publish_mode(const Record& record) {
  const auto requests = all<ShmAttachRequest>(record);
  if (requests.empty()) {
    return not_observable("no request was heard");
  }
  const bool says = std::all_of(requests.begin(), requests.end(), [](const auto& one) {
    return one.message.publish_mode.has_value();
  });
  return says ? passed("publishMode 1 or 2") : failed("no publishMode");
}

Finding retries(const Record& record) {
  return judge_act(record, Act::kSilent, [&](const ActLook& look) {
    const auto requests = all<ShmAttachRequest>(record, look.window);
    if (requests.size() < 2) {
      return failed(requests.empty() ? "no request" : "no second request");
    }
    for (const auto& one : requests) {
      const bool same_id = one.message.correlation_id == requests[0].message.correlation_id;
      if (same_id && one.heard->bytes != requests[0].heard->bytes) {
        return failed("two requests with one correlation id differ");
      }
    }
    return requests[1].message.correlation_id == requests[0].message.correlation_id
               ? passed(counted(requests.size(), "request") + ", byte for byte the same")
               : failed("another correlation id before the attempt was over");
  });
}

Finding wrong_grant(const Record& record) {
  const Finding again = attaches_again<Act::kWrongGrant>(record);
  if (again.outcome != Outcome::kPassed) {
    return again;
  }
  return judge_act(record, Act::kWrongGrant, [&](const ActLook& look) {
    return keepalives_of(record, look.lease_id, {.from = look.window.from}) == 0
               ? again
               : failed("keepalives for regions that cannot be");
  });
}

Finding gives_back(const Record& record) {
  return judge_act(record, Act::kWrongGrant, [&](const ActLook& look) {
    const auto detached = all<ShmDetachRequest>(record, look.window);
    return std::any_of(detached.begin(), detached.end(),
                       [&](const auto& one) { return one.message.lease_id == look.lease_id; })
               ? passed("the lease was given back")
               : failed("the lease was kept, and with it the clientId");
  });
}

Finding keepalives(const Record& record) {
  return judge_act(record, Act::kGranted, [&](const ActLook& look) {
    const auto found = all<ShmLeaseKeepalive>(record, look.window);
    std::vector<Nanos> times = {look.window.from};
    for (const auto& one : found) {
      times.push_back(one.at);
    }
    times.push_back(look.window.until);
    std::string seen = fmt::format("{}, at most {} apart", counted(found.size(), "keepalive"),
                                   duration_text(longest_gap(times)));
    return found.empty() || longest_gap(times) > kKeepaliveGap ? failed(std::move(seen))
                                                               : passed(std::move(seen));
  });
}

Finding keepalive_content(const Record& record) {
  return judge_act(record, Act::kGranted, [&](const ActLook& look) {
    const auto requests = all<ShmAttachRequest>(record, {.until = look.window.from});
    const auto found = all<ShmLeaseKeepalive>(record, look.window);
    if (found.empty() || requests.empty()) {
      return not_observable("no keepalive was heard");
    }
    const ShmAttachRequest& granted = requests.back().message;
    for (const auto& [one, at, heard] : found) {
      if (one.lease_id != look.lease_id || one.stream_id != record.stream_id ||
          one.client_id != granted.client_id || one.role != granted.role) {
        return failed(fmt::format("lease {}, stream {}, client {}, role {}", one.lease_id,
                                  one.stream_id, one.client_id, static_cast<int>(one.role)));
      }
    }
    return passed("lease, stream, client and role are those of the grant");
  });
}

Finding no_announces(const Record& record) {
  return judge_act(record, Act::kGranted, [&](const ActLook&) {
    std::size_t count = 0;
    each<layout::ShmPoolAnnounce>(record.heard, [&](const auto&, const Heard&) { ++count; });
    return count == 0 ? passed("none") : failed(counted(count, "announce"));
  });
}

Finding foreign_messages(const Record& record) {
  return judge_act(record, Act::kForeign, [&](const ActLook& look) {
    const std::size_t kept = keepalives_of(record, look.lease_id, look.window);
    const bool asked = !all<ShmAttachRequest>(record, look.window).empty();
    return kept == 0 || asked ? failed(asked ? "another request, as if the lease had ended"
                                             : "no keepalive any more")
                              : passed(counted(kept, "keepalive") + " went on");
  });
}

Finding detaches(const Record& record) {
  return judge_act(record, Act::kStopped, [&](const ActLook& look) {
    const auto requests = all<ShmAttachRequest>(record, {.until = look.window.from});
    for (const auto& [one, at, heard] : all<ShmDetachRequest>(record, look.window)) {
      const bool same = !requests.empty() && one.lease_id == look.lease_id &&
                        one.stream_id == record.stream_id &&
                        one.client_id == requests.back().message.client_id &&
                        one.role == requests.back().message.role;
      return same ? passed("the lease was given back")
                  : failed(fmt::format("lease {}, stream {}, client {}", one.lease_id,
                                       one.stream_id, one.client_id));
    }
    return failed("no ShmDetachRequest");
  });
}

Finding refused(const Record& record) {
  return judge_act(record, Act::kRefused, [&](const ActLook& look) {
    const std::size_t again = requests_after(record, look).size();
    return again == 0 ? passed("not asked again")
                      : failed(counted(again, "request") + " after INVALID_PARAMS");
  });
}

Finding one_at_a_time(const Record& record) {
  const auto requests = all<ShmAttachRequest>(record);
  std::set<std::int64_t> over;
  std::int64_t current = 0;
  for (const auto& [one, at, heard] : requests) {
    if (over.contains(one.correlation_id)) {
      return failed(fmt::format("correlationId {} was used again", one.correlation_id));
    }
    if (one.correlation_id != current) {
      over.insert(current);
      current = one.correlation_id;
    }
  }
  return over.size() < 2 ? not_observable("fewer than two attempts were heard")
                         : passed(counted(over.size(), "correlation id"));
}

constexpr Case<Record> kCases[] = {
    {"framing", "D1 D19", "writes each message with the listed header, version 1 and whole",
     framing},
    {"request", "D80 D86 D95", "asks with a client id, a correlation id above 0 and no node id 0",
     request_content},
    {"publish-mode", "D47", "says whether the stream has to exist", publish_mode},
    {"retry", "D88 D89", "repeats an unanswered request byte for byte", retries},
    {"correlation-ids", "D87", "never uses a correlation id for another attempt", one_at_a_time},
    {"rejected", "D308 D312", "asks again after REJECTED, not at once",
     attaches_again<Act::kRejected>},
    {"wrong-grant", "D115 D125 D308", "uses no lease with impossible regions", wrong_grant},
    {"wrong-grant-returned", "D126", "gives such a lease back", gives_back},
    {"keepalive", "D140", "sends keepalives at a third of the lease", keepalives},
    {"keepalive-content", "D133 D247", "names lease, stream, client and role in them",
     keepalive_content},
    {"no-announces", "D37", "announces nothing while a driver does", no_announces},
    {"foreign-messages", "D15 D90 D172", "keeps its lease when others lose theirs",
     foreign_messages},
    {"revoked", "D145 D168 D308", "stops when its lease is revoked, and asks for another",
     attaches_again<Act::kRevoked>},
    {"shutdown", "D270", "stops when the driver goes, for whatever reason, and asks again",
     attaches_again<Act::kShutdown>},
    {"detach", "D166", "gives its lease back when it is told to stop", detaches},
    {"refused", "D109", "does not ask again after INVALID_PARAMS", refused},
};

}  // namespace

std::span<const Case<ClientRecord>> client_cases() noexcept {
  return kCases;
}

}  // namespace tensorpool::inline v0::apps::conform
