#include "bus/channel.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>

namespace tensorpool::inline v0::bus {
namespace {

constexpr std::string_view kSpyPrefix = "aeron-spy:";
constexpr std::string_view kScheme = "aeron:";
constexpr std::uint64_t kTermBytesMin = 64ULL * 1024;
constexpr std::uint64_t kTermBytesMax = 1024ULL * 1024 * 1024;
constexpr std::uint64_t kMtuBytesMax = 65504;
constexpr std::uint64_t kFrameAlignment = 32;

bool consume(std::string_view& text, std::string_view prefix) noexcept {
  if (!text.starts_with(prefix)) {
    return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

bool is_printable(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(),
                     [](char byte) { return byte >= 0x21 && byte <= 0x7E; });
}

}  // namespace

std::uint64_t parse_length(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest + 1 < end) {
    return 0;
  }
  unsigned shift = 0;
  if (rest != end) {
    switch (*rest) {
      case 'k':
      case 'K':
        shift = 10;
        break;
      case 'm':
      case 'M':
        shift = 20;
        break;
      case 'g':
      case 'G':
        shift = 30;
        break;
      default:
        return 0;
    }
  }
  return value > (UINT64_MAX >> shift) ? 0 : value << shift;
}

Result<Channel> Channel::parse(std::string_view text) {
  if (text.size() > kChannelBytesMax) {
    return fail(Errc::kInvalidArgument, "channel", text.size(), kChannelBytesMax);
  }
  if (!is_printable(text)) {
    return fail(Errc::kInvalidArgument, text);
  }
  Channel channel;
  std::string_view rest = text;
  channel.spy_ = consume(rest, kSpyPrefix);
  const bool has_scheme = consume(rest, kScheme);
  const std::string_view media = rest.substr(0, rest.find('?'));
  if (!has_scheme || (media != "ipc" && media != "udp")) {
    return fail(Errc::kInvalidArgument, text);
  }
  channel.media_ = media == "ipc" ? Media::kIpc : Media::kUdp;
  rest.remove_prefix(media.size());
  if (!rest.empty()) {
    std::size_t end = 0;
    do {
      rest.remove_prefix(1);  // the '?' or the '|' before the parameter
      end = std::min(rest.find('|'), rest.size());
      if (Status added = channel.add_param(rest.substr(0, end)); !added) {
        return fail(added.error());
      }
      rest.remove_prefix(end);
    } while (!rest.empty());
  }
  if (Status checked = channel.check(); !checked) {
    return fail(checked.error());
  }
  return channel;
}

Status Channel::add_param(std::string_view param) {
  const std::size_t equals = param.find('=');
  if (equals == std::string_view::npos || equals == 0 || equals + 1 == param.size() ||
      get(param.substr(0, equals))) {
    return fail(Errc::kInvalidArgument, param.empty() ? "channel parameter" : param);
  }
  params_.emplace_back(param.substr(0, equals), param.substr(equals + 1));
  return {};
}

Status Channel::check() const {
  if (const auto term = get("term-length")) {
    const std::uint64_t bytes = parse_length(*term);
    if (!std::has_single_bit(bytes) || bytes < kTermBytesMin || bytes > kTermBytesMax) {
      return fail(Errc::kInvalidArgument, "term-length", bytes, kTermBytesMax);
    }
  }
  if (const auto mtu = get("mtu")) {
    const std::uint64_t bytes = parse_length(*mtu);
    if (bytes <= kFrameAlignment || bytes > kMtuBytesMax || bytes % kFrameAlignment != 0) {
      return fail(Errc::kInvalidArgument, "mtu", bytes, kMtuBytesMax);
    }
  }
  for (const std::string_view key : {"tether", "sparse", "reliable", "eos", "rejoin"}) {
    const auto value = get(key);
    if (value && *value != "true" && *value != "false") {
      return fail(Errc::kInvalidArgument, key);
    }
  }
  if (media_ == Media::kUdp && !get("endpoint") && !get("control")) {
    return fail(Errc::kInvalidArgument, "endpoint");
  }
  return {};
}

std::optional<std::string_view> Channel::get(std::string_view key) const noexcept {
  const auto found = std::find_if(params_.begin(), params_.end(),
                                  [key](const auto& param) { return param.first == key; });
  return found == params_.end() ? std::nullopt : std::optional<std::string_view>(found->second);
}

Channel& Channel::set(std::string_view key, std::string_view value) {
  const auto found = std::find_if(params_.begin(), params_.end(),
                                  [key](const auto& param) { return param.first == key; });
  if (found != params_.end()) {
    found->second = value;
  } else {
    params_.emplace_back(key, value);
  }
  return *this;
}

Channel Channel::untethered() const {
  Channel channel = *this;
  channel.set("tether", "false");
  return channel;
}

std::size_t Channel::term_bytes() const noexcept {
  const auto term = get("term-length");
  return term ? static_cast<std::size_t>(parse_length(*term)) : 0;
}

std::string Channel::text() const {
  std::string text(spy_ ? kSpyPrefix : "");
  text += kScheme;
  text += is_ipc() ? "ipc" : "udp";
  char separator = '?';
  for (const auto& [key, value] : params_) {
    text += separator;
    text += key;
    text += '=';
    text += value;
    separator = '|';
  }
  return text;
}

std::string Channel::transport_key() const {
  std::string key = is_ipc() ? "ipc" : "udp";
  if (!is_ipc()) {
    for (const std::string_view name : {"endpoint", "interface", "control", "control-mode"}) {
      key += '|';
      key += get(name).value_or("");
    }
  }
  return key;
}

}  // namespace tensorpool::inline v0::bus
