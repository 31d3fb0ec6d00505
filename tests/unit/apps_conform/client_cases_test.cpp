// The cases of clients of a driver, on records made by hand.
#include "apps/conform/client_cases.hpp"

#include <gtest/gtest.h>

#include "support.hpp"

namespace tensorpool::apps::conform::testing {
namespace {

using layout::ShmAttachRequest;
using layout::ShmDetachRequest;
using layout::ShmLeaseKeepalive;

constexpr std::uint32_t kClient = 5;
constexpr std::uint64_t kWrongLease = 1;
constexpr std::uint64_t kSecondLease = 3;

[[nodiscard]] ShmAttachRequest request_of(std::int64_t correlation_id) {
  return {.correlation_id = correlation_id,
          .stream_id = kStream,
          .client_id = kClient,
          .publish_mode = layout::PublishMode::kRequireExisting};
}

/// Writes a record in the order of what happens.
class Story {
 public:
  Story() { record_.stream_id = kStream; }

  template <class M>
  Story& say(const M& message, Wire on = Wire::kControl) {
    record_.heard.push_back(heard(now_, on, message));
    return *this;
  }
  Story& ask(std::int64_t correlation_id) { return say(request_of(correlation_id)); }
  Story& keep(std::uint64_t lease_id) {
    return say(ShmLeaseKeepalive{.lease_id = lease_id, .stream_id = kStream, .client_id = kClient});
  }
  Story& detach(std::uint64_t lease_id) {
    return say(ShmDetachRequest{.lease_id = lease_id, .stream_id = kStream, .client_id = kClient});
  }
  Story& pass(Nanos span) {
    now_ += span;
    return *this;
  }
  Story& begin(Act act, std::int64_t answered, std::uint64_t lease_id) {
    end();
    record_.acts.push_back(
        {.act = act, .correlation_id = answered, .lease_id = lease_id, .window = {.from = now_}});
    return *this;
  }
  [[nodiscard]] ClientRecord tell() {
    end();
    return record_;
  }

