#include "tensorpool/types/error.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <iterator>
#include <string>

#include "base/printable.hpp"

namespace tensorpool::inline v0 {
namespace {

struct ErrcText {
  Errc code;
  std::string_view name;
  std::string_view fix;
};

constexpr ErrcText kErrcTexts[] = {
    {Errc::kUriUnsupportedScheme, "uri_unsupported_scheme",
     "only shm:file?path=... is supported: check what the owner of the stream announces"},
    {Errc::kUriInvalid, "uri_invalid",
     "write shm:file?path=/absolute/path and optionally |require_hugepages=true, each once"},
    {Errc::kPathRejected, "path_rejected",
     "the file has to be a regular file below an allowed base directory, reached without a "
     "symbolic link; add the "
     "directory to allowed_base_dirs if you trust it"},
    {Errc::kPermissionRejected, "permission_rejected",
     "remove write permission for others (chmod o-w) or correct the expected owner"},
    {Errc::kHugepagesRequired, "hugepages_required",
     "place the stream on a hugetlbfs mount, or do not require hugepages"},
    {Errc::kRegionTooSmall, "region_too_small",
     "the file is shorter than its geometry demands: restart the producer so that it makes a new "
     "epoch"},
    {Errc::kRegionTooLarge, "region_too_large",
     "raise max_region_bytes if a region of this size is intended"},
    {Errc::kSuperblockMismatch, "superblock_mismatch",
     "the file and the announce describe different regions: restart the producer so that it makes "
     "a new epoch"},
    {Errc::kLayoutUnsupported, "layout_unsupported",
     "use the same major version of tensorpool on both sides"},
    {Errc::kStrideInvalid, "stride_invalid",
     "use a stride that is a multiple of 64 and at least 64"},
    {Errc::kAnnounceInvalid, "announce_invalid",
     "the owner of the stream announces an impossible geometry: update it"},
    {Errc::kFallbackUnsupported, "fallback_unsupported",
     "use a fallback URI that begins with aeron: or bridge://"},
    {Errc::kStreamAssignmentInvalid, "stream_assignment_invalid",
     "give channel and stream id together, both valid, or neither"},
    {Errc::kConsumerIdCollision, "consumer_id_collision",
     "give each consumer of a stream an id of its own"},
    {Errc::kNoPoolFits, "no_pool_fits",
     "publish smaller frames, or configure a pool with a larger stride"},
    {Errc::kInvalidParams, "invalid_params",
     "correct the tensor description or the length given to publish"},
    {Errc::kTooManyClaims, "too_many_claims",
     "commit or abort open claims first, or configure more slots"},
    {Errc::kCommitOutOfOrder, "commit_out_of_order", "commit or abort the older claims first"},
    {Errc::kStaleClaim, "stale_claim", "the epoch of this claim has ended: take a new claim"},
    {Errc::kExtentExceedsPayload, "extent_exceeds_payload",
     "the shape reaches beyond the payload: read the frame as bytes"},
    {Errc::kMetadataTooLarge, "metadata_too_large", "send large tables as a blob"},
    {Errc::kMalformedMessage, "malformed_message",
     "the sender does not follow the protocol: update it"},
    {Errc::kUnsupportedVersion, "unsupported_version", "update tensorpool on the receiving side"},
    {Errc::kUnknownTemplate, "unknown_template",
     "the message is of no kind this version knows: nothing is lost"},
    {Errc::kWrongSchema, "wrong_schema",
     "the message belongs to another schema: check channel and stream id"},
    {Errc::kMessageTooLong, "message_too_long",
     "shorten the text fields, or use a channel with a longer term"},
    {Errc::kInvalidArgument, "invalid_argument", "correct the named option"},
    {Errc::kNotFound, "not_found", "check the name, and that its producer runs"},
    {Errc::kAlreadyExists, "already_exists",
     "choose another name or number, or stop the present holder"},
    {Errc::kLimitReached, "limit_reached",
     "raise the limit (ulimit -n, vm.max_map_count) or use fewer streams"},
    {Errc::kNoSpace, "no_space", "free space on the file system, or use fewer or smaller slots"},
    {Errc::kOsFailure, "os_failure", "see the system's own message"},
    {Errc::kTimeout, "timeout", "check that the other side runs, or wait longer"},
    {Errc::kClosed, "closed", "create the object anew"},
    {Errc::kForked, "forked",
     "create clients, producers and consumers in the process that uses them, after fork"},
    {Errc::kMisaligned, "misaligned", "read the frame as bytes, or copy it"},
    {Errc::kDtypeMismatch, "dtype_mismatch", "ask for the element type that the frame has"},
    {Errc::kMediaDriverUnavailable, "media_driver_unavailable",
     "start a producer or `aeronmd` on this Aeron directory, or give the right one with "
     "--aeron-dir or AERON_DIR"},
    {Errc::kBusFailure, "bus_failure", "see Aeron's own message"},
    {Errc::kFileFormat, "file_format",
     "give a file of a supported format (npy, FITS, PNG, PGM, raw)"},
    {Errc::kTruncatedInput, "truncated_input", "the input ends inside a frame: give whole frames"},
    {Errc::kEpochExhausted, "epoch_exhausted", "remove the old epoch directories of the stream"},
    {Errc::kAttachRefused, "attach_refused",
     "go by the driver's words; `tp leases` shows who holds the stream, `tp stat` what is used up"},
    {Errc::kLeaseLost, "lease_lost",
     "wait for the next lease, which begins with frame 0; with reattach switched off create the "
     "object anew"},
    {Errc::kClockMismatch, "clock_mismatch",
     "run both sides in the same time namespace (`lsns -t time`); where they announce by "
     "CLOCK_REALTIME, set the clocks"},
    {Errc::kHugepagesForbidden, "hugepages_forbidden",
     "let the client have hugepages, or place the stream on a file system with ordinary pages"},
    {Errc::kShapeChanged, "shape_changed",
     "the stream changed type or shape: go on in another file, or write to a directory"},
};

constexpr std::string_view kFieldNames[] = {
    "",
    "magic",
    "layoutVersion",
    "epoch",
    "streamId",
    "regionType",
    "poolId",
    "nslots",
    "slotBytes",
    "strideBytes",
    "pid",
    "activityTimestampNs",
    "path",
    "regionUri",
    "headerSlotBytes",
    "headerNslots",
    "poolNslots",
    "payloadPools",
    "dtype",
    "majorOrder",
    "ndims",
    "dims",
    "strides",
    "progressUnit",
    "progressStrideBytes",
    "valuesLenBytes",
    "timestampNs",
    "mode",
    "uid",
    "gid",
};

/// Permission bits read as people write them; everything else is decimal.
std::string number(std::uint64_t value, Field field) {
  std::array<char, 24> text{};
  const bool octal = field == Field::kMode;
  char* begin = text.data();
  if (octal) {
    *begin++ = '0';
  }
  const auto end = std::to_chars(begin, text.data() + text.size(), value, octal ? 8 : 10).ptr;
  return {text.data(), end};
}

const ErrcText* find_text(Errc code) noexcept {
  const auto* found = std::find_if(std::begin(kErrcTexts), std::end(kErrcTexts),
                                   [code](const ErrcText& text) { return text.code == code; });
  return found == std::end(kErrcTexts) ? nullptr : found;
}

}  // namespace

std::string_view to_string(Errc code) noexcept {
  const ErrcText* text = find_text(code);
  return text == nullptr ? std::string_view("unknown_error") : text->name;
}

std::string_view how_to_fix(Errc code) noexcept {
  const ErrcText* text = find_text(code);
  return text == nullptr ? std::string_view() : text->fix;
}

std::string_view to_string(Field field) noexcept {
  const auto index = static_cast<std::size_t>(field);
  return index < std::size(kFieldNames) ? kFieldNames[index] : std::string_view();
}

std::string_view Error::subject_view() const noexcept {
  return {subject, ::strnlen(subject, sizeof(subject))};
}

Error make_error(Errc code, std::string_view subject, std::uint64_t value,
                 std::uint64_t limit) noexcept {
  constexpr std::string_view kEllipsis = "...";
  Error error;
  error.code = code;
  error.value = value;
  error.limit = limit;
  const std::size_t room = sizeof(error.subject) - 1;
  if (subject.size() <= room) {
    std::copy(subject.begin(), subject.end(), error.subject);
  } else {
    const std::size_t kept = room - kEllipsis.size();
    std::copy_n(subject.begin(), kept, error.subject);
    std::copy(kEllipsis.begin(), kEllipsis.end(), error.subject + kept);
  }
  // A zero byte would hide the rest of what was sent.
  std::replace(error.subject, error.subject + std::min(subject.size(), room), '\0', '?');
  return error;
}

Error make_os_error(Errc code, std::string_view call, std::int32_t os_errno) noexcept {
  Error error = make_error(code, call);
  error.os_errno = os_errno;
  return error;
}

std::string describe(const Error& error) {
  std::string text(to_string(error.code));
  if (error.subject[0] != '\0') {
    text += ": ";
    text += base::printable(error.subject_view());  // W94
  }
  if (error.field != Field::kNone) {
    text += ": ";
    text += to_string(error.field);
  }
  if (error.value != 0 || error.limit != 0) {
    text += ": found " + number(error.value, error.field);
    if (error.limit != 0) {
      text += ", limit " + number(error.limit, error.field);
    }
  }
  if (error.stream_id != 0) {
    text += " (stream " + std::to_string(error.stream_id);
    if (error.epoch != 0) {
      text += ", epoch " + std::to_string(error.epoch);
    }
    if (error.region == kErrorRegionHeaderRing) {
      text += ", header ring";
    } else if (error.region != kErrorRegionNone) {
      text += ", pool " + std::to_string(error.region - 1);
    }
    text += ")";
  }
  if (error.os_errno != 0) {
    std::array<char, 128> buffer{};
    text += ": ";
    text += ::strerror_r(error.os_errno, buffer.data(), buffer.size());
  }
  const std::string_view fix = how_to_fix(error.code);
  if (!fix.empty()) {
    text += ". Fix: ";
    text += fix;
  }
  return text;
}

}  // namespace tensorpool::inline v0
