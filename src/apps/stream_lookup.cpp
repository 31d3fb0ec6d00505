#include "apps/stream_lookup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <system_error>
#include <vector>

#include "apps/pacer.hpp"
#include "bus/driver_probe.hpp"
#include "layout/limits.hpp"
#include "os/clock.hpp"

namespace tensorpool::inline v0::apps {
namespace {

using bus::DriverState;

constexpr Nanos kAnnouncePeriod = std::chrono::milliseconds(1000);  // W438, of everybody else
constexpr Nanos kProbe = kAnnouncePeriod * 12 / 10;
constexpr Nanos kLookAgain = std::chrono::milliseconds(10);
constexpr Nanos kLookElsewhere = std::chrono::milliseconds(500);
constexpr Nanos kDriverPatience = std::chrono::seconds(10);
constexpr std::size_t kListedMax = 5;

Nanos now_mono() noexcept {
  return os::SystemClock().mono();
}

bool is_set(const std::atomic<bool>* flag) noexcept {
  return flag != nullptr && flag->load(std::memory_order_relaxed);
}

std::string announced_text(const std::vector<StreamInfo>& streams) {
  if (streams.empty()) {
    return "nothing is announced there";
  }
  std::string text = "announced there:";
  for (std::size_t k = 0; k < std::min(streams.size(), kListedMax); ++k) {
    text += k == 0 ? " " : ", ";
    text += streams[k].name.empty() ? "?" : streams[k].name;
    text += fmt::format(" ({})", streams[k].stream_id);
  }
  return streams.size() > kListedMax ? text + ", …" : text;
}

/// What a waiting subscriber lacks. Notes are written when it changes.
enum class Missing : std::uint8_t {
  kNothingYet,
  kDriver,
  kPermission,
  kVersion,
  kStream,
  kRegions,
  kClock
};

class WaitNotes {
 public:
  WaitNotes(const Client& client, const StreamRef& wanted, Console& console)
      : client_(client), wanted_(wanted), console_(console) {}

  void update(const std::vector<StreamInfo>& streams) {
    const Missing missing = find_missing(streams);
    if (missing != told_ && missing != Missing::kNothingYet) {
      told_ = missing;
      tell(streams);
    }
  }

 private:
  [[nodiscard]] Missing find_missing(const std::vector<StreamInfo>& streams) {
    probe_ = bus::probe_driver(client_.aeron_dir());
    if (probe_.state != DriverState::kAlive) {
      alive_since_ = Nanos{0};
      return probe_.state == DriverState::kDenied         ? Missing::kPermission
             : probe_.state == DriverState::kWrongVersion ? Missing::kVersion
                                                          : Missing::kDriver;
    }
    const Nanos now = now_mono();
    alive_since_ = alive_since_ == Nanos{0} ? now : alive_since_;
    if (now - alive_since_ < kProbe || client_.connection() != ConnectionState::kConnected) {
      return Missing::kNothingYet;  // the announce may be on its way
    }
    refusal_ = find_refusal(streams);
    if (refusal_) {
      return Missing::kClock;
    }
    const bool heard = std::any_of(streams.begin(), streams.end(),
                                   [this](const StreamInfo& s) { return is_named(s, wanted_); });
    return heard ? Missing::kRegions : Missing::kStream;
  }

  /// A name is heard without regard to clocks, and belongs to a number.
  [[nodiscard]] std::optional<Error> find_refusal(const std::vector<StreamInfo>& streams) const {
    for (const Error& why : client_.refused_streams()) {
      if (why.stream_id == wanted_.number ||
          std::any_of(streams.begin(), streams.end(), [&](const StreamInfo& stream) {
            return stream.stream_id == why.stream_id && is_named(stream, wanted_);
          })) {
        return why;
      }
    }
    return std::nullopt;
  }

  void tell(const std::vector<StreamInfo>& streams) {
    const std::string& directory = client_.aeron_dir();
    const std::string stream = wanted_.text();
    switch (told_) {
      case Missing::kDriver:
        console_.note(fmt::format(
            "waiting for a media driver: none runs in {}. `tp pub {}` brings one along; or start "
            "aeronmd there, or name another directory with --aeron-dir or AERON_DIR",
            directory, stream));
        break;
      case Missing::kPermission:
        console_.note(fmt::format(
            "waiting for permission: the media driver in {} may not be used ({}). Run as the user "
            "who started it, or name a directory of your own with --aeron-dir",
            directory, std::generic_category().message(probe_.os_errno)));
        break;
      case Missing::kVersion:
        console_.note("waiting for another media driver: " +
                      describe(bus::to_error(probe_, directory)));
        break;
      case Missing::kStream:
        console_.note(fmt::format(
            "waiting for stream {}: nobody announces it on the media driver in {} ({}). Start it "
            "with `tp pub {} --from FILE`",
            stream, directory, announced_text(streams), stream));
        break;
      case Missing::kRegions:
        console_.note(fmt::format(
            "waiting for the regions of stream {}: only its name is announced so far", stream));
        break;
      case Missing::kClock:
        console_.note(fmt::format("waiting for stream {}: what it announces is refused: {}", stream,
                                  describe(*refusal_)));
        break;
      case Missing::kNothingYet:
        break;
    }
  }

