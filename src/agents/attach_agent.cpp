#include "agents/attach_agent.hpp"

#include <utility>

#include "agents/attach_group.hpp"
#include "base/kill_point.hpp"
#include "os/entropy.hpp"

namespace tensorpool::inline v0::agents {

namespace attach = core::attach;

namespace {

[[nodiscard]] attach::SendResult result_of(bus::OfferStatus status) noexcept {
  switch (status) {
    case bus::OfferStatus::kOk:
      return attach::SendResult::kOk;
    case bus::OfferStatus::kNotConnected:
      return attach::SendResult::kNotConnected;
    case bus::OfferStatus::kBackPressured:
    case bus::OfferStatus::kAdminAction:
      return attach::SendResult::kBackPressured;
    case bus::OfferStatus::kClosed:
      return attach::SendResult::kClosed;
    case bus::OfferStatus::kError:
      break;
  }
  return attach::SendResult::kMaxPosition;
}

[[nodiscard]] constexpr std::int64_t correlation_of(const layout::ShmLeaseKeepalive&) noexcept {
  return 0;  // nobody answers it
}
template <class Request>
[[nodiscard]] constexpr std::int64_t correlation_of(const Request& request) noexcept {
  return request.correlation_id;
}

}  // namespace

attach::CorrelationIds& correlation_ids() {
  static attach::CorrelationIds ids(os::entropy());
  return ids;
}

AttachAgent::AttachAgent(AttachGroup& group, const attach::AttachMachine::Options& options,
                         User user)
    : group_(group),
      machine_(options, correlation_ids(), base::Random(os::entropy())),
      user_(std::move(user)) {
  group_.join(*this);
}

AttachAgent::~AttachAgent() {
  group_.leave(*this);
}

void AttachAgent::want_attach(Nanos now) {
  tell(now, [&](attach::AttachMachine& machine) { machine.want_attach(now); });
}

void AttachAgent::close(Nanos now) {
  tell(now, [&](attach::AttachMachine& machine) { machine.close(now); });
}

void AttachAgent::give_up(Nanos now) {
  tell(now, [&](attach::AttachMachine& machine) { machine.give_up(now); });
}

void AttachAgent::forget_user() {
  user_ = {
      .map = [](const core::region::MappingPlan&, Nanos) -> Status { return fail(Errc::kClosed); },
      .unmap = [](UnmapReason, Nanos) {},
      .report = [](const attach::AttachReport&, std::string_view) {}};
}

void AttachAgent::carry_out_all(Nanos now) {
  while (const std::optional<attach::AttachAction> action = machine_.next_action()) {
    std::visit([&](const auto& each) { carry_out(each, now); }, *action);
  }
  if (user_.tally != nullptr) {
    user_.tally->publish(machine_.counters());
  }
  group_.place(*this);
}

void AttachAgent::carry_out(const attach::MapRegions&, Nanos now) {
  TP_KILLPOINT("client.map.wanted");
  const Status mapped = user_.map(machine_.grant().plan, now);
  TP_KILLPOINT("client.map.done");
  machine_.on_mapped(mapped, now);
}

void AttachAgent::carry_out(const attach::UnmapRegions& action, Nanos now) {
  TP_KILLPOINT("client.unmap.wanted");
  user_.unmap(action.reason, now);
  TP_KILLPOINT("client.unmap.done");
}

void AttachAgent::carry_out(const attach::AttachReport& action, Nanos) {
  const bool rejected = action.kind == attach::AttachReport::Kind::kRefused &&
                        action.code == layout::ResponseCode::kRejected;
  if (rejected && action.tries_again && group_.on_rejected_) {
    group_.on_rejected_(machine_);
  }
  user_.report(action, machine_.text());
}

template <class Message>
void AttachAgent::carry_out(const Message& message, Nanos now) {
  TP_KILLPOINT("client.send.wanted");
  const bus::OfferStatus sent = group_.driver_.send_to_driver(message);
  TP_KILLPOINT("client.send.done");
  machine_.on_sent(result_of(sent), now);
  if (const std::int64_t correlation_id = correlation_of(message); correlation_id != 0) {
    group_.place_requests(*this, correlation_id);
  }
}

}  // namespace tensorpool::inline v0::agents
