// Drives an attach machine the way an agent does, with answers that the test chooses, and keeps
// what it asked for.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "core/attach/attach_machine.hpp"
#include "good_response.hpp"

namespace tensorpool::core::attach {

using Log = std::vector<std::string>;

class AttachHarness {
 public:
  explicit AttachHarness(const AttachMachine::Options& options)
      : sut(options, ids, base::Random(1)) {
    sut.on_connection(true);
  }

  /// Carries out what is asked for. Each action leaves a word in the log.
  void carry_out() {
    while (const auto action = sut.next_action()) {
      std::visit([this](const auto& one) { carry_out(one); }, *action);
      EXPECT_TRUE(sut.check_invariants());
    }
    EXPECT_TRUE(sut.check_invariants());
  }
  /// What happened since the last call.
  [[nodiscard]] Log happened() { return std::exchange(log_, {}); }

  void want() {
    sut.want_attach(now);
    carry_out();
  }
  void close() {
    sut.close(now);
    carry_out();
  }
  void give_up() {
    sut.give_up(now);
    carry_out();
  }
  void poll() {
    sut.poll(now);
    carry_out();
  }
  void wait(Nanos span) {
    now += span;
    poll();
  }
  void hear(const layout::ShmAttachResponse& response) {
    sut.on_response(response, now);
    carry_out();
  }
  /// OK to the last request.
  void grant(Nanos duration = std::chrono::seconds(3)) {
    hear(GoodResponse(requests.back(), now, duration).message);
  }
  void refuse(layout::ResponseCode code, std::string_view why = "no") {
    hear(layout::ShmAttachResponse{
        .correlation_id = requests.back().correlation_id, .code = code, .error_message = why});
  }
  void hear_malformed(std::int64_t correlation_id, std::optional<std::int32_t> code = {}) {
    sut.on_malformed_response(correlation_id, code, make_error(Errc::kMalformedMessage), now);
    carry_out();
  }
  void hear(const layout::ShmDetachResponse& response) {
    sut.on_detach_response(response);
    carry_out();
  }
  void hear(const layout::ShmLeaseRevoked& notice) {
    sut.on_revoked(notice, now);
    carry_out();
  }
  void shut_down() {
    sut.on_shutdown({.error_message = "bye"}, now);
    carry_out();
  }
  void replace_connection() {
    sut.on_connection_replaced(now);
    carry_out();
  }
  void announce(std::uint64_t epoch, std::uint32_t producer_id, std::uint32_t stream = kStream) {
    layout::ShmPoolAnnounce announce;
    announce.stream_id = stream;
    announce.producer_id = producer_id;
    announce.epoch = epoch;
    sut.on_announce(announce, now);
    carry_out();
  }
  [[nodiscard]] layout::ShmLeaseRevoked own_notice() const {
    return {.lease_id = sut.grant().lease_id,
            .stream_id = sut.stream_id(),
            .client_id = sut.client_id(),
            .error_message = "lease expired"};
  }

  /// Leads to a state by the shortest way, and forgets what happened on it.
  void lead_to(AttachState state) {
    if (state != AttachState::kUnattached) {
      want();
    }
    if (state == AttachState::kBackoff) {
      refuse(layout::ResponseCode::kRejected);
    }
    if (state == AttachState::kAttached || state == AttachState::kDetaching) {
      grant();
    }
    if (state == AttachState::kDetaching) {
      close();
    }
    ASSERT_EQ(sut.state(), state);
    static_cast<void>(happened());
  }
  /// Waits until the next attempt has asked.
  void sit_out_backoff() {
    ASSERT_EQ(sut.state(), AttachState::kBackoff);
    const std::size_t before = requests.size();
    for (int k = 0; k < 3 && requests.size() == before; ++k) {
      now = sut.next_deadline();
      poll();
    }
    ASSERT_EQ(requests.size(), before + 1);
  }

  CorrelationIds ids{41};
  Nanos now = std::chrono::seconds(1000);
  SendResult sending = SendResult::kOk;
  Status mapping = {};
  Nanos mapping_takes{};
  std::vector<layout::ShmAttachRequest> requests;  ///< that were sent
  std::vector<layout::ShmLeaseKeepalive> keepalives;
  std::vector<layout::ShmDetachRequest> detaches;
  AttachReport report;  ///< the last one
  std::string text;
  AttachMachine sut;

 private:
  template <class M>
  void send(const M& message, const char* word, std::vector<M>& sent) {
    log_.emplace_back(word);
    if (sending == SendResult::kOk) {
      sent.push_back(message);
    }
    sut.on_sent(sending, now);
  }
  void carry_out(const layout::ShmAttachRequest& request) { send(request, "request", requests); }
  void carry_out(const layout::ShmLeaseKeepalive& one) { send(one, "keepalive", keepalives); }
  void carry_out(const layout::ShmDetachRequest& request) { send(request, "detach", detaches); }
  void carry_out(const MapRegions&) {
    log_.emplace_back("map");
    now += mapping_takes;
    sut.on_mapped(mapping, now);
  }
  void carry_out(const UnmapRegions& unmap) {
    log_.push_back("unmap " + std::string(to_string(unmap.reason)));
  }
  void carry_out(const AttachReport& one) {
    report = one;
    text = sut.text();
    log_.push_back(word_of(one));
  }
  [[nodiscard]] static std::string word_of(const AttachReport& report) {
    switch (report.kind) {
      case AttachReport::Kind::kAttached:
        return "attached";
      case AttachReport::Kind::kRefused:
        return "refused";
      case AttachReport::Kind::kProtocolError:
        return "protocol error";
      case AttachReport::Kind::kTimedOut:
        return "timed out";
      case AttachReport::Kind::kInterrupted:
        return "interrupted";
      case AttachReport::Kind::kLost:
        return "lost " + std::string(to_string(report.loss));
      case AttachReport::Kind::kDetached:
        return "detached";
    }
    return {};
  }

  Log log_;
};

}  // namespace tensorpool::core::attach