 private:
  void end() {
    if (!record_.acts.empty() && record_.acts.back().window.until == Nanos::max()) {
      record_.acts.back().window.until = now_;
    }
  }
  ClientRecord record_;
  Nanos now_ = kStart;
};

[[nodiscard]] ClientRecord good_record() {
  Story story;
  story.begin(Act::kSilent, 0, 0).ask(100).pass(seconds(1)).ask(100).pass(seconds(1));
  story.begin(Act::kRejected, 100, 0).pass(milliseconds(100)).ask(101).pass(seconds(1));
  story.begin(Act::kWrongGrant, 101, kWrongLease).pass(milliseconds(50)).detach(kWrongLease);
  story.pass(milliseconds(100)).ask(102).pass(seconds(1));
  story.begin(Act::kGranted, 102, 2).pass(seconds(1)).keep(2).pass(seconds(1)).keep(2);
  story.pass(seconds(1));
  story.begin(Act::kForeign, 102, 2).keep(2).pass(seconds(1)).keep(2).pass(seconds(1));
  story.begin(Act::kRevoked, 102, 2).pass(milliseconds(120)).ask(103).pass(seconds(1));
  story.begin(Act::kGrantedAgain, 103, kSecondLease).pass(seconds(1)).keep(kSecondLease);
  story.begin(Act::kShutdown, 103, kSecondLease).pass(milliseconds(120)).ask(104).pass(seconds(1));
  story.begin(Act::kLastGrant, 104, 4).pass(seconds(1)).keep(4);
  story.begin(Act::kStopped, 104, 4).detach(4).pass(seconds(1));
  story.begin(Act::kNewStart, 0, 0).pass(seconds(1));
  story.ask(200).pass(milliseconds(1)).begin(Act::kRefused, 200, 0).pass(seconds(4));
  return story.tell();
}

[[nodiscard]] Window window_of(const ClientRecord& record, Act act) {
  const auto found = std::find_if(record.acts.begin(), record.acts.end(),
                                  [act](const ActLook& one) { return one.act == act; });
  return found->window;
}

/// Something more that is said in an act, `after` its beginning.
template <class M>
void add(ClientRecord& record, Act act, Nanos after, const M& message) {
  record.heard.push_back(heard(window_of(record, act).from + after, Wire::kControl, message));
  sort(record.heard);
}
/// What is said in an act is not said.
void silence(ClientRecord& record, Act act) {
  const Window window = window_of(record, act);
  std::erase_if(record.heard, [&](const Heard& one) { return window.holds(one.at); });
}

[[nodiscard]] ShmLeaseKeepalive keepalive_of(std::uint64_t lease_id, std::uint32_t client) {
  return {.lease_id = lease_id, .stream_id = kStream, .client_id = client};
}

TEST(ClientCases, pass_on_a_good_record_and_each_can_fail) {
  Faults<ClientRecord> faults;
  const auto say_first = [](const ShmAttachRequest& request) {
    return [request](ClientRecord& r) { add(r, Act::kSilent, Nanos{0}, request); };
  };
  faults.emplace("framing", [](auto& r) { r.heard[0].bytes[0] = std::byte{28}; });
  ShmAttachRequest request = request_of(99);
  request.client_id = 0;
  faults.emplace("request", say_first(request));
  faults.emplace("request", say_first(request_of(0)));
  request = request_of(99);
  request.desired_node_id = 0;
  faults.emplace("request", say_first(request));
  request = request_of(99);
  request.stream_id = 1;
  faults.emplace("request", say_first(request));
  request = request_of(99);
  request.publish_mode.reset();
  faults.emplace("publish-mode", say_first(request));
  faults.emplace("retry", [](auto& r) { silence(r, Act::kSilent); });
  request = request_of(100);
  request.client_id = 6;
  faults.emplace("retry", say_first(request));
  faults.emplace("retry", say_first(request_of(98)));
  faults.emplace("correlation-ids",
                 [](auto& r) { add(r, Act::kLastGrant, seconds(1), request_of(100)); });
  for (const auto& entry :
       {std::pair{"rejected", Act::kRejected}, std::pair{"wrong-grant", Act::kWrongGrant},
        std::pair{"revoked", Act::kRevoked}, std::pair{"shutdown", Act::kShutdown}}) {
    const Act act = entry.second;
    faults.emplace(entry.first, [act](auto& r) { silence(r, act); });
    faults.emplace(entry.first, [act](auto& r) { add(r, act, milliseconds(20), request_of(150)); });
  }
  faults.emplace("revoked", [](auto& r) {
    add(r, Act::kRevoked, milliseconds(500), keepalive_of(2, kClient));
  });
  faults.emplace("wrong-grant", [](auto& r) {
    add(r, Act::kWrongGrant, milliseconds(10), keepalive_of(kWrongLease, kClient));
  });
  faults.emplace("rejected", [](auto& r) {
    silence(r, Act::kRejected);
    add(r, Act::kRejected, seconds(1), request_of(100));
  });
  faults.emplace("wrong-grant-returned", [](auto& r) { silence(r, Act::kWrongGrant); });
  faults.emplace("keepalive", [](auto& r) { silence(r, Act::kGranted); });
  faults.emplace("keepalive-content", [](auto& r) {
    add(r, Act::kGranted, milliseconds(10), keepalive_of(2, kClient + 1));
  });
  faults.emplace("no-announces", [](auto& r) {
    add(r, Act::kGranted, milliseconds(10), layout::ShmPoolAnnounce{.stream_id = kStream});
  });
  faults.emplace("foreign-messages", [](auto& r) { silence(r, Act::kForeign); });
  faults.emplace("foreign-messages",
                 [](auto& r) { add(r, Act::kForeign, milliseconds(10), request_of(150)); });
  faults.emplace("detach", [](auto& r) { silence(r, Act::kStopped); });
  faults.emplace("detach", [](auto& r) {
    silence(r, Act::kStopped);
    add(r, Act::kStopped, Nanos{0},
        ShmDetachRequest{.lease_id = 9, .stream_id = kStream, .client_id = kClient});
  });
  faults.emplace("refused", [](auto& r) { add(r, Act::kRefused, seconds(1), request_of(201)); });
  expect_honest<ClientRecord>(client_cases(), good_record, faults);
}

TEST(ClientCases, take_a_request_that_crosses_its_answer_for_none) {
  ClientRecord record = good_record();
  add(record, Act::kRejected, milliseconds(1), request_of(100));
  add(record, Act::kRefused, milliseconds(1), request_of(200));
  for (const char* name : {"rejected", "refused"}) {
    EXPECT_EQ(finding_of(client_cases(), name, record).outcome, Outcome::kPassed) << name;
  }
}

}  // namespace
}  // namespace tensorpool::apps::conform::testing
