#include "agents/lease_report.hpp"

namespace tensorpool::inline v0::agents {
namespace {

[[nodiscard]] Errc code_of(layout::ResponseCode code) noexcept {
  switch (code) {
    case layout::ResponseCode::kUnsupported:
      return Errc::kUnsupportedVersion;
    case layout::ResponseCode::kInvalidParams:
      return Errc::kInvalidArgument;
    default:
      return Errc::kAttachRefused;  // REJECTED, INTERNAL_ERROR: another attempt may succeed
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
      return make_error(Errc::kTimeout, "the driver went down before it answered");
    case Kind::kLost:
      return make_error(Errc::kLeaseLost, text.empty() ? to_string(report.loss) : text);
    case Kind::kAttached:
    case Kind::kDetached:
      break;
  }
  return {};
}

}  // namespace tensorpool::inline v0::agents
