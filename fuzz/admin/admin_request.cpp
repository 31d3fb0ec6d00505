// Any line as a request of the admin socket: refused with the reason, or taken, and then the same
// request again after it was written down.
#include <string>
#include <string_view>

#include "admin/request.hpp"
#include "harness/fuzz.hpp"

int fuzz_admin_request(std::span<const std::byte> input) {
  using namespace tensorpool;
  const std::string_view line(reinterpret_cast<const char*>(input.data()), input.size());
  const Result<admin::Request> request = admin::parse_request(line);
  if (!request) {
    TP_FUZZ_CHECK(!to_string(request.error().code).empty());
    return 0;
  }
  TP_FUZZ_CHECK(line.size() <= admin::kRequestBytesMax);
  TP_FUZZ_CHECK(request->name.empty() || admin::is_stream_name(request->name));
  const std::string written = admin::format_request(*request);
  TP_FUZZ_CHECK(written.find('\n') == std::string::npos);
  const Result<admin::Request> again = admin::parse_request(written);
  if (!again) {  // escapes make some texts longer than a line may be
    TP_FUZZ_CHECK(again.error().code == Errc::kMessageTooLong);
    return 0;
  }
  TP_FUZZ_CHECK(again->operation == request->operation && again->name == request->name);
  TP_FUZZ_CHECK(again->stream_id == request->stream_id && again->lease_id == request->lease_id);
  TP_FUZZ_CHECK(again->frame_bytes == request->frame_bytes && again->nslots == request->nslots);
  TP_FUZZ_CHECK(again->rate_hz == request->rate_hz && again->dry_run == request->dry_run);
  return 0;
}