  const Client& client_;
  const StreamRef& wanted_;
  Console& console_;
  bus::DriverProbe probe_;
  std::optional<Error> refusal_;
  Missing told_ = Missing::kNothingYet;
  Nanos alive_since_{};
};

/// `late`: whoever has a name has told it by now; it may come a moment after the regions.
[[nodiscard]] Status check_no_clash(const StreamInfo& stream, const StreamRef& wanted, bool late) {
  if (!wanted.name.empty() && stream.name == wanted.name) {
    return fail(
        make_error(Errc::kAlreadyExists, fmt::format("{} is being published already, as number {}",
                                                     wanted.name, stream.stream_id))
            .in_stream(stream.stream_id));
  }
  if (stream.stream_id == wanted.number && (late || !stream.name.empty())) {
    return fail(
        make_error(Errc::kAlreadyExists,
                   fmt::format("number {} of {} is taken by {}", wanted.number, wanted.text(),
                               stream.name.empty() ? "a stream without a name" : stream.name))
            .in_stream(wanted.number));
  }
  return {};
}

}  // namespace

Result<StreamRef> parse_stream_ref(std::string_view text) {
  if (text.empty()) {
    return fail(Errc::kInvalidArgument, "stream name");
  }
  if (text.find_first_not_of("0123456789") != std::string_view::npos) {
    return StreamRef{.name = std::string(text)};
  }
  std::uint32_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc() || !layout::valid_stream_id(number)) {
    return fail(Errc::kInvalidArgument, "stream number", number, layout::kStreamIdMax);
  }
  return StreamRef{.name = {}, .number = number};
}

bool is_named(const StreamInfo& stream, const StreamRef& wanted) noexcept {
  return wanted.number != 0 ? stream.stream_id == wanted.number : stream.name == wanted.name;
}

Result<StreamInfo> await_stream(const Client& client, const StreamRef& wanted,
                                const WaitOptions& options, Console& console) {
  const Nanos start = now_mono();
  Nanos look_elsewhere_at = start + kLookElsewhere;
  WaitNotes notes(client, wanted, console);
  while (!is_set(options.stop)) {
    const std::vector<StreamInfo> streams = client.streams();
    const StreamInfo* found = nullptr;
    for (const StreamInfo& stream : streams) {
      if (is_named(stream, wanted) && stream.nslots > 0 &&
          (found == nullptr || stream.epoch > found->epoch)) {
        found = &stream;
      }
    }
    if (found != nullptr) {
      return *found;
    }
    notes.update(streams);
    if (options.look_elsewhere && now_mono() >= look_elsewhere_at) {
      look_elsewhere_at = now_mono() + kLookElsewhere;
      if (options.look_elsewhere()) {
        return fail(Errc::kNotFound, "stream " + wanted.text());
      }
    }
    if (options.timeout > Nanos{0} && now_mono() - start >= options.timeout) {
      return fail(Errc::kTimeout, "stream " + wanted.text());
    }
    sleep_for(kLookAgain);
  }
  return fail(Errc::kClosed, "stream " + wanted.text());
}

Status await_connection(const Client& client, const WaitOptions& options) {
  const Nanos start = now_mono();
  const Nanos patience = options.timeout > Nanos{0} ? options.timeout : kDriverPatience;
  while (client.connection() != ConnectionState::kConnected) {
    const bus::DriverProbe probe = bus::probe_driver(client.aeron_dir());
    if (probe.state == DriverState::kDenied || probe.state == DriverState::kWrongVersion) {
      return fail(bus::to_error(probe, client.aeron_dir()));
    }
    if (is_set(options.stop)) {
      return fail(Errc::kClosed, client.aeron_dir());
    }
    if (now_mono() - start >= patience) {
      return fail(Errc::kMediaDriverUnavailable, client.aeron_dir());
    }
    sleep_for(kLookAgain);
  }
  return {};
}

Status check_free(const Client& client, const StreamRef& wanted, const WaitOptions& options) {
  const Nanos start = now_mono();
  for (;;) {
    const bool late = now_mono() - start >= kProbe;
    for (const StreamInfo& stream : client.streams()) {
      if (Status status = check_no_clash(stream, wanted, late); !status) {
        return status;
      }
    }
    if (late) {
      return {};
    }
    if (is_set(options.stop)) {
      return fail(Errc::kClosed, wanted.text());
    }
    sleep_for(kLookAgain);
  }
}

}  // namespace tensorpool::inline v0::apps
