#include "agents/lease_report.hpp"

namespace tensorpool::inline v0::agents {
namespace {

[[nodiscard]] Errc code_of(layout::ResponseCode code) noexcept {
  switch (code) {
    case layout::ResponseCode::kUnsupported:
      return Errc::kUnsupportedVersion;
    case layout::ResponseCode::kInvalidParams:
      return Errc::kInvalidArgument;
    case layout::ResponseCode::kInternalError:
      return Errc::kOsFailure;
    default:
      return Errc::kAlreadyExists;  // REJECTED: somebody else holds what was asked for
  }
}

}  // namespace

Error error_of(const core::attach::AttachReport& report, std::string_view text) {
  using Kind = core::attach::AttachReport::Kind;
  switch (report.kind) {
    case Kind::kRefused:
      return make_error(code_of(report.code), text);
    case Kind::kProtocolError:
      return report.error;
    case Kind::kTimedOut:
      return make_error(Errc::kTimeout, "no driver has answered");
    case Kind::kInterrupted:
      return make_error(Errc::kClosed, "the driver went down before it answered");
    case Kind::kLost:
      return make_error(Errc::kClosed, text.empty() ? to_string(report.loss) : text);
    case Kind::kAttached:
    case Kind::kDetached:
      break;
  }
  return {};
}

}  // namespace tensorpool::inline v0::agents
