#include "core/region/directories.hpp"

#include <algorithm>
#include <charconv>

#include "base/reason.hpp"

namespace tensorpool::inline v0::core::region {
namespace {

constexpr std::string_view kHeaderRingFile = "header.ring";
constexpr std::string_view kPoolSuffix = ".pool";

[[nodiscard]] constexpr bool plain(char byte) noexcept {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
}

}  // namespace

std::string sanitized_user(std::string_view name, std::uint32_t uid) {
  if (name.empty()) {
    return std::to_string(uid);
  }
  std::string user(name);
  std::replace_if(
      user.begin(), user.end(), [](char byte) { return !plain(byte); }, '_');
  return user;
}

Status check_namespace(std::string_view name) noexcept {
  if (name.empty() || !std::all_of(name.begin(), name.end(), plain)) {
    return fail(base::make_reason(Errc::kInvalidArgument, "namespace is not [A-Za-z0-9_-]+", name));
  }
  return {};
}

std::array<std::string, 3> StreamPlace::levels() const {
  return {"tensorpool-" + user, name_space, std::to_string(stream_id)};
}

std::string region_file_name(const ExpectedRegion& region) {
  return region.type == layout::RegionType::kHeaderRing
             ? std::string(kHeaderRingFile)
             : std::to_string(region.pool_id).append(kPoolSuffix);
}

bool is_region_file_name(std::string_view name) noexcept {
  return name == kHeaderRingFile ||
         (name.ends_with(kPoolSuffix) &&
          parse_decimal(name.substr(0, name.size() - kPoolSuffix.size())));
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  const bool leading_zero = text.size() > 1 && text.front() == '0';
  if (error != std::errc{} || stopped != end || leading_zero) {
    return std::nullopt;
  }
  return value;
}

Result<std::uint64_t> choose_epoch(std::uint64_t highest_known, Nanos now,
                                   std::uint64_t epoch_max) noexcept {
  if (highest_known >= epoch_max) {
    return fail(make_error(Errc::kEpochExhausted, "highest existing epoch directory", highest_known,
                           epoch_max)
                    .of_field(Field::kEpoch));
  }
  return std::max(highest_known + 1, now.count() > 0 ? static_cast<std::uint64_t>(now.count()) : 0);
}

}  // namespace tensorpool::inline v0::core::region
