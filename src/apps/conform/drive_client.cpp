#include "apps/conform/drive_client.hpp"

#include <memory>
#include <optional>
#include <utility>

#include "apps/conform/hand_producer.hpp"
#include "apps/conform/strange.hpp"

namespace tensorpool::inline v0::apps::conform {
namespace {

using layout::ResponseCode;
using layout::ShmAttachRequest;
using layout::ShmAttachResponse;

constexpr std::uint64_t kFirstLease = 70'001;
constexpr std::uint16_t kNoSlotBytes = 128;
constexpr std::byte kUnknownReason{77};
/// Long enough for a keepalive that should not come.
constexpr Nanos kAfterLoss = std::chrono::milliseconds(1500);

class HandDriver {
 public:
  HandDriver(Workbench& bench, const Trial& trial) : bench_(bench), trial_(trial) {
    record_.stream_id = bench.places().stream_id;
  }

  /// The life in which leases come and go.
  [[nodiscard]] Status run(Program& program) {
    program_ = &program;
    trial_.tell("leaving its requests unanswered");
    if (!await_request(trial_.patience)) {
      return {};
    }
    play(
        Act::kSilent, [](ActLook&) {}, 5 * trial_.period / 2);
    trial_.tell("refusing, and granting what cannot be");
    play(
        Act::kRejected, [&](ActLook& look) { refuse(look, ResponseCode::kRejected); }, kAfterLoss);
    Status made = grant(Act::kWrongGrant, kNoSlotBytes, kAfterLoss);
    trial_.tell("granting a lease, and ending others");
    made = made ? grant(Act::kGranted, layout::kHeaderSlotBytes, kLease + trial_.period / 2) : made;
    play(
        Act::kForeign, [&](ActLook&) { send_foreign(); }, 2 * trial_.period);
    trial_.tell("taking the lease away");
    play(
        Act::kRevoked, [&](ActLook&) { revoke(); }, kAfterLoss);
    made = made ? grant(Act::kGrantedAgain, layout::kHeaderSlotBytes, kAfterLoss) : made;
    play(
        Act::kShutdown, [&](ActLook&) { shut_down(); }, kAfterLoss);
    made = made ? grant(Act::kLastGrant, layout::kHeaderSlotBytes, kAfterLoss) : made;
    record_.alive = program.is_running();
    trial_.tell("telling it to stop");
    play(
        Act::kStopped, [&](ActLook&) { stop(); }, trial_.period / 4);
    return made;
  }

  /// Another life, which is refused for good.
  void run_refused(Program& program) {
    program_ = &program;
    is_new_ = false;
    play(
        Act::kNewStart, [](ActLook&) {}, Nanos{0});
    if (await_request(trial_.patience)) {
      trial_.tell("refusing it for good");
      play(
          Act::kRefused, [&](ActLook& look) { refuse(look, ResponseCode::kInvalidParams); },
          4 * trial_.period);
    }
    stop();
  }

  [[nodiscard]] ClientRecord finish() { return std::move(record_); }

 private:
  // ---- upkeep

  void work() {
    const Nanos now = bench_.now();
    if (regions_ != nullptr && now >= refresh_at_) {
      refresh_at_ = now + trial_.period / 2;
      regions_->refresh();
      announce();
    }
    bench_.work([this](Heard&& heard) { hear(std::move(heard)); });
  }
  void announce() {
    const bool produces = granted_ && granted_->role == layout::Role::kProducer;
    regions_->announce([&](layout::ShmPoolAnnounce& one) {
      one.producer_id = produces ? granted_->client_id : 0;
    });
  }
  void hear(Heard&& heard) {
    codec::Scratch scratch;
    if (const auto request = codec::decode<ShmAttachRequest>(heard.bytes, scratch)) {
      request_ = *request;
      is_new_ = is_new_ || request->correlation_id != answered_;
    }
    record_.heard.push_back(std::move(heard));
  }
  template <class IsDone>
  bool work_until(Nanos patience, IsDone&& is_done) {
    const Nanos end = bench_.now() + patience;
    while (!is_done() && bench_.now() < end && !trial_.is_stopped()) {
      work();
    }
    return is_done();
  }
  /// One that was not answered yet.
  [[nodiscard]] bool await_request(Nanos patience) {
    return work_until(patience, [&] { return is_new_ || !program_->is_running(); }) && is_new_;
  }

  // ---- acts

  /// Does it, and looks on for `span`.
  template <class Action>
  void play(Act act, Action&& action, Nanos span) {
    ActLook look{.act = act,
                 .correlation_id = answered_,
                 .lease_id = granted_ ? lease_id_ : 0,
                 .window = {.from = bench_.now()}};
    action(look);
    const bool loses = act != Act::kStopped && !granted_;
    static_cast<void>(work_until(span, [] { return false; }));
    if (loses && act != Act::kSilent && act != Act::kNewStart && act != Act::kRefused) {
      static_cast<void>(await_request(trial_.patience / 2));
    }
    look.window.until = bench_.now();
    record_.acts.push_back(look);
  }

