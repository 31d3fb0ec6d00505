#include "agents/attach_agent.hpp"

#include <utility>

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

}  // namespace

attach::CorrelationIds& correlation_ids() {
  static attach::CorrelationIds ids(os::entropy());
  return ids;
}

AttachAgent::AttachAgent(const attach::AttachMachine::Options& options, User user)
    : machine_(options, correlation_ids(), base::Random(os::entropy())), user_(std::move(user)) {}

void AttachAgent::want_attach(Nanos now) {
  machine_.want_attach(now);
  carry_out(now);
}

void AttachAgent::close(Nanos now) {
  machine_.close(now);
  carry_out(now);
}

int AttachAgent::do_work(ControlBus& control, Nanos now) {
  control_ = &control;
  machine_.on_connection(control.is_control_connected());
  machine_.poll(now);
  return carry_out(now);
}

void AttachAgent::on_attach_response(const layout::ShmAttachResponse& response,
                                     const base::Now& now) {
  machine_.on_response(response, now.mono);
  carry_out(now.mono);
}

void AttachAgent::on_bad_attach_response(std::int64_t correlation_id,
                                         std::optional<std::int32_t> code, const Error& error,
                                         const base::Now& now) {
  machine_.on_malformed_response(correlation_id, code, error, now.mono);
  carry_out(now.mono);
}

void AttachAgent::on_detach_response(const layout::ShmDetachResponse& response,
                                     const base::Now& now) {
  machine_.on_detach_response(response);
  carry_out(now.mono);
}

void AttachAgent::on_lease_revoked(const layout::ShmLeaseRevoked& notice, const base::Now& now) {
  machine_.on_revoked(notice, now.mono);
  carry_out(now.mono);
}

void AttachAgent::on_driver_shutdown(const layout::ShmDriverShutdown& notice,
                                     const base::Now& now) {
  machine_.on_shutdown(notice, now.mono);
  carry_out(now.mono);
}

void AttachAgent::on_announce(const layout::ShmPoolAnnounce& announce, Nanos,
                              const base::Now& now) {
  machine_.on_announce(announce, now.mono);
  carry_out(now.mono);
}

int AttachAgent::carry_out(Nanos now) {
  int work = 0;
  for (; const std::optional<attach::AttachAction> action = machine_.next_action(); ++work) {
    std::visit([&](const auto& each) { carry_out(each, now); }, *action);
  }
  return work;
}

void AttachAgent::carry_out(const attach::MapRegions&, Nanos now) {
  machine_.on_mapped(user_.map(machine_.grant().plan), now);
}

void AttachAgent::carry_out(const attach::UnmapRegions& action, Nanos) {
  user_.unmap(action.reason);
}

void AttachAgent::carry_out(const attach::AttachReport& action, Nanos) {
  user_.report(action, machine_.text());
}

template <class Message>
void AttachAgent::carry_out(const Message& message, Nanos now) {
  const bus::OfferStatus status =
      control_ == nullptr ? bus::OfferStatus::kClosed : control_->send_to_driver(message);
  machine_.on_sent(result_of(status), now);
}

}  // namespace tensorpool::inline v0::agents
