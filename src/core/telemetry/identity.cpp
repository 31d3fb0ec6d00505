#include "core/telemetry/identity.hpp"

#include <algorithm>
#include <cstring>

#include "layout/limits.hpp"

namespace tensorpool::inline v0::core::telemetry {
namespace {

using layout::CounterKey;
using layout::CounterRole;

constexpr std::size_t kLabelBytesMax = 380;  // of the media driver
constexpr std::string_view kRing = " ring=";

[[nodiscard]] bool is_plain(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

std::string to_key(const Identity& who) {
  CounterKey key{};
  key.version = layout::kCounterKeyVersion;
  key.role = who.role;
  key.stream_id = who.stream_id;
  key.client_id = who.client_id;
  key.instance = who.instance;
  key.pid = who.pid;
  key.process_start = who.process_start;
  who.name.copy(key.name.data(), key.name.size());
  std::string bytes(sizeof(key), '\0');
  std::memcpy(bytes.data(), &key, sizeof(key));
  return bytes;
}

std::optional<Identity> from_key(std::string_view bytes) {
  CounterKey key{};
  if (bytes.size() > sizeof(key)) {
    return std::nullopt;
  }
  std::memcpy(static_cast<void*>(&key), bytes.data(), bytes.size());
  const auto* const end = std::find(key.name.begin(), key.name.end(), '\0');
  const std::string_view name(key.name.data(), static_cast<std::size_t>(end - key.name.begin()));
  const CounterRole role = key.role;
  if (key.version != layout::kCounterKeyVersion ||
      (role != CounterRole::kProducer && role != CounterRole::kConsumer) ||
      !layout::valid_stream_id(key.stream_id) || !is_plain(name)) {
    return std::nullopt;
  }
  return Identity{.role = role,
                  .stream_id = key.stream_id,
                  .client_id = key.client_id,
                  .instance = key.instance,
                  .pid = key.pid,
                  .process_start = key.process_start,
                  .name = std::string(name)};
}

std::string to_label(std::string_view counter, const Identity& who, std::string_view ring) {
  std::string label(counter);
  label += who.role == CounterRole::kProducer ? ": producer=" : ": consumer=";
  label += std::to_string(who.client_id);
  label += " stream=" + std::to_string(who.stream_id);
  label += " pid=" + std::to_string(who.pid);
  if (!ring.empty() && label.size() + kRing.size() + ring.size() <= kLabelBytesMax) {
    label.append(kRing).append(ring);
  }
  return label;
}

std::string_view ring_of(std::string_view label) noexcept {
  const std::size_t at = label.find(kRing);
  return at == std::string_view::npos ? std::string_view() : label.substr(at + kRing.size());
}

}  // namespace tensorpool::inline v0::core::telemetry