  void answer(const ShmAttachResponse& response) {
    answered_ = response.correlation_id;
    is_new_ = false;
    bench_.send(Wire::kControl, response);
  }
  void refuse(ActLook& look, ResponseCode code) {
    if (request_) {
      look.correlation_id = request_->correlation_id;
      answer({.correlation_id = request_->correlation_id,
              .code = code,
              .error_message = "conform refuses this one"});
    }
  }

  [[nodiscard]] Status grant(Act act, std::uint16_t slot_bytes, Nanos span) {
    if (!request_ || !is_new_) {
      return {};  // it has stopped asking: the acts before tell
    }
    Result<std::unique_ptr<HandProducer>> made = HandProducer::create(bench_);
    if (!made) {
      return fail(made.error());
    }
    regions_ = std::move(*made);
    refresh_at_ = Nanos{};
    ++lease_id_;
    const bool works = slot_bytes == layout::kHeaderSlotBytes;
    play(
        act,
        [&](ActLook& look) {
          look.correlation_id = request_->correlation_id;
          look.lease_id = lease_id_;
          granted_ = works ? request_ : std::nullopt;
          const core::region::MappingPlan& plan = regions_->stream().plan();
          const Nanos expiry = bench_.now() + kLease;
          answer({.correlation_id = request_->correlation_id,
                  .lease_id = lease_id_,
                  .lease_expiry_timestamp_ns = static_cast<std::uint64_t>(expiry.count()),
                  .stream_id = record_.stream_id,
                  .epoch = plan.epoch(),
                  .layout_version = layout::kLayoutVersion,
                  .header_nslots = plan.nslots(),
                  .header_slot_bytes = slot_bytes,
                  .payload_pools = regions_->pools(),
                  .header_region_uri = plan.header_ring.uri});
        },
        span);
    return {};
  }

  [[nodiscard]] layout::ShmLeaseRevoked notice() const {
    layout::ShmLeaseRevoked one;
    one.timestamp_ns = static_cast<std::uint64_t>(bench_.now().count());
    one.lease_id = lease_id_;
    one.stream_id = record_.stream_id;
    one.client_id = granted_ ? granted_->client_id : 0;
    one.role = granted_ ? granted_->role : layout::Role::kConsumer;
    one.reason = layout::LeaseRevokeReason::kRevoked;
    return one;
  }
  void send_foreign() {
    layout::ShmLeaseRevoked other = notice();
    other.role = layout::Role::kConsumer;
    ++other.client_id;
    bench_.send(Wire::kControl, other);
    other = notice();
    other.role = layout::Role::kConsumer;
    ++other.lease_id;
    bench_.send(Wire::kControl, other);
    bench_.send(Wire::kControl, ShmAttachResponse{.correlation_id = answered_ + 1000,
                                                  .code = ResponseCode::kRejected,
                                                  .error_message = "for somebody else"});
    bench_.send(Wire::kControl, layout::ShmDetachResponse{.correlation_id = answered_ + 1000});
    for (const std::vector<std::byte>& message : strange_messages()) {
      bench_.send(Wire::kControl, message);
      work();
    }
  }
  void revoke() {
    bench_.send(Wire::kControl, notice());
    granted_.reset();
  }
  /// With a reason that no sender of this version has.
  void shut_down() {
    const layout::ShmDriverShutdown notice{.timestamp_ns =
                                               static_cast<std::uint64_t>(bench_.now().count())};
    std::vector<std::byte> bytes(codec::encoded_size(notice));
    if (codec::encode(notice, std::span(bytes))) {
      bytes[layout::kMessageHeaderBytes + sizeof(notice.timestamp_ns)] = kUnknownReason;
      bench_.send(Wire::kControl, bytes);
    }
    granted_.reset();
  }
  void stop() {
    program_->stop(kStopPatience, [this] { work(); });
  }

  Workbench& bench_;
  const Trial& trial_;
  Program* program_ = nullptr;
  ClientRecord record_;
  std::unique_ptr<HandProducer> regions_;
  std::optional<ShmAttachRequest> request_;  // the newest
  std::optional<ShmAttachRequest> granted_;  // that the present lease was granted to
  std::int64_t answered_ = 0;
  bool is_new_ = false;  // the newest was not answered
  std::uint64_t lease_id_ = kFirstLease;
  Nanos refresh_at_{};
};

}  // namespace

Result<ClientRecord> drive_client(Workbench& bench, const Trial& trial) {
  HandDriver driver(bench, trial);
  for (const bool refused : {false, true}) {
    Result<Program> program = trial.start();
    if (!program) {
      return fail(program.error());
    }
    Status ran;
    if (refused) {
      driver.run_refused(*program);
    } else {
      ran = driver.run(*program);
    }
    if (!ran) {
      return fail(ran.error());
    }
  }
  return driver.finish();
}

}  // namespace tensorpool::inline v0::apps::conform
