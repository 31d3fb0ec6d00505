#include "driver/audit.hpp"

#include <algorithm>

namespace tensorpool::inline v0::driver {
namespace {

[[nodiscard]] std::string_view name_of(layout::Role role) noexcept {
  switch (role) {
    case layout::Role::kProducer:
      return "producer";
    case layout::Role::kConsumer:
      return "consumer";
  }
  return "client without a role";
}

[[nodiscard]] std::string_view name_of(layout::ResponseCode code) noexcept {
  switch (code) {
    case layout::ResponseCode::kOk:
      return "OK";
    case layout::ResponseCode::kUnsupported:
      return "UNSUPPORTED";
    case layout::ResponseCode::kInvalidParams:
      return "INVALID_PARAMS";
    case layout::ResponseCode::kRejected:
      return "REJECTED";
    case layout::ResponseCode::kInternalError:
      break;
  }
  return "INTERNAL_ERROR";
}

[[nodiscard]] std::string_view name_of(layout::LeaseRevokeReason reason) noexcept {
  switch (reason) {
    case layout::LeaseRevokeReason::kDetached:
      return "DETACHED";
    case layout::LeaseRevokeReason::kExpired:
      return "EXPIRED";
    case layout::LeaseRevokeReason::kRevoked:
      break;
  }
  return "REVOKED";
}

[[nodiscard]] std::string who(layout::Role role, std::uint32_t stream_id, std::uint32_t client_id) {
  return std::string(name_of(role)) + " of stream " + std::to_string(stream_id) + ", client " +
         std::to_string(client_id);
}

}  // namespace

std::string audit_line(const core::driver::AttachAnswer& answer) {
  const layout::ShmAttachResponse& response = answer.response;
  const std::uint32_t stream_id = response.stream_id.value_or(answer.request.stream_id);
  const std::string subject = who(answer.request.role, stream_id, answer.request.client_id);
  if (response.code != layout::ResponseCode::kOk) {
    return "refused: " + subject + ": " + std::string(name_of(response.code)) + " " +
           std::string(response.error_message);
  }
  return "attach: " + subject + ": lease " + std::to_string(response.lease_id.value_or(0)) +
         ", epoch " + std::to_string(response.epoch.value_or(0)) +
         (response.node_id ? ", node " + std::to_string(*response.node_id) : "");
}

std::string audit_line(const core::driver::DetachAnswer& answer) {
  const layout::ShmDetachRequest& request = answer.request;
  const std::string subject = who(request.role, request.stream_id, request.client_id) + ", lease " +
                              std::to_string(request.lease_id);
  return answer.response.code == layout::ResponseCode::kOk
             ? "detach: " + subject
             : "refused: detach of " + subject + ": " + std::string(name_of(answer.response.code)) +
                   " " + std::string(answer.response.error_message);
}

std::string audit_line(const core::driver::LeaseNotice& notice) {
  const layout::ShmLeaseRevoked& message = notice.notice;
  if (!notice.expiry) {
    return "refused: keepalive of " + who(message.role, message.stream_id, message.client_id) +
           ", lease " + std::to_string(message.lease_id) + ": " +
           std::string(message.error_message);
  }
  return "lease " + std::to_string(message.lease_id) +
         " ended: " + who(message.role, message.stream_id, message.client_id) + ": " +
         std::string(name_of(message.reason)) + " " + std::string(message.error_message);
}

void LineBudget::refill(Nanos now) noexcept {
  const Nanos each = Nanos(std::chrono::seconds(1)) / options_.per_second;
  const Nanos::rep due = (now - refilled_at_) / each;
  const Nanos::rep room = options_.burst - lines_;
  lines_ += static_cast<std::uint32_t>(std::min(due, room));
  refilled_at_ = due < room ? refilled_at_ + due * each : now;
}

void AuditLog::write(const core::driver::AttachAnswer& answer, Nanos now) {
  const bool granted = answer.response.code == layout::ResponseCode::kOk;
  write(granted ? changes_ : refusals_, now, [&] { return audit_line(answer); });
}

void AuditLog::write(const core::driver::DetachAnswer& answer, Nanos now) {
  const bool granted = answer.response.code == layout::ResponseCode::kOk;
  write(granted ? changes_ : refusals_, now, [&] { return audit_line(answer); });
}

void AuditLog::write(const core::driver::LeaseNotice& notice, Nanos now) {
  write(notice.expiry ? changes_ : refusals_, now, [&] { return audit_line(notice); });
}

void AuditLog::write_request(std::string_view line, bool refused, Nanos now) {
  write(refused ? refusals_ : changes_, now, [&] { return std::string(line); });
}

void AuditLog::poll(Nanos now) {
  if (now < report_at_) {
    return;
  }
  report_at_ = now + kReportPeriod;
  if (const std::uint64_t refusals = refusals_.take_suppressed(now); refusals != 0) {
    sink_(LogLevel::kWarning, "audit: " + std::to_string(refusals) + " refusals were not logged");
  }
  if (const std::uint64_t changes = changes_.take_suppressed(now); changes != 0) {
    sink_(LogLevel::kWarning, "audit: " + std::to_string(changes) +
                                  " attaches, detaches and ends of leases were not logged");
  }
}

}  // namespace tensorpool::inline v0::driver
